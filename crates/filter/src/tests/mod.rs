//! Dialogues with the judge: a configuration, what a session knows, and what is said to it.

mod access;
mod addresses;
mod dns;
mod greylist;
mod lists;
mod policy;

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use conf::{Block, Facts as Machine, MainCf, Mistake, Registry, View};
use mail::{Address, Client, Refusal, Trail, Trouble};
use net::dns::{Answer, Data, Kind, Missing};
use route::{DomainClass, Listing, Stop};
use tables::Tables;

use crate::{
    Addresses, Boxed, Dns, Facts, Judge, NameLookup, Outside, Peer, Probe, Stage, Standing, Verdict,
    Verifier, params,
};

/// A world of a few lines: `name A 192.0.2.1`, `name MX 10 host`, `name TXT words`, `name FAIL [TYPE]`.
#[derive(Default)]
pub struct World {
    records: HashMap<(String, Kind), Vec<Data>>,
    failing: Vec<(String, Option<Kind>)>,
}

impl World {
    pub fn new(zone: &str) -> World {
        let mut world = World::default();
        for line in zone.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let name = words[0].to_owned();
            let (kind, data) = match words[1] {
                "A" => (Kind::A, Data::A(words[2].parse().unwrap())),
                "MX" => {
                    let host = words[3].trim_end_matches('.').to_owned();
                    (Kind::Mx, Data::Mx { preference: words[2].parse().unwrap(), host })
                }
                "NS" => (Kind::Ns, Data::Ns(words[2].to_owned())),
                "TXT" => (Kind::Txt, Data::Txt(words[2..].join(" "))),
                "FAIL" => {
                    let kind = words.get(2).map(|kind| match *kind {
                        "A" => Kind::A,
                        "MX" => Kind::Mx,
                        kind => panic!("{kind}"),
                    });
                    world.failing.push((name, kind));
                    continue;
                }
                kind => panic!("{kind}"),
            };
            world.records.entry((name, kind)).or_default().push(data);
        }
        world
    }
}

impl Dns for World {
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Boxed<'a, Result<Answer, Missing>> {
        let fails =
            |(failing, of): &(String, Option<Kind>)| failing == name && of.is_none_or(|of| of == kind);
        let found = if self.failing.iter().any(fails) {
            Err(Missing::Temporary("no answer".to_owned()))
        } else {
            match self.records.get(&(name.to_owned(), kind)) {
                Some(records) => {
                    Ok(Answer { name: name.to_owned(), records: records.clone(), ttl: 60, authentic: false })
                }
                None => Err(Missing::NoSuchName),
            }
        };
        Box::pin(async { found })
    }

    fn host<'a>(&'a self, name: &'a str) -> Boxed<'a, Result<Vec<IpAddr>, Missing>> {
        Box::pin(async move {
            let answer = self.lookup(name, Kind::A).await?;
            let address = |data| if let Data::A(address) = data { Some(IpAddr::V4(address)) } else { None };
            Ok(answer.records.into_iter().filter_map(address).collect())
        })
    }
}

/// `here.test` is ours (joe and postmaster live there), `relay.test` is relayed for, `alias.test` is virtual.
impl Addresses for World {
    fn rewrite(&self, address: &Address) -> Address {
        match address.domain() {
            None if !address.is_null() => Address::from(format!("{address}@here.test")),
            _ => address.clone(),
        }
    }

    fn resolve<'a>(
        &'a self,
        _: &'a Address,
        recipient: &'a Address,
        _: &'a mut Trail,
    ) -> Boxed<'a, Result<Stop, Refusal>> {
        let class = match recipient.domain() {
            Some("here.test") => DomainClass::Local,
            Some("relay.test") => DomainClass::Relay,
            Some("alias.test") => DomainClass::VirtualAlias,
            Some("broken.test") => return Box::pin(async { Err(Trouble::new("a table fails").into()) }),
            _ => DomainClass::Default,
        };
        let stop = Stop {
            transport: if class == DomainClass::VirtualAlias { "error" } else { "smtp" }.to_owned(),
            nexthop: "5.1.1 User unknown in virtual alias table".to_owned(),
            recipient: recipient.clone(),
            class,
            routed: recipient.local().contains('%'),
            malformed: false,
        };
        Box::pin(async { Ok(stop) })
    }

    fn listed_recipient<'a>(
        &'a self,
        recipient: &'a Address,
        stop: &'a Stop,
        _: &'a mut Trail,
    ) -> Boxed<'a, Result<Listing, Trouble>> {
        let known = matches!(recipient.local(), "joe" | "postmaster" | "a" | "b" | "c");
        let listing = match stop.class {
            DomainClass::Local if !known => Listing::Unknown(DomainClass::Local),
            DomainClass::VirtualAlias => Listing::Refused,
            _ => Listing::Listed,
        };
        Box::pin(async move { Ok(listing) })
    }

    fn listed_sender<'a>(
        &'a self,
        sender: &'a Address,
        stop: &'a Stop,
        trail: &'a mut Trail,
    ) -> Boxed<'a, Result<Listing, Trouble>> {
        self.listed_recipient(sender, stop, trail)
    }
}

