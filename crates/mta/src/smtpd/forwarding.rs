//! The judge's addresses, with those that stand for senders of forwarded mail (SRS): a notice to one of them is for us to
//! pass on, if we made it and it is not too old.

use std::sync::Arc;

use conf::{Mistake, View};
use filter::{Addresses, Boxed};
use mail::{Address, Refusal, Trail, Trouble};
use route::{DomainClass, Listing, Router, Stop};
use sign::srs::Srs;

/// A router, and what SRS knows.
struct WithForwarding {
    router: Arc<Router>,
    srs: Srs,
    /// Seconds since 1970.
    now: Box<dyn Fn() -> i64 + Send + Sync>,
}

/// What a configuration knows of addresses, with those of SRS where it is on.
pub fn addresses(
    view: &View,
    router: Arc<Router>,
    now: impl Fn() -> i64 + Send + Sync + 'static,
    mistakes: &mut Vec<Mistake>,
) -> Arc<dyn Addresses> {
    match Srs::read(view, mistakes) {
        Some(srs) => Arc::new(WithForwarding { router, srs, now: Box::new(now) }),
        None => router,
    }
}

impl WithForwarding {
    /// Is it such an address, and is it good?
    fn reverse(&self, address: &Address) -> Option<Result<(), sign::srs::Wrong>> {
        let told = self.srs.reverse(address.as_str(), (self.now)())?;
        Some(told.map(|_| ()))
    }
}

impl Addresses for WithForwarding {
    fn rewrite(&self, address: &Address) -> Address {
        Addresses::rewrite(&*self.router, address)
    }

    fn resolve<'a>(
        &'a self,
        sender: &'a Address,
        recipient: &'a Address,
        trail: &'a mut Trail,
    ) -> Boxed<'a, Result<Stop, Refusal>> {
        Box::pin(async move {
            let mut stop = self.router.resolve(sender, recipient, trail).await?;
            let Some(reversed) = self.reverse(recipient) else { return Ok(stop) };
            // Ours, whether or not the domain is listed anywhere, and its `=` is no route.
            stop.routed = false;
            if stop.class == DomainClass::Default {
                stop.class = DomainClass::VirtualAlias;
            }
            if let Err(wrong) = reversed {
                stop.transport = "error".to_owned();
                stop.nexthop = format!("5.1.1 Not a valid forwarding address: {wrong}");
            }
            Ok(stop)
        })
    }

    fn listed_recipient<'a>(
        &'a self,
        recipient: &'a Address,
        stop: &'a Stop,
        trail: &'a mut Trail,
    ) -> Boxed<'a, Result<Listing, Trouble>> {
        match self.reverse(&stop.recipient) {
            Some(Ok(())) => Box::pin(std::future::ready(Ok(Listing::Listed))),
            Some(Err(_)) => Box::pin(std::future::ready(Ok(Listing::Refused))),
            None => Addresses::listed_recipient(&*self.router, recipient, stop, trail),
        }
    }

    fn listed_sender<'a>(
        &'a self,
        sender: &'a Address,
        stop: &'a Stop,
        trail: &'a mut Trail,
    ) -> Boxed<'a, Result<Listing, Trouble>> {
        match self.reverse(&stop.recipient) {
            Some(Ok(())) => Box::pin(std::future::ready(Ok(Listing::Listed))),
            _ => Addresses::listed_sender(&*self.router, sender, stop, trail),
        }
    }
}
