//! A second message hidden in the first: nobody may see an end of data that another does not see.

use testbed::{Client, Sink, Site};

/// What an attacker puts behind something that he hopes is the end of the data.
const SECOND: &str = "MAIL FROM:<evil@x.test>\r\nRCPT TO:<u1@box.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx";

/// Every way to put up to two of CR, LF and NUL, or the proper line end, before and behind a dot.
pub fn matrix() -> Vec<(String, String)> {
    let marks = ["\r", "\n", "\0"];
    let mut sides = vec![String::new(), "\r\n\r".to_owned(), "\r\n\n".to_owned(), "\r\n\0".to_owned()];
    for first in marks {
        sides.push(first.to_owned());
        sides.extend(marks.iter().map(|second| format!("{first}{second}")));
    }
    sides.iter().flat_map(|before| sides.iter().map(move |after| (before.clone(), after.clone()))).collect()
}

/// Whether this is the end of the data for everybody, and the rest honestly pipelined commands.
pub fn is_proper_end(before: &str, after: &str) -> bool {
    before.ends_with("\r\n") && after.starts_with("\r\n")
}

/// Whether a careless server would see the end of the data within these bytes: one that ends lines at a bare CR or
/// LF, or does not see NUL.
fn ends_for_the_careless(raw: &[u8]) -> bool {
    let seen: Vec<u8> = raw.iter().copied().filter(|byte| *byte != 0).collect();
    seen.split(|byte| matches!(byte, b'\r' | b'\n')).any(|line| line == b".")
}

fn assert_clean(sink: &Sink, count: usize) {
    for taken in sink.wait_for(count) {
        assert!(!ends_for_the_careless(&taken.raw), "{:?}", String::from_utf8_lossy(&taken.raw));
        assert!(!taken.sender.contains("evil"), "{taken:?}");
    }
}

/// A site that sends mail for far.test by SMTP and for store.test by LMTP.
fn relay(smtp: &Sink, lmtp: &Sink) -> testbed::Instance {
    Site::new("mx.test")
        .set("relayhost", &smtp.nexthop())
        .set("transport_maps", &format!("inline:{{store.test=lmtp:inet:{}}}", lmtp.nexthop()))
        .set("smtpd_error_sleep_time", "0")
        .start()
}

fn begin(client: &mut Client) {
    client.expect(250, "MAIL FROM:<a@x.test>");
    client.expect(250, "RCPT TO:<a@far.test>");
    client.expect(250, "RCPT TO:<b@store.test>");
}

#[test]
fn only_the_proper_dot_ends_data_and_nothing_that_looks_like_it_goes_out() {
    let (smtp, lmtp) = (Sink::new(), Sink::lmtp(|_| None));
    let mx = relay(&smtp, &lmtp);
    let mut client = mx.client();
    client.hello();
    let mut count = 0;
    for (before, after) in matrix() {
        if is_proper_end(&before, &after) {
            continue;
        }
        begin(&mut client);
        client.expect(354, "DATA");
        client.send(format!("Subject: first\r\n\r\nx{before}.{after}{SECOND}\r\n.\r\n").as_bytes());
        let reply = client.reply();
        assert_eq!(reply.code, 250, "{before:?} {after:?}: {reply:?}");
        // A second reply here would be the one to the smuggled command.
        let reply = client.ask("VRFY <u0@box.test>");
        assert_eq!(reply.code, 252, "{before:?} {after:?}: {reply:?}");
        count += 1;
    }
    assert_clean(&smtp, count);
    assert_clean(&lmtp, count);
    assert!(mx.maildir("u1").messages().is_empty());
}

/// Who writes it gets what Postfix does with the same line: any line with a dot ends a message.
#[test]
fn only_the_administrators_own_word_lets_a_bare_newline_end_a_message() {
    for (name, value) in
        [("smtpd_forbid_bare_newline", "no"), ("smtpd_forbid_bare_newline_exclusions", "127.0.0.0/8")]
    {
        let mx = Site::new("mx.test").set(name, value).start();
        let mut client = mx.client();
        client.hello();
        client.expect(250, "MAIL FROM:<a@x.test>");
        client.expect(250, "RCPT TO:<u0@box.test>");
        client.expect(354, "DATA");
        client.send(b"Subject: first\r\n\r\nx\n.\r\n");
        assert_eq!(client.reply().code, 250, "{name}");
        let told = mx.run("postfix", &["check"]).err;
        assert_eq!(told.contains("mail can be smuggled in"), name == "smtpd_forbid_bare_newline", "{told}");
    }
}

