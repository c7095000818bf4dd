//! A client of the policy server, good and bad.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use conf::{Block, Facts, MainCf, Registry, View};
use filter::{Boxed, Dns};
use gate::Gate;
use net::dns::{Answer, Data, Kind, Missing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// `far.test` permits 192.0.2.0/24 and forbids all others.
struct World;

impl Dns for World {
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Boxed<'a, Result<Answer, Missing>> {
        let answer = match (name, kind) {
            ("far.test", Kind::Txt) => Ok(Answer {
                name: name.to_owned(),
                records: vec![Data::Txt("v=spf1 ip4:192.0.2.0/24 -all".to_owned())],
                ttl: 60,
                authentic: false,
            }),
            ("down.test", _) => Err(Missing::Temporary("no answer".to_owned())),
            _ => Err(Missing::NoSuchName),
        };
        Box::pin(async { answer })
    }

    fn host<'a>(&'a self, _: &'a str) -> Boxed<'a, Result<Vec<std::net::IpAddr>, Missing>> {
        Box::pin(async { Err(Missing::NoSuchName) })
    }
}

fn service(checks: &str, time: &Arc<AtomicI64>) -> Policyd {
    let text = format!(
        "myhostname = mx.test\npolicyd_checks = {checks}\ngreylist_whitelist_clients =\n\
         greylist_whitelist_recipients =\nsmtpd_client_event_limit_exceptions = 192.0.2.99\n\
         smtpd_client_message_rate_limit = 2\nsmtpd_client_recipient_rate_limit = 4\n\
         outbound_habit_factor = 2\noutbound_habit_minimum = 4\noutbound_domain_message_limit = 2\n"
    );
    let (main, mut mistakes) = MainCf::parse(&text, Path::new("main.cf"));
    let registry = Registry::new(&[
        conf::params::Site::DECLARATIONS,
        Params::DECLARATIONS,
        Rates::DECLARATIONS,
        gate::params::Greylist::DECLARATIONS,
        gate::params::Outbound::DECLARATIONS,
    ]);
    let tables = Tables::new(tables::Settings::default());
    let view = View::new(registry, main, Facts::default());
    check(&view, &tables, &mut mistakes);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let time = time.clone();
    let clock: gate::Clock = Arc::new(move || time.load(Ordering::Relaxed));
    Policyd::new(Parts {
        view: &view,
        gate: Gate::forgetful(&clock),
        dns: Arc::new(World),
        tables: &tables,
        counters: Arc::default(),
        held: Arc::new(|account, sent, usual| assert_eq!((account, sent, usual), ("joe", 5, 0))),
    })
}

fn request(client: &str, sender: &str, instance: &str) -> String {
    format!(
        "request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address={client}\nclient_name=unknown\n\
         helo_name=mail.test\nsender={sender}\nrecipient=joe@here.test\ninstance={instance}\n\n"
    )
}

/// Everything that is answered to these bytes, until the server hangs up on a client that has said all.
async fn talk(service: &Policyd, said: &[u8]) -> String {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    client.write_all(said).await.unwrap();
    client.shutdown().await.unwrap();
    session::run(&service.0, server).await;
    let mut heard = String::new();
    client.read_to_string(&mut heard).await.unwrap();
    heard
}

#[tokio::test]
async fn the_greylist_answers_every_request_in_turn() {
    let time = Arc::new(AtomicI64::new(1_700_000_000));
    let service = service("greylist", &time);
    let first = request("192.0.2.1", "ann@far.test", "a");
    let put_off =
        "action=DEFER_IF_PERMIT 4.2.0 Greylisted, see http://postgrey.schweikert.ch/help/here.test.html\n\n";
    assert_eq!(talk(&service, first.repeat(2).as_bytes()).await, put_off.repeat(2));
    time.fetch_add(300, Ordering::Relaxed);
    let heard = talk(&service, first.as_bytes()).await;
    assert!(heard.starts_with("action=PREPEND X-Greylist: delayed 300 seconds by facteur-"), "{heard}");
    assert_eq!(talk(&service, first.as_bytes()).await, "action=DUNNO\n\n");
}

