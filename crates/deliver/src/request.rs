//! One attempt: what an agent is asked, and what it answers.

use std::sync::Arc;

use jiff::Timestamp;
use mail::{Address, BodyType, Client, Outcome, QueueId, Recipient, Refusal, Ret};
use proto::smtp::client::Said;
use queue::Body;

/// Why the agent is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Deliver.
    #[default]
    Deliver,
    /// Say to whom it would be delivered, without delivering (`sendmail -bv`).
    Probe,
    /// Say whether there is such an address (address verification): aliases are not followed.
    Verify,
}

/// One recipient of a request.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its index among the recipients of the queued message.
    pub index: usize,
    /// Who.
    pub recipient: Recipient,
}

/// One attempt for one group of recipients with the same transport and next hop.
#[derive(Clone)]
pub struct Request {
    /// The message.
    pub id: QueueId,
    /// Reverse-path.
    pub sender: Address,
    /// Who gets it.
    pub targets: Vec<Target>,
    /// Name of the master.cf service, as routed to.
    pub transport: String,
    /// Next hop, as routed to: a domain, `[host]:port`, or the text of an error.
    pub nexthop: String,
    /// The message itself: header and body with LF line ends.
    pub content: Body,
    /// When it came in: `Arrival-Date`, the clear-text retry rule of TLS, macros.
    pub arrival: Timestamp,
    /// `BODY=`.
    pub body_type: BodyType,
    /// Does it need SMTPUTF8 (RFC 6531)?
    pub smtputf8: bool,
    /// `ENVID=`, decoded.
    pub envid: Option<String>,
    /// `RET=`.
    pub ret: Option<Ret>,
    /// Where the message came from: XFORWARD, the macros of pipe, the environment of local.
    pub client: Client,
    /// Was the message from a local submission or a rewritable client (XFORWARD `SOURCE=LOCAL`)?
    pub rewrite_local: bool,
    /// Deliver, or only probe.
    pub purpose: Purpose,
    /// An earlier attempt may have delivered without anybody knowing: it ended badly, or with the program.
    pub again: bool,
}

impl Request {
    /// Names this delivery for ever: the id alone may be given again once the message is gone.
    pub fn token(&self, index: usize) -> String {
        format!("Q{}A{:x}N{index}", self.id, self.arrival.as_microsecond())
    }
}

/// What became of one recipient, or of one of those it was expanded to.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The index of the queued recipient.
    pub index: usize,
    /// Who this is about, when an alias or a `.forward` put another one in its place.
    pub recipient: Option<Recipient>,
    /// What became of it.
    pub outcome: Outcome,
    /// Somebody else delivers it in the end: a notice of success says "relayed".
    pub relayed: bool,
    /// `relay=` of the log line: `host[addr]:port`, `local`, `none`.
    pub relay: String,
    /// The program that is logged, when it is not the one of the service that was asked (mail passed on to
    /// another agent).
    pub program: Option<Arc<str>>,
    /// Messages over the same connection so far, this one included; 0 or 1 is not logged.
    pub conn_use: u32,
    /// Seconds of connection set-up, and of transmission: the last two of `delays=a/b/c/d`.
    pub delays: (f64, f64),
}

/// What the scheduler learns about the destination.
#[derive(Clone, Debug, Default)]
pub enum Feedback {
    /// It took mail, or refused it in person.
    #[default]
    Alive,
    /// It was not there at all; the reason given to the mail that will not be tried.
    Dead(Refusal),
}

/// The answer to a request.
///
/// A recipient may appear more than once, when it was expanded. It is done when none of its entries is
/// `Later`; every `Never` is told to the sender; with `Later` it is tried again as a whole.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What became of each recipient.
    pub delivered: Vec<Delivered>,
    /// What the scheduler learns.
    pub feedback: Feedback,
    /// What the postmaster may want to read (`notify_classes`).
    pub transcripts: Vec<Transcript>,
}

/// A session in which a server found that we break the protocol.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// `host[addr]:port`.
    pub server: String,
    /// `SMTP` or `LMTP`.
    pub protocol: &'static str,
    /// The dialogue.
    pub said: Vec<Said>,
}

impl Delivered {
    /// An outcome without connection.
    pub fn new(index: usize, outcome: impl Into<Outcome>, relay: impl Into<String>) -> Delivered {
        Delivered {
            index,
            recipient: None,
            outcome: outcome.into(),
            relayed: false,
            relay: relay.into(),
            program: None,
            conn_use: 0,
            delays: (0.0, 0.0),
        }
    }
}

impl Report {
    /// The same refusal for every recipient.
    pub fn all(request: &Request, refusal: &Refusal, relay: &str) -> Report {
        let delivered =
            request.targets.iter().map(|t| Delivered::new(t.index, refusal.clone(), relay)).collect();
        Report { delivered, ..Report::default() }
    }

    /// Must the recipient be tried again?
    pub fn is_pending(&self, index: usize) -> bool {
        self.delivered.iter().any(|d| d.index == index && matches!(d.outcome, Outcome::Later(_)))
    }
}
