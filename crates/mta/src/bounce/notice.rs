//! The message that tells somebody what became of a message: multipart/report with a delivery status part
//! (RFC 3462, RFC 3464; RFC 6533 for internationalised addresses).

use jiff::{Timestamp, tz::TimeZone};
use mail::{Address, QueueId, Recipient, RemoteReply, Ret, date};

use super::template::{Kind, Template};

/// `Action:` of RFC 3464 2.3.3, and what Postfix adds for verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Given up.
    Failed,
    /// Tried again later.
    Delayed,
    /// In a mailbox.
    Delivered,
    /// Passed to a server that sends no success notices.
    Relayed,
    /// Replaced by several others.
    Expanded,
    /// Probe only: it would be delivered.
    Deliverable,
    /// Probe only: it would not be delivered.
    Undeliverable,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Action::Failed => "failed",
            Action::Delayed => "delayed",
            Action::Delivered => "delivered",
            Action::Relayed => "relayed",
            Action::Expanded => "expanded",
            Action::Deliverable => "deliverable",
            Action::Undeliverable => "undeliverable",
        }
    }
}

/// What became of one recipient.
#[derive(Clone, Debug)]
pub struct Fate {
    /// Who.
    pub recipient: Recipient,
    /// What.
    pub action: Action,
    /// Enhanced status code, `5.1.1`.
    pub status: String,
    /// The sentence a person reads.
    pub reason: String,
    /// What a remote server said, when one did.
    pub remote: Option<RemoteReply>,
    /// `type; text` when it was no server (`x-unix; …`).
    pub diagnostic: Option<String>,
}

/// The message the notice is about.
#[derive(Clone, Debug)]
pub struct Original<'a> {
    /// Its queue id.
    pub id: &'a QueueId,
    /// Its sender; the null sender is shown as MAILER-DAEMON.
    pub sender: &'a Address,
    /// `ENVID=`.
    pub envid: Option<&'a str>,
    /// `RET=`.
    pub ret: Option<Ret>,
    /// When it arrived.
    pub arrival: Timestamp,
    /// Was it sent with SMTPUTF8?
    pub smtputf8: bool,
    /// Was it declared, or found, to hold 8-bit content?
    pub eight_bit: bool,
    /// Bytes of its content.
    pub size: u64,
    /// Its Message-Id, when the notice is to refer to it (`enable_threaded_bounces`).
    pub thread: Option<&'a str>,
}

/// Who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The sender: with the template's text and the reasons.
    Sender,
    /// The postmaster (`notify_classes`): without text.
    Postmaster,
}

/// The site's side of a notice.
#[derive(Clone, Debug)]
pub struct Site<'a> {
    /// `myhostname`.
    pub myhostname: &'a str,
    /// `mail_name`.
    pub mail_name: &'a str,
    /// `smtputf8_enable`.
    pub smtputf8_enable: bool,
    /// `bounce_size_limit`, bytes; 0 is no limit.
    pub size_limit: u64,
    /// Local time zone.
    pub zone: &'a TimeZone,
    /// When the message will be given up, for delay notices.
    pub retry_until: Option<Timestamp>,
}

/// How much of the original goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// The whole message.
    Full,
    /// Its header only.
    Header,
}

/// A notice around the original: `head`, then the returned part of the original, then `tail`. Lines end with LF.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Everything before the original.
    pub head: String,
    /// How much of the original follows.
    pub returned: Returned,
    /// Everything after.
    pub tail: String,
}

/// Which notice to write, for whom.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// What it tells.
    pub kind: Kind,
    /// Who reads it.
    pub reader: Reader,
    /// The address in its To header.
    pub to: &'a Address,
    /// Its words.
    pub template: &'a Template,
    /// When it is written.
    pub now: Timestamp,
}

