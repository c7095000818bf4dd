//! What the judge asks of others. The rooms below and above answer; tests answer from a table.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use mail::{Address, Refusal, Trail, Trouble};
use net::dns::{Answer, HostLookup, Kind, Missing, Protocols, Resolver};
use route::{Context, Listing, Router, Stop};

/// A future in a box: restrictions that wait are rare enough.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The questions the judge asks the DNS. Doubt ([`Missing::Temporary`]) is never "no".
pub trait Dns: Send + Sync {
    /// Records of a name, CNAMEs followed.
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Boxed<'a, Result<Answer, Missing>>;
    /// Addresses of a host by the system's rules: hosts file, then DNS; families as `inet_protocols` has it.
    fn host<'a>(&'a self, name: &'a str) -> Boxed<'a, Result<Vec<IpAddr>, Missing>>;
}

/// The real DNS.
#[derive(Clone, Debug)]
pub struct SystemDns {
    /// Asks.
    pub resolver: Resolver,
    /// `inet_protocols`.
    pub protocols: Protocols,
}

impl Dns for SystemDns {
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Boxed<'a, Result<Answer, Missing>> {
        Box::pin(self.resolver.lookup(name, kind))
    }

    fn host<'a>(&'a self, name: &'a str) -> Boxed<'a, Result<Vec<IpAddr>, Missing>> {
        Box::pin(self.resolver.host(name, HostLookup { dns: false, native: true }, self.protocols))
    }
}

/// The questions the judge asks about addresses. [`route::Router`] answers them.
pub trait Addresses: Send + Sync {
    /// The full form of an address.
    fn rewrite(&self, address: &Address) -> Address;
    /// Its next stop.
    fn resolve<'a>(
        &'a self,
        sender: &'a Address,
        recipient: &'a Address,
        trail: &'a mut Trail,
    ) -> Boxed<'a, Result<Stop, Refusal>>;
    /// Is it a listed recipient?
    fn listed_recipient<'a>(
        &'a self,
        recipient: &'a Address,
        stop: &'a Stop,
        trail: &'a mut Trail,
    ) -> Boxed<'a, Result<Listing, Trouble>>;
    /// Is it a listed sender?
    fn listed_sender<'a>(
        &'a self,
        sender: &'a Address,
        stop: &'a Stop,
        trail: &'a mut Trail,
    ) -> Boxed<'a, Result<Listing, Trouble>>;
}

impl Addresses for Router {
    fn rewrite(&self, address: &Address) -> Address {
        Router::rewrite(self, Context::Local, address)
    }

    fn resolve<'a>(
        &'a self,
        sender: &'a Address,
        recipient: &'a Address,
        trail: &'a mut Trail,
    ) -> Boxed<'a, Result<Stop, Refusal>> {
        Box::pin(Router::resolve(self, sender, recipient, trail))
    }

    fn listed_recipient<'a>(
        &'a self,
        recipient: &'a Address,
        stop: &'a Stop,
        trail: &'a mut Trail,
    ) -> Boxed<'a, Result<Listing, Trouble>> {
        Box::pin(Router::listed_recipient(self, recipient, stop, trail))
    }

    fn listed_sender<'a>(
        &'a self,
        sender: &'a Address,
        stop: &'a Stop,
        trail: &'a mut Trail,
    ) -> Boxed<'a, Result<Listing, Trouble>> {
        Box::pin(Router::listed_sender(self, sender, stop, trail))
    }
}

/// What verify(8) knows of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Delivery would work.
    Deliverable,
    /// Delivery would fail for now, for this reason.
    Deferred(String),
    /// Delivery would fail, for this reason.
    Undeliverable(String),
    /// Not known yet; a probe is under way.
    Pending,
    /// The question could not be answered.
    Trouble(String),
}

/// Address verification (`reject_unverified_*`): starts a probe, or tells what the last one found.
pub trait Verifier: Send + Sync {
    /// What is known of this address now.
    fn verify<'a>(&'a self, address: &'a Address) -> Boxed<'a, Probe>;
}

/// Everybody the judge asks.
#[derive(Clone)]
pub struct Outside {
    /// The DNS.
    pub dns: Arc<dyn Dns>,
    /// Address classes.
    pub addresses: Arc<dyn Addresses>,
    /// Address probes.
    pub verifier: Arc<dyn Verifier>,
    /// Whom the greylist has seen; without it, nobody is put off.
    pub greylist: Option<Arc<gate::greylist::Memory>>,
    /// Our own addresses: `inet_interfaces` and `proxy_interfaces`.
    pub own_addresses: Arc<[IpAddr]>,
}

impl Outside {
    /// Nobody to ask: enough to compile restrictions and see what is wrong with them.
    pub fn nobody() -> Outside {
        Outside {
            dns: Arc::new(Nobody),
            addresses: Arc::new(Nobody),
            verifier: Arc::new(Nobody),
            greylist: None,
            own_addresses: Arc::new([]),
        }
    }
}

/// Knows nothing, and says so.
struct Nobody;

const NOBODY: &str = "nobody is asked while a configuration is checked";

impl Dns for Nobody {
    fn lookup<'a>(&'a self, _: &'a str, _: Kind) -> Boxed<'a, Result<Answer, Missing>> {
        Box::pin(async { Err(Missing::Temporary(NOBODY.to_owned())) })
    }

    fn host<'a>(&'a self, _: &'a str) -> Boxed<'a, Result<Vec<IpAddr>, Missing>> {
        Box::pin(async { Err(Missing::Temporary(NOBODY.to_owned())) })
    }
}

impl Addresses for Nobody {
    fn rewrite(&self, address: &Address) -> Address {
        address.clone()
    }

    fn resolve<'a>(
        &'a self,
        _: &'a Address,
        _: &'a Address,
        _: &'a mut Trail,
    ) -> Boxed<'a, Result<Stop, Refusal>> {
        Box::pin(async { Err(Trouble::new(NOBODY).into()) })
    }

    fn listed_recipient<'a>(
        &'a self,
        _: &'a Address,
        _: &'a Stop,
        _: &'a mut Trail,
    ) -> Boxed<'a, Result<Listing, Trouble>> {
        Box::pin(async { Err(Trouble::new(NOBODY)) })
    }

    fn listed_sender<'a>(
        &'a self,
        _: &'a Address,
        _: &'a Stop,
        _: &'a mut Trail,
    ) -> Boxed<'a, Result<Listing, Trouble>> {
        Box::pin(async { Err(Trouble::new(NOBODY)) })
    }
}

impl Verifier for Nobody {
    fn verify<'a>(&'a self, _: &'a Address) -> Boxed<'a, Probe> {
        Box::pin(async { Probe::Trouble(NOBODY.to_owned()) })
    }
}