/// Probes end as the user part says.
impl Verifier for World {
    fn verify<'a>(&'a self, address: &'a Address) -> Boxed<'a, Probe> {
        let probe = match address.local() {
            "bad" => Probe::Undeliverable("host x said: 550 no".to_owned()),
            "later" => Probe::Deferred("host x said: 450 wait".to_owned()),
            "slow" => Probe::Pending,
            "broken" => Probe::Trouble("verify is down".to_owned()),
            _ => Probe::Deliverable,
        };
        Box::pin(async { probe })
    }
}

/// A judge under a configuration, and a session before it.
pub struct Court {
    pub judge: Judge,
    pub mistakes: Vec<Mistake>,
    pub peer: Peer,
    pub standing: Standing,
    pub helo: Option<&'static str>,
    pub sender: Option<Address>,
    pub recipient: Option<Address>,
    pub recipients: usize,
    pub improper_pipelining: bool,
}

/// A configuration that does not relay for everybody, and nothing else unless it is said.
const BASE: &str = "myorigin = here.test\nsmtpd_relay_restrictions = permit_mynetworks, \
     permit_sasl_authenticated, reject_unauth_destination\nmynetworks = 10.0.0.0/8\nmyhostname = mx.here.test\n\
     address_verify_poll_delay = 0\nshow_user_unknown_table_name = yes\n";

pub fn court(settings: &str, zone: &str) -> Court {
    let (main, mut mistakes) = MainCf::parse(&format!("{BASE}{settings}"), Path::new("main.cf"));
    mistakes.retain(|mistake| !mistake.text.contains("overriding"));
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let registry = Registry::new(&[
        conf::params::Site::DECLARATIONS,
        route::params::Rewrite::DECLARATIONS,
        params::Restrictions::DECLARATIONS,
        params::RejectCodes::DECLARATIONS,
        params::AddressVerify::DECLARATIONS,
        params::Policy::DECLARATIONS,
        gate::params::Greylist::DECLARATIONS,
    ]);
    let view = View::new(registry, main, Machine::default());
    let tables = Tables::new(tables::Settings::default());
    let world = Arc::new(World::new(zone));
    let outside = Outside {
        dns: world.clone(),
        addresses: world.clone(),
        verifier: world,
        greylist: Some(Arc::new(gate::greylist::Memory::forgetful(Arc::new(|| 1_700_000_000)))),
        own_addresses: Arc::new([IpAddr::from([192, 0, 2, 25])]),
    };
    let judge = Judge::new(&view, &tables, outside, "smtpd", &mut mistakes);
    let name = || "client.test".to_owned();
    let peer = Peer {
        client: Client {
            name: name(),
            reverse_name: name(),
            address: "192.0.2.1".to_owned(),
            port: Some(40_000),
            protocol: "ESMTP".to_owned(),
            ..Client::default()
        },
        ip: Some(IpAddr::from([192, 0, 2, 1])),
        name_lookup: NameLookup::Found,
        reverse_lookup: NameLookup::Found,
        ..Peer::default()
    };
    Court {
        judge,
        mistakes,
        peer,
        standing: Standing::default(),
        helo: Some("helo.test"),
        sender: Some(Address::from("sender@far.test")),
        recipient: None,
        recipients: 0,
        improper_pipelining: false,
    }
}

impl Court {
    /// What is said at a stage: `OK`, or the reply.
    pub fn at(&mut self, stage: Stage) -> String {
        self.with_trail(stage, &mut Trail::off())
    }

    pub fn with_trail(&mut self, stage: Stage, trail: &mut Trail) -> String {
        let mut facts = Facts::at_connection(&self.peer);
        facts.command = stage.name();
        facts.helo = self.helo;
        facts.sender = self.sender.as_ref();
        facts.recipient = self.recipient.as_ref();
        facts.recipients = self.recipients;
        facts.improper_pipelining = self.improper_pipelining;
        facts.etrn = (stage == Stage::Etrn).then_some("site.test");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        match runtime.block_on(self.judge.judge(stage, &facts, &mut self.standing, trail)) {
            Verdict::Pass => "OK".to_owned(),
            Verdict::Refuse(refusal) => {
                format!("{} {} {}", refusal.smtp_code(), refusal.status(), refusal.say)
            }
        }
    }

    /// What is said to RCPT TO.
    pub fn rcpt(&mut self, recipient: &str) -> String {
        self.recipient = Some(Address::from(recipient));
        self.at(Stage::Recipient)
    }

    pub fn from(mut self, sender: &str) -> Court {
        self.sender = Some(Address::from(sender));
        self
    }

    pub fn helo(mut self, helo: &'static str) -> Court {
        self.helo = Some(helo);
        self
    }

    /// A client without a name.
    pub fn nameless(mut self, lookup: NameLookup) -> Court {
        self.peer.client.name = "unknown".to_owned();
        self.peer.name_lookup = lookup;
        self
    }
}