/// Writes a notice. `expand` replaces the `$name`s of the template's text.
pub fn compose(
    order: Order<'_>,
    original: &Original<'_>,
    fates: &[Fate],
    site: &Site<'_>,
    expand: impl Fn(&str) -> String,
) -> Notice {
    let Order { kind, reader, to, template, now } = order;
    let boundary = format!("{}.{}/{}", original.id, now.as_second(), site.myhostname);
    let returned = match (kind, original.ret) {
        (Kind::Failure, Some(Ret::Headers)) => Returned::Header,
        (Kind::Failure, _) if site.size_limit > 0 && original.size > site.size_limit => Returned::Header,
        (Kind::Failure, _) => Returned::Full,
        _ => Returned::Header,
    };
    // With SMTPUTF8 enabled any text may hold UTF-8 (host names, replies), so it is declared so.
    let charset = match template.charset.as_str() {
        ascii if ascii.eq_ignore_ascii_case("us-ascii") && site.smtputf8_enable => "utf-8",
        other => other,
    };
    let eight_bit = site.smtputf8_enable || original.eight_bit || !charset.eq_ignore_ascii_case("us-ascii");
    let encoding = if eight_bit { "Content-Transfer-Encoding: 8bit\n" } else { "" };

    let mut head = String::with_capacity(2048);
    let subject = match reader {
        Reader::Sender => template.subject.as_str(),
        Reader::Postmaster => template.postmaster_subject.as_deref().unwrap_or(&template.subject),
    };
    head.push_str(&format!("From: {}\nSubject: {subject}\nTo: {}\n", template.from, to.external()));
    if let Some(id) = original.thread {
        let id = one_line(id);
        head.push_str(&format!("References: {id}\nIn-Reply-To: {id}\n"));
    }
    let automatic = if reader == Reader::Sender { "auto-replied" } else { "auto-generated" };
    head.push_str(&format!("Auto-Submitted: {automatic}\nMIME-Version: 1.0\n"));
    head.push_str("Content-Type: multipart/report; report-type=delivery-status;\n");
    head.push_str(&format!(
        "\tboundary=\"{boundary}\"\n{encoding}\nThis message has several parts in MIME format.\n\n"
    ));

    head.push_str(&format!("--{boundary}\nContent-Description: Notification\n"));
    head.push_str(&format!("Content-Type: text/plain; charset={charset}\n{encoding}\n"));
    match reader {
        Reader::Sender => {
            head.push_str(&expand(&template.text));
            head.push('\n');
            for fate in fates {
                person_reads(&mut head, fate);
            }
        }
        Reader::Postmaster => {
            head.push_str(&format!("{} sends you this report about mail of others.\n\n", site.myhostname))
        }
    }

    let global = original.smtputf8;
    head.push_str(&format!("--{boundary}\nContent-Description: Delivery report\nContent-Type: message/"));
    head.push_str(if global {
        "global-delivery-status\nContent-Transfer-Encoding: 8bit\n\n"
    } else {
        "delivery-status\n\n"
    });
    message_fields(&mut head, original, site);
    for fate in fates {
        recipient_fields(&mut head, fate, kind, site);
    }

    let (what, media) = match (returned, kind, global) {
        (Returned::Full, _, false) => ("Undelivered Message", "message/rfc822"),
        (Returned::Full, _, true) => ("Undelivered Message", "message/global"),
        (Returned::Header, Kind::Failure | Kind::Delay, false) => {
            ("Undelivered Message Headers", "text/rfc822-headers")
        }
        (Returned::Header, Kind::Failure | Kind::Delay, true) => {
            ("Undelivered Message Headers", "message/global-headers")
        }
        (Returned::Header, _, false) => ("Message Headers", "text/rfc822-headers"),
        (Returned::Header, _, true) => ("Message Headers", "message/global-headers"),
    };
    head.push_str(&format!(
        "\n--{boundary}\nContent-Description: {what}\nContent-Type: {media}\n{encoding}\n"
    ));
    head.push_str(&format!("Return-Path: <{}>\n", shown_sender(original.sender, site).external()));
    Notice { head, returned, tail: format!("\n--{boundary}--\n") }
}

