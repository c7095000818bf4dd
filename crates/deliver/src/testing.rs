//! What the tests of this room share: requests, and agents made from a few lines of main.cf.

use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use conf::{Block, Facts, MainCf, MasterCf, Registry, View};
use jiff::{Timestamp, tz::TimeZone};
use mail::{Address, BodyType, Client, Detail, Notify, Outcome, QueueId, Recipient, Trouble};
use net::dns::Resolver;
use queue::Body;
use route::Router;
use tables::{Settings, Tables};

use crate::mailbox::crew::Crew;
use crate::{
    Agent, Boxed, Delivered, Letter, Pass, Purpose, Reinject, Report, Request, Setup, Target, agents, params,
};

/// A request from `sender` to `recipients`.
pub fn request(sender: &str, recipients: &[&str], content: &'static [u8]) -> Request {
    let target = |(index, address): (usize, &&str)| Target { index, recipient: Recipient::new(*address) };
    Request {
        id: QueueId::parse("4F1A2B").expect("an id"),
        sender: Address::from(sender),
        targets: recipients.iter().enumerate().map(target).collect(),
        transport: "test".to_owned(),
        nexthop: "Example.Test".to_owned(),
        content: Body::from(Bytes::from_static(content)),
        arrival: Timestamp::UNIX_EPOCH,
        body_type: BodyType::Unspecified,
        smtputf8: false,
        envid: None,
        ret: None,
        client: Client::default(),
        rewrite_local: false,
        purpose: Purpose::Deliver,
        again: false,
    }
}

/// An office that notes what agents ask of it.
#[derive(Default)]
pub struct Office {
    /// Messages queued: sender, recipients, header lines put before.
    pub letters: Mutex<Vec<String>>,
    /// What the first recipient of each of them wants to hear.
    pub notified: Mutex<Vec<Notify>>,
    /// Requests passed on: transport, next hop, recipients.
    pub passed: Mutex<Vec<String>>,
}

fn names<'a>(recipients: impl Iterator<Item = &'a Recipient>) -> String {
    recipients.map(|recipient| recipient.address.to_string()).collect::<Vec<_>>().join(" ")
}

impl Reinject for Office {
    fn resubmit(&self, letter: Letter) -> Boxed<'_, Result<QueueId, Trouble>> {
        let Letter { envelope, prepend, .. } = letter;
        let to = names(envelope.recipients.iter());
        let note = format!("{} -> {to} | {}", envelope.sender, String::from_utf8_lossy(&prepend).trim_end());
        self.letters.lock().expect("no test panics here").push(note);
        let notify = envelope.recipients.first().map(|recipient| recipient.notify).unwrap_or_default();
        self.notified.lock().expect("no test panics here").push(notify);
        Box::pin(std::future::ready(Ok(QueueId::parse("NEW1").expect("an id"))))
    }
}

impl Pass for Office {
    fn pass(&self, request: Request) -> Boxed<'_, Report> {
        let to = names(request.targets.iter().map(|target| &target.recipient));
        self.passed
            .lock()
            .expect("no test panics here")
            .push(format!("{} {} {to}", request.transport, request.nexthop));
        let outcome =
            Outcome::Delivered { detail: Detail(0, 0), text: "passed".to_owned(), relayed_dsn: false };
        let delivered =
            request.targets.iter().map(|target| Delivered::new(target.index, outcome.clone(), "other"));
        Box::pin(std::future::ready(Report { delivered: delivered.collect(), ..Report::default() }))
    }
}

/// The agent of one master.cf line, under these settings.
pub fn agent(main_cf: &str, master_cf: &str) -> (Arc<dyn Agent>, Arc<Office>) {
    let (main, mistakes) = MainCf::parse(main_cf, Path::new("main.cf"));
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let (master, mistakes) = MasterCf::parse(master_cf, Path::new("master.cf"));
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let registry = Registry::new(&[
        conf::params::Site::DECLARATIONS,
        conf::params::Paths::DECLARATIONS,
        conf::params::Process::DECLARATIONS,
        queue::params::Qmgr::DECLARATIONS,
        net::params::Tls::DECLARATIONS,
        net::params::ClientTls::DECLARATIONS,
        net::params::LMTP_TLS,
        route::params::Rewrite::DECLARATIONS,
        route::params::Canonical::DECLARATIONS,
        route::params::VirtualAlias::DECLARATIONS,
        route::params::Classes::DECLARATIONS,
        route::params::Transport::DECLARATIONS,
        route::params::ProbeTransport::DECLARATIONS,
        people::params::Logins::DECLARATIONS,
        store::params::Mailboxes::DECLARATIONS,
        params::Agents::DECLARATIONS,
        params::Mailbox::DECLARATIONS,
        params::LocalAgent::DECLARATIONS,
        params::StoreAgent::DECLARATIONS,
        params::VirtualAgent::DECLARATIONS,
        params::PipeAgent::DECLARATIONS,
        params::SmtpClient::DECLARATIONS,
        params::SmtpTimeouts::DECLARATIONS,
        params::SmtpSasl::DECLARATIONS,
        params::LmtpClient::DECLARATIONS,
        params::LMTP,
        sign::params::Srs::DECLARATIONS,
    ]);
    let view = View::new(registry, main, Facts { host_name: "mx.site.test".to_owned(), ..Facts::default() });
    let service = master.services.into_iter().next().expect("one service");
    let view = view.with_overrides(&service.overrides);
    let tables = Tables::new(Settings::default());
    let mut mistakes = Vec::new();
    let own = vec!["127.0.0.1".parse().expect("an address")];
    let router = Arc::new(Router::new(&view, &tables, own, &mut mistakes));
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let office = Arc::new(Office::default());
    let none = Path::new("/dev/null");
    let setup = Setup {
        service,
        view,
        tables,
        router,
        resolver: Resolver::from_files(none, none).expect("empty files"),
        reinject: office.clone(),
        pass: office.clone(),
        crew: Crew::new(Arc::new(|| 2_000_000_000)),
        zone: TimeZone::UTC,
    };
    let kind = agents::find(&setup.service.command).expect("a known agent");
    let agent = (kind.build)(&setup).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    (agent, office)
}

/// A report in words, one line an entry: index, relay, status, text.
pub fn words(report: &Report) -> Vec<String> {
    let line = |one: &Delivered| {
        let (status, text) = match &one.outcome {
            Outcome::Delivered { detail, text, .. } => (format!("2.{}.{}", detail.0, detail.1), text.clone()),
            Outcome::Expanded { delivered } => (format!("expanded delivered={delivered}"), String::new()),
            Outcome::Later(refusal) | Outcome::Never(refusal) => {
                (refusal.status().to_string(), refusal.log_text().to_owned())
            }
        };
        format!("{} {} {status} {text}", one.index, one.relay)
    };
    report.delivered.iter().map(line).collect()
}
