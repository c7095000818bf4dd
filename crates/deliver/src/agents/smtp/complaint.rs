//! What is said when a server refuses, is not there, or hangs up; and whether to try again.

use std::io;

use mail::{Blame, Class, Detail, Refusal, RemoteReply};
use proto::smtp::client::Stage;
use proto::smtp::reply::Received;

use crate::mailbox::reason;

/// `host x[y] said: 550 … (in reply to RCPT TO command)`.
pub fn said(host: &str, reply: &Received, stage: Stage) -> Refusal {
    let command = stage.command().map(|c| format!(" (in reply to {c} command)")).unwrap_or_default();
    let text = format!("host {host} said: {}{command}", reply.text());
    replied(host, reply, text)
}

/// `host x[y] refused to talk to me: 554 …`: greeting and hello.
pub fn refused_to_talk(host: &str, reply: &Received) -> Refusal {
    replied(host, reply, format!("host {host} refused to talk to me: {}", reply.text()))
}

/// A refusal with the class and the status of a reply.
pub fn replied(host: &str, reply: &Received, text: String) -> Refusal {
    let (class, detail, text) = match reply.code {
        400..=499 => (Class::Later, detail(reply), text),
        500..=599 => (Class::Never, detail(reply), text),
        // Neither yes nor no, and not what was asked for.
        _ => (Class::Never, Detail(5, 0), format!("Protocol error: {text}")),
    };
    let code = u8::try_from(reply.code % 100).expect("a remainder of 100");
    let mut refusal = Refusal::new(class, code, detail, Blame::NextHop, text);
    refusal.remote = Some(RemoteReply { host: host.to_owned(), text: reply.text() });
    refusal
}

fn detail(reply: &Received) -> Detail {
    match reply.status {
        Some((class, detail)) if u16::from(class) == reply.code / 100 => detail,
        _ => Detail(0, 0),
    }
}

/// Something we found out ourselves.
pub fn ours(class: Class, detail: (u16, u16), text: impl Into<String>) -> Refusal {
    let code = if class == Class::Later { 51 } else { 54 };
    Refusal::new(class, code, Detail(detail.0, detail.1), Blame::NextHop, text)
}

/// `lost connection with x[y] while sending RCPT TO`.
pub fn lost(host: &str, stage: Stage) -> Refusal {
    ours(Class::Later, (4, 2), format!("lost connection with {host} while {}", stage.doing()))
}

/// `conversation with x[y] timed out while …`.
pub fn timed_out(host: &str, stage: Stage) -> Refusal {
    ours(Class::Later, (4, 2), format!("conversation with {host} timed out while {}", stage.doing()))
}

/// The server sent something that is no reply.
pub fn garbled(host: &str, stage: Stage, what: &str) -> Refusal {
    ours(Class::Later, (5, 0), format!("protocol error by {host} while {}: {what}", stage.doing()))
}

/// `connect to x[y]:25: Connection refused`.
pub fn unreachable(place: &str, error: &io::Error) -> Refusal {
    ours(Class::Later, (4, 1), format!("connect to {place}: {}", reason(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, status: Option<(u8, Detail)>, line: &str) -> Received {
        Received { code, status, lines: vec![line.to_owned()] }
    }

    #[test]
    fn replies_keep_their_class_and_status() {
        let check = |reply: &Received, status: &str, text: &str| {
            let refusal = said("h[192.0.2.1]", reply, Stage::Rcpt);
            assert_eq!((refusal.status().to_string().as_str(), refusal.log_text()), (status, text));
        };
        check(
            &reply(550, Some((5, Detail(1, 1))), "550 5.1.1 no"),
            "5.1.1",
            "host h[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command)",
        );
        check(&reply(450, None, "450"), "4.0.0", "host h[192.0.2.1] said: 450 (in reply to RCPT TO command)");
        check(
            &reply(354, None, "354 what"),
            "5.5.0",
            "Protocol error: host h[192.0.2.1] said: 354 what (in reply to RCPT TO command)",
        );
    }
}
