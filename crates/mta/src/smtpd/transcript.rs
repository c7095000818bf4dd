//! What was said in a session, kept for a report to the postmaster (`notify_classes`).

use mail::Refusal;
use proto::smtp::Reply;

use super::session::Session;
use crate::bounce::{Class, Classes, dialogue, post};

/// Most bytes that are kept of a session.
const MOST: usize = 16 << 10;

/// The dialogue so far, and what went wrong in it. It costs a copy of each line: a report is written only where somebody
/// is to read it.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    text: Vec<u8>,
    /// Who said it, and where in the text it ends.
    said: Vec<(Side, u32)>,
    lines: usize,
    troubles: Vec<Class>,
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

impl Side {
    fn label(self) -> &'static str {
        match self {
            Side::Client => dialogue::IN,
            Side::Server => dialogue::OUT,
        }
    }
}

impl Transcript {
    /// A new one, where somebody may want to read it.
    pub fn of(classes: &Classes) -> Option<Box<Transcript>> {
        let read = classes.bounce
            || classes.policy
            || classes.protocol
            || classes.resource
            || classes.data
            || classes.software;
        read.then(Box::default)
    }

    /// The client said this.
    pub fn came(&mut self, line: &[u8]) {
        if self.text.len() + line.len() <= MOST {
            self.text.extend_from_slice(line);
            self.lines += 1;
            self.end(Side::Client);
        }
    }

    /// We said this.
    pub fn went(&mut self, reply: &Reply) {
        let start = self.text.len();
        reply.write(&mut self.text);
        if self.text.len() > MOST {
            self.text.truncate(start);
        } else {
            self.lines += reply.text.split('\n').count();
            self.end(Side::Server);
        }
    }

    fn end(&mut self, side: Side) {
        // Below MOST, a number of 32 bits holds it.
        self.said.push((side, u32::try_from(self.text.len()).unwrap_or(u32::MAX)));
    }

    /// Something went wrong.
    pub fn trouble(&mut self, class: Class) {
        if !self.troubles.contains(&class) {
            self.troubles.push(class);
        }
    }

    /// A message was taken: what went wrong before does not matter any more.
    pub fn all_is_well(&mut self) {
        self.troubles.clear();
    }

    /// The report, with long lines folded.
    fn report(&self, ended: Option<&str>) -> String {
        let mut text = dialogue::BEGIN.to_owned();
        let mut start = 0;
        for (side, end) in &self.said {
            let said = &self.text[start..*end as usize];
            start = *end as usize;
            let lines: Vec<&[u8]> = match side {
                Side::Client => vec![said],
                Side::Server => said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect(),
            };
            for line in lines {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                dialogue::line(&mut text, side.label(), &String::from_utf8_lossy(line));
            }
        }
        text.push('\n');
        if let Some(reason) = ended {
            text.push_str(&format!("Session aborted, reason: {reason}\n"));
        }
        text.push_str(dialogue::END);
        text
    }
}

/// What the postmaster would call this refusal.
pub(super) fn class(refusal: &Refusal) -> Class {
    use mail::{Blame, Detail};
    let (storage, too_big, loops) = (Detail(3, 1), Detail(3, 4), Detail(4, 6));
    match refusal.blame {
        Blame::Address => Class::Bounce,
        // A rule that cannot be applied.
        _ if refusal.detail == Detail(3, 5) => Class::Policy,
        Blame::Ourselves | Blame::Admin if refusal.detail == storage => Class::Resource,
        Blame::Ourselves if refusal.say.contains("Temporary lookup failure") => Class::Data,
        Blame::Ourselves | Blame::NextHop => Class::Software,
        Blame::Peer if refusal.detail == too_big || refusal.detail == loops => Class::Bounce,
        Blame::Peer => Class::Protocol,
        Blame::Policy | Blame::Admin => Class::Policy,
    }
}

impl Session {
    /// Tells the postmaster of a session in which something went wrong that he wants to hear of, and begins anew.
    pub(super) async fn report(&mut self) {
        let Some(transcript) = self.transcript.take() else { return };
        let setup = self.setup.clone();
        let notices = &setup.notices;
        self.transcript = Transcript::of(&notices.classes);
        if !transcript.troubles.iter().any(|class| notices.classes.wants(*class)) {
            return;
        }
        let to = match transcript.troubles.contains(&Class::Bounce) {
            true => &notices.bounce_recipient,
            false => &notices.error_recipient,
        };
        let subject = format!("{} SMTP server: errors from {}", setup.mail_name, self.peer.label());
        let text = transcript.report(self.ended);
        if let Err(refusal) = post::to_postmaster(&self.service.house, &setup, to, &subject, &text).await {
            log::warn!(target: self.program(), "postmaster notification: {}", refusal.log_text());
        }
    }

    /// Between messages a long session is reported, or forgotten (`smtpd_history_flush_threshold`).
    pub(super) async fn report_long_session(&mut self) {
        let most = usize::try_from(self.service.params.smtpd_history_flush_threshold).unwrap_or(usize::MAX);
        if self.transaction.is_none()
            && self.transcript.as_ref().is_some_and(|transcript| transcript.lines > most)
        {
            self.report().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_shows_both_sides() {
        let mut transcript = Transcript::default();
        transcript.went(&Reply::plain(220, "mx.test ESMTP"));
        transcript.came(b"MAIL FROM:<a\x07b>");
        transcript.went(&Reply::new(501, (5, 1), "no"));
        let report = transcript.report(Some("timeout"));
        for part in [
            " Out: 220 mx.test ESMTP\n In:  MAIL FROM:<a?b>\n Out: 501 5.5.1 no\n\n",
            "\nSession aborted, reason: timeout\n",
        ] {
            assert!(report.contains(part), "{report}");
        }
    }

    #[test]
    fn a_client_cannot_make_it_grow_without_end() {
        let mut transcript = Transcript::default();
        for _ in 0..1000 {
            transcript.came(&[b'x'; 1000]);
        }
        for _ in 0..100_000 {
            transcript.went(&Reply::plain(250, "yes"));
        }
        assert!(transcript.text.len() <= MOST && transcript.said.len() <= MOST / 8);
    }
}