#[test]
fn content_that_came_in_chunks_is_no_end_of_data_when_it_goes_out() {
    let (smtp, lmtp) = (Sink::new(), Sink::lmtp(|_| None));
    let mx = relay(&smtp, &lmtp);
    let mut client = mx.client();
    client.hello();
    let all = matrix();
    for (before, after) in &all {
        begin(&mut client);
        let content = format!("Subject: first\r\n\r\nx{before}.{after}{SECOND}\r\n.\r\nend");
        // Cut where it hurts: in the middle of the line end.
        let (one, two) = content.split_at(20 + before.len() / 2);
        client.send(format!("BDAT {}\r\n{one}BDAT {} LAST\r\n{two}", one.len(), two.len()).as_bytes());
        assert_eq!(client.reply().code, 250, "{before:?} {after:?}");
        let reply = client.reply();
        assert_eq!(reply.code, 250, "{before:?} {after:?}: {reply:?}");
        client.expect(252, "VRFY <u0@box.test>");
    }
    // Here even the proper end is content.
    for taken in smtp.wait_for(all.len()).iter().chain(&lmtp.wait_for(all.len())) {
        assert!(!ends_for_the_careless(&taken.raw), "{:?}", String::from_utf8_lossy(&taken.raw));
    }
    assert!(mx.maildir("u1").messages().is_empty());
}

#[test]
fn what_sendmail_reads_is_no_end_of_data_when_it_goes_out() {
    let (smtp, lmtp) = (Sink::new(), Sink::lmtp(|_| None));
    let mx = relay(&smtp, &lmtp);
    let mut content = "Subject: first\n\n".to_owned();
    for (before, after) in matrix() {
        content.push_str(&format!("x{before}.{after}{SECOND}\r\n.\r\n"));
    }
    let said = mx.run_with("sendmail", &["-i", "a@far.test", "b@store.test"], content.as_bytes());
    assert_eq!(said.status, 0, "{said:?}");
    assert_clean(&smtp, 1);
    assert_clean(&lmtp, 1);
    assert!(mx.maildir("u1").messages().is_empty());
}

/// Sends every improper end of data to a site that hands its mail to a filter; gives how many were sent.
fn send_through(mx: &testbed::Instance) -> usize {
    let mut client = mx.client();
    client.hello();
    let improper: Vec<_> =
        matrix().into_iter().filter(|(before, after)| !is_proper_end(before, after)).collect();
    for (before, after) in &improper {
        client.expect(250, "MAIL FROM:<a@x.test>");
        client.expect(250, "RCPT TO:<a@far.test>");
        client.expect(354, "DATA");
        client.send(format!("Subject: first\r\n\r\nx{before}.{after}{SECOND}\r\n.\r\n").as_bytes());
        let reply = client.reply();
        assert_eq!(reply.code, 250, "{before:?} {after:?}: {reply:?}");
        client.expect(252, "VRFY <u0@box.test>");
    }
    improper.len()
}

#[test]
fn a_content_filter_sees_one_message_and_not_two() {
    let filter = Sink::new();
    let mx = Site::new("mx.test")
        .set("content_filter", &format!("smtp:{}", filter.nexthop()))
        .set("smtpd_error_sleep_time", "0")
        .start();
    let count = send_through(&mx);
    assert_clean(&filter, count);
    assert_eq!(filter.taken().len(), count);
}

#[test]
fn a_filter_in_front_of_the_queue_sees_one_message_and_not_two() {
    let filter = Sink::new();
    let mx = Site::new("mx.test")
        .set("smtpd_error_sleep_time", "0")
        .smtpd_option(&format!("smtpd_proxy_filter={}", filter.address()))
        .start();
    let count = send_through(&mx);
    assert_clean(&filter, count);
    assert_eq!(filter.taken().len(), count);
}
