//! What we answer beside what a real Dovecot answers for the same messages.

mod addresses;
mod headers;
mod messages;
mod types;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testbed::neighbour;

use crate::{Limits, imap, parse};

/// A Maildir that Dovecot's imap process reads by itself, without its master.
struct Dovecot {
    imap: PathBuf,
    directory: tempfile::TempDir,
}

impl Dovecot {
    fn with(messages: &[Vec<u8>]) -> Option<Dovecot> {
        let [imap] = neighbour::installed(["dovecot/imap"])?;
        if !neighbour::root() {
            return None;
        }
        let directory = tempfile::Builder::new().prefix("facteur-mime-").tempdir().expect("/tmp is there");
        let dir = directory.path();
        let show = dir.display();
        // Dovecot becomes `nobody` before it reads mail.
        let open = || fs::Permissions::from_mode(0o777);
        fs::set_permissions(dir, open()).expect("it is ours");
        for name in ["mail", "mail/cur", "mail/new", "mail/tmp"] {
            fs::create_dir(dir.join(name)).expect("it is ours");
            fs::set_permissions(dir.join(name), open()).expect("it is ours");
        }
        let settings = format!(
            "mail_location = maildir:{show}/mail\nlog_path = {show}/log\nssl = no\nfirst_valid_uid = 0\n\
             mail_uid = nobody\nmail_gid = nogroup\ndefault_internal_user = nobody\ndefault_login_user = nobody\n\
             base_dir = {show}/run\nstate_dir = {show}/state\n"
        );
        fs::write(dir.join("dovecot.conf"), settings).expect("it is ours");
        for (number, message) in (1..).zip(messages) {
            let name = format!("{number:06}.x:2,");
            fs::write(dir.join("mail/cur").join(name), message).expect("it is ours");
        }
        Some(Dovecot { imap, directory })
    }

    /// The answers to FETCH of one item for all messages.
    fn fetch(&self, item: &str, count: usize) -> Vec<Vec<u8>> {
        let mut child = Command::new(&self.imap)
            .arg("-c")
            .arg(self.path().join("dovecot.conf"))
            .env("USER", "nobody")
            .env("HOME", self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let commands = format!("1 SELECT INBOX\r\n2 FETCH 1:* {item}\r\n3 LOGOUT\r\n");
        child.stdin.take().expect("piped").write_all(commands.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("our child").stdout;
        let mut rest = output.as_slice();
        let answers: Vec<Vec<u8>> = (1..=count)
            .map(|number| {
                rest = after(rest, format!("\r\n* {number} FETCH ({item} ").as_bytes());
                let next =
                    if number < count { format!("\r\n* {} FETCH (", number + 1) } else { "\r\n2 OK".into() };
                let end = memchr::memmem::find(rest, next.as_bytes()).expect("the next answer");
                rest[..end - 1].to_vec()
            })
            .collect();
        answers
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

fn after<'a>(text: &'a [u8], what: &[u8]) -> &'a [u8] {
    let at = memchr::memmem::find(text, what);
    let at = at.unwrap_or_else(|| panic!("no {} in {}", what.escape_ascii(), text.escape_ascii()));
    &text[at + what.len()..]
}

/// Holds our answers against Dovecot's, and shows every message that is answered otherwise.
fn compare(messages: &[Vec<u8>]) {
    let Some(dovecot) = Dovecot::with(messages) else { return };
    assert!(messages.len() >= 40);
    let mut wrong = String::new();
    for item in ["RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE"] {
        for (message, theirs) in messages.iter().zip(dovecot.fetch(item, messages.len())) {
            let structure = parse(message, &Limits::default());
            let mut ours = Vec::new();
            match item {
                "RFC822.SIZE" => ours.extend(structure.size().wire.to_string().bytes()),
                "ENVELOPE" => imap::envelope(structure.root().envelope.as_deref().unwrap(), &mut ours),
                "BODY" => imap::body(&structure, &mut ours),
                _ => imap::bodystructure(&structure, &mut ours),
            }
            if ours != theirs {
                let [message, ours, theirs] =
                    [message.as_slice(), &ours, &theirs].map(|text| text.escape_ascii().to_string());
                wrong += &format!("{item} of {message}\n   ours {ours}\n theirs {theirs}\n");
            }
        }
    }
    assert!(wrong.is_empty(), "answered otherwise:\n{wrong}");
}

fn with_body(header: &[u8]) -> Vec<u8> {
    [header, b"\n\nbody\nline 2"].concat()
}

#[test]
fn addresses_are_answered_as_dovecot_does() {
    let header = |list: &&[u8]| with_body(&[b"To: ".as_slice(), list].concat());
    compare(&addresses::ADDRESSES.iter().map(header).collect::<Vec<_>>());
}

#[test]
fn headers_are_answered_as_dovecot_does() {
    compare(&headers::HEADERS.iter().map(|header| with_body(header)).collect::<Vec<_>>());
}

#[test]
fn mime_fields_are_answered_as_dovecot_does() {
    compare(&types::TYPES.iter().map(|header| with_body(header)).collect::<Vec<_>>());
}

#[test]
fn structures_are_answered_as_dovecot_does() {
    compare(&messages::MESSAGES.iter().map(|message| message.to_vec()).collect::<Vec<_>>());
}
