//! virtual(5): one recipient becomes others, and those again, within limits.

use std::collections::HashSet;

use conf::Block;
use mail::logline::printable;
use mail::{Address, Blame, Detail, Refusal, Trail, Trouble};
use tables::Maps;

use crate::mapping::{Extension, Mapper};
use crate::open::Opener;
use crate::params::VirtualAlias as Settings;

/// The virtual aliases of one configuration.
pub(crate) struct VirtualAliases {
    pub maps: Maps,
    extension: Extension,
    expansion_limit: usize,
    recursion_limit: usize,
    length_limit: usize,
}

impl VirtualAliases {
    pub fn new(opener: &mut Opener<'_>, extension: Extension) -> VirtualAliases {
        let settings = Settings::read(opener.view, opener.mistakes);
        let limit = |value: i64| usize::try_from(value).unwrap_or(usize::MAX);
        VirtualAliases {
            maps: opener.maps("virtual_alias_maps"),
            extension,
            expansion_limit: limit(settings.virtual_alias_expansion_limit),
            recursion_limit: limit(settings.virtual_alias_recursion_limit),
            length_limit: limit(settings.virtual_alias_address_length_limit),
        }
    }

    /// Every address a recipient stands for; itself when it is no alias. Duplicates are the caller's business.
    ///
    /// A failing table and an expansion beyond the limits are temporary, 4.6.0.
    pub async fn expand(
        &self,
        mapper: &Mapper,
        recipient: &Address,
        trail: &mut Trail,
    ) -> Result<Vec<Address>, Refusal> {
        let mut addresses = vec![recipient.as_str().to_owned()];
        // Addresses that expanded to themselves: they are final.
        let mut themselves = HashSet::new();
        let mut at = 0;
        while at < addresses.len() {
            if addresses.len() > self.expansion_limit {
                return Err(self.unreasonable("expansion size", recipient));
            }
            let mut depth = 0;
            while !themselves.contains(&addresses[at].to_lowercase()) {
                if depth >= self.recursion_limit {
                    return Err(self.unreasonable("nesting", recipient));
                }
                depth += 1;
                let key = addresses[at].clone();
                let mapped = self.once(mapper, &key, trail).await.map_err(|trouble| {
                    log::warn!(
                        target: "cleanup",
                        "{} map lookup problem for {} -- message not accepted, try again later",
                        self.maps.parameter(),
                        printable(recipient.as_str())
                    );
                    Refusal::later(51, Detail(3, 0), Blame::Ourselves, "Error: queue file write error")
                        .logged(trouble.to_string())
                })?;
                let Some(mapped) = mapped else { break };
                if mapped.iter().any(|address| address.len() > self.length_limit) {
                    return Err(self.unreasonable("address length", recipient));
                }
                if mapped.iter().any(|address| address.to_lowercase() == key.to_lowercase()) {
                    themselves.insert(key.to_lowercase());
                }
                let mut mapped = mapped.into_iter();
                addresses[at] = mapped.next().expect("a mapping has at least one address");
                addresses.extend(mapped);
            }
            at += 1;
        }
        Ok(addresses.into_iter().map(Address::from).collect())
    }

    /// One replacement: by a table, or because the domain is taken over.
    async fn once(
        &self,
        mapper: &Mapper,
        key: &str,
        trail: &mut Trail,
    ) -> Result<Option<Vec<String>>, Trouble> {
        match mapper.map(&self.maps, key, self.extension, trail).await? {
            Some(mapped) => Ok(Some(mapped)),
            None => Ok(mapper.classes.takeovers.stand_in(key, trail)?.map(|address| vec![address])),
        }
    }

    fn unreasonable(&self, what: &str, recipient: &Address) -> Refusal {
        let text = format!(
            "unreasonable {} map {what} for {} -- message not accepted, try again later",
            self.maps.parameter(),
            printable(recipient.as_str())
        );
        log::warn!(target: "cleanup", "{text}");
        Refusal::later(51, Detail(6, 0), Blame::Admin, "Alias expansion error").logged(text)
    }
}

#[cfg(test)]
mod tests;
