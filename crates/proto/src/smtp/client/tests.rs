use std::time::Duration;

use super::*;

#[expect(clippy::disallowed_methods, reason = "any instant will do to count from")]
fn start() -> Instant {
    Instant::now()
}

/// Plays `script`: lines beginning with `S: ` are fed, `C: ` is the output expected, `E: ` the event expected.
fn play(machine: &mut Machine, script: &str) {
    let now = start();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (who, text) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
        match who {
            "S" => machine.feed(format!("{}\r\n", text.replace('|', "\r\n")).as_bytes()),
            "C" => {
                let output = String::from_utf8(std::mem::take(machine.output())).unwrap();
                assert_eq!(output.trim_end().replace("\r\n", "|"), text);
            }
            "E" => assert_eq!(short(&machine.step(now)), text),
            _ => panic!("{line}"),
        }
    }
}

fn short(step: &Step) -> String {
    match step {
        Step::Event(Event::Reply(stage, reply)) => format!("{stage:?} {}", reply.code),
        Step::Event(Event::Mail(reply)) => format!("mail {}", reply.code),
        Step::Event(Event::Rcpt(n, reply)) => format!("rcpt {n} {}", reply.code),
        Step::Event(Event::Data(reply)) => format!("data {}", reply.code),
        Step::Event(Event::Done(n, reply)) => format!("done {n:?} {}", reply.code),
        Step::Event(event) => format!("{event:?}"),
        step => format!("{step:?}"),
    }
}

fn greeted(lmtp: bool) -> Machine {
    let mut machine = Machine::new(Settings { lmtp, ..Settings::default() });
    play(&mut machine, "E: Input\nS: 220 hi\nE: Greeting 220");
    machine
}

fn transaction(pipelining: bool, recipients: &[&str]) -> Transaction {
    let recipients = recipients.iter().map(|name| format!("<{name}>")).collect();
    Transaction { sender: "<s>".into(), recipients, pipelining }
}

#[test]
fn one_write_for_the_envelope_and_one_for_the_content() {
    let mut machine = greeted(false);
    machine.transact(transaction(true, &["a", "b"]));
    play(
        &mut machine,
        "C: MAIL FROM:<s>|RCPT TO:<a>|RCPT TO:<b>|DATA
         S: 250 ok|550 no|250 ok|354 go
         E: mail 250\nE: rcpt 0 550\nE: rcpt 1 250\nE: WantContent",
    );
    machine.content(b"x\n.y\n");
    machine.end_of_content(true);
    play(&mut machine, "C: x|..y|.|QUIT\nS: 250 ok|221 bye\nE: done None 250\nE: Quit 221\nE: Idle");
}

#[test]
fn without_pipelining_each_command_waits() {
    let mut machine = greeted(false);
    machine.transact(transaction(false, &["a", "b"]));
    play(
        &mut machine,
        "C: MAIL FROM:<s>\nE: Input\nS: 250 ok\nE: mail 250
         C: RCPT TO:<a>\nS: 550 no\nE: rcpt 0 550
         C: RCPT TO:<b>\nS: 250 ok\nE: rcpt 1 250
         C: DATA\nS: 354 go\nE: WantContent",
    );
    machine.end_of_content(false);
    play(&mut machine, "C: .\nS: 250 ok\nE: done None 250\nE: Idle");
}

#[test]
fn nothing_is_sent_to_nobody() {
    for (pipelining, script) in [
        (
            false,
            "C: MAIL FROM:<s>\nS: 250 ok\nE: mail 250\nC: RCPT TO:<a>\nS: 550 no\nE: rcpt 0 550\nE: Abandoned\nC:\nE: Idle",
        ),
        (false, "C: MAIL FROM:<s>\nS: 550 no\nE: mail 550\nE: Abandoned\nC:\nE: Idle"),
        (
            true,
            "C: MAIL FROM:<s>|RCPT TO:<a>|DATA\nS: 250 ok|550 no|554 no\nE: mail 250\nE: rcpt 0 550\nE: Abandoned\nE: Idle",
        ),
        (
            true,
            "C: MAIL FROM:<s>|RCPT TO:<a>|DATA\nS: 550 no|503 no|503 no\nE: mail 550\nE: Abandoned\nE: Idle",
        ),
        // A server that takes DATA without recipients gets an empty message, which it must not deliver to anybody.
        (
            true,
            "C: MAIL FROM:<s>|RCPT TO:<a>|DATA\nS: 250 ok|550 no|354 go\nE: mail 250\nE: rcpt 0 550\nE: Input\nC: .\nS: 554 no\nE: Abandoned\nE: Idle",
        ),
        (
            true,
            "C: MAIL FROM:<s>|RCPT TO:<a>|DATA\nS: 250 ok|250 ok|451 no\nE: mail 250\nE: rcpt 0 250\nE: data 451\nE: Abandoned\nE: Idle",
        ),
    ] {
        let mut machine = greeted(false);
        machine.transact(transaction(pipelining, &["a"]));
        play(&mut machine, script);
        machine.ask(Stage::Rset, "RSET");
        play(&mut machine, "C: RSET\nS: 250 ok\nE: Rset 250");
    }
}

