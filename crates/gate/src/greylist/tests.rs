//! Dialogues with the greylist; what is said is what postgrey says.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use conf::{Block, Facts, MainCf, Registry, View};
use jiff::tz::TimeZone;

use super::*;
use crate::params;

struct Scene {
    settings: Settings,
    memory: Memory,
    time: Arc<AtomicI64>,
}

const START: i64 = 1_700_000_000;

fn settings(text: &str) -> Settings {
    let base = "myhostname = mx.test\ngreylist_whitelist_clients =\ngreylist_whitelist_recipients =\n";
    let (main, mistakes) = MainCf::parse(&format!("{base}{text}"), Path::new("main.cf"));
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let registry = Registry::new(&[conf::params::Site::DECLARATIONS, params::Greylist::DECLARATIONS]);
    let mistakes = &mut Vec::new();
    let settings = Settings::read(&View::new(registry, main, Facts::default()), mistakes);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    settings
}

fn scene(text: &str) -> Scene {
    let time = Arc::new(AtomicI64::new(START));
    let clock = time.clone();
    let memory = Memory::forgetful(Arc::new(move || clock.load(Ordering::Relaxed)));
    Scene { settings: settings(text), memory, time }
}

fn question<'a>(client: &str, name: &'a str, instance: &'a str) -> Question<'a> {
    Question {
        client: client.parse().unwrap(),
        name,
        sender: "ann@far.test",
        recipient: "joe@here.test",
        instance,
        queue_id: "",
    }
}

impl Scene {
    fn ask(&self, client: &str) -> Answer {
        self.settings.ask(&self.memory, &question(client, "unknown", ""), None)
    }

    fn later(&self, seconds: i64) {
        self.time.fetch_add(seconds, Ordering::Relaxed);
    }
}

const PUT_OFF: &str =
    "DEFER_IF_PERMIT 4.2.0 Greylisted, see http://postgrey.schweikert.ch/help/here.test.html";

#[test]
fn who_tries_again_after_the_delay_comes_through_once_with_a_header() {
    let scene = scene("");
    let answer = scene.ask("192.0.2.1");
    assert_eq!(answer.action, PUT_OFF);
    let who = "client_name=unknown, client_address=192.0.2.1, sender=ann@far.test, recipient=joe@here.test";
    assert_eq!(answer.log, format!("action=greylist, reason=new, {who}"));
    scene.later(100);
    let answer = scene.ask("192.0.2.1");
    assert_eq!(answer.action, PUT_OFF);
    assert_eq!(answer.log, format!("action=greylist, reason=early-retry (200s missing), {who}"));
    scene.later(201);
    // Another host of the same network.
    let answer = scene.ask("192.0.2.200");
    let header = "PREPEND X-Greylist: delayed 301 seconds by facteur-";
    assert!(answer.action.starts_with(header), "{}", answer.action);
    assert!(answer.action.ends_with(" at mx.test; Tue, 14 Nov 2023 22:18:21 UTC"), "{}", answer.action);
    assert!(answer.log.starts_with("action=pass, reason=triplet found, delay=301, "), "{}", answer.log);
    let answer = scene.ask("192.0.2.1");
    assert_eq!(
        (answer.action.as_str(), &answer.log[..36]),
        ("DUNNO", "action=pass, reason=triplet found, c")
    );
    assert_eq!(scene.ask("198.51.100.1").action, PUT_OFF);
}

#[test]
fn a_message_has_one_header_however_many_recipients() {
    let scene = scene("greylist_text = wait %s s");
    let first = question("192.0.2.1", "unknown", "1.2.3");
    let second = Question { recipient: "eve@here.test", ..first };
    let ask = |question: &Question<'_>| scene.settings.ask(&scene.memory, question, None).action;
    assert_eq!(ask(&first), "DEFER_IF_PERMIT 4.2.0 wait 300 s");
    ask(&second);
    scene.later(300);
    assert!(ask(&Question { instance: "4.5.6", ..first }).starts_with("PREPEND "));
    assert_eq!(ask(&Question { instance: "4.5.6", ..second }), "DUNNO");
}

#[test]
fn a_retry_after_the_window_is_a_first_attempt() {
    let scene = scene("");
    scene.ask("192.0.2.1");
    scene.later(2 * 86_400 + 1);
    assert!(scene.ask("192.0.2.1").log.starts_with("action=greylist, reason=new"));
    scene.later(300);
    assert!(scene.ask("192.0.2.1").action.starts_with("PREPEND"));
    scene.later(34 * 86_400);
    assert_eq!(scene.ask("192.0.2.1").action, "DUNNO");
    scene.later(35 * 86_400 + 3601);
    assert_eq!(scene.ask("192.0.2.1").action, PUT_OFF);
}

