//! What becomes of TLS with domains that want to hear of it (SMTP TLS reporting, RFC 8460): a line in a file for each
//! session. Once a day somebody else makes reports of them.

mod journal;
mod outcome;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mail::logline::printable;
use net::clock;
use net::dns::{Data, Kind, Missing, Resolver};
use tokio::sync::Semaphore;

pub use journal::{Day, Entry, days};
pub use outcome::{Basis, Failure, Outcome};

use crate::params::Tlsrpt;

/// Sessions whose domain is being asked about at one time; of more nothing is kept.
const UNDER_WAY: usize = 200;

/// Where the notes are.
pub fn folder(data_directory: &Path) -> PathBuf {
    data_directory.join("tlsrpt")
}

/// Longest list of addresses that one domain may have reports sent to.
const MOST_ADDRESSES: usize = 10;

/// Notes sessions. Cheap to clone.
#[derive(Clone)]
pub struct Reports(Arc<Shared>);

struct Shared {
    folder: PathBuf,
    /// `tlsrpt_size_limit`, for one day.
    limit: u64,
    /// `tlsrpt_sender`.
    sender: String,
    resolver: Resolver,
    program: Arc<str>,
    room: Arc<Semaphore>,
}

/// A session that was tried, or that policy forbade.
#[derive(Clone, Debug)]
pub struct Session<'a> {
    /// The domain of the recipients.
    pub domain: &'a str,
    /// The server's name.
    pub host: &'a str,
    /// Its address.
    pub address: IpAddr,
    /// What the domain says of its servers.
    pub basis: &'a Basis,
}

impl Reports {
    /// As the parameters say, with files in `data_directory`.
    pub fn new(params: &Tlsrpt, data_directory: &Path, resolver: Resolver, program: Arc<str>) -> Reports {
        Reports(Arc::new(Shared {
            folder: folder(data_directory),
            limit: params.tlsrpt_size_limit,
            sender: params.tlsrpt_sender.clone(),
            resolver,
            program,
            room: Arc::new(Semaphore::new(UNDER_WAY)),
        }))
    }

    /// Is this the sender of reports?
    pub fn is_from(&self, sender: &str) -> bool {
        sender.eq_ignore_ascii_case(&self.0.sender)
    }

    /// Notes how a session went, if its domain wants to know; who delivers does not wait for that.
    pub fn note(&self, session: &Session<'_>, outcome: &Outcome) {
        let Ok(permit) = self.0.room.clone().try_acquire_owned() else { return };
        let entry = Entry::new(session, outcome);
        let shared = self.0.clone();
        tokio::spawn(async move {
            let wanted = addresses(&shared.resolver, &entry.domain).await;
            if wanted.is_ok_and(|wanted| !wanted.is_empty()) {
                shared.write(entry).await;
            }
            drop(permit);
        });
    }
}

impl Shared {
    async fn write(self: Arc<Self>, entry: Entry) {
        let program = self.program.clone();
        let now = clock::wall();
        let written =
            tokio::task::spawn_blocking(move || journal::append(&self.folder, self.limit, now, &entry)).await;
        if let Ok(Err(error)) = written {
            log::warn!(target: &program, "TLS reporting: {error}");
        }
    }
}

/// Where a domain wants its reports: `mailto:` and `https:` addresses of its record at `_smtp._tls`; none where it has
/// no such record, or two.
///
/// # Errors
/// Nobody knows now.
pub async fn addresses(resolver: &Resolver, domain: &str) -> Result<Vec<String>, Missing> {
    match resolver.lookup(&format!("_smtp._tls.{domain}"), Kind::Txt).await {
        Ok(answer) => {
            let texts = answer.records.iter().filter_map(|record| match record {
                Data::Txt(text) => Some(text.as_str()),
                _ => None,
            });
            Ok(rua(texts))
        }
        Err(missing) if missing.is_temporary() => Err(missing),
        Err(_) => Ok(Vec::new()),
    }
}

/// The addresses in the TXT records of a domain (RFC 8460 3).
fn rua<'a>(records: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut ours = records.filter(|text| text.split(';').next().is_some_and(|v| v.trim() == "v=TLSRPTv1"));
    let (Some(one), None) = (ours.next(), ours.next()) else { return Vec::new() };
    let fields = one.split(';').filter_map(|field| field.trim().split_once('='));
    let lists = fields.filter(|(name, _)| name.trim() == "rua").flat_map(|(_, value)| value.split(','));
    let known = |address: &&str| address.starts_with("mailto:") || address.starts_with("https://");
    lists.map(str::trim).filter(known).take(MOST_ADDRESSES).map(str::to_owned).collect()
}

/// One line, whatever a stranger wrote.
fn clean(text: &str) -> String {
    printable(text).replace(['\t', '|'], "?").chars().take(1000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_a_record() {
        for (records, expected) in [
            (
                &["v=TLSRPTv1; rua=mailto:a@x.test,https://x.test/r"][..],
                &["mailto:a@x.test", "https://x.test/r"][..],
            ),
            (&["v=TLSRPTv1;rua=mailto:a@x.test;"], &["mailto:a@x.test"]),
            (&["v=spf1 -all", "v=TLSRPTv1; rua=mailto:a@x.test"], &["mailto:a@x.test"]),
            (&["v=TLSRPTv1; rua=mailto:a@x.test", "v=TLSRPTv1; rua=mailto:b@x.test"], &[]),
            (&["v=TLSRPTv1; rua=ftp://x.test"], &[]),
            (&["v=TLSRPTv2; rua=mailto:a@x.test"], &[]),
            (&["v=TLSRPTv1"], &[]),
            (&[], &[]),
        ] {
            assert_eq!(rua(records.iter().copied()), expected, "{records:?}");
        }
    }
}
