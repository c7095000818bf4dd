//! An address to its next stop: transport, next hop, recipient (trivial-rewrite's resolver).

use mail::{Address, Because, Refusal, Trail, Trouble};

use crate::DomainClass;
use crate::mapping::Mapper;
use crate::normal::{self, Normal};
use crate::open::Opener;
use crate::takeover::Way;
use crate::transport::{self, TransportMaps};

/// Where a recipient goes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Service name in master.cf: `smtp`, `local`, `error`.
    pub transport: String,
    /// What the transport is given: a domain, `[host]:port`, or the text of an `error` transport.
    pub nexthop: String,
    /// The recipient as the transport sees it: `user@domain`, without the routes we have resolved.
    pub recipient: Address,
    /// The class of its domain.
    pub class: DomainClass,
    /// The local part asks for further routing (`user%other@us`, `other!user@us`): relay control must refuse it.
    pub routed: bool,
    /// The address has no valid form; transport and next hop are `error` and `5.1.3 bad address syntax`.
    pub malformed: bool,
}

impl Stop {
    fn malformed(recipient: String) -> Stop {
        Stop {
            transport: "error".to_owned(),
            nexthop: "5.1.3 bad address syntax".to_owned(),
            recipient: recipient.into(),
            class: DomainClass::Default,
            routed: false,
            malformed: true,
        }
    }
}

/// The routing parameters of one configuration, or, with a prefix, those of its probes (`address_verify_*`).
pub(crate) struct Resolver {
    prefix: &'static str,
    local_transport: String,
    virtual_transport: String,
    relay_transport: String,
    default_transport: String,
    relayhost: String,
    sender_relayhost: tables::Maps,
    sender_transport: tables::Maps,
    null_relayhost_key: String,
    null_transport_key: String,
    transport_maps: TransportMaps,
    relocated: tables::Maps,
    show_table: bool,
    pub(crate) form: normal::Rules,
}

impl Resolver {
    pub fn new(opener: &mut Opener<'_>, prefix: &'static str) -> Resolver {
        let get = |name: &str| opener.view.get(&format!("{prefix}{name}"));
        let view = opener.view;
        Resolver {
            prefix,
            local_transport: get("local_transport"),
            virtual_transport: get("virtual_transport"),
            relay_transport: get("relay_transport"),
            default_transport: get("default_transport"),
            relayhost: get("relayhost"),
            null_relayhost_key: view.get("empty_address_relayhost_maps_lookup_key"),
            null_transport_key: view.get("empty_address_default_transport_maps_lookup_key"),
            show_table: view.get("show_user_unknown_table_name") == "yes",
            form: normal::Rules::new(view),
            sender_relayhost: opener.maps(&format!("{prefix}sender_dependent_relayhost_maps")),
            sender_transport: opener.maps(&format!("{prefix}sender_dependent_default_transport_maps")),
            transport_maps: TransportMaps {
                parents: opener.parents("transport_maps"),
                // A stranger's address must not become part of a transport.
                maps: opener.maps_with(&format!("{prefix}transport_maps"), tables::Keys::LITERAL),
            },
            relocated: opener.maps("relocated_maps"),
        }
    }

    /// The next stop of `recipient`.
    pub async fn resolve(
        &self,
        mapper: &Mapper,
        sender: &Address,
        recipient: &Address,
        trail: &mut Trail,
    ) -> Result<Stop, Refusal> {
        self.try_resolve(mapper, sender, recipient, trail).await.map_err(|trouble| {
            log::warn!(target: "trivial-rewrite", "{trouble}");
            Refusal::from(trouble)
        })
    }

