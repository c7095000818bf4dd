//! The conversation with one milter in one session.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use net::Stream;
use proto::milter::{Agreement, Change, Event, LIMIT, Response, macros, packet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::chain::Values;
use super::settings::{Shared, stage};
use super::spec::{Endpoint, OnFailure, Spec};

/// What a milter made of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing.
    Continue,
    /// Hold the message.
    Hold,
    /// Say yes and forget the message.
    Discard,
    /// Close the session.
    Close,
    /// Say this reply, 4xx or 5xx; lines divided by CR LF.
    Reply(String),
}

/// What comes at the end of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A change.
    Change(Change),
    /// The answer: no more changes.
    Done(Outcome),
}

/// One conversation.
pub struct Link {
    spec: Option<Arc<Spec>>,
    shared: Arc<Shared>,
    state: State,
    /// The milter has seen the beginning of a message and not its end.
    in_message: bool,
    /// It wants to see no more of the message.
    done_with_message: bool,
    /// It wants to see no more of these in the message.
    skip: Option<Event>,
    /// It has accepted a message when there was none.
    lost: bool,
}

enum State {
    /// Nothing was said yet.
    New,
    Open(Box<Stream>, Agreement),
    /// It has accepted the session, or its failure is no matter.
    Passed,
    /// The same for every event from now on.
    Fixed(Outcome),
    /// We hung up on it: the next message will find out.
    Gone,
}

const REJECT: &str = "550 5.7.1 Command rejected";
const LATER: &str = "451 4.7.1 Service unavailable - try again later";
const UNAVAILABLE: &str = "550 5.5.0 Service unavailable";
const MISCONFIGURED: &str = "451 4.3.5 Server configuration problem - try again later";
/// Most reports of progress before an answer: with one a second, more than a quarter of an hour.
const PROGRESS_MAX: usize = 1000;
const LATE: &str = "Connection timed out";

impl Link {
    pub(super) fn new(spec: Arc<Spec>, shared: Arc<Shared>) -> Link {
        Link {
            spec: Some(spec),
            shared,
            state: State::New,
            in_message: false,
            done_with_message: false,
            skip: None,
            lost: false,
        }
    }

    pub(super) fn broken(shared: Arc<Shared>) -> Link {
        Link {
            spec: None,
            shared,
            state: State::Fixed(Outcome::Reply(MISCONFIGURED.to_owned())),
            in_message: false,
            done_with_message: false,
            skip: None,
            lost: false,
        }
    }

    /// Has it more to see of this message?
    pub fn follows(&self) -> bool {
        matches!(self.state, State::Open(..)) && !self.done_with_message
    }

    /// Has it accepted a message when there was none, at an unknown command?
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Does it want this event at all?
    pub fn wants(&self, event: Event) -> bool {
        match &self.state {
            State::Open(_, agreement) => {
                let over = self.done_with_message && event != Event::Helo;
                !over && self.skip != Some(event) && agreement.wants(event)
            }
            _ => false,
        }
    }

    /// Are header values exchanged with the space behind the colon?
    pub fn leading_space(&self) -> bool {
        matches!(&self.state, State::Open(_, agreement) if agreement.leading_space())
    }

    pub(super) fn hears_refused_recipients(&self) -> bool {
        matches!(&self.state, State::Open(_, agreement) if agreement.refused_recipients())
    }

