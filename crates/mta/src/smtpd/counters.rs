//! anvil(8): how many connections, messages and recipients each client of each service has, and how fast they come.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most clients remembered. Beyond that, those without a connection are forgotten.
const REMEMBERED: usize = 50_000;

/// Things that are counted by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Connections.
    Connections,
    /// MAIL commands.
    Messages,
    /// RCPT commands.
    Recipients,
    /// TLS handshakes without resumption.
    TlsSessions,
    /// AUTH commands.
    Logins,
}

#[derive(Clone, Debug)]
struct Client {
    connections: u32,
    since: Instant,
    rates: [u32; 5],
}

/// The counts of a program. They outlive configurations.
#[derive(Debug, Default)]
pub struct Counters {
    clients: Mutex<HashMap<(String, String), Client>>,
}

impl Counters {
    /// A connection begins: how many there are now, and how many came within the time span.
    pub(super) fn connect(&self, service: &str, address: &str, span: Duration, now: Instant) -> (u32, u32) {
        self.with((service, address), span, now, |client| {
            client.connections += 1;
            (client.connections, client.count(What::Connections))
        })
    }

    /// A connection ends.
    pub(super) fn disconnect(&self, service: &str, address: &str) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get_mut(&(service.to_owned(), address.to_owned())) {
            client.connections = client.connections.saturating_sub(1);
        }
    }

    /// Something happens: how often it did within the time span.
    pub(crate) fn count(
        &self,
        what: What,
        (service, address): (&str, &str),
        span: Duration,
        now: Instant,
    ) -> u32 {
        self.with((service, address), span, now, |client| client.count(what))
    }

    fn with<T>(
        &self,
        (service, address): (&str, &str),
        span: Duration,
        now: Instant,
        act: impl FnOnce(&mut Client) -> T,
    ) -> T {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= REMEMBERED {
            clients.retain(|_, client| client.connections > 0);
        }
        let fresh = || Client { connections: 0, since: now, rates: [0; 5] };
        let client = clients.entry((service.to_owned(), address.to_owned())).or_insert_with(fresh);
        if now.duration_since(client.since) >= span {
            client.since = now;
            client.rates = [0; 5];
        }
        act(client)
    }
}

impl Client {
    fn count(&mut self, what: What) -> u32 {
        let rate = &mut self.rates[what as usize];
        *rate = rate.saturating_add(1);
        *rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_start_over_with_each_span() {
        let counters = Counters::default();
        let span = Duration::from_secs(60);
        let now = net::clock::now();
        let client = ("smtp", "192.0.2.1");
        assert_eq!(counters.connect("smtp", "192.0.2.1", span, now), (1, 1));
        assert_eq!(counters.connect("smtp", "192.0.2.1", span, now), (2, 2));
        assert_eq!(counters.connect("submission", "192.0.2.1", span, now), (1, 1));
        counters.disconnect("smtp", "192.0.2.1");
        assert_eq!(counters.count(What::Messages, client, span, now), 1);
        assert_eq!(counters.connect("smtp", "192.0.2.1", span, now + span), (2, 1));
        assert_eq!(counters.count(What::Messages, client, span, now + span), 1);
    }
}