#[tokio::test]
async fn sender_policies_refuse_or_note_once_a_message() {
    let time = Arc::new(AtomicI64::new(1_700_000_000));
    let service = service("spf", &time);
    let ask = |client, sender, instance| request(client, sender, instance);
    let heard = talk(&service, ask("198.51.100.1", "ann@far.test", "a").as_bytes()).await;
    assert_eq!(heard, "action=550 5.7.23 198.51.100.1 may not send mail for far.test (SPF)\n\n");
    let heard = talk(&service, ask("192.0.2.1", "ann@far.test", "b").repeat(2).as_bytes()).await;
    assert!(heard.starts_with("action=PREPEND Received-SPF: pass (mx.test: "), "{heard}");
    assert!(heard.ends_with("\n\naction=DUNNO\n\n") && heard.lines().count() == 4, "{heard}");
    // The name in HELO is asked about first, whoever wrote.
    let named = ask("198.51.100.1", "ann@none.test", "d").replace("mail.test", "far.test");
    let heard = talk(&service, named.as_bytes()).await;
    assert_eq!(heard, "action=550 5.7.23 198.51.100.1 may not use the name far.test (SPF)\n\n");
    // Temporary stays temporary: nothing is refused, nothing is noted.
    assert_eq!(talk(&service, ask("192.0.2.1", "ann@down.test", "c").as_bytes()).await, "action=DUNNO\n\n");
}

#[tokio::test]
async fn clients_have_rates() {
    let time = Arc::new(AtomicI64::new(1_700_000_000));
    let service = service("rates", &time);
    let dunno = "action=DUNNO\n\n";
    let ask = |client, instance| request(client, "ann@far.test", instance);
    assert_eq!(talk(&service, ask("192.0.2.1", "a").repeat(4).as_bytes()).await, dunno.repeat(4));
    let heard = talk(&service, ask("192.0.2.1", "a").as_bytes()).await;
    assert_eq!(heard, "action=450 4.7.1 Error: too many recipients from 192.0.2.1\n\n");
    for instance in ["x", "y"] {
        assert_eq!(talk(&service, ask("192.0.2.2", instance).as_bytes()).await, dunno);
    }
    let heard = talk(&service, ask("192.0.2.2", "z").as_bytes()).await;
    assert_eq!(heard, "action=450 4.7.1 Error: too much mail from 192.0.2.2\n\n");
    for instance in ["p", "q", "r"] {
        assert_eq!(talk(&service, ask("192.0.2.99", instance).as_bytes()).await, dunno);
    }
}

/// Security list, item 23: an account whose password somebody else knows.
#[tokio::test]
async fn accounts_have_limits_and_habits() {
    let time = Arc::new(AtomicI64::new(1_700_000_000));
    let service = service("outbound", &time);
    let ask = |account: &str, instance: &str| {
        let request = request("192.0.2.1", "ann@far.test", instance);
        format!("{}sasl_username={account}\n\n", request.strip_suffix('\n').unwrap())
    };
    let dunno = "action=DUNNO\n\n";
    assert_eq!(talk(&service, ask("joe", "a").repeat(4).as_bytes()).await, dunno.repeat(4));
    let held = "action=HOLD account joe sent far more than usual\n\n";
    assert_eq!(talk(&service, ask("joe", "a").repeat(2).as_bytes()).await, held.repeat(2));
    assert_eq!(talk(&service, ask("eve", "b").as_bytes()).await, dunno);
    let heard = talk(&service, ask("ann", "c").as_bytes()).await;
    assert_eq!(heard, "action=450 4.7.1 Error: you sent too much mail; try again later\n\n");
    assert_eq!(talk(&service, ask("", "d").as_bytes()).await, dunno);
}

/// Security list, item 16.
#[tokio::test]
async fn a_client_that_makes_no_sense_is_hung_up_on() {
    let time = Arc::new(AtomicI64::new(1_700_000_000));
    let service = service("spf, greylist", &time);
    assert_eq!(talk(&service, b"request=other\n\n").await, "");
    assert_eq!(talk(&service, b"\n\n\n").await, "");
    assert_eq!(talk(&service, &[b'x'; 200_000]).await, "");
    assert_eq!(talk(&service, b"request=smtpd_access_policy\n\n").await, "action=DUNNO\n\n");
    assert_eq!(
        talk(&service, b"request=smtpd_access_policy\nclient_address=x\nrecipient=a@b\n\n").await,
        "action=DUNNO\n\n"
    );
}
