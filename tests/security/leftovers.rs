//! Nothing of a refused message survives into the next: no recipient, no order to hold or to change it.

use testbed::{Client, Instance, Site};

/// Ways in which a transaction with first@x.test and u1@box.test ends badly. The last line of each is refused, or
/// ends it. A line that starts with `>` is content.
const ENDINGS: &[&[&str]] = &[
    &["MAIL FROM:<refused@x.test>"],
    &["MAIL FROM:<first@x.test>", "RCPT TO:<nobody@box.test>"],
    &["MAIL FROM:<first@x.test>", "RCPT TO:<u1@box.test>", "RSET"],
    &["MAIL FROM:<first@x.test>", "RCPT TO:<u1@box.test>", "EHLO again.test"],
    &["MAIL FROM:<first@x.test>", "RCPT TO:<u1@box.test>", "MAIL FROM:<refused@x.test>", "RSET"],
    &["MAIL FROM:<nodata@x.test>", "RCPT TO:<u1@box.test>", "DATA", "RSET"],
    &["MAIL FROM:<first@x.test>", "RCPT TO:<u1@box.test>", "DATA", ">EOD", "RSET"],
    &["MAIL FROM:<first@x.test>", "RCPT TO:<u1@box.test>", "BDAT 5 LAST", "RSET"],
    &["MAIL FROM:<first@x.test> SIZE=99999999"],
];

/// What is tried behind it, two at a time, in every order.
const TRIED: &[&str] = &[
    "NOOP",
    "RSET",
    "VRFY <u1@box.test>",
    "HELO two.test",
    "EHLO two.test",
    "MAIL FROM:<second@x.test>",
    "RCPT TO:<u2@box.test>",
    "DATA",
    "BDAT 0",
    "BOGUS",
];

fn site() -> Instance {
    Site::new("mx.test")
        .set("message_size_limit", "10000")
        .set("smtpd_delay_reject", "no")
        .set("smtpd_error_sleep_time", "0")
        .set("smtpd_soft_error_limit", "100000")
        .set("smtpd_hard_error_limit", "100000")
        .set("smtpd_junk_command_limit", "100000")
        .set(
            "smtpd_sender_restrictions",
            "check_sender_access inline:{refused@x.test=REJECT first@x.test=HOLD nodata@x.test=HOLD}",
        )
        .set(
            "smtpd_recipient_restrictions",
            "check_recipient_access inline:{{u1@box.test=PREPEND X-Leak: yes}}",
        )
        .set("smtpd_data_restrictions", "check_sender_access inline:{nodata@x.test=REJECT}")
        .set("smtpd_end_of_data_restrictions", "check_sender_access inline:{first@x.test=REJECT}")
        .start()
}

/// Goes through the lines, whatever is answered.
fn end_badly(client: &mut Client, lines: &[&str]) {
    for line in lines {
        let reply = match line.strip_prefix('>') {
            Some(content) => {
                client.send(format!("Subject: {content}\r\n\r\nx\r\n.\r\n").as_bytes());
                let reply = client.reply();
                assert!(reply.code >= 500, "{reply:?}");
                reply
            }
            None if *line == "BDAT 5 LAST" => {
                client.send(b"BDAT 5 LAST\r\nhello");
                client.reply()
            }
            None => client.ask(line),
        };
        assert_ne!(reply.code, 421, "{line}: {reply:?}");
    }
}

/// What must be known of a session to say which replies are right.
#[derive(Default)]
struct Transaction {
    /// A sender was taken.
    mail: bool,
    /// A recipient was taken.
    recipient: bool,
    /// A chunk was sent, or tried: only its kind or RSET may follow.
    chunk: bool,
}

impl Transaction {
    /// Says one line and holds the reply against what went before in this transaction, and nothing else.
    fn try_line(&mut self, client: &mut Client, line: &str) -> Result<(), String> {
        let reply = client.ask(line);
        let right = match line.split(' ').next() {
            Some("MAIL") => {
                let right = reply.code == if self.mail { 503 } else { 250 };
                self.mail = true;
                right
            }
            Some("RCPT") if self.chunk => matches!(reply.code, 250 | 503),
            Some("RCPT") => {
                self.recipient |= reply.code == 250;
                reply.code == if self.mail { 250 } else { 503 }
            }
            Some("DATA") if reply.code == 354 => {
                client.send(b"Subject: never\r\n\r\nx\r\n.\r\n");
                let end = client.reply();
                // The envelope stays until the client says RSET, as with Postfix.
                self.recipient && !self.chunk && end.code >= 500
            }
            Some("DATA") => reply.code >= 500,
            Some("BDAT") => {
                self.chunk = self.mail;
                reply.code >= 500 || (reply.code == 250 && self.recipient)
            }
            Some("RSET" | "HELO" | "EHLO") => {
                *self = Transaction::default();
                reply.code == 250
            }
            _ => reply.code != 421,
        };
        if right { Ok(()) } else { Err(format!("{line}: {reply:?}")) }
    }
}

#[test]
fn nothing_survives_a_refusal_whatever_two_commands_follow_it() {
    let mx = site();
    let mut clean = 0;
    for lines in ENDINGS {
        let mut client = mx.client();
        client.hello();
        for first in TRIED {
            for second in TRIED {
                end_badly(&mut client, lines);
                // Where only a recipient was refused, the transaction is still open.
                let mut transaction = Transaction { mail: lines.len() == 2, ..Transaction::default() };
                for tried in [first, second] {
                    let tried = transaction.try_line(&mut client, tried);
                    tried.unwrap_or_else(|wrong| panic!("{lines:?}, then {first}, {second}: {wrong}"));
                }
                if transaction.mail {
                    client.expect(250, "RSET");
                }
                let reply = client.try_deliver("clean@x.test", &["u3@box.test"], "Subject: clean\n\nx\n");
                let reply = reply.expect("the server listens");
                assert_eq!(reply.code, 250, "{lines:?}, {first}, {second}: {reply:?}");
                clean += 1;
            }
        }
        client.ask("QUIT");
    }
    for message in mx.maildir("u3").wait_for(clean) {
        assert!(!message.contains("X-Leak"), "{message}");
        assert!(message.contains("Return-Path: <clean@x.test>\n"), "{message}");
    }
    for user in ["u1", "u2"] {
        assert!(mx.maildir(user).messages().is_empty(), "{user}: {:?}", mx.maildir(user).messages());
    }
    assert_eq!(mx.run("postqueue", &["-p"]).out, "Mail queue is empty\n");
}
