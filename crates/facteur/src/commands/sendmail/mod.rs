//! sendmail(1): what programs call to send a message.
//!
//! The message goes to the running program over a local socket, which tells it who we are; when the program is
//! down, it goes into the maildrop. No set-gid program is needed.

mod message;
mod options;
pub mod submit;

pub use submit::{SESSION, SOCKET};

use std::ffi::OsString;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bytes::Bytes;
use mail::addresses::{mailboxes, parse};
use mail::{Address, DeliveryReport, Envelope, Recipient, header};
use mta::verp::Verp;
use nix::unistd::{User, getuid};
use queue::{Open, Submission};

use self::message::{How, LineEnds, Read};
use self::options::{Mode, Options};
use super::Command;
use crate::config::{self, Config};

/// The command.
pub const COMMAND: Command =
    Command { name: "sendmail", summary: "send a message, or look after the queue", run };

/// Exit status of everything that went wrong: try again later (sysexits.h), the one thing callers understand.
const EX_TEMPFAIL: u8 = 75;

fn run(words: Vec<OsString>) -> u8 {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let options = match options::parse(words) {
        Ok(options) => options,
        Err(what) => return fatal(&what),
    };
    for warning in &options.warnings {
        eprintln!("sendmail: warning: {warning}");
    }
    let directory = directory(options.config.as_deref());
    let with_config = |more: &[&str]| -> Vec<OsString> {
        let mut words = vec![OsString::from("-c"), directory.clone().into_os_string()];
        words.extend(more.iter().map(OsString::from));
        words
    };
    match &options.mode {
        Mode::Deliver => match deliver(&options, &directory) {
            Ok(()) => 0,
            Err(what) => fatal(&what),
        },
        Mode::Session => submit::session(&directory).map_or_else(|what| fatal(&what), |()| 0),
        Mode::Daemon => other("postfix", with_config(&["start"])),
        Mode::Aliases(Some(database)) => other("postalias", with_config(&[database])),
        Mode::Aliases(None) => other("newaliases", with_config(&[])),
        Mode::Idle => 0,
        Mode::List => other("postqueue", with_config(&["-p"])),
        Mode::Flush => other("postqueue", with_config(&["-f"])),
        Mode::FlushSite(site) => other("postqueue", with_config(&["-s", site])),
        Mode::FlushMessage(id) => other("postqueue", with_config(&["-i", id])),
    }
}

fn fatal(what: &str) -> u8 {
    eprintln!("sendmail: fatal: {what}");
    EX_TEMPFAIL
}

/// Runs another command in our place.
fn other(name: &str, words: Vec<OsString>) -> u8 {
    match super::find(name) {
        Some(command) => (command.run)(words),
        None => fatal(&format!("{name} is not part of this program")),
    }
}

/// `-C` names the configuration directory, or main.cf in it.
fn directory(given: Option<&str>) -> PathBuf {
    let given = given.map(Path::new).map(|path| match path.file_name() {
        Some(name) if name == "main.cf" => path.parent().unwrap_or(Path::new("/")).to_owned(),
        _ => path.to_owned(),
    });
    config::directory(given.as_deref())
}

fn deliver(options: &Options, directory: &Path) -> Result<(), String> {
    let config = Config::for_submission(directory);
    let sender = options.sender.as_deref().map(first_address);
    let who = || {
        let name = sender.clone().or_else(|| caller().map(|user| user.name.as_str().into()));
        format!("{}({})", name.as_ref().map_or("", Address::as_str), getuid())
    };
    let fix = match config.view.get("sendmail_fix_line_endings").as_str() {
        "never" => LineEnds::Never,
        "strict" => LineEnds::Strict,
        _ => LineEnds::Always,
    };
    let limit = config.view.get("message_size_limit").trim().parse().unwrap_or(0);
    let how = How { dot_ends: options.dot_ends, line_ends: fix, limit };
    let mut recipients: Vec<Address> =
        options.recipients.iter().flat_map(|text| addresses(text.as_bytes())).collect();
    if recipients.is_empty() && !options.extract {
        // Whoever pipes the message must not be killed by a closed pipe before it hears why.
        let _ = std::io::copy(&mut std::io::stdin().lock().take(64 << 10), &mut std::io::sink());
        return Err(format!(
            "{}: Recipient addresses must be specified on the command line or via the -t option",
            who()
        ));
    }
    let mut input = BufReader::new(std::io::stdin().lock());
    let read = match options.report {
        DeliveryReport::Probe => login(&sender).map(|sender| Read::Message(probe(&sender, &recipients))),
        DeliveryReport::No | DeliveryReport::Verbose => {
            message::read(&mut input, how).map_err(|error| format!("cannot read the message: {error}"))
        }
    };
    let content = match read {
        Ok(Read::Message(content)) => content,
        Ok(Read::TooBig) => {
            eprintln!("sendmail: warning: uid={}: File too large", getuid());
            eprintln!("sendmail: warning: nothing was queued: message_size_limit is {limit} bytes");
            return Err(format!("{}: message file too big", who()));
        }
        Err(what) => return Err(format!("{}: {what}", who())),
    };
    if options.extract {
        recipients.extend(extract(&content));
        if recipients.is_empty() {
            return Err(format!("{}: No recipient addresses found in message header", who()));
        }
    }
    let verp = match &options.verp {
        Some(_) if sender.as_ref().is_some_and(Address::is_null) => {
            return Err(format!("{}: -V option requires non-null sender address", who()));
        }
        Some(asked) => Some(verp(asked, &config)?),
        None => None,
    };
    let recipient = |address: Address| Recipient { notify: options.notify, ..Recipient::new(address) };
    let full_name = options.full_name.clone().or_else(|| std::env::var("NAME").ok());
    let open = Open { sender: sender.is_none(), full_name: full_name.is_none() };
    let envelope = Envelope {
        sender: sender.clone().unwrap_or_else(Address::null),
        full_name: full_name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()),
        recipients: recipients.into_iter().map(recipient).collect(),
        body_type: options.body_type,
        envid: options.envid.clone(),
        ret: options.ret,
        verp,
        report: options.report,
        rewrite_local: !options.gateway,
        ..Envelope::default()
    };
    let submission = Submission { envelope, open, content: Bytes::from(content) };
    let fill = |submission| mta::pickup::fill(submission, caller(), getuid().as_raw());
    submit::hand_over(&config, submission, fill).map_err(|what| format!("{}: {what}", who()))?;
    if options.report != DeliveryReport::No {
        let sender = login(&sender)?;
        println!("Mail Delivery Status Report will be mailed to <{}>.", sender.external());
    }
    Ok(())
}

