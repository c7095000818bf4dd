//! `facteur explain`: what would happen to a message, and why, without sending it.
//!
//! Every stage of an SMTP session is judged as the real session would judge it; then sender and recipient are
//! rewritten, expanded and routed. Each step names its parameter, table, key and answer.

mod road;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conf::{Mistake, ServiceKind, View};
use filter::{
    Boxed, Facts, Judge, NameLookup, Outside, Peer, Probe, Stage, Standing, SystemDns, Verdict, Verifier,
};
use gate::greylist::Memory;
use jiff::tz::TimeZone;
use mail::{Address, Client, Trail};
use net::peer::NameStatus;
use route::Router;

use self::road::Road;
use super::Command;
use crate::config::{self, Config};
use crate::interfaces;

/// The command.
pub const COMMAND: Command =
    Command { name: "explain", summary: "say what would happen to a message, step by step, and why", run };

const USAGE: &str = "usage: facteur explain [-c config_dir] [--service NAME] [--client ADDRESS] [--client-name NAME]\n\
    \x20      [--helo NAME] [--login USER] [--size BYTES] [--sender ADDRESS] RECIPIENT ...\n\
    The client is looked up in the DNS unless --client-name is given. Nothing is sent, nothing is logged.";

/// What is asked about.
struct Question {
    directory: PathBuf,
    service: Option<String>,
    client: IpAddr,
    client_name: Option<String>,
    helo: String,
    login: String,
    size: u64,
    sender: Address,
    recipients: Vec<Address>,
}

fn run(words: Vec<OsString>) -> u8 {
    let question = match question(words) {
        Ok(question) => question,
        Err(what) => {
            eprintln!("facteur explain: {what}");
            return 1;
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("facteur explain: cannot start: {error}");
            return 1;
        }
    };
    match runtime.block_on(explain(&question)) {
        Ok(true) => 0,
        Ok(false) => 2,
        Err(what) => {
            eprintln!("facteur explain: {what}");
            1
        }
    }
}

fn question(words: Vec<OsString>) -> Result<Question, String> {
    let mut given: Option<PathBuf> = None;
    let mut question = Question {
        directory: PathBuf::new(),
        service: None,
        client: IpAddr::from([127, 0, 0, 1]),
        client_name: None,
        helo: "client.example".to_owned(),
        login: String::new(),
        size: 0,
        sender: Address::null(),
        recipients: Vec::new(),
    };
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let text = |parser: &mut lexopt::Parser| {
            super::value(parser).map(|word| word.to_string_lossy().into_owned())
        };
        match argument {
            lexopt::Arg::Short('c') => given = Some(super::value(&mut parser)?.into()),
            lexopt::Arg::Long("service") => question.service = Some(text(&mut parser)?),
            lexopt::Arg::Long("client") => {
                let word = text(&mut parser)?;
                let bare = word.trim_start_matches('[').trim_end_matches(']');
                question.client =
                    bare.parse().map_err(|_| format!("--client {word}: expected an address"))?;
            }
            lexopt::Arg::Long("client-name") => question.client_name = Some(text(&mut parser)?),
            lexopt::Arg::Long("helo") => question.helo = text(&mut parser)?,
            lexopt::Arg::Long("login") => question.login = text(&mut parser)?,
            lexopt::Arg::Long("size") => {
                let word = text(&mut parser)?;
                question.size =
                    word.parse().map_err(|_| format!("--size {word}: expected a number of bytes"))?;
            }
            lexopt::Arg::Long("sender") => question.sender = address(&text(&mut parser)?),
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => return Err(USAGE.to_owned()),
            lexopt::Arg::Value(word) => question.recipients.push(address(&word.to_string_lossy())),
            other => return Err(format!("{}\n{USAGE}", other.unexpected())),
        }
    }
    if question.recipients.is_empty() {
        return Err(format!("a recipient is missing\n{USAGE}"));
    }
    question.directory = config::directory(given.as_deref());
    Ok(question)
}

fn address(text: &str) -> Address {
    Address::from(text.trim().trim_start_matches('<').trim_end_matches('>'))
}

/// Nobody is asked: a real session would start a probe.
struct NoProbe;

impl Verifier for NoProbe {
    fn verify<'a>(&'a self, _: &'a Address) -> Boxed<'a, Probe> {
        Box::pin(std::future::ready(Probe::Pending))
    }
}

/// True when every recipient would be accepted and could be routed.
async fn explain(question: &Question) -> Result<bool, String> {
    let mut config = Config::read(&question.directory, "smtpd");
    let mut mistakes = std::mem::take(&mut config.mistakes);
    let service = config.master.services.iter().find(|service| match &question.service {
        Some(name) => service.name == *name && service.command == "smtpd",
        None => service.command == "smtpd" && service.kind == ServiceKind::Inet,
    });
    let view = match (service, &question.service) {
        (Some(service), _) => config.view.with_overrides(&service.overrides),
        (None, Some(name)) => return Err(format!("master.cf has no smtpd service '{name}'")),
        (None, None) => config.view.clone(),
    };
    let tables = crate::serve::tables(&view, &mut mistakes);
    let own = interfaces::own(&view, &mut mistakes);
    let router = Arc::new(Router::new(&view, &tables, own.clone(), &mut mistakes));
    let resolver = net::dns::Resolver::configured(&view).map_err(|trouble| trouble.to_string())?;
    let outside = Outside {
        dns: Arc::new(SystemDns { resolver: resolver.clone(), protocols: interfaces::protocols(&view) }),
        addresses: mta::smtpd::addresses(&view, router.clone(), now, &mut mistakes),
        verifier: Arc::new(NoProbe),
        greylist: Some(Arc::new(remembered(&view))),
        own_addresses: own.into(),
    };
    let judge = Judge::new(&view, &tables, outside, "smtpd", &mut mistakes);
    tell_mistakes(&mistakes);
    let peer = peer(question, &resolver).await;
    let service = service.map_or("smtpd", |service| service.name.as_str());
    println!("Client {} greets service {service} as {}.", peer.label(), question.helo);
    let road = Road { config: &config, view: &view, tables: &tables, router: &router };
    let mut fine = true;
    for recipient in &question.recipients {
        fine &= session(question, &judge, &peer, recipient).await;
        fine &= road.tell(&question.sender, recipient).await;
    }
    Ok(fine)
}

