//! Looking an address up in tables, and making addresses of what they answer.

use mail::{Because, Trail, Trouble, addresses};
use tables::{AddressSearch, Found, Maps};

use crate::classes::Classes;
use crate::rewrite::{Context, Rewriter, text};

/// Whether an extension, `+ext`, that a key lacks is carried over into the result
/// (`propagate_unmatched_extensions`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// It is.
    Propagated,
    /// It is lost.
    Dropped,
}

/// Everything look-ups by address need to know.
pub(crate) struct Mapper {
    pub rewriter: Rewriter,
    pub classes: Classes,
    pub delimiter: String,
}

impl Mapper {
    /// Searches with the keys of canonical(5) and virtual(5): full address, without extension, user of a local
    /// domain, `@domain`.
    pub async fn find(
        &self,
        maps: &Maps,
        address: &str,
        trail: &mut Trail,
    ) -> Result<Option<Found>, Trouble> {
        if maps.is_empty() || address.is_empty() {
            return Ok(None);
        }
        let local = match mail::address::split(address).1 {
            Some(domain) => self.classes.is_home(domain, &mut Trail::off()).await?,
            None => false,
        };
        let search = AddressSearch::standard(&self.delimiter, local);
        let found = maps.find_address(address, search).await?;
        note(trail, maps, address, found.as_ref());
        if found.as_ref().is_some_and(|found| found.value.is_empty()) {
            let parameter = maps.parameter();
            return Err(Trouble::misconfigured(format!(
                "{parameter} lookup of {address} returns an empty string result; {parameter} should return NO RESULT \
                 in case of NOT FOUND"
            )));
        }
        Ok(found)
    }

    /// Replaces one address by those its tables name; internal form in and out. `None` when it is not found.
    pub async fn map(
        &self,
        maps: &Maps,
        address: &str,
        extension: Extension,
        trail: &mut Trail,
    ) -> Result<Option<Vec<String>>, Trouble> {
        let Some(found) = self.find(maps, address, trail).await? else { return Ok(None) };
        let unmatched = found.extension.as_deref().unwrap_or_default();
        let value = match found.value.starts_with('@') {
            // The user of the address, in another domain.
            true => {
                let user = mail::address::split(address).0;
                let user = user.strip_suffix(unmatched).unwrap_or(user);
                addresses::quote(format!("{user}{}", found.value).as_bytes())
            }
            false => found.value.into_bytes(),
        };
        let carried = if extension == Extension::Propagated { unmatched } else { "" };
        let mapped = self.addresses_in(&value, carried);
        if mapped.is_empty() {
            let (table, value) = (&found.table, text(value));
            return Err(Trouble::misconfigured(format!(
                "{}: {table}: lookup of {address} returns non-address result \"{value}\"",
                maps.parameter()
            )));
        }
        Ok(Some(mapped))
    }

    /// The addresses in a table's answer, completed, each with `extension`; internal form.
    fn addresses_in(&self, value: &[u8], extension: &str) -> Vec<String> {
        let value = if value.is_empty() || value == b"<>" { b"\"\"" } else { value };
        let tokens = addresses::parse(value, 0);
        let completed = addresses::mailboxes(&tokens).map(|mailbox| {
            let external = self.rewriter.rewrite_external(Context::Local, mailbox.external());
            let mut address = text(addresses::unquote(&external));
            address.insert_str(address.rfind('@').unwrap_or(address.len()), extension);
            address
        });
        completed.collect()
    }

    /// One address from a table, where only one makes sense: the first.
    pub async fn map_one(
        &self,
        maps: &Maps,
        address: &str,
        extension: Extension,
        trail: &mut Trail,
    ) -> Result<Option<String>, Trouble> {
        let Some(mapped) = self.map(maps, address, extension, trail).await? else { return Ok(None) };
        if mapped.len() > 1 {
            log::warn!(
                target: "cleanup",
                "multi-valued {} entry for {}",
                maps.parameter(),
                mail::logline::printable(address)
            );
        }
        Ok(mapped.into_iter().next())
    }
}

/// Notes what a chain of tables said.
pub fn note(trail: &mut Trail, maps: &Maps, key: &str, found: Option<&Found>) {
    trail.note(|| match found {
        Some(found) => Because {
            parameter: maps.parameter().to_owned(),
            source: Some(found.table.to_string()),
            key: Some(found.key.clone()),
            place: found.place.clone(),
            found: found.value.clone(),
        },
        None => Because {
            parameter: maps.parameter().to_owned(),
            key: Some(key.to_owned()),
            found: "not found".to_owned(),
            ..Because::default()
        },
    });
}
