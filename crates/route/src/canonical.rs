//! canonical(5) and masquerading: addresses get the form that the site shows to the world.

use conf::Block;
use mail::{Trail, Trouble, addresses};
use tables::{List, Maps};

use crate::mapping::{Extension, Mapper};
use crate::open::Opener;
use crate::params::Canonical as Settings;
use crate::rewrite::text;

/// Where an address stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// MAIL FROM.
    EnvelopeSender,
    /// RCPT TO.
    EnvelopeRecipient,
    /// From, Sender, Reply-To and their like.
    HeaderSender,
    /// To, Cc and their like.
    HeaderRecipient,
}

const PLACES: [(&str, Place); 4] = [
    ("envelope_sender", Place::EnvelopeSender),
    ("envelope_recipient", Place::EnvelopeRecipient),
    ("header_sender", Place::HeaderSender),
    ("header_recipient", Place::HeaderRecipient),
];

/// Most replacements of one address by one table, one after the other.
const RECURSION: usize = 10;

/// The canonical tables and masquerade rules of one configuration.
pub(crate) struct Canonical {
    /// In the order they are asked.
    maps: [(Maps, Vec<Place>); 3],
    extension: Extension,
    masquerade: Vec<(bool, String)>,
    masquerade_places: Vec<Place>,
    exceptions: List,
    /// What a list of classes says that is none: no address is put through tables by a guess.
    wrong_class: Option<String>,
}

impl Canonical {
    pub fn new(opener: &mut Opener<'_>) -> Canonical {
        let settings = Settings::read(opener.view, opener.mistakes);
        let sender = [Place::EnvelopeSender, Place::HeaderSender];
        let recipient = [Place::EnvelopeRecipient, Place::HeaderRecipient];
        let all = PLACES.map(|(_, place)| place);
        let mut wrong_class = None;
        let mut places = |opener: &mut Opener<'_>, parameter: &str, names: &[String], allowed: &[Place]| {
            places(names, allowed).unwrap_or_else(|name| {
                let text = format!("{parameter}: unknown address class \"{name}\"");
                opener.complain(parameter, text.clone());
                wrong_class = Some(text);
                Vec::new()
            })
        };
        let mut maps = |maps: &str, classes: &str, names: &[String], allowed: &[Place]| {
            (opener.maps(maps), places(opener, classes, names, allowed))
        };
        let maps = [
            maps(
                "sender_canonical_maps",
                "sender_canonical_classes",
                &settings.sender_canonical_classes,
                &sender,
            ),
            maps(
                "recipient_canonical_maps",
                "recipient_canonical_classes",
                &settings.recipient_canonical_classes,
                &recipient,
            ),
            maps("canonical_maps", "canonical_classes", &settings.canonical_classes, &all),
        ];
        let masquerade_places = places(opener, "masquerade_classes", &settings.masquerade_classes, &all);
        Canonical {
            maps,
            extension: extension(&settings, "canonical"),
            masquerade: settings.masquerade_domains.iter().filter_map(|rule| masquerade_rule(rule)).collect(),
            masquerade_places,
            exceptions: opener.names("masquerade_exceptions"),
            wrong_class,
        }
    }

    /// The tables of a given parameter, for `reject_unlisted_*`.
    pub fn maps(&self) -> impl Iterator<Item = &Maps> {
        self.maps.iter().map(|(maps, _)| maps)
    }

    /// Can an address in this place change at all?
    pub fn touches(&self, place: Place) -> bool {
        self.wrong_class.is_some()
            || self.maps.iter().any(|(maps, places)| !maps.is_empty() && places.contains(&place))
            || (!self.masquerade.is_empty() && self.masquerade_places.contains(&place))
    }

    /// Puts an address, external form in and out, through tables and masquerading.
    pub async fn apply(
        &self,
        mapper: &Mapper,
        place: Place,
        address: &str,
        trail: &mut Trail,
    ) -> Result<String, Trouble> {
        if let Some(wrong) = &self.wrong_class {
            return Err(Trouble::misconfigured(wrong.as_str()));
        }
        let mut address = address.to_owned();
        for (maps, places) in &self.maps {
            if !maps.is_empty() && places.contains(&place) {
                address = self.replace(mapper, maps, address, trail).await?;
            }
        }
        if self.masquerade_places.contains(&place) {
            self.masquerade(&mut address).await?;
        }
        Ok(address)
    }

    /// Follows one table until it has nothing new to say.
    async fn replace(
        &self,
        mapper: &Mapper,
        maps: &Maps,
        mut address: String,
        trail: &mut Trail,
    ) -> Result<String, Trouble> {
        for _ in 0..RECURSION {
            let internal = text(addresses::unquote(address.as_bytes()));
            let Some(mapped) = mapper.map_one(maps, &internal, self.extension, trail).await? else {
                return Ok(address);
            };
            let before = std::mem::replace(&mut address, text(addresses::quote(mapped.as_bytes())));
            if before.to_lowercase() == address.to_lowercase() {
                return Ok(address);
            }
        }
        log::warn!(
            target: "cleanup",
            "unreasonable {} map nesting for {}",
            maps.parameter(),
            mail::logline::printable(&address)
        );
        Ok(address)
    }

    /// Cuts host names off below a masqueraded domain. The first rule that fits decides.
    async fn masquerade(&self, address: &mut String) -> Result<(), Trouble> {
        let Some(at) = address.rfind('@') else { return Ok(()) };
        if self.masquerade.is_empty() {
            return Ok(());
        }
        if !self.exceptions.is_empty() && self.exceptions.matches(&address[..at]).await? {
            return Ok(());
        }
        let domain = address[at + 1..].to_lowercase();
        for (hide, parent) in &self.masquerade {
            if domain == *parent {
                return Ok(());
            }
            if domain.strip_suffix(parent.as_str()).is_some_and(|host| host.ends_with('.')) {
                if *hide {
                    address.truncate(at + 1);
                    address.push_str(parent);
                }
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Whether hosts below a domain are hidden, and the domain. `!!domain` is `domain`.
fn masquerade_rule(rule: &str) -> Option<(bool, String)> {
    let domain = rule.trim_start_matches('!');
    let negations = rule.len() - domain.len();
    (!domain.is_empty()).then(|| (negations.is_multiple_of(2), domain.to_lowercase()))
}

/// The places named in a `*_classes` parameter.
/// The places that these words name; the error is a word that names none of those allowed.
fn places(names: &[String], allowed: &[Place]) -> Result<Vec<Place>, String> {
    let place = |name: &String| {
        let known = PLACES.iter().filter(|(_, place)| allowed.contains(place));
        let found = known.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, place)| *place).ok_or_else(|| name.clone())
    };
    names.iter().map(place).collect()
}

/// What `propagate_unmatched_extensions` says of one kind of table.
pub(crate) fn extension(settings: &Settings, kind: &str) -> Extension {
    match settings.propagate_unmatched_extensions.iter().any(|name| name.eq_ignore_ascii_case(kind)) {
        true => Extension::Propagated,
        false => Extension::Dropped,
    }
}

#[cfg(test)]
mod tests;
