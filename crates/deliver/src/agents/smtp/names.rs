//! The DNS as the client sees it: through `smtp_dns_reply_filter`, with short names completed
//! (`smtp_dns_resolver_options`), and hosts under their real names (`smtp_cname_overrides_servername`).

use std::net::IpAddr;
use std::sync::Arc;

use filter::reply_filter::{self, Unfiltered};
use mail::{Class, Refusal};
use net::dns::{Answer, Completion, Data, HostLookup, Kind, Missing, Protocols, Resolver};
use tables::Maps;

use super::complaint::ours;

/// Asks DNS for one service. Cheap to clone.
#[derive(Clone)]
pub struct Names {
    /// Asks.
    pub resolver: Resolver,
    /// `smtp_dns_reply_filter`: its name in this service, and its tables.
    pub filter: (String, Maps),
    /// `smtp_dns_resolver_options`; only the addresses of hosts are looked up so.
    pub completion: Completion,
    /// `smtp_cname_overrides_servername`.
    pub real_names: bool,
    /// The logged program.
    pub program: Arc<str>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// DNS has none.
    Missing(Missing),
    /// The filter is in the way.
    Filtered {
        /// What was asked for.
        kind: Kind,
        /// How.
        why: Unfiltered,
    },
}

/// A host: its name as it is logged and looked for in certificates, and its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The name asked for, or the one that a CNAME leads to.
    pub name: String,
    /// IPv6 first.
    pub addresses: Vec<IpAddr>,
}

impl NoAnswer {
    fn is_temporary(&self) -> bool {
        match self {
            NoAnswer::Missing(missing) => missing.is_temporary(),
            NoAnswer::Filtered { .. } => true,
        }
    }

    fn or_heavier(self, other: NoAnswer) -> NoAnswer {
        match (self, other) {
            (NoAnswer::Missing(one), NoAnswer::Missing(other)) => NoAnswer::Missing(one.or_heavier(other)),
            (filtered @ NoAnswer::Filtered { .. }, _) | (_, filtered) => filtered,
        }
    }

    /// The refusal for a look-up of `kind`.
    pub fn refusal(&self, name: &str, kind: Kind) -> Refusal {
        let name = mail::logline::printable(name);
        let class = if self.is_temporary() { Class::Later } else { Class::Never };
        let error = |kind: Kind, what: &str| format!("Error looking up name={name} type={kind}: {what}");
        match self {
            NoAnswer::Missing(missing) => {
                let detail = if missing.is_temporary() { (4, 3) } else { (4, 4) };
                let text = "Host or domain name not found. Name service error for";
                ours(class, detail, format!("{text} name={name} type={kind}: {missing}"))
            }
            NoAnswer::Filtered { kind, why: Unfiltered::Dropped } => {
                ours(class, (7, 0), error(*kind, "DNS reply filter drops all results"))
            }
            NoAnswer::Filtered { kind, why: Unfiltered::BadAction(_) } => {
                ours(class, (4, 3), error(*kind, "Invalid DNS reply filter syntax"))
            }
            NoAnswer::Filtered { kind, why: Unfiltered::Failed(_) } => {
                ours(class, (4, 3), error(*kind, "DNS reply filter lookup error"))
            }
        }
    }
}

impl Names {
    /// Records of `name`.
    pub async fn lookup(&self, name: &str, kind: Kind) -> Result<Answer, NoAnswer> {
        let answer = self.resolver.lookup(name, kind).await.map_err(NoAnswer::Missing)?;
        let (parameter, tables) = &self.filter;
        reply_filter::filter(tables, parameter, answer).await.map_err(|why| {
            if let Unfiltered::BadAction(text) | Unfiltered::Failed(text) = &why {
                log::warn!(target: &self.program, "{}", mail::logline::printable(text));
            }
            NoAnswer::Filtered { kind, why }
        })
    }

    /// The addresses of a host, from DNS and from the files as `lookup` says.
    pub async fn host(&self, name: &str, lookup: HostLookup, protocols: Protocols) -> Result<Host, NoAnswer> {
        if self.filter.1.is_empty() && self.completion.is_off() && !self.real_names {
            let addresses = self.resolver.host(name, lookup, protocols).await.map_err(NoAnswer::Missing)?;
            return Ok(Host { name: name.to_owned(), addresses });
        }
        let mut missing = NoAnswer::Missing(Missing::NoSuchName);
        if lookup.dns {
            for completed in self.resolver.completed(name, self.completion) {
                match self.addresses(&completed, protocols).await {
                    // What was written is logged, also where it was completed.
                    Ok((real, addresses)) => {
                        let name = if self.real_names { real } else { name.to_owned() };
                        return Ok(Host { name, addresses });
                    }
                    Err(why) if why.is_temporary() => return Err(why),
                    Err(why) => missing = missing.or_heavier(why),
                }
            }
        }
        if !lookup.native {
            return Err(missing);
        }
        let addresses = self.resolver.native(name, protocols).await.map_err(NoAnswer::Missing)?;
        Ok(Host { name: name.to_owned(), addresses })
    }

    /// The A and AAAA records of a name, and the name at the end of its CNAMEs.
    async fn addresses(&self, name: &str, protocols: Protocols) -> Result<(String, Vec<IpAddr>), NoAnswer> {
        let ask = async |wanted: bool, kind| match wanted {
            true => Some(self.lookup(name, kind).await),
            false => None,
        };
        let (six, four) = tokio::join!(ask(protocols.v6, Kind::Aaaa), ask(protocols.v4, Kind::A));
        let (mut real, mut found, mut missing) = (None, Vec::new(), None);
        for answer in [six, four].into_iter().flatten() {
            match answer {
                Ok(answer) => {
                    found.extend(answer.records.iter().filter_map(|data| match data {
                        Data::A(address) => Some(IpAddr::V4(*address)),
                        Data::Aaaa(address) => Some(IpAddr::V6(*address)),
                        _ => None,
                    }));
                    real.get_or_insert(answer.name);
                }
                Err(why) => {
                    missing = Some(match missing {
                        Some(other) => NoAnswer::or_heavier(other, why),
                        None => why,
                    });
                }
            }
        }
        match real {
            Some(real) if !found.is_empty() => Ok((real, found)),
            _ => Err(missing.unwrap_or(NoAnswer::Missing(Missing::NoSuchRecord))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_filter_drops_is_doubt_and_outweighs_what_is_missing() {
        let dropped = NoAnswer::Filtered { kind: Kind::A, why: Unfiltered::Dropped };
        let missing = NoAnswer::Missing(Missing::NoSuchName);
        for why in [dropped.clone().or_heavier(missing.clone()), missing.clone().or_heavier(dropped)] {
            let refusal = why.refusal("mx.test", Kind::Aaaa);
            assert_eq!(refusal.status().to_string(), "4.7.0");
            let text = "Error looking up name=mx.test type=A: DNS reply filter drops all results";
            assert_eq!(refusal.log_text(), text);
        }
        let bad = NoAnswer::Filtered { kind: Kind::Mx, why: Unfiltered::BadAction("x".to_owned()) };
        assert_eq!(bad.refusal("x.test", Kind::Mx).status().to_string(), "4.4.3");
        assert_eq!(missing.refusal("x.test", Kind::Mx).status().to_string(), "5.4.4");
    }
}
