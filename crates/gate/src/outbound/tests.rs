//! Who sends too much. Security list, item 23.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use conf::{Block, Facts, MainCf, Registry, View};
use jiff::tz::TimeZone;
use tables::Tables;

use super::*;
use crate::params;

const START: i64 = 1_700_000_000;

fn read(text: &str) -> Settings {
    let (main, mut mistakes) = MainCf::parse(text, Path::new("main.cf"));
    let registry = Registry::new(&[params::Outbound::DECLARATIONS]);
    let tables = Tables::new(tables::Settings::default());
    let settings = Settings::read(&View::new(registry, main, Facts::default()), &tables, &mut mistakes);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    settings
}

/// The limits of somebody for whom there is no exception.
fn settings(text: &str) -> Limits {
    now(read(text).of("joe@a.test")).unwrap()
}

fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn memory() -> (Memory, Arc<AtomicI64>) {
    let time = Arc::new(AtomicI64::new(START));
    let clock = time.clone();
    (Memory::forgetful(Arc::new(move || clock.load(Ordering::Relaxed))), time)
}

fn sender(account: &str) -> Sender<'_> {
    Sender { account, address: "x@elsewhere.test" }
}

#[test]
fn an_account_has_its_limit_and_a_domain_has_one() {
    let settings = settings("outbound_account_recipient_limit = 3\noutbound_domain_message_limit = 2\n");
    let (memory, time) = memory();
    for _ in 0..3 {
        assert_eq!(memory.recipient(&settings, &sender("joe@a.test")), Verdict::Fine);
    }
    let too_much = "recipient limit of account joe@a.test exceeded: 4 in 3600 seconds, 3 allowed";
    assert_eq!(memory.recipient(&settings, &sender("Joe@A.test")), Verdict::TooMuch(too_much.to_owned()));
    assert_eq!(memory.recipient(&settings, &sender("eve@a.test")), Verdict::Fine);
    assert_eq!(memory.message(&settings, &sender("joe@a.test")), Verdict::Fine);
    assert_eq!(memory.message(&settings, &sender("eve@a.test")), Verdict::Fine);
    assert!(
        matches!(memory.message(&settings, &sender("ann@a.test")), Verdict::TooMuch(text) if text.contains("domain a.test"))
    );
    assert_eq!(memory.message(&settings, &sender("plain")), Verdict::Fine);
    time.fetch_add(3600, Ordering::Relaxed);
    assert_eq!(memory.recipient(&settings, &sender("joe@a.test")), Verdict::Fine);
}

#[test]
fn an_account_far_above_its_habit_is_held_once_and_until_it_is_released() {
    let settings = settings("outbound_habit_factor = 3\noutbound_habit_minimum = 10\n");
    let (memory, time) = memory();
    let send = |count: u32| {
        let mut verdict = Verdict::Fine;
        for _ in 0..count {
            verdict = memory.recipient(&settings, &sender("joe"));
        }
        verdict
    };
    // 8 an hour are usual.
    for _ in 0..5 {
        assert_eq!(send(8), Verdict::Fine);
        time.fetch_add(3600, Ordering::Relaxed);
    }
    assert_eq!(send(24), Verdict::Fine);
    assert_eq!(send(1), Verdict::Held { first: Some((25, 8)) });
    assert_eq!(send(1), Verdict::Held { first: None });
    time.fetch_add(7200, Ordering::Relaxed);
    assert_eq!(send(1), Verdict::Held { first: None });
    assert!(memory.list()[0].contains("\theld since 2023-"), "{:?}", memory.list());
    assert!(memory.release("JOE") && !memory.release("joe"));
    assert_eq!(send(70), Verdict::Fine);
}

#[test]
fn habits_fade_and_exceptions_are_not_counted() {
    let limits =
        "outbound_habit_factor = 2\noutbound_habit_minimum = 5\noutbound_limit_exceptions = lists, Robot\n";
    for account in ["robot", "LISTS", ""] {
        assert_eq!(now(read(limits).of(account)), None);
    }
    let settings = settings(limits);
    let (memory, time) = memory();
    for _ in 0..5 {
        memory.recipient(&settings, &sender("joe"));
    }
    time.fetch_add(3600, Ordering::Relaxed);
    memory.recipient(&settings, &sender("joe"));
    assert!(memory.list()[0].starts_with("joe\t0\t1\t5\t"), "{:?}", memory.list());
    time.fetch_add(3600 * 500, Ordering::Relaxed);
    memory.recipient(&settings, &sender("joe"));
    assert!(memory.list()[0].starts_with("joe\t0\t1\t1\t"), "{:?}", memory.list());
}

#[test]
fn a_table_says_who_may_send_how_much() {
    let settings = read(
        "outbound_account_message_limit = 2\noutbound_account_recipient_limit = 3\noutbound_habit_factor = 4\n\
         outbound_limit_maps = inline:{{lists@a.test = messages=100, recipients=1000}, {@a.test = recipients=7 habit=no}, \
         {robot = none}, {odd = recipients=many}}\n",
    );
    let of = |account: &str| now(settings.of(account)).map(|limits| (limits.account, limits.factor));
    assert_eq!(of("Lists@A.test"), Some(([100, 1000], 4)));
    assert_eq!(of("joe@a.test"), Some(([2, 7], 0)));
    assert_eq!(of("joe@b.test"), Some(([2, 3], 4)));
    assert_eq!(of("odd"), Some(([2, 3], 4)));
    assert_eq!(of("robot"), None);
}

#[test]
fn a_hold_outlives_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Memory::open(directory.path(), Arc::new(|| START), TimeZone::UTC).unwrap();
    let settings = settings("outbound_habit_factor = 3\noutbound_habit_minimum = 1\n");
    let memory = open();
    for _ in 0..2 {
        memory.recipient(&settings, &sender("joe"));
    }
    drop(memory);
    assert_eq!(open().recipient(&settings, &sender("joe")), Verdict::Held { first: None });
}