#[test]
fn lmtp_answers_for_every_accepted_recipient() {
    let mut machine = greeted(true);
    machine.transact(transaction(true, &["a", "b", "c"]));
    play(
        &mut machine,
        "C: MAIL FROM:<s>|RCPT TO:<a>|RCPT TO:<b>|RCPT TO:<c>|DATA
         S: 250 ok|250 ok|550 no|250 ok|354 go
         E: mail 250\nE: rcpt 0 250\nE: rcpt 1 550\nE: rcpt 2 250\nE: WantContent",
    );
    machine.end_of_content(false);
    play(&mut machine, "C: .\nS: 250 ok|452 full\nE: done Some(0) 250\nE: done Some(2) 452\nE: Idle");
}

#[test]
fn a_thousand_recipients_do_not_fill_the_pipe() {
    let mut machine = greeted(false);
    let names: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
    machine.transact(transaction(true, &names.iter().map(String::as_str).collect::<Vec<_>>()));
    let (mut accepted, mut writes) = (0, 0);
    loop {
        let output = std::mem::take(machine.output());
        let lines = output.iter().filter(|b| **b == b'\n').count();
        assert!(lines <= IN_FLIGHT, "{lines}");
        writes += 1;
        for line in String::from_utf8(output).unwrap().lines() {
            machine.feed(if line == "DATA" { b"354 go\r\n" } else { b"250 ok\r\n" });
        }
        loop {
            match machine.step(start()) {
                Step::Event(Event::Rcpt(..)) => accepted += 1,
                Step::Event(Event::WantContent) => {
                    assert_eq!((accepted, writes < 20), (1000, true));
                    return;
                }
                Step::Event(_) => {}
                Step::Input => break,
                Step::Idle => panic!("stuck"),
            }
        }
    }
}

#[test]
fn says_what_it_was_doing_when_it_went_wrong() {
    let now = start();
    let mut machine = greeted(false);
    machine.ask(Stage::Ehlo, "EHLO x\r\nRSET");
    play(&mut machine, "C: EHLO x  RSET\nE: Input");
    assert_eq!(machine.step(now + Duration::from_secs(301)), Step::Event(Event::TimedOut(Stage::Ehlo)));
    machine.feed(b"nonsense\r\n");
    assert_eq!(machine.step(now), Step::Event(Event::Garbled(Stage::Ehlo, "nonsense".into())));
    machine.feed_eof();
    assert_eq!(machine.step(now), Step::Event(Event::Lost(Stage::Ehlo)));
}

#[test]
fn replies_injected_before_tls_are_dropped() {
    let mut machine = greeted(false);
    machine.ask(Stage::StartTls, "STARTTLS");
    play(&mut machine, "C: STARTTLS\nS: 220 go|250-injected|250 AUTH PLAIN\nE: StartTls 220");
    machine.tls_started();
    machine.ask(Stage::Ehlo, "EHLO x");
    play(&mut machine, "E: Input\nS: 250 real\nE: Ehlo 250");
}

#[test]
fn a_deadline_for_the_whole_content_grows_with_what_was_sent() {
    let second = Duration::from_secs(1);
    for (per_request, expected) in [(true, [180, 170, 175]), (false, [180, 180, 180])] {
        let mut machine = greeted(false);
        machine.settings().per_request = per_request;
        machine.transact(transaction(false, &["<a@x>"]));
        play(&mut machine, "S: 250 a\nE: mail 250\nS: 250 b\nE: rcpt 0 250\nS: 354 go\nE: WantContent");
        let now = start();
        let mut left = vec![machine.write_timeout(now), machine.write_timeout(now + 10 * second)];
        machine.content(&[b'x'; 2500]);
        left.push(machine.write_timeout(now + 10 * second));
        assert_eq!(left, expected.map(|seconds| seconds * second), "{per_request}");
    }
}