    /// Tells an event.
    pub async fn event(&mut self, event: Event, data: &[u8], values: &Values) -> Outcome {
        if matches!(self.state, State::New)
            && let Err(wrong) = self.open().await
        {
            return self.fail(&wrong);
        }
        if event == Event::Mail {
            (self.done_with_message, self.skip) = (false, None);
        }
        match &self.state {
            State::Fixed(outcome) => return outcome.clone(),
            State::Passed | State::New => return Outcome::Continue,
            State::Gone if event == Event::Mail => return self.fail("the connection was closed"),
            State::Gone => return Outcome::Continue,
            State::Open(..) if !self.wants(event) => return Outcome::Continue,
            State::Open(..) => {}
        }
        self.in_message |= !matches!(event, Event::Connect | Event::Helo | Event::Unknown);
        match self.tell(event, data, values).await {
            Ok(false) => Outcome::Continue,
            Ok(true) => match self.answer(event).await {
                Ok(Step::Done(outcome)) => outcome,
                Ok(Step::Change(_)) => {
                    let wrong = format!("unexpected filter response (change) after event {}", event.name());
                    self.fail(&wrong)
                }
                Err(wrong) => self.fail(&wrong),
            },
            Err(wrong) => self.fail(&wrong),
        }
    }

    /// Tells the end of the message; what comes of it is heard from [`Link::next`].
    pub async fn end_of_message(&mut self, values: &Values) -> Result<(), Outcome> {
        match self.tell(Event::EndOfMessage, b"", values).await {
            Ok(_) => Ok(()),
            Err(wrong) => Err(self.fail(&wrong)),
        }
    }

    /// The next change, or the answer, after [`Link::end_of_message`].
    pub async fn next(&mut self) -> Step {
        match self.answer(Event::EndOfMessage).await {
            Ok(step) => {
                self.in_message = matches!(step, Step::Change(_));
                step
            }
            Err(wrong) => Step::Done(self.fail(&wrong)),
        }
    }

    /// The message under way comes to nothing.
    pub async fn abort(&mut self) {
        if std::mem::take(&mut self.in_message) {
            self.parting(b'A').await;
        }
    }

    /// The session is over.
    pub async fn quit(&mut self) {
        self.parting(b'Q').await;
        self.state = State::Passed;
    }

    async fn parting(&mut self, letter: u8) {
        let limit = self.spec.as_ref().map_or(Duration::ZERO, |spec| spec.limits.command);
        if let State::Open(stream, _) = &mut self.state
            && let Err(wrong) = send(stream, &packet(letter, b""), limit).await
        {
            self.fail(&wrong);
        }
    }

    async fn open(&mut self) -> Result<(), String> {
        let Some(spec) = self.spec.clone() else { return Ok(()) };
        let limit = spec.limits.connect;
        let stream =
            timeout(limit, connect(&spec, &self.shared)).await.unwrap_or_else(|_| Err(LATE.to_owned()));
        let mut stream =
            stream.map_err(|wrong| format!("connect to Milter service {}: {wrong}", spec.name))?;
        send(&mut stream, &spec.offer.packet(), limit).await?;
        let (letter, data) = receive(&mut stream, limit)
            .await
            .map_err(|wrong| format!("can't read SMFIC_OPTNEG reply packet header: {wrong}"))?;
        if letter != b'O' {
            return Err("unexpected reply in initial handshake".to_owned());
        }
        let agreement = Agreement::parse(spec.offer, &data)
            .map_err(|wrong| format!("malformed reply in initial handshake: {wrong:?}"))?;
        self.state = State::Open(Box::new(stream), agreement);
        Ok(())
    }

    /// Sends an event with its macros; false when no answer comes.
    async fn tell(&mut self, event: Event, data: &[u8], values: &Values) -> Result<bool, String> {
        let Some(spec) = &self.spec else { return Ok(false) };
        let State::Open(stream, agreement) = &mut self.state else { return Ok(false) };
        let asked = agreement.symbols(stage(event));
        let values = self.shared.macros(event, asked, values);
        let mut out = if values.is_empty() { Vec::new() } else { macros(event, &values) };
        out.extend(packet(event.letter(), data));
        let sent = send(stream, &out, limit(spec, event)).await;
        sent.map_err(|wrong| format!("can't send {} packet: {wrong}", event.name()))?;
        Ok(agreement.answers(event))
    }

