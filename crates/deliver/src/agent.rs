//! What every agent can do.

use std::pin::Pin;

use crate::{Report, Request};

/// A future behind a door: what the object-safe traits of this room return.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A delivery agent, made from one service of master.cf.
///
/// May assume: every recipient of the request goes to the same transport and next hop. Must hold: the report
/// speaks of every recipient of the request; nothing is reported delivered before it is durable at its
/// destination; trouble of our own is `Later`, never `Never`; it does not panic on anything a peer sends.
pub trait Agent: Send + Sync {
    /// Makes one attempt.
    fn deliver<'a>(&'a self, request: Request) -> Boxed<'a, Report>;

    /// Ends idle connections and the like before the program stops.
    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