#[test]
fn a_client_whose_mail_came_through_often_is_not_put_off() {
    let scene = scene("greylist_auto_whitelist_clients = 3\ngreylist_pools =");
    let recipients = ["a@here.test", "b@here.test", "c@here.test", "d@here.test"];
    let ask = |recipient| {
        let question = Question { recipient, ..question("192.0.2.1", "mx.far.test", "") };
        scene.settings.ask(&scene.memory, &question, None)
    };
    for recipient in recipients {
        assert!(ask(recipient).action.starts_with("DEFER_IF_PERMIT"));
    }
    for recipient in &recipients[..3] {
        scene.later(3600);
        assert!(ask(recipient).action.starts_with("PREPEND"), "{recipient}");
    }
    let answer = ask("new@here.test");
    assert!(answer.action == "DUNNO" && answer.log.contains("reason=client AWL"), "{answer:?}");
    // It is the address that is trusted, not its network.
    assert_eq!(scene.ask("192.0.2.2").action, PUT_OFF);
}

#[test]
fn whole_addresses_where_that_is_set() {
    let scene = scene("greylist_lookup_by_host = yes\ngreylist_delay = 60");
    scene.ask("192.0.2.1");
    scene.later(60);
    assert_eq!(scene.ask("192.0.2.2").action, PUT_OFF);
    assert!(scene.ask("192.0.2.1").action.starts_with("PREPEND"));
}

#[test]
fn another_host_of_the_same_provider_is_the_same_client() {
    let scene = scene("");
    let ask = |client: &str, name, policy| {
        let question = question(client, name, "");
        scene.settings.ask(&scene.memory, &question, policy).action
    };
    assert_eq!(ask("192.0.2.1", "out1.provider.test", None), PUT_OFF);
    scene.later(300);
    assert_eq!(ask("198.51.100.1", "out9.other.test", None), PUT_OFF);
    assert!(ask("203.0.113.1", "out2.provider.test", None).starts_with("PREPEND"));
    let scene = self::scene("greylist_pools = spf");
    let ask = |client: &str, policy| {
        let question = question(client, "unknown", "");
        let asked = scene.settings.wants_policy(&scene.memory, &question);
        (asked, scene.settings.ask(&scene.memory, &question, policy).action)
    };
    assert_eq!(ask("192.0.2.1", Some("far.test")), (true, PUT_OFF.to_owned()));
    scene.later(300);
    // Its network is known: there is nothing to ask.
    assert!(!scene.settings.wants_policy(&scene.memory, &question("192.0.2.9", "unknown", "")));
    let (asked, action) = ask("203.0.113.1", Some("far.test"));
    assert!(asked && action.starts_with("PREPEND"), "{action}");
}

#[test]
fn looking_changes_nothing() {
    let scene = scene("");
    let question = question("192.0.2.1", "unknown", "");
    assert_eq!(scene.settings.look(&scene.memory, &question, None).action, PUT_OFF);
    scene.later(400);
    assert_eq!(scene.settings.look(&scene.memory, &question, None).action, PUT_OFF);
    assert!(scene.memory.list("").is_empty());
}

#[test]
fn an_administrator_lists_passes_and_forgets() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Memory::open(directory.path(), Arc::new(|| START), TimeZone::UTC).unwrap();
    let (memory, settings) = (open(), settings(""));
    settings.ask(&memory, &question("192.0.2.1", "unknown", ""), None);
    settings.ask(&memory, &question("198.51.100.1", "unknown", ""), None);
    memory.let_pass("203.0.113.7").unwrap();
    assert!(memory.let_pass("joe").is_err());
    assert_eq!(memory.forget("198.51.100"), 1);
    drop(memory);
    let memory = open();
    assert_eq!(
        memory.list(""),
        [
            "client\t2023-11-14 22:13:20\tpassed\t203.0.113.7",
            "triplet\t2023-11-14 22:13:20\t0s\t192.0.2.0/ann@far.test/joe@here.test",
        ]
    );
    assert_eq!(memory.list("JOE").len(), 1);
    let trusted = settings.ask(&memory, &question("203.0.113.7", "unknown", ""), None);
    assert!(trusted.log.contains("client AWL"), "{trusted:?}");
}
