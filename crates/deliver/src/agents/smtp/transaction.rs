//! One message over an open session: MAIL, RCPT, DATA, content, and what each recipient is told.

use std::io;

use bytes::Bytes;
use mail::{Address, BodyType, Class, Detail, Notify, Outcome, Refusal, Ret};
use proto::smtp::client::{Event, Stage, Transaction};
use proto::smtp::reply::Received;
use proto::smtp::xtext;
use queue::Body;

use super::complaint::{self, ours};
use super::outgoing::{self, Content, Outgoing};
use super::round::{Line, Round};
use super::service::Service;
use super::session::Session;
use super::xforward;
use crate::Purpose;

/// Bytes read from the queue at a time.
const PIECE: usize = 64 * 1024;

/// What becomes of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Ready for another message.
    Idle,
    /// Over: QUIT was sent, or nobody is there.
    Gone,
    /// It had been kept too long: the server was gone before it heard anything of this message.
    Stale,
}

/// Sends the message to everybody who is left. `keep`: the session will be used again.
pub async fn send(service: &Service, session: &mut Session, round: &mut Round, keep: bool) -> After {
    session.uses += 1;
    let relay = session.relay.clone();
    let line = Line { relay: &relay, uses: session.uses };
    let outgoing = match prepare(service, session, round).await {
        Ok(outgoing) => outgoing,
        Err(refusal) => {
            round.refuse(&round.left.clone(), &refusal, line);
            return After::Gone;
        }
    };
    if round.request.purpose != Purpose::Deliver {
        return probe(service, session, round, &outgoing, line).await;
    }
    if service.client.smtp_send_xforward_command
        && let Err(refusal) = xforward::send(service, session, &round.request).await
    {
        round.refuse_site(&refusal, line);
        return After::Gone;
    }
    let talk = Talk { service, session, line, asked: round.left.clone(), accepted: Vec::new(), heard: false };
    let transaction = Transaction {
        sender: outgoing.mail.clone(),
        recipients: outgoing.recipients.clone(),
        pipelining: talk.session.extensions.pipelining,
    };
    talk.session.client.machine().transact(transaction);
    talk.run(round, &outgoing, keep).await
}

/// Sizes and extensions that rule the message out, then the command lines and the content to send.
async fn prepare(service: &Service, session: &Session, round: &Round) -> Result<Outgoing, Refusal> {
    let request = &round.request;
    let extensions = &session.extensions;
    let size = request.content.len();
    if let Some(limit) = extensions.size.filter(|limit| *limit > 0 && *limit < size) {
        let text = format!("message size {size} exceeds size limit {limit} of server {}", session.name);
        return Err(ours(Class::Never, (3, 4), text));
    }
    if request.smtputf8 && !extensions.smtputf8 && needs_smtputf8(round).await {
        let text = format!("SMTPUTF8 is required, but was not offered by host {}", session.name);
        return Err(ours(Class::Never, (6, 7), text));
    }
    let content = outgoing::content(service, session, request).await?;
    let mut mail = format!("<{}>", service.written(&service.outgoing_address(&request.sender).await?));
    // What the conversion makes of the size is not known to the sender of the message.
    if extensions.size.is_some() && !outgoing::is_converted(service, session, request) {
        let size = if let Content::Rewritten(bytes) = &content { bytes.len() as u64 } else { size };
        mail.push_str(&format!(" SIZE={size}"));
    }
    if extensions.eight_bit_mime {
        match request.body_type {
            BodyType::EightBitMime => mail.push_str(" BODY=8BITMIME"),
            BodyType::SevenBit => mail.push_str(" BODY=7BIT"),
            BodyType::Unspecified => {}
        }
    }
    if extensions.dsn {
        if let Some(envid) = &request.envid {
            mail.push_str(&format!(" ENVID={}", xtext::encode(envid.as_bytes())));
        }
        match request.ret {
            Some(Ret::Full) => mail.push_str(" RET=FULL"),
            Some(Ret::Headers) => mail.push_str(" RET=HDRS"),
            None => {}
        }
    }
    if extensions.smtputf8 && request.smtputf8 {
        mail.push_str(" SMTPUTF8");
    }
    if service.sasl.smtp_send_dummy_mail_auth && !extensions.auth.is_empty() {
        mail.push_str(" AUTH=<>");
    }
    let mut recipients = Vec::with_capacity(round.left.len());
    for at in &round.left {
        let recipient = &request.targets[*at].recipient;
        let mut text = format!("<{}>", service.written(&service.outgoing_address(&recipient.address).await?));
        if extensions.dsn {
            if let Some(orcpt) = orcpt(recipient) {
                text.push_str(&format!(" ORCPT={orcpt}"));
            }
            if let Some(notify) = notify(recipient.notify) {
                text.push_str(&format!(" NOTIFY={notify}"));
            }
        }
        recipients.push(text);
    }
    Ok(Outgoing { mail, recipients, content })
}

