//! An account whose password somebody else knows. Security list, item 23.

use testbed::{Client, Instance, Site, wait};

fn start() -> Instance {
    let site = Site::new("mx.test");
    let users = site.put("users", "joe:{PLAIN}secret\neve:{PLAIN}secret\n");
    site.set("smtpd_sasl_auth_enable", "yes")
        .set("smtpd_sasl_type", "facteur")
        .set("passdb", &format!("passwd-file:{}", users.display()))
        .set("outbound_habit_factor", "3")
        .set("outbound_habit_minimum", "4")
        .set("outbound_domain_message_limit", "50")
        .start()
}

fn logged_in(mx: &Instance, words: &str) -> Client {
    let mut client = mx.client();
    client.hello();
    assert_eq!(client.ask(&format!("AUTH PLAIN {words}")).code, 235);
    client
}

const JOE: &str = "AGpvZQBzZWNyZXQ=";
const EVE: &str = "AGV2ZQBzZWNyZXQ=";

fn send(client: &mut Client, recipients: &[&str]) {
    let reply = client.try_deliver("joe@box.test", recipients, "Subject: buy\n\nnow\n").expect("it listens");
    assert_eq!(reply.code, 250, "{reply:?}");
}

#[test]
fn the_mail_of_an_account_far_above_its_habit_is_held_until_somebody_decides() {
    let mx = start();
    let mut joe = logged_in(&mx, JOE);
    send(&mut joe, &["u0@box.test", "u1@box.test"]);
    mx.wait_log(&["to=<u0@box.test>"]);
    mx.wait_log(&["to=<u1@box.test>"]);
    send(&mut joe, &["u0@box.test", "u1@box.test", "u2@box.test"]);
    send(&mut joe, &["u3@box.test"]);
    mx.wait_log(&["account joe sent to 5 recipients where 0 are usual: its mail is held"]);
    send(&mut logged_in(&mx, EVE), &["bob@box.test"]);
    mx.maildir("bob").one();
    let notice = wait::until("the postmaster is told", || {
        let queue = mx.run("postqueue", &["-j"]).out;
        (mx.log().contains("to=<postmaster@") || queue.contains("postmaster@")).then_some(queue)
    });
    assert_eq!(mx.run("postqueue", &["-j"]).out.matches("\"queue_name\": \"hold\"").count(), 2, "{notice}");
    let listed = mx.run("outbound", &["list"]);
    assert!(listed.out.starts_with("joe\t") && listed.out.contains("held since"), "{listed:?}");
    let released = mx.run("outbound", &["release", "joe"]);
    assert_eq!(released.out, "2 messages released; it may send again\n", "{released:?}");
    mx.wait_log(&["to=<u3@box.test>"]);
    send(&mut joe, &["carol@box.test"]);
    mx.maildir("carol").one();
}

#[test]
fn what_is_held_can_be_dropped_and_the_account_stays_held() {
    let mx = start();
    let mut joe = logged_in(&mx, JOE);
    send(&mut joe, &["u0@box.test", "u1@box.test", "u2@box.test", "u3@box.test", "u4@box.test"]);
    let dropped = mx.run("outbound", &["drop", "joe"]);
    assert_eq!(dropped.out, "1 messages deleted\n", "{dropped:?}");
    send(&mut joe, &["u0@box.test"]);
    assert_eq!(mx.run("postqueue", &["-j"]).out.matches("\"queue_name\": \"hold\"").count(), 1);
}