    async fn answer(&mut self, event: Event) -> Result<Step, String> {
        let Some(spec) = self.spec.clone() else { return Ok(Step::Done(Outcome::Continue)) };
        for _ in 0..PROGRESS_MAX {
            let State::Open(stream, _) = &mut self.state else {
                return Ok(Step::Done(Outcome::Continue));
            };
            let (letter, data) = receive(stream, limit(&spec, event))
                .await
                .map_err(|wrong| format!("can't read {} reply packet header: {wrong}", event.name()))?;
            let unexpected =
                |what: &str| Err(format!("unexpected filter response ({what}) after event {}", event.name()));
            return match Response::parse(letter, &data) {
                Err(_) => unexpected("unknown filter reply"),
                Ok(Response::Progress) => continue,
                Ok(Response::ConnFail) => unexpected("SMFIR_CONN_FAIL"),
                Ok(Response::Discard) if in_session(event) => {
                    self.warn("DISCARD action is not allowed for connect or helo");
                    Ok(Step::Done(Outcome::Continue))
                }
                Ok(Response::Change(change)) => Ok(Step::Change(change)),
                Ok(response) => Ok(Step::Done(self.obey(event, response))),
            };
        }
        Err(format!("no end of progress reports after event {}", event.name()))
    }

    fn obey(&mut self, event: Event, response: Response) -> Outcome {
        let outcome = match response {
            Response::Accept if in_session(event) => {
                self.state = State::Passed;
                return Outcome::Continue;
            }
            Response::Accept => {
                self.done_with_message = true;
                self.lost = event == Event::Unknown && !self.in_message;
                return Outcome::Continue;
            }
            Response::Skip => {
                self.skip = Some(event);
                return Outcome::Continue;
            }
            Response::Discard => return Outcome::Discard,
            Response::Reject => Outcome::Reply(REJECT.to_owned()),
            Response::TempFail => Outcome::Reply(LATER.to_owned()),
            Response::Reply(text) => match reply(&text) {
                Some(reply) => Outcome::Reply(reply),
                None => {
                    return self.misconfigured(event, &format!("malformed reply: {text}"));
                }
            },
            Response::Shutdown => {
                self.state = State::Fixed(Outcome::Close);
                return Outcome::Close;
            }
            Response::Continue | Response::Progress | Response::ConnFail | Response::Change(_) => {
                return Outcome::Continue;
            }
        };
        if in_session(event) {
            self.state = State::Fixed(outcome.clone());
        }
        outcome
    }

    /// The milter has failed: `milter_default_action`, for the rest of the session.
    fn fail(&mut self, wrong: &str) -> Outcome {
        self.warn(wrong);
        self.in_message = false;
        let outcome = match self.spec.as_ref().map_or(OnFailure::TempFail, |spec| spec.on_failure) {
            OnFailure::Accept => {
                self.state = State::Passed;
                return Outcome::Continue;
            }
            OnFailure::Reject => Outcome::Reply(UNAVAILABLE.to_owned()),
            OnFailure::TempFail => Outcome::Reply(LATER.to_owned()),
            OnFailure::Quarantine => Outcome::Hold,
        };
        self.state = State::Fixed(outcome.clone());
        outcome
    }

    /// The milter breaks the protocol: `milter_default_action`, where refusing has other words.
    pub fn misconfigured(&mut self, event: Event, wrong: &str) -> Outcome {
        self.warn(wrong);
        self.in_message = false;
        if self.spec.as_ref().is_some_and(|spec| spec.on_failure == OnFailure::Accept) {
            self.state = State::Passed;
            return Outcome::Continue;
        }
        let outcome = Outcome::Reply(MISCONFIGURED.to_owned());
        self.state = match event {
            Event::Header | Event::EndOfHeader | Event::Body | Event::EndOfMessage => State::Gone,
            _ => State::Fixed(outcome.clone()),
        };
        outcome
    }