/// The message of `-bv`: nobody gets it, and standard input has none.
fn probe(sender: &Address, recipients: &[Address]) -> Vec<u8> {
    let to: Vec<String> = recipients.iter().map(Address::external).collect();
    format!("From: {}\nSubject: probe\nTo:\t{}\n", sender.external(), to.join(",\n\t")).into_bytes()
}

/// Who calls. It takes longer to find out than all the rest, so nobody asks who need not.
fn caller() -> Option<&'static User> {
    static CALLER: OnceLock<Option<User>> = OnceLock::new();
    CALLER.get_or_init(|| User::from_uid(getuid()).ok().flatten()).as_ref()
}

/// `-f`: the first address in it, or nobody.
fn first_address(text: &str) -> Address {
    let found = addresses(text.as_bytes());
    if found.len() > 1 {
        eprintln!("sendmail: warning: -f option specified malformed sender: {text}");
    }
    found.into_iter().next().unwrap_or_else(Address::null)
}

/// The sender that was given, or the login name of the caller.
fn login(given: &Option<Address>) -> Result<Address, String> {
    match given {
        Some(sender) => Ok(sender.clone()),
        None => mta::pickup::login_sender(caller(), getuid().as_raw()),
    }
}

/// The delimiters of VERP.
fn verp(asked: &str, config: &Config) -> Result<String, String> {
    let get = |name: &str| config.view.get(name);
    let rules =
        Verp { default: get("default_verp_delimiters"), filter: get("verp_delimiter_filter"), notices: true };
    rules.delimiters(asked).map_err(|allowed| format!("-V requires two characters from {allowed}"))
}

/// The addresses of a list as it may stand on a command line: `Some One <a@b>, c@d (comment)`.
fn addresses(text: &[u8]) -> Vec<Address> {
    let tokens = parse(text, 0);
    mailboxes(&tokens)
        .map(|one| Address::from(String::from_utf8_lossy(one.internal()).into_owned()))
        .collect()
}

/// `-t`: the recipients that the header names; those of `Resent-` headers alone when there are any.
fn extract(message: &[u8]) -> Vec<Address> {
    let head = &message[..header::header_len(message)];
    let from = |names: &[&str]| -> Vec<Address> {
        let fields = header::fields(head).filter(|field| names.iter().any(|name| field.is(name)));
        fields.flat_map(|field| addresses(field.value())).collect()
    };
    let resent = ["resent-to", "resent-cc", "resent-bcc"];
    if header::fields(head).any(|field| resent.iter().any(|name| field.is(name))) {
        return from(&resent);
    }
    from(&["to", "cc", "bcc"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(found: Vec<Address>) -> Vec<String> {
        found.into_iter().map(|address| address.to_string()).collect()
    }

    #[test]
    fn recipients_come_from_headers() {
        let message = b"To: \"A, B\" <ab@x.test>, grp: g1@x.test, G2@x.test;\nCc: <@r.test:c@x.test>, (none)\nSubject: a\n\nTo: no@x.test\n";
        assert_eq!(texts(extract(message)), ["ab@x.test", "g1@x.test", "G2@x.test", "@r.test:c@x.test"]);
        let resent = b"To: no@x.test\nResent-To: yes@x.test\n\n";
        assert_eq!(texts(extract(resent)), ["yes@x.test"]);
    }

    #[test]
    fn a_probe_names_who_asks_and_about_whom() {
        let text = probe(&"me@x.test".into(), &["a@y.test".into(), "b c@y.test".into()]);
        let expected = "From: me@x.test\nSubject: probe\nTo:\ta@y.test,\n\t\"b c\"@y.test\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn the_configuration_may_be_named_by_its_file() {
        assert_eq!(directory(Some("/etc/postfix/main.cf")), Path::new("/etc/postfix"));
        assert_eq!(directory(Some("/etc/postfix")), Path::new("/etc/postfix"));
    }
}
