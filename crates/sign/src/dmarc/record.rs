//! What owners of domains publish, and who owns a domain.

use net::dns::Missing;

use super::Policy;
use crate::outside::{Dns, texts};
use crate::tags::{Tags, squeezed};

/// Addresses of a record that are looked at (RFC 7489 6.3 asks for two at least).
const ADDRESSES: usize = 8;

/// A record (RFC 7489 6.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Where it stands, without `_dmarc`.
    pub domain: String,
    /// `p=`
    pub policy: Policy,
    /// `sp=`
    pub subdomains: Policy,
    /// `np=`: for names that do not exist.
    pub missing: Policy,
    /// `adkim=s`
    pub strict_dkim: bool,
    /// `aspf=s`
    pub strict_spf: bool,
    /// `pct=`
    pub percent: u8,
    /// `psd=y`: mail domains are registered below it; `psd=n`: it is one itself.
    pub public: Option<bool>,
    /// `t=y`
    pub testing: bool,
    /// `rua=`: where aggregate reports are to go, each a URI with a limit of size, perhaps.
    pub reports: Vec<String>,
}

impl Published {
    fn parse(text: &str) -> Option<Published> {
        let tags = Tags::parse(text)?;
        if tags.first() != Some("v") || tags.get("v") != Some("DMARC1") {
            return None;
        }
        let policy = match tags.get("p").map(Policy::parse) {
            Some(Some(policy)) => policy,
            // Without a usable policy it is a request for reports, if anything.
            _ if tags.get("rua").is_some() => Policy::None,
            _ => return None,
        };
        let subdomains = tags.get("sp").and_then(Policy::parse).unwrap_or(policy);
        let strict = |tag| tags.get(tag).is_some_and(|mode| mode.eq_ignore_ascii_case("s"));
        Some(Published {
            domain: String::new(),
            policy,
            subdomains,
            missing: tags.get("np").and_then(Policy::parse).unwrap_or(subdomains),
            strict_dkim: strict("adkim"),
            strict_spf: strict("aspf"),
            percent: tags.get("pct").and_then(|text| squeezed(text).parse().ok()).unwrap_or(100).min(100),
            public: match tags.get("psd") {
                Some("y") => Some(true),
                Some("n") => Some(false),
                _ => None,
            },
            testing: tags.get("t") == Some("y"),
            reports: addresses(tags.get("rua").unwrap_or_default()),
        })
    }
}

/// The URIs of `rua=`.
pub(crate) fn addresses(text: &str) -> Vec<String> {
    let all = text.split(',').map(squeezed).filter(|one| !one.is_empty());
    all.take(ADDRESSES).collect()
}

/// Labels of a name at most that are walked.
const WALK_MAX: usize = 8;

/// Who a domain belongs to.
pub(crate) struct Organization {
    pub name: String,
    /// The record of the domain itself.
    pub own: Option<Published>,
    /// That of the organization, or of the registry above it.
    pub record: Option<Published>,
}

impl Organization {
    /// Walks up the tree, one label after the other.
    pub async fn of(dns: &dyn Dns, domain: &str) -> Result<Organization, String> {
        let labels: Vec<&str> = domain.split('.').collect();
        let (mut own, mut found): (Option<Published>, Option<(usize, Published)>) = (None, None);
        let mut at = 0;
        while at < labels.len() {
            let name = labels[at..].join(".");
            if let Some(record) = published(dns, &name).await? {
                if at == 0 {
                    own = Some(record.clone());
                }
                match record.public {
                    Some(false) => {
                        found = Some((at, record));
                        break;
                    }
                    Some(true) if at > 0 => {
                        found = Some((at - 1, record));
                        break;
                    }
                    _ => found = Some((at, record)),
                }
            }
            // Of long names only the last labels are walked.
            at = if at == 0 { 1.max(labels.len().saturating_sub(WALK_MAX - 1)) } else { at + 1 };
        }
        Ok(match found {
            Some((at, record)) => Organization { name: labels[at..].join("."), own, record: Some(record) },
            None => Organization { name: domain.to_owned(), own, record: None },
        })
    }
}

/// The record of a name. Several are none.
async fn published(dns: &dyn Dns, name: &str) -> Result<Option<Published>, String> {
    let found = match texts(dns, &format!("_dmarc.{name}")).await {
        Ok(found) => found,
        Err(Missing::Temporary(why)) => return Err(format!("_dmarc.{name}: {why}")),
        Err(_) => return Ok(None),
    };
    let mut records = found.iter().filter(|text| text.trim_start().starts_with("v=DMARC1"));
    let first = records.next().and_then(|text| Published::parse(text));
    let only = if records.next().is_some() { None } else { first };
    Ok(only.map(|record| Published { domain: name.to_owned(), ..record }))
}