/// Is anything in envelope or header outside ASCII? Mail that merely might have been needs no SMTPUTF8.
async fn needs_smtputf8(round: &Round) -> bool {
    let request = &round.request;
    let addresses = round.left.iter().map(|at| &request.targets[*at].recipient.address);
    if !request.sender.is_ascii() || addresses.into_iter().any(|address| !address.is_ascii()) {
        return true;
    }
    match read(&request.content, 0).await {
        Ok(first) => !first[..mail::header::header_len(&first)].is_ascii(),
        Err(_) => false,
    }
}

fn orcpt(recipient: &mail::Recipient) -> Option<String> {
    let given = match &recipient.orcpt {
        Some(orcpt) => orcpt.clone(),
        None if recipient.original.is_null() => return None,
        None if recipient.original.is_ascii() => format!("rfc822;{}", recipient.original.external()),
        None => format!("utf-8;{}", recipient.original.external()),
    };
    let (kind, address) = given.split_once(';')?;
    Some(format!("{kind};{}", xtext::encode(address.as_bytes())))
}

fn notify(notify: Notify) -> Option<String> {
    let words = [
        (notify.never, "NEVER"),
        (notify.success, "SUCCESS"),
        (notify.failure, "FAILURE"),
        (notify.delay, "DELAY"),
    ];
    let words: Vec<&str> = words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
    (!words.is_empty()).then(|| words.join(","))
}

/// Reads a piece of the content, away from the async threads unless it is in memory.
async fn read(content: &Body, offset: u64) -> io::Result<Bytes> {
    if let Some(bytes) = content.in_memory() {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        return Ok(bytes.slice(from..));
    }
    let content = content.clone();
    let read = tokio::task::spawn_blocking(move || content.read_at(offset, PIECE));
    read.await.map_err(io::Error::other)?.map_err(io::Error::other)
}

/// A transaction under way.
struct Talk<'a> {
    service: &'a Service,
    session: &'a mut Session,
    line: Line<'a>,
    /// Position in the round of each RCPT sent.
    asked: Vec<usize>,
    /// Those the server took.
    accepted: Vec<usize>,
    /// The server has answered something.
    heard: bool,
}

