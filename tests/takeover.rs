//! From Postfix to us and back: what waits in the queue of one is delivered by the other, nothing lost, nothing twice.
//!
//! `FACTEUR_TAKEOVER=5000` in the environment takes so many messages each way.

use std::collections::BTreeMap;
use std::process::Command;

use testbed::{Client, Sink, Site, address, neighbour, wait};

use crate::postfix::Postfix;

/// Messages that go each way.
fn many() -> usize {
    std::env::var("FACTEUR_TAKEOVER").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

/// The n-th message: every tenth is big, each has options of its own.
fn content(n: usize) -> String {
    let body = if n % 10 == 3 { "a long line of text\n".repeat(4000) } else { ".dot\n\nend\n".to_owned() };
    format!("Subject: number {n}.\n\n{body}")
}

/// Sends them all over one connection.
fn submit(client: &mut Client, count: usize) {
    client.hello();
    for n in 0..count {
        let (envid, notify) = match n % 4 {
            0 => (format!(" RET=HDRS ENVID=e{n}"), " NOTIFY=NEVER"),
            1 => (String::new(), " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o@z.test"),
            _ => (String::new(), ""),
        };
        client.expect(250, &format!("MAIL FROM:<s{n}@x.test>{envid}"));
        client.expect(250, &format!("RCPT TO:<u{n}@far.test>{notify}"));
        client.expect(354, "DATA");
        client.send(&testbed::crlf(&content(n)));
        client.send(b".\r\n");
        assert_eq!(client.reply().code, 250);
    }
}

/// Each message came exactly once, with what was asked for.
fn assert_all_came(sink: &Sink, count: usize) {
    let limit =
        wait::LIMIT + std::time::Duration::from_millis(20) * u32::try_from(count).expect("not so many");
    let all = || Some(sink.taken()).filter(|taken| taken.len() >= count);
    assert!(wait::within(limit, all).is_some(), "{} of {count} came", sink.taken().len());
    let mut seen: BTreeMap<usize, u32> = BTreeMap::new();
    for taken in sink.taken() {
        let text = taken.text();
        let number = text.split("Subject: number ").nth(1).and_then(|rest| rest.split('.').next());
        let n: usize = number.and_then(|number| number.parse().ok()).expect("one of ours");
        *seen.entry(n).or_default() += 1;
        assert!(taken.sender.starts_with(&format!("<s{n}@x.test>")), "{}", taken.sender);
        let (sender, recipient) = match n % 4 {
            0 => (format!("ENVID=e{n}"), "NOTIFY=NEVER"),
            1 => (String::new(), "ORCPT=rfc822;o@z.test"),
            _ => (String::new(), ""),
        };
        assert!(taken.sender.contains(&sender), "{}", taken.sender);
        let [only] = taken.recipients.as_slice() else { panic!("{:?}", taken.recipients) };
        assert!(only.starts_with(&format!("<u{n}@far.test>")) && only.contains(recipient), "{only}");
        let end = content(n);
        assert!(text.ends_with(end.split_once("\n\n").expect("it has a body").1), "{n}");
    }
    assert!(seen.len() == count && seen.values().all(|times| *times == 1), "{seen:?}");
}

/// How many wait in a Postfix, as its own tool counts them.
fn waiting(site: &Site) -> usize {
    let said = Command::new("postqueue").arg("-c").arg(site.conf()).arg("-j").output().expect("it starts");
    String::from_utf8_lossy(&said.stdout).lines().count()
}

#[test]
fn what_waits_in_a_stopped_postfix_is_taken_over_and_delivered() {
    let Some([master, postsuper, _]) = neighbour::installed(["master", "postsuper", "setsid"]) else {
        return;
    };
    if !neighbour::root() {
        return;
    }
    let count = many();
    let nobody = address();
    let theirs = Postfix::start(master, &format!("[{}]:{}", nobody.ip(), nobody.port()), "");
    submit(&mut Client::greeted(theirs.site.smtp()), count);
    assert_eq!(waiting(&theirs.site), count);
    // One in the hold queue, among the deferred ones.
    let listed =
        Command::new("postqueue").arg("-c").arg(theirs.site.conf()).arg("-j").output().expect("it starts");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let id = listed.split("\"queue_id\": \"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
    let said = Command::new(postsuper)
        .arg("-c")
        .arg(theirs.site.conf())
        .args(["-h", id])
        .output()
        .expect("it starts");
    assert!(said.status.success(), "{said:?}");
    let theirs = theirs.stop();

    let sink = Sink::new();
    let mut ours = Site::new("mx.test").set("relayhost", &sink.nexthop()).start();
    assert!(ours.stop().success());
    let spool = theirs.path().join("queue").display().to_string();
    let said = ours.run("queue", &["import", &spool]);
    assert_eq!(said.status, 0, "{said:?}");
    assert!(said.out.contains(&format!("Imported: {count} messages")), "{said:?}");
    ours.restart();
    ours.run("postqueue", &["-f"]);
    let but_one = || (sink.taken().len() + 1 >= count).then_some(());
    assert!(wait::within(wait::LIMIT * 6, but_one).is_some(), "{} of {count} came", sink.taken().len());
    assert!(ours.run("postqueue", &["-p"]).out.contains('!'), "what was on hold is held");
    assert_eq!(ours.run("postsuper", &["-H", "ALL"]).status, 0);
    ours.run("postqueue", &["-f"]);
    assert_all_came(&sink, count);
    // Nothing is left there that a Postfix would send once more.
    assert_eq!(waiting(&theirs), 0);
}

#[test]
fn what_waits_with_us_is_given_to_a_postfix_and_delivered_by_it() {
    let Some([master, _]) = neighbour::installed(["master", "setsid"]) else { return };
    if !neighbour::root() {
        return;
    }
    let count = many();
    let nobody = address();
    let mut ours =
        Site::new("mx.test").set("relayhost", &format!("[{}]:{}", nobody.ip(), nobody.port())).start();
    submit(&mut ours.client(), count);
    assert!(ours.stop().success());
    let sink = Sink::new();
    let theirs = Postfix::prepare(&sink.nexthop(), "");
    let said = ours.run("queue", &["export", "--config", &theirs.conf().display().to_string()]);
    assert_eq!(said.status, 0, "{said:?}");
    assert!(!ours.run("postqueue", &["-p"]).out.contains("x.test"), "nothing is left with us");
    let theirs = Postfix::launch(master, theirs);
    // What was deferred here is due when it was due here.
    let said =
        Command::new("postqueue").arg("-c").arg(theirs.site.conf()).arg("-f").output().expect("it starts");
    assert!(said.status.success(), "{said:?}");
    assert_all_came(&sink, count);
}
