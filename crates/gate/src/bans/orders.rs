//! What an administrator does with bans.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;

use super::memory::{Ban, FOR_EVER, Memory, Whom, network, shown};

impl Memory {
    /// Every ban in force: the network, the account or `*`, since when, until when, the how manieth, why.
    pub fn list(&self) -> Vec<String> {
        let now = self.now();
        let date = |seconds: i64| {
            let at = Timestamp::from_second(seconds).unwrap_or_default().to_zoned(self.zone.clone());
            at.strftime("%Y-%m-%d %H:%M:%S").to_string()
        };
        let state = self.state();
        let mut bans: Vec<(&Whom, &Ban)> = state.bans.iter().filter(|(_, ban)| ban.until > now).collect();
        bans.sort_unstable_by_key(|(whom, ban)| (ban.until, *whom));
        let lines = bans.into_iter().map(|(whom, ban)| {
            let until = if ban.until == FOR_EVER { "for ever".to_owned() } else { date(ban.until) };
            let account = if whom.account.is_empty() { "*" } else { &whom.account };
            let (network, since) = (shown(&whom.network), date(ban.since));
            format!("{network}\t{account}\t{since}\t{until}\t{}\t{}", ban.times, ban.reason)
        });
        lines.collect()
    }

    /// Networks that are banned whole, and for how many seconds more.
    pub fn networks(&self) -> Vec<(IpNet, i64)> {
        let now = self.now();
        let state = self.state();
        let whole = state.bans.iter().filter(|(whom, ban)| whom.account.is_empty() && ban.until > now);
        let mut networks: Vec<_> = whole.map(|(whom, ban)| (whom.network, ban.until - now)).collect();
        networks.sort_unstable();
        networks
    }

    /// Bans an address for so many seconds, or until somebody lifts it. Of IPv6 the /64 is banned.
    ///
    /// # Errors
    /// It is no address.
    pub fn add(&self, address: &str, seconds: Option<i64>) -> Result<String, String> {
        let network = network(parsed(address)?);
        let now = self.now();
        let whom = Whom { network, account: String::new() };
        let until = seconds.map_or(FOR_EVER, |seconds| now.saturating_add(seconds));
        let mut state = self.state();
        let times = state.bans.get(&whom).map_or(1, |ban| ban.times);
        let reason = "by the administrator".to_owned();
        self.put(&mut state, whom, Ban { since: now, until, times, reason });
        Ok(format!("{} is banned", shown(&network)))
    }

    /// Lifts every ban of an address, and forgets its failures.
    ///
    /// # Errors
    /// It is no address.
    pub fn remove(&self, address: &str) -> Result<usize, String> {
        let network = network(parsed(address)?);
        let mut state = self.state();
        let of: Vec<Whom> = state.bans.keys().filter(|whom| whom.network == network).cloned().collect();
        of.iter().for_each(|whom| self.lift(&mut state, whom));
        // Its failures are forgotten, too, where no ban came of them yet.
        self.lift(&mut state, &Whom { network, account: String::new() });
        Ok(of.len())
    }
}

fn parsed(address: &str) -> Result<IpAddr, String> {
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    let bare = bare.split_once('/').filter(|(_, bits)| matches!(*bits, "32" | "64")).map_or(bare, |(a, _)| a);
    bare.parse().map_err(|_| format!("{address}: expected an IP address"))
}
