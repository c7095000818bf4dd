//! Bans: who fails to log in too often, or abuses the protocol, is turned away for a while.
//!
//! First it is an address for one account that is banned: a whole office behind one address is not shut out for the
//! typo of one of its phones. Only an address that fails at several accounts, or abuses the protocol, is banned whole.
//! Of IPv6 it is the /64 that counts, for whoever has an address has all of them. Nobody is banned on hearsay: the
//! caller answers for the address it reports.

mod firewall;
mod memory;
mod orders;
mod settings;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::pin::Pin;

pub use firewall::script;
pub use memory::{FILE, Memory};
pub use settings::Settings;

/// A future in a box.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where logins are reported: the memory itself, or a way to it from another process.
pub trait Watch: Send + Sync {
    /// May a client from this address talk to us?
    fn welcomes(&self, address: IpAddr) -> Boxed<'_, bool>;

    /// Somebody tried to log in to an account, and the password was right or not. False: whatever it was, the answer
    /// must be that of a wrong one.
    fn tried<'a>(&'a self, address: IpAddr, account: &'a str, right: bool) -> Boxed<'a, bool>;
}

/// Watches nobody.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Watch for Nobody {
    fn welcomes(&self, _: IpAddr) -> Boxed<'_, bool> {
        Box::pin(std::future::ready(true))
    }

    fn tried<'a>(&'a self, _: IpAddr, _: &'a str, right: bool) -> Boxed<'a, bool> {
        Box::pin(std::future::ready(right))
    }
}