/// The null sender is shown by the name it is answered under.
fn shown_sender(sender: &Address, site: &Site<'_>) -> Address {
    if sender.is_null() {
        Address::from(format!("MAILER-DAEMON@{}", site.myhostname))
    } else {
        sender.clone()
    }
}

/// `<recipient>: reason`, folded at 79 columns.
fn person_reads(out: &mut String, fate: &Fate) {
    let mut text = format!("<{}>", fate.recipient.address.external());
    let original = &fate.recipient.original;
    if !original.is_null() && !original.as_str().eq_ignore_ascii_case(fate.recipient.address.as_str()) {
        text.push_str(&format!(" (expanded from <{}>)", original.external()));
    }
    text.push_str(&format!(": {}", fate.reason));
    let mut column = 0;
    for (n, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if n > 0 && column + 1 + length > 79 {
            out.push_str("\n    ");
            column = 4;
        } else if n > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(&mail::logline::printable(word));
        column += length;
    }
    out.push_str("\n\n");
}

/// RFC 3464 2.2.
fn message_fields(out: &mut String, original: &Original<'_>, site: &Site<'_>) {
    let tag = site.mail_name;
    out.push_str(&format!("Reporting-MTA: dns; {}\n", site.myhostname));
    if let Some(envid) = original.envid {
        out.push_str(&format!("Original-Envelope-Id: {}\n", one_line(envid)));
    }
    out.push_str(&format!("X-{tag}-Queue-ID: {}\n", original.id));
    let sender = shown_sender(original.sender, site);
    out.push_str(&format!("X-{tag}-Sender: {}; {}\n", address_type(&sender), sender.external()));
    out.push_str(&format!("Arrival-Date: {}\n", date::rfc5322(original.arrival, site.zone)));
}

/// RFC 3464 2.3.
fn recipient_fields(out: &mut String, fate: &Fate, kind: Kind, site: &Site<'_>) {
    let recipient = &fate.recipient;
    out.push_str(&format!(
        "\nFinal-Recipient: {}; {}\n",
        address_type(&recipient.address),
        recipient.address.external()
    ));
    match &recipient.orcpt {
        Some(orcpt) => out.push_str(&format!("Original-Recipient: {}\n", one_line(orcpt))),
        // Without an ORCPT it is told only where it says something new.
        None if !recipient.original.is_null()
            && !recipient.original.as_str().eq_ignore_ascii_case(recipient.address.as_str()) =>
        {
            let original = &recipient.original;
            out.push_str(&format!(
                "Original-Recipient: {};{}\n",
                address_type(original),
                original.external()
            ));
        }
        None => {}
    }
    out.push_str(&format!("Action: {}\nStatus: {}\n", fate.action.name(), fate.status));
    if let Some(remote) = &fate.remote {
        let host = remote.host.split('[').next().unwrap_or(&remote.host);
        out.push_str(&format!("Remote-MTA: dns; {}\n", one_line(host)));
        folded(out, &format!("Diagnostic-Code: smtp; {}", one_line(&remote.text)));
    } else if let Some(diagnostic) = &fate.diagnostic {
        folded(out, &format!("Diagnostic-Code: {}", one_line(diagnostic)));
    } else {
        folded(out, &format!("Diagnostic-Code: X-{}; {}", site.mail_name, one_line(&fate.reason)));
    }
    if let (Kind::Delay, Some(until)) = (kind, site.retry_until) {
        out.push_str(&format!("Will-Retry-Until: {}\n", date::rfc5322(until, site.zone)));
    }
}

fn address_type(address: &Address) -> &'static str {
    if address.is_ascii() { "rfc822" } else { "utf-8" }
}

/// Foreign text in a field: no line ends, no control characters.
fn one_line(text: &str) -> String {
    mail::logline::printable(text)
}

