//! What becomes of an accepted message: rewriting, copies, aliases, class and transport of one recipient.

use conf::View;
use mail::{Address, Trail};
use route::{Context, DomainClass, Listing, Place, Router, Stop};
use sign::srs::Srs;
use tables::{Keys, Maps, Tables};

use super::{now, tell};
use crate::config::Config;

/// Aliases of aliases that are followed.
const ALIASES: usize = 100;

/// The way of messages in one configuration.
pub(super) struct Road<'a> {
    pub config: &'a Config,
    /// As the smtpd service has it.
    pub view: &'a View,
    pub tables: &'a Tables,
    pub router: &'a Router,
}

impl Road<'_> {
    /// Tells the way of one recipient; true when there is one to its end.
    pub async fn tell(&self, sender: &Address, recipient: &Address) -> bool {
        let Ok(sender) = self.completed("sender", Place::EnvelopeSender, sender).await else { return false };
        // What is wrong with it has been told before.
        let srs = Srs::read(self.view, &mut Vec::new());
        let srs = srs.as_ref();
        let Ok(address) = self.meant(recipient, srs).await else { return false };
        let mut fine = self.expanded(&sender, &address, srs).await;
        let Ok(copies) = self.copies(&sender, &address).await else { return false };
        for copy in copies {
            fine &= match self.meant(&copy, srs).await {
                Ok(copy) => self.expanded(&sender, &copy, srs).await,
                Err(()) => false,
            };
        }
        fine
    }

    /// The recipient that an address stands for, before aliases take its place.
    async fn meant(&self, recipient: &Address, srs: Option<&Srs>) -> Result<Address, ()> {
        let rewritten = self.router.rewrite(Context::Local, recipient);
        let domain = || self.view.get("srs_domain");
        let meant = match srs.and_then(|srs| srs.reverse(rewritten.as_str(), now())) {
            Some(Ok(to)) => {
                println!("  stands for <{to}> (srs_domain = {})", domain());
                to.into()
            }
            Some(Err(wrong)) => {
                println!("  NO VALID FORWARDING ADDRESS: {wrong} (srs_domain = {})", domain());
                return Err(());
            }
            None => recipient.clone(),
        };
        self.completed("recipient", Place::EnvelopeRecipient, &meant).await
    }

    /// Everybody whom an address stands for by virtual aliases, and where each goes.
    async fn expanded(&self, sender: &Address, address: &Address, srs: Option<&Srs>) -> bool {
        let mut trail = Trail::on();
        let expanded = self.router.expand(address, &mut trail).await;
        tell(&trail);
        let recipients = match expanded {
            Ok(recipients) => recipients,
            Err(refusal) => {
                println!("  NOT EXPANDED: {} {}", refusal.status(), refusal.log_text());
                return false;
            }
        };
        let mut fine = true;
        for one in recipients {
            if one != *address {
                println!("  virtual alias of <{}>", one.external());
            }
            fine &= self.stop(sender, &one, one != *address, srs).await;
        }
        fine
    }

    /// An envelope address as cleanup leaves it: completed, and through canonical tables and masquerading.
    async fn completed(&self, what: &str, place: Place, address: &Address) -> Result<Address, ()> {
        let full = self.router.rewrite(Context::Local, address);
        if full != *address {
            let origin = self.view.get("myorigin");
            println!("  {what} rewritten to <{}> (myorigin = {origin})", full.external());
        }
        let mut trail = Trail::on();
        let found = self.router.canonical(place, &full, &mut trail).await;
        tell(&trail);
        match found {
            Ok(found) => {
                if found != full {
                    println!("  {what} replaced by <{}>", found.external());
                }
                Ok(found)
            }
            Err(trouble) => {
                println!("  NOT REWRITTEN NOW: {trouble}");
                Err(())
            }
        }
    }

    /// Who gets a copy without being named.
    async fn copies(&self, sender: &Address, recipient: &Address) -> Result<Vec<Address>, ()> {
        let mut copies = Vec::new();
        let always = self.view.get("always_bcc");
        if !always.is_empty() {
            println!("  always_bcc: a copy for <{always}>");
            copies.push(always.as_str().into());
        }
        let mut trail = Trail::on();
        let found = [
            if sender.is_null() { Ok(None) } else { self.router.sender_copy(sender, &mut trail).await },
            self.router.recipient_copy(recipient, &mut trail).await,
        ];
        tell(&trail);
        for copy in found {
            match copy {
                Ok(Some(copy)) => {
                    println!("  a copy for <{}>", copy.external());
                    copies.push(copy);
                }
                Ok(None) => {}
                Err(trouble) => {
                    not_now(&trouble);
                    return Err(());
                }
            }
        }
        Ok(copies)
    }

    /// Where one recipient goes. `away`: it is not the one the client named.
    async fn stop(&self, sender: &Address, one: &Address, away: bool, srs: Option<&Srs>) -> bool {
        let mut trail = Trail::on();
        let stop = match self.router.resolve(sender, one, &mut trail).await {
            Ok(stop) => stop,
            Err(refusal) => {
                tell(&trail);
                println!("  NOT ROUTED: {} {}", refusal.status(), refusal.log_text());
                return false;
            }
        };
        let listing = self.router.listed_recipient(one, &stop, &mut trail).await;
        tell(&trail);
        println!(
            "  <{}>: class {:?}, transport {}, next hop {}",
            one.external(),
            stop.class,
            stop.transport,
            if stop.nexthop.is_empty() { "-" } else { &stop.nexthop }
        );
        if let Some(srs) = srs.filter(|srs| away || srs.always())
            && stop.class == DomainClass::Default
            && let Some(other) = srs.forward(sender.as_str(), now())
            && self.is_foreign(sender).await
        {
            println!("  forwarded mail of <{}> leaves as <{other}>", sender.external());
        }
        match listing {
            Ok(Listing::Listed) => self.agent(sender, one, &stop).await,
            Ok(Listing::Unknown(class)) => {
                println!("  NO SUCH RECIPIENT: not in the tables of class {class:?}");
                false
            }
            Ok(Listing::Refused) => {
                println!("  REFUSED BY TRANSPORT: {}", stop.nexthop);
                false
            }
            Err(trouble) => not_now(&trouble),
        }
    }

    /// What the delivery agent asks tables for.
    async fn agent(&self, sender: &Address, one: &Address, stop: &Stop) -> bool {
        let service = self.config.master.services.iter().find(|service| service.name == stop.transport);
        let Some(service) = service else { return true };
        let view = self.config.view.with_overrides(&service.overrides);
        match service.command.as_str() {
            "local" => self.aliases(&view, one).await,
            kind @ ("smtp" | "lmtp") => {
                let parameter = format!("{kind}_generic_maps");
                let maps = match self.tables.maps(&parameter, &view.get(&parameter)) {
                    Ok(maps) => maps,
                    Err(fault) => return not_now(&fault),
                };
                for (what, address) in [("sender", sender), ("recipient", one)] {
                    let mut trail = Trail::on();
                    let extension = self.router.extension("generic");
                    let found = self.router.map(&maps, address, extension, &mut trail).await;
                    tell(&trail);
                    match found {
                        Ok(Some(found)) => println!("  {what} leaves as <{}>", found.external()),
                        Ok(None) => {}
                        Err(trouble) => return not_now(&trouble),
                    }
                }
                true
            }
            _ => true,
        }
    }

    /// Follows `alias_maps` to everything that a local name stands for.
    async fn aliases(&self, view: &View, one: &Address) -> bool {
        let maps = match self.tables.maps_with("alias_maps", &view.get("alias_maps"), Keys::LITERAL) {
            Ok(maps) => maps,
            Err(fault) => return not_now(&fault),
        };
        let delimiters = view.get("recipient_delimiter");
        let mut seen: Vec<String> = Vec::new();
        let mut names = vec![one.local().to_lowercase()];
        while let Some(name) = names.pop() {
            if seen.contains(&name) || seen.len() == ALIASES {
                continue;
            }
            let base =
                name.find(|c| delimiters.contains(c)).map(|at| &name[..at]).filter(|base| !base.is_empty());
            let mut value = None;
            for key in [Some(name.as_str()), base].into_iter().flatten() {
                match self.alias(&maps, key).await {
                    Ok(None) => {}
                    Ok(found) => {
                        value = found;
                        break;
                    }
                    Err(trouble) => return not_now(&trouble),
                }
            }
            seen.push(name);
            let tokens = mail::addresses::parse(value.unwrap_or_default().as_bytes(), 0);
            for entry in mail::addresses::mailboxes(&tokens) {
                let entry = Address::from(String::from_utf8_lossy(entry.internal()).into_owned());
                // Files, commands and lists in files stand for themselves; other domains have a way of their own.
                let own = entry.domain().is_none() && !entry.as_str().starts_with(['/', '|', '~', ':']);
                if own {
                    names.push(entry.as_str().to_lowercase());
                }
            }
        }
        true
    }

    async fn alias(&self, maps: &Maps, name: &str) -> Result<Option<String>, mail::Trouble> {
        if maps.is_empty() {
            return Ok(None);
        }
        let found = maps.find(name).await?;
        let mut trail = Trail::on();
        route::note(&mut trail, maps, name, found.as_ref());
        tell(&trail);
        Ok(found.map(|found| found.value))
    }

    /// Is it of a domain that is not ours?
    async fn is_foreign(&self, sender: &Address) -> bool {
        let Some(domain) = sender.domain() else { return false };
        matches!(self.router.class(domain, &mut Trail::off()).await, Ok(DomainClass::Default))
    }
}

/// A table that cannot be asked: mail would wait for it. Gives that the way has no end.
fn not_now(trouble: &dyn std::fmt::Display) -> bool {
    println!("  NOT KNOWN NOW: {trouble}");
    false
}