/// What the greylist has on disk; the running program may know a second more.
fn remembered(view: &View) -> Memory {
    let clock = crate::serve::clock();
    let look = Memory::look(Path::new(&view.get("data_directory")), clock.clone(), TimeZone::system());
    look.unwrap_or_else(|what| {
        println!("Note: {what}: everybody is new to the greylist");
        Memory::forgetful(clock)
    })
}

fn tell_mistakes(mistakes: &[Mistake]) {
    for mistake in mistakes {
        println!("Note: {mistake}");
    }
}

async fn peer(question: &Question, resolver: &net::dns::Resolver) -> Peer {
    let found = match &question.client_name {
        Some(name) => (name.clone(), name.clone(), NameLookup::Found, NameLookup::Found),
        None => {
            let found = net::peer::name(resolver, question.client).await;
            (found.name, found.reverse_name, lookup(found.status), lookup(found.reverse_status))
        }
    };
    let (name, reverse_name, name_lookup, reverse_lookup) = found;
    let client = Client {
        name,
        reverse_name,
        address: question.client.to_string(),
        helo: question.helo.clone(),
        protocol: "ESMTP".to_owned(),
        sasl_username: question.login.clone(),
        sasl_method: if question.login.is_empty() { String::new() } else { "PLAIN".to_owned() },
        ..Client::default()
    };
    Peer { client, ip: Some(question.client), name_lookup, reverse_lookup, ..Peer::default() }
}

fn lookup(status: NameStatus) -> NameLookup {
    match status {
        NameStatus::Ok => NameLookup::Found,
        NameStatus::Temporary => NameLookup::Later,
        _ => NameLookup::Never,
    }
}

/// Each stage of the session, until one refuses.
async fn session(question: &Question, judge: &Judge, peer: &Peer, recipient: &Address) -> bool {
    println!("\nMAIL FROM:<{}> RCPT TO:<{}>", question.sender.external(), recipient.external());
    let mut standing = Standing::default();
    standing.silent = true;
    let connected = Facts { instance: "explain", ..Facts::at_connection(peer) };
    let greeted = Facts { command: "EHLO", helo: Some(&question.helo), ..connected.clone() };
    let mail =
        Facts { command: "MAIL", sender: Some(&question.sender), size: question.size, ..greeted.clone() };
    let rcpt = Facts { command: "RCPT", recipient: Some(recipient), ..mail.clone() };
    let data = Facts { command: "DATA", recipients: 1, ..rcpt.clone() };
    for (stage, name, facts) in [
        (Stage::Client, "at the connection", &connected),
        (Stage::Helo, "at EHLO", &greeted),
        (Stage::Sender, "at MAIL FROM", &mail),
        (Stage::Recipient, "at RCPT TO", &rcpt),
        (Stage::Data, "at DATA", &data),
        (Stage::EndOfData, "at the end of the message", &data),
    ] {
        let mut trail = Trail::on();
        let verdict = judge.judge(stage, facts, &mut standing, &mut trail).await;
        if !trail.steps().is_empty() {
            println!("  {name}:");
        }
        tell(&trail);
        if let Verdict::Refuse(refusal) = verdict {
            println!("  REFUSED {name}: {} {} {}", refusal.smtp_code(), refusal.status(), refusal.say);
            return false;
        }
    }
    let orders = &standing.orders;
    for (set, what) in [
        (orders.hold, "it would be put on hold".to_owned()),
        (orders.discard, "it would be discarded".to_owned()),
        (
            orders.filter.is_some(),
            format!("it would go through the filter {}", orders.filter.as_deref().unwrap_or("")),
        ),
        (orders.redirect.is_some(), "it would be redirected".to_owned()),
    ] {
        if set {
            println!("  by an access rule {what}");
        }
    }
    println!("  ACCEPTED");
    true
}

/// Seconds since 1970.
fn now() -> i64 {
    crate::serve::clock()()
}

fn tell(trail: &Trail) {
    for step in trail.steps() {
        println!("    {step}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipient_is_needed() {
        assert!(
            question(vec!["--helo".into(), "x".into()])
                .is_err_and(|what| what.contains("recipient is missing"))
        );
        let asked =
            question(["--client", "[::1]", "--sender", "<a@b>", "c@d"].map(OsString::from).to_vec()).unwrap();
        assert_eq!((asked.client, asked.sender.as_str()), (IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), "a@b"));
    }
}