/// A field folded at blanks so that lines stay under 79 characters where they can.
fn folded(out: &mut String, field: &str) {
    let mut column = 0;
    for (n, word) in field.split(' ').enumerate() {
        let length = word.chars().count();
        if n > 0 && column + 1 + length > 78 {
            out.push_str("\n    ");
            column = 4;
        } else if n > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounce::template::Templates;

    fn write(kind: Kind, reader: Reader, fates: &[Fate], change: impl FnOnce(&mut Original<'_>)) -> Notice {
        let id = QueueId::parse("ABCDEF1").expect("an id");
        let sender = Address::from("s@x.test");
        let at: Timestamp = "2026-11-21T10:00:00Z".parse().expect("a date");
        let mut original = Original {
            id: &id,
            sender: &sender,
            envid: None,
            ret: None,
            arrival: at,
            smtputf8: false,
            eight_bit: false,
            size: 100,
            thread: None,
        };
        change(&mut original);
        let site = Site {
            myhostname: "mx.test",
            mail_name: "Postfix",
            smtputf8_enable: true,
            size_limit: 50_000,
            zone: &TimeZone::UTC,
            retry_until: Some(at),
        };
        let templates = Templates::default();
        let expand = |text: &str| text.replace("$myhostname", "mx.test");
        let order = Order { kind, reader, to: &sender, template: templates.of(kind), now: at };
        compose(order, &original, fates, &site, expand)
    }

    fn failed(reason: &str) -> Fate {
        Fate {
            recipient: Recipient::new("bad@y.test"),
            action: Action::Failed,
            status: "5.1.1".into(),
            reason: reason.into(),
            remote: Some(RemoteReply { host: "h.test[192.0.2.1]".into(), text: "550 5.1.1 no".into() }),
            diagnostic: None,
        }
    }

    #[test]
    fn a_failure_returns_the_message() {
        let notice = write(Kind::Failure, Reader::Sender, &[failed("host said no")], |_| ());
        assert_eq!(notice.returned, Returned::Full);
        for part in [
            "To: s@x.test\n",
            "<bad@y.test>: host said no\n",
            "Final-Recipient: rfc822; bad@y.test\nAction: failed\nStatus: 5.1.1\n",
            "Remote-MTA: dns; h.test\nDiagnostic-Code: smtp; 550 5.1.1 no\n",
            "Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nReturn-Path: <s@x.test>\n",
        ] {
            assert!(notice.head.contains(part), "{part}\nis not in\n{}", notice.head);
        }
    }

    #[test]
    fn only_the_header_goes_back_when_asked_or_too_big() {
        let header = |change: fn(&mut Original<'_>)| {
            write(Kind::Failure, Reader::Sender, &[failed("no")], change).returned
        };
        assert_eq!(header(|original| original.ret = Some(Ret::Headers)), Returned::Header);
        assert_eq!(header(|original| original.size = 60_000), Returned::Header);
    }

    #[test]
    fn the_postmaster_gets_no_prose() {
        let notice = write(Kind::Failure, Reader::Postmaster, &[failed("host said no")], |_| ());
        assert!(!notice.head.contains("host said no"));
        assert!(notice.head.contains("Subject: Postmaster Copy: Undelivered Mail\n"));
        assert!(notice.head.contains("Auto-Submitted: auto-generated\n"));
    }

    #[test]
    fn foreign_text_cannot_add_fields() {
        let mut fate = failed("x\nAction: delivered");
        fate.remote =
            Some(RemoteReply { host: "h\nX: y[1]".into(), text: "550\r\nAction: delivered".into() });
        fate.recipient.orcpt = Some("rfc822;a\nStatus: 2.0.0".into());
        let notice =
            write(Kind::Failure, Reader::Sender, &[fate], |original| original.envid = Some("e\nX: y"));
        assert!(!notice.head.contains("\nAction: delivered"), "{}", notice.head);
        assert!(
            !notice.head.contains("\nStatus: 2.0.0") && !notice.head.contains("\nX: y"),
            "{}",
            notice.head
        );
    }
}
