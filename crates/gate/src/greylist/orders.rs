//! What an administrator does with the greylist.

use std::net::IpAddr;
use std::path::Path;

use jiff::Timestamp;
use tables::{Keys, Spec, Tables};

use super::memory::{Memory, Proven, Seen, State};
use crate::ledger::escape;

/// Enough for every number of messages that a configuration may ask for.
const TRUSTED: i64 = 1_000_000_000;

impl Memory {
    /// Every entry that contains `part`: what it is, since when, until when, its key; oldest first.
    pub fn list(&self, part: &str) -> Vec<String> {
        let part = part.to_lowercase();
        let date = |seconds: i64| {
            let at = Timestamp::from_second(seconds).unwrap_or_default().to_zoned(self.zone.clone());
            at.strftime("%Y-%m-%d %H:%M:%S").to_string()
        };
        let state = self.state();
        let mut lines: Vec<(i64, String)> = Vec::new();
        for (key, seen) in state.triplets.iter().filter(|(key, _)| key.contains(&part)) {
            let waited = seen.last - seen.first;
            lines.push((seen.first, format!("triplet\t{}\t{waited}s\t{key}", date(seen.first))));
        }
        for (client, proven) in state.clients.iter().filter(|(client, _)| client.contains(&part)) {
            let count = if proven.count >= TRUSTED { "passed".to_owned() } else { proven.count.to_string() };
            lines.push((proven.last, format!("client\t{}\t{count}\t{client}", date(proven.last))));
        }
        lines.sort_unstable();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// A client that is not put off any more.
    ///
    /// # Errors
    /// It is no address.
    pub fn let_pass(&self, client: &str) -> Result<(), String> {
        let address: IpAddr = client.parse().map_err(|_| format!("{client}: expected an IP address"))?;
        let now = self.now();
        let mut state = self.state();
        self.put_client(
            &mut state,
            &address.to_canonical().to_string(),
            Proven { count: TRUSTED, last: now },
        );
        Ok(())
    }

    /// Forgets every entry that contains `part`; how many those were.
    pub fn forget(&self, part: &str) -> usize {
        let part = part.to_lowercase();
        let mut state = self.state();
        let keys = state.triplets.keys().chain(state.clients.keys());
        let keys: Vec<Box<str>> = keys.filter(|key| key.contains(&part)).cloned().collect();
        keys.iter().filter(|key| self.remove(&mut state, key)).count()
    }

    /// Takes over records that [`of_postgrey`] read. Where both know something, the earlier first attempt and the later
    /// last one hold. How many were understood is given back.
    pub fn take_over(&self, records: &[&str]) -> usize {
        let read = State::of(records.iter().copied());
        let mut state = self.state();
        let count = read.triplets.len() + read.clients.len();
        for (key, Seen { first, last }) in read.triplets {
            let known = state.triplets.get(&key).copied().unwrap_or(Seen { first, last });
            let seen = Seen { first: first.min(known.first), last: last.max(known.last) };
            self.put_triplet(&mut state, &key, seen);
        }
        for (client, Proven { count, last }) in read.clients {
            let known = state.clients.get(&client).copied().unwrap_or(Proven { count, last });
            let proven = Proven { count: count.max(known.count), last: last.max(known.last) };
            self.put_client(&mut state, &client, proven);
        }
        count
    }
}

/// What postgrey has in its directory (`--dbdir`, usually `/var/lib/postgrey`), as records of ours. Its files are for it
/// and root alone, so it is the administrator's command that reads them.
///
/// # Errors
/// Its files cannot be read.
pub fn of_postgrey(tables: &Tables, directory: &Path) -> Result<Vec<String>, String> {
    let mut records = Vec::new();
    for (file, kind) in [("postgrey", "t"), ("postgrey_clients", "c")] {
        let path = directory.join(file);
        let spec = format!("btree:{}", path.display());
        let spec = Spec::parse(&spec).ok_or_else(|| format!("{}: no name of a table", path.display()))?;
        let table = tables.open(&spec, Keys::RAW)?;
        let read = table.rows(|key, value| {
            let (key, value) = (String::from_utf8_lossy(key), String::from_utf8_lossy(value));
            let mut numbers =
                value.trim_end_matches('\0').split(',').map(|number| number.trim().parse::<i64>());
            if let (Some(Ok(first)), Some(Ok(second))) = (numbers.next(), numbers.next()) {
                let key = escape(key.trim_end_matches('\0'));
                records.push(format!("{kind}\t{key}\t{first}\t{second}"));
            }
            true
        });
        match read {
            Ok(true) => {}
            Ok(false) => return Err(format!("{}: its rows cannot be read", path.display())),
            Err(trouble) => return Err(trouble.to_string()),
        }
    }
    Ok(records)
}
