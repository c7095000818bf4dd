//! Who is banned, and who is not.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use conf::{Block, Facts, MainCf, Registry, View};
use jiff::tz::TimeZone;
use tables::Tables;

use super::*;
use crate::params;

const START: i64 = 1_700_000_000;

fn settings(text: &str) -> Settings {
    let text = format!("mynetworks = 127.0.0.0/8\nban_enable = yes\nban_account_failures = 3\n{text}");
    let (main, mut mistakes) = MainCf::parse(&text, Path::new("main.cf"));
    mistakes.retain(|mistake| !mistake.text.contains("overriding"));
    let registry = Registry::new(&[conf::params::Site::DECLARATIONS, params::Bans::DECLARATIONS]);
    let tables = Tables::new(tables::Settings::default());
    let settings = Settings::read(&View::new(registry, main, Facts::default()), &tables, &mut mistakes);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    settings
}

struct Scene {
    memory: Memory,
    time: Arc<AtomicI64>,
}

fn scene(text: &str) -> Scene {
    let time = Arc::new(AtomicI64::new(START));
    let clock = time.clone();
    let memory = Memory::forgetful(Arc::new(move || clock.load(Ordering::Relaxed)));
    memory.renew(settings(text));
    Scene { memory, time }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

impl Scene {
    async fn fails(&self, client: &str, account: &str) {
        assert!(!self.memory.tried(ip(client), account, false).await);
    }

    async fn enters(&self, client: &str, account: &str) -> bool {
        self.memory.tried(ip(client), account, true).await
    }

    async fn is_welcome(&self, client: &str) -> bool {
        self.memory.welcomes(ip(client)).await
    }

    fn later(&self, seconds: i64) {
        self.time.fetch_add(seconds, Ordering::Relaxed);
    }
}

/// Security list, item 20: a whole NAT is not shut out for one account's typo.
#[tokio::test]
async fn an_account_is_banned_from_an_address_and_nobody_else_there() {
    let scene = scene("");
    for _ in 0..100 {
        scene.fails("192.0.2.1", "Joe@here.test").await;
    }
    assert!(!scene.enters("192.0.2.1", "joe@here.test").await);
    assert!(scene.enters("192.0.2.1", "eve@here.test").await);
    assert!(scene.enters("198.51.100.1", "joe@here.test").await, "he himself, from elsewhere");
    assert!(scene.is_welcome("192.0.2.1").await);
    scene.later(601);
    assert!(scene.enters("192.0.2.1", "joe@here.test").await);
}

#[tokio::test]
async fn an_address_that_tries_many_accounts_is_banned_whole() {
    let scene = scene("");
    for n in 0..4 {
        scene.fails("192.0.2.1", &format!("user{n}")).await;
    }
    assert!(scene.is_welcome("192.0.2.1").await);
    scene.fails("192.0.2.1", "user4").await;
    assert!(!scene.is_welcome("192.0.2.1").await);
    assert!(!scene.enters("192.0.2.1", "joe").await);
    assert!(scene.is_welcome("192.0.2.2").await);
}

/// Who takes care to have one account after the other banned is banned whole in the end.
#[tokio::test]
async fn an_account_that_is_banned_still_counts_as_one_that_was_tried() {
    let scene = scene("");
    for n in 0..5 {
        for _ in 0..3 {
            scene.fails("192.0.2.1", &format!("user{n}")).await;
        }
    }
    assert!(!scene.is_welcome("192.0.2.1").await);
}

/// Security list, item 20: another address of the same /64 is no way out, and its neighbours are not meant.
#[tokio::test]
async fn of_ipv6_it_is_the_64_that_counts() {
    let scene = scene("");
    for n in 0..5 {
        scene.fails(&format!("2001:db8:0:1::{n}"), &format!("user{n}")).await;
    }
    assert!(!scene.is_welcome("2001:db8:0:1:ffff::9").await);
    assert!(scene.is_welcome("2001:db8:0:2::1").await);
}

#[tokio::test]
async fn bans_grow_and_have_an_end() {
    let scene = scene("ban_time_limit = 1500s");
    for (nth, length) in [600, 1200, 1500, 1500].into_iter().enumerate() {
        for _ in 0..3 {
            scene.fails("192.0.2.1", "joe").await;
        }
        scene.later(length - 1);
        assert!(!scene.enters("192.0.2.1", "joe").await, "{nth}");
        scene.later(1);
        assert!(scene.enters("192.0.2.1", "joe").await, "{nth}");
    }
    scene.later(1500);
    for _ in 0..3 {
        scene.fails("192.0.2.1", "joe").await;
    }
    scene.later(600);
    assert!(scene.enters("192.0.2.1", "joe").await, "a stranger again");
}

#[tokio::test]
async fn failures_far_apart_and_those_of_our_own_networks_do_not_count() {
    let scene = scene("ban_exceptions = 127.0.0.0/8, 192.0.2.128/25");
    for _ in 0..10 {
        scene.fails("192.0.2.1", "joe").await;
        scene.later(301);
        for client in ["127.0.0.1", "192.0.2.200"] {
            scene.fails(client, "joe").await;
            scene.memory.offended(ip(client), "x").await;
            assert!(scene.enters(client, "joe").await, "{client}");
        }
    }
    assert!(scene.enters("192.0.2.1", "joe").await);
    let off = self::scene("ban_enable = no");
    for n in 0..10 {
        off.fails("192.0.2.1", &n.to_string()).await;
    }
    assert!(off.is_welcome("192.0.2.1").await);
}

#[tokio::test]
async fn abuse_of_the_protocol_counts() {
    let scene = scene("ban_address_offences = 2");
    scene.memory.offended(ip("192.0.2.1"), "too many errors").await;
    assert!(scene.is_welcome("192.0.2.1").await);
    scene.memory.offended(ip("192.0.2.1"), "too many errors").await;
    assert!(!scene.is_welcome("192.0.2.1").await);
    assert!(scene.memory.list()[0].ends_with("too many errors"));
}

#[tokio::test]
async fn strangers_cannot_make_us_remember_without_end() {
    let scene = scene("");
    for n in 0..60_000_u32 {
        scene.fails(&std::net::Ipv4Addr::from(0x0b00_0000 + n).to_string(), "joe").await;
    }
    let long = "x".repeat(100_000);
    for _ in 0..3 {
        scene.fails("192.0.2.1", &long).await;
    }
    assert!(scene.memory.list().iter().all(|line| line.len() < 500));
    assert!(!scene.enters("192.0.2.1", &long).await);
}

#[tokio::test]
async fn an_administrator_bans_and_lifts_and_it_lasts() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Memory::open(directory.path(), Arc::new(|| START), TimeZone::UTC).unwrap();
    let memory = open();
    memory.add("192.0.2.1", None).unwrap();
    memory.add("2001:db8::5", Some(60)).unwrap();
    memory.add("198.51.100.1", Some(60)).unwrap();
    assert!(memory.add("joe", None).is_err());
    assert_eq!(memory.remove("198.51.100.1"), Ok(1));
    drop(memory);
    let memory = open();
    assert_eq!(
        memory.list(),
        [
            "2001:db8::/64\t*\t2023-11-14 22:13:20\t2023-11-14 22:14:20\t1\tby the administrator",
            "192.0.2.1\t*\t2023-11-14 22:13:20\tfor ever\t1\tby the administrator",
        ]
    );
    assert!(!memory.welcomes(ip("2001:db8::77")).await && memory.welcomes(ip("198.51.100.1")).await);
    assert_eq!(memory.networks().len(), 2);
    assert_eq!((memory.remove("2001:db8::/64"), memory.remove("192.0.2.1")), (Ok(1), Ok(1)));
    assert!(memory.list().is_empty());
}