impl Talk<'_> {
    async fn run(mut self, round: &mut Round, outgoing: &Outgoing, keep: bool) -> After {
        let mut done = 0;
        loop {
            let event = self.session.client.next().await;
            if !self.heard && self.session.uses > 1 && matches!(event, Event::Lost(_)) {
                return After::Stale;
            }
            self.heard = true;
            match event {
                Event::Mail(reply) => {
                    let reply = self.service.filter_reply(reply).await;
                    if !reply.is_ok() {
                        let refusal = complaint::said(&self.session.name, &reply, Stage::Mail);
                        round.refuse(&self.asked, &refusal, self.line);
                    }
                }
                Event::Rcpt(nth, reply) => self.recipient(round, nth, reply).await,
                Event::Data(reply) => self.refuse_message(round, reply, Stage::Data).await,
                Event::WantContent => {
                    if let Err(after) = self.content(round, outgoing, keep).await {
                        return after;
                    }
                }
                Event::Done(nth, reply) => {
                    self.done(round, nth, reply).await;
                    done += 1;
                    if nth.is_none() || done == self.accepted.len() {
                        return self.finish(keep).await;
                    }
                }
                Event::Abandoned => return self.abandon(keep).await,
                Event::Reply(..) => {}
                broken => {
                    let refusal = self.session.broken(&broken);
                    round.refuse_site(&refusal, self.line);
                    return After::Gone;
                }
            }
        }
    }

    async fn recipient(&mut self, round: &mut Round, nth: usize, reply: Received) {
        let reply = self.service.filter_reply(reply).await;
        let at = self.asked[nth];
        if reply.is_ok() {
            self.accepted.push(at);
        } else {
            let refusal = complaint::said(&self.session.name, &reply, Stage::Rcpt);
            round.refuse_one(at, refusal, self.line);
        }
    }

    async fn refuse_message(&mut self, round: &mut Round, reply: Received, stage: Stage) {
        let reply = self.service.filter_reply(reply).await;
        let refusal = complaint::said(&self.session.name, &reply, stage);
        round.refuse(&self.accepted, &refusal, self.line);
    }

    /// Sends the content. When the queue cannot be read any more the connection is cut: half a message must not
    /// look like a whole one.
    async fn content(&mut self, round: &mut Round, outgoing: &Outgoing, keep: bool) -> Result<(), After> {
        let (body, mut rewrite) = match &outgoing.content {
            Content::Rewritten(bytes) => (Body::from(bytes.clone()), None),
            Content::Queued => (round.request.content.clone(), None),
            Content::OnTheWay => {
                let rewrite = outgoing::rewrite(self.service, self.session, &round.request);
                (round.request.content.clone(), Some(rewrite))
            }
        };
        let mut offset = 0;
        while offset < body.len() {
            let mut piece = match read(&body, offset).await {
                Ok(piece) if !piece.is_empty() => piece,
                other => {
                    let why = other.err().map_or("it is shorter than recorded".to_owned(), |e| e.to_string());
                    log::error!(target: &self.service.program, "{}: cannot read the content: {why}", round.request.id);
                    let text = format!("local data error while talking to {}", self.session.name);
                    round.refuse(&self.accepted, &ours(Class::Later, (3, 0), text), self.line);
                    return Err(After::Gone);
                }
            };
            offset += piece.len() as u64;
            if let Some(rewrite) = &mut rewrite {
                piece = match rewrite.feed(&piece, offset >= body.len()).await {
                    Ok(out) => out.into(),
                    Err(refusal) => {
                        round.refuse(&self.accepted, &refusal, self.line);
                        return Err(After::Gone);
                    }
                };
            }
            if let Err(event) = self.session.client.content(&piece).await {
                let refusal = self.session.broken(&event);
                round.refuse_site(&refusal, self.line);
                return Err(After::Gone);
            }
        }
        if self.session.works_around("delay_dotcrlf") {
            // Such a firewall loses the final dot unless it travels alone.
            let _ = self.session.client.flush().await;
            tokio::time::sleep(self.service.client.smtp_pix_workaround_delay_time).await;
        }
        self.session.client.machine().end_of_content(!keep);
        Ok(())
    }

    async fn done(&mut self, round: &mut Round, nth: Option<usize>, reply: Received) {
        let reply = self.service.filter_reply(reply).await;
        let which = nth.map_or_else(|| self.accepted.clone(), |nth| vec![self.asked[nth]]);
        if !reply.is_ok() {
            let refusal = complaint::said(&self.session.name, &reply, Stage::EndOfData);
            round.refuse(&which, &refusal, self.line);
            return;
        }
        round.alive();
        let outcome = delivered(&reply, self.session.extensions.dsn);
        for at in which {
            round.settle(at, outcome.clone(), self.line);
        }
    }

    /// After the last reply to the content.
    async fn finish(&mut self, keep: bool) -> After {
        if keep {
            return After::Idle;
        }
        if !self.service.client.smtp_skip_quit_response {
            // QUIT went along with the final dot.
            let _ = self.session.client.next().await;
        }
        After::Gone
    }

    /// Nothing was sent: the server forgets the envelope.
    async fn abandon(&mut self, keep: bool) -> After {
        let reset = self.session.ask(self.service, Stage::Rset, "RSET").await;
        if keep && reset.is_ok_and(|reply| reply.is_ok()) {
            After::Idle
        } else {
            quit(self.service, self.session).await
        }
    }
}