    fn warn(&self, wrong: &str) {
        let name = self.spec.as_ref().map_or("", |spec| spec.name.as_str());
        let text = match wrong.starts_with("connect to") {
            true => wrong.to_owned(),
            false => format!("milter {name}: {wrong}"),
        };
        log::warn!(target: self.shared.program.as_str(), "{}", mail::logline::printable(&text));
    }
}

/// A reply that a filter chose, `%` unescaped; `None` when it is no refusal.
fn reply(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let valid = bytes.len() >= 3
        && matches!(bytes[0], b'4' | b'5')
        && bytes[1..3].iter().all(u8::is_ascii_digit)
        && matches!(bytes.get(3), None | Some(b' ' | b'-'));
    if !valid {
        return None;
    }
    // A status of another class than the code, or no text at all behind a code alone: which of both is meant?
    let rest = text.get(4..)?;
    let word = rest.split(' ').next().unwrap_or_default();
    let class = word.split_once('.').filter(|(class, _)| class.len() == 1 && is_status(word));
    if class.is_some_and(|(class, _)| class.as_bytes()[0] != bytes[0]) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    Some(out)
}

/// `5.7.1`
fn is_status(word: &str) -> bool {
    let mut parts = word.split('.');
    let digits = |part: &str| matches!(part.len(), 1..=3) && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.clone().count() == 3 && parts.all(digits)
}

fn in_session(event: Event) -> bool {
    matches!(event, Event::Connect | Event::Helo)
}

fn limit(spec: &Spec, event: Event) -> Duration {
    match event {
        Event::Header | Event::EndOfHeader | Event::Body | Event::EndOfMessage => spec.limits.content,
        _ => spec.limits.command,
    }
}

async fn connect(spec: &Spec, shared: &Shared) -> Result<Stream, String> {
    let limit = spec.limits.connect;
    match &spec.endpoint {
        Endpoint::Unix(path) => net::connect::unix(path, limit).await.map_err(|error| plain(&error)),
        Endpoint::Inet(host, port) => {
            let addresses = match crate::names::address(host.trim_matches(['[', ']'])) {
                Some(address) => vec![address],
                None => shared.dns.host(host).await.map_err(|missing| format!("host {host}: {missing}"))?,
            };
            let mut wrong = format!("host {host} has no address");
            for address in addresses {
                match net::connect::tcp(SocketAddr::new(address, *port), None::<IpAddr>, limit).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => wrong = plain(&error),
                }
            }
            Err(wrong)
        }
    }
}

async fn send(stream: &mut Stream, bytes: &[u8], limit: Duration) -> Result<(), String> {
    let sent = timeout(limit, async {
        stream.write_all(bytes).await?;
        stream.flush().await
    });
    sent.await.map_err(|_| LATE.to_owned())?.map_err(|error| plain(&error))
}

async fn receive(stream: &mut Stream, limit: Duration) -> Result<(u8, Vec<u8>), String> {
    let received = timeout(limit, async {
        let len = stream.read_u32().await.map_err(|error| plain(&error))? as usize;
        if len == 0 || len > LIMIT {
            return Err(format!("packet of {len} bytes"));
        }
        let letter = stream.read_u8().await.map_err(|error| plain(&error))?;
        let mut data = vec![0; len - 1];
        stream.read_exact(&mut data).await.map_err(|error| plain(&error))?;
        Ok((letter, data))
    });
    received.await.map_err(|_| LATE.to_owned())?
}

/// The error without Rust's number behind it.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::reply;

    #[test]
    fn replies_are_refusals() {
        assert_eq!(reply("550 5.7.1 100%% sure %s").as_deref(), Some("550 5.7.1 100% sure s"));
        assert_eq!(reply("450-4.2.0 a\r\n450 4.2.0 b").as_deref(), Some("450-4.2.0 a\r\n450 4.2.0 b"));
        for wrong in ["250 2.0.0 fine", "55", "5x0 no", "550no", ""] {
            assert_eq!(reply(wrong), None, "{wrong}");
        }
    }
}