    async fn try_resolve(
        &self,
        mapper: &Mapper,
        sender: &Address,
        recipient: &Address,
        trail: &mut Trail,
    ) -> Result<Stop, Trouble> {
        let Normal { address, local, valid } =
            normal::form(&self.form, mapper, recipient.as_str(), trail).await?;
        if !valid {
            return Ok(Stop::malformed(address));
        }
        let domain = mail::address::split(&address).1.unwrap_or_default();
        let class = match local {
            true => DomainClass::Local,
            false => mapper.classes.foreign(domain, trail).await?,
        };
        mapper.classes.warn_of_conflicts(domain, class).await;
        let (mut transport, mut nexthop) = self.by_class(mapper, class, sender, domain, trail).await?;
        if let Some(Way::Via(other)) = mapper.classes.takeovers.find(domain, trail)? {
            transport::parse(&other).apply(domain, &mut transport, &mut nexthop);
        } else if class != DomainClass::VirtualAlias
            && let Some(found) = self.transport_maps.find(&mapper.delimiter, &address, trail).await?
        {
            found.apply(domain, &mut transport, &mut nexthop);
        }
        if let Some(moved) = mapper.find(&self.relocated, &address, trail).await? {
            transport = "error".to_owned();
            nexthop = format!("5.1.6 User has moved to {}", moved.value);
        }
        // Commands could take it for an option.
        if address.starts_with('-') && !mapper.rewriter.settings.allow_min_user {
            return Ok(Stop::malformed(address));
        }
        let routed = is_routed(&address, domain);
        Ok(Stop { transport, nexthop, class, routed, malformed: false, recipient: address.into() })
    }

    /// Transport and next hop from the class alone.
    async fn by_class(
        &self,
        mapper: &Mapper,
        class: DomainClass,
        sender: &Address,
        domain: &str,
        trail: &mut Trail,
    ) -> Result<(String, String), Trouble> {
        let (parameter, value) = match class {
            DomainClass::VirtualAlias => {
                let table = if self.show_table { " in virtual alias table" } else { "" };
                return Ok(("error".to_owned(), format!("5.1.1 User unknown{table}")));
            }
            DomainClass::Local => ("local_transport", self.local_transport.clone()),
            DomainClass::VirtualMailbox => ("virtual_transport", self.virtual_transport.clone()),
            DomainClass::Relay => ("relay_transport", self.relay_transport.clone()),
            DomainClass::Default => self.default_transport(mapper, sender, trail).await?,
        };
        trail.note(|| Because {
            parameter: format!("{}{parameter}", self.prefix),
            found: value.clone(),
            ..Because::default()
        });
        let leaves = matches!(class, DomainClass::Relay | DomainClass::Default);
        let relay = if leaves { self.relay(mapper, sender, trail).await? } else { None };
        let (transport, given) = value.split_once(':').unwrap_or((&value, ""));
        if transport.is_empty() {
            return Err(Trouble::new(format!(
                "parameter {}{parameter}: null transport is not allowed",
                self.prefix
            )));
        }
        let nexthop = match given {
            "" => relay.unwrap_or_else(|| domain.to_owned()),
            given => given.to_owned(),
        };
        Ok((transport.to_owned(), nexthop))
    }

    /// `sender_dependent_default_transport_maps`, or `default_transport`.
    async fn default_transport(
        &self,
        mapper: &Mapper,
        sender: &Address,
        trail: &mut Trail,
    ) -> Result<(&'static str, String), Trouble> {
        let key = if sender.is_null() { &self.null_transport_key } else { sender.as_str() };
        Ok(match mapper.find(&self.sender_transport, key, trail).await? {
            Some(found) if !found.value.eq_ignore_ascii_case("DUNNO") => {
                ("sender_dependent_default_transport_maps", found.value)
            }
            _ => ("default_transport", self.default_transport.clone()),
        })
    }

    /// `sender_dependent_relayhost_maps`, or `relayhost`.
    async fn relay(
        &self,
        mapper: &Mapper,
        sender: &Address,
        trail: &mut Trail,
    ) -> Result<Option<String>, Trouble> {
        let key = if sender.is_null() { &self.null_relayhost_key } else { sender.as_str() };
        if let Some(found) = mapper.find(&self.sender_relayhost, key, trail).await?
            && !found.value.eq_ignore_ascii_case("DUNNO")
        {
            return Ok(Some(found.value));
        }
        if self.relayhost.is_empty() {
            return Ok(None);
        }
        trail.note(|| Because {
            parameter: format!("{}relayhost", self.prefix),
            found: self.relayhost.clone(),
            ..Because::default()
        });
        Ok(Some(self.relayhost.clone()))
    }
}

/// Does a routing operator stand before the `@` of the domain? We may not know `%` or `!`, but the next host may.
fn is_routed(address: &str, domain: &str) -> bool {
    match address.find(['@', '!', '%']) {
        Some(first) => address.get(first + 1..) != Some(domain),
        None => false,
    }
}

#[cfg(test)]
mod tests;