async fn quit(service: &Service, session: &mut Session) -> After {
    session.client.machine().ask(Stage::Quit, "QUIT");
    if service.client.smtp_skip_quit_response {
        let _ = session.client.flush().await;
    } else {
        let _ = session.client.next().await;
    }
    After::Gone
}

/// Asks for sender and recipients, and sends nothing (address verification, `sendmail -bv`). With
/// `smtp_address_verify_target = data` it asks whether content is wanted, too, and hangs up instead of sending any.
async fn probe(
    service: &Service,
    session: &mut Session,
    round: &mut Round,
    outgoing: &Outgoing,
    line: Line<'_>,
) -> After {
    let asked = round.left.clone();
    let mail = match session.ask(service, Stage::Mail, &format!("MAIL FROM:{}", outgoing.mail)).await {
        Ok(reply) => reply,
        Err(refusal) => {
            round.refuse_site(&refusal, line);
            return After::Gone;
        }
    };
    let until_data = service.client.smtp_address_verify_target == "data";
    let mut accepted = Vec::new();
    if !mail.is_ok() {
        round.refuse(&asked, &complaint::said(&session.name, &mail, Stage::Mail), line);
    } else {
        for (at, recipient) in asked.iter().zip(&outgoing.recipients) {
            match session.ask(service, Stage::Rcpt, &format!("RCPT TO:{recipient}")).await {
                Ok(reply) if reply.is_ok() && until_data => accepted.push(*at),
                Ok(reply) if reply.is_ok() => {
                    round.alive();
                    round.settle(*at, delivered(&reply, false), line);
                }
                Ok(reply) => {
                    round.refuse_one(*at, complaint::said(&session.name, &reply, Stage::Rcpt), line);
                }
                Err(refusal) => {
                    round.refuse_site(&refusal, line);
                    return After::Gone;
                }
            }
        }
    }
    if !accepted.is_empty() {
        match session.ask(service, Stage::Data, "DATA").await {
            Ok(reply) if reply.code / 100 == 3 => {
                round.alive();
                for at in accepted {
                    round.settle(at, delivered(&reply, false), line);
                }
                // The server waits for content now: to go is the one way not to send it any.
                return After::Gone;
            }
            Ok(reply) => round.refuse(&accepted, &complaint::said(&session.name, &reply, Stage::Data), line),
            Err(refusal) => {
                round.refuse_site(&refusal, line);
                return After::Gone;
            }
        }
    }
    let _ = session.ask(service, Stage::Rset, "RSET").await;
    quit(service, session).await
}

fn delivered(reply: &Received, relayed_dsn: bool) -> Outcome {
    let detail = reply.status.map_or(Detail(0, 0), |(_, detail)| detail);
    Outcome::Delivered { detail, text: reply.text(), relayed_dsn }
}

/// Is the address the null sender or does it have a domain? Then it is written as it stands.
pub fn path(address: &Address, quoted: bool) -> String {
    if address.is_null() {
        String::new()
    } else if quoted {
        address.external()
    } else {
        address.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use mail::Recipient;

    use super::*;

    #[test]
    fn dsn_parameters() {
        let mut recipient = Recipient::new("a+b@example.org");
        assert_eq!(orcpt(&recipient).as_deref(), Some("rfc822;a+2Bb@example.org"));
        recipient.orcpt = Some("x400;o=b".to_owned());
        assert_eq!(orcpt(&recipient).as_deref(), Some("x400;o+3Db"));
        let set = Notify { success: true, delay: true, ..Notify::default() };
        assert_eq!(notify(set).as_deref(), Some("SUCCESS,DELAY"));
        assert_eq!(notify(Notify::default()), None);
    }
}
