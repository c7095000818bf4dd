//! The face of the room: everything one configuration says about addresses.

use std::net::IpAddr;

use conf::{Block, Mistake, View};
use mail::{Address, Refusal, Trail, Trouble, addresses};
use tables::{Maps, Tables};

use crate::bcc::{self, Copies};
use crate::canonical::{self, Canonical};
use crate::classes::Classes;
use crate::header_clients::HeaderClients;
use crate::listed::{Recipients, Role};
use crate::mapping::Mapper;
use crate::open::Opener;
use crate::params;
use crate::resolve::Resolver;
use crate::rewrite::{Rewriter, text};
use crate::virtual_alias::VirtualAliases;
use crate::{ClientFacts, Context, DomainClass, Extension, Listing, Place, Stop};

/// One configuration's knowledge of addresses. Cheap to share in an `Arc`; never changes.
pub struct Router {
    mapper: Mapper,
    canonical: Canonical,
    aliases: VirtualAliases,
    copies: Copies,
    recipients: Recipients,
    resolver: Resolver,
    probe: Resolver,
    header_clients: HeaderClients,
    settings: params::Canonical,
}

impl Router {
    /// Reads the parameters of this room and opens their tables.
    ///
    /// `own` are the addresses behind `inet_interfaces` and `proxy_interfaces`; finding them out is I/O that this
    /// room does not do.
    pub fn new(view: &View, tables: &Tables, own: Vec<IpAddr>, mistakes: &mut Vec<Mistake>) -> Router {
        let settings = params::Canonical::read(view, mistakes);
        let rewriter = Rewriter::new(view, mistakes);
        let mut opener = Opener { view, tables, mistakes };
        let header_clients = HeaderClients::new(&mut opener, &rewriter.settings.local_header_rewrite_clients);
        let classes = Classes::new(&mut opener, own);
        Router {
            canonical: Canonical::new(&mut opener),
            aliases: VirtualAliases::new(&mut opener, canonical::extension(&settings, "virtual")),
            copies: Copies::new(&mut opener),
            recipients: Recipients::new(&mut opener),
            resolver: Resolver::new(&mut opener, ""),
            probe: Resolver::new(&mut opener, "address_verify_"),
            header_clients,
            mapper: Mapper { rewriter, classes, delimiter: view.get("recipient_delimiter") },
            settings,
        }
    }

    /// The same knowledge with the settings of another service, such as a second cleanup with `-o`.
    pub fn of_service(&self, view: &View, tables: &Tables, mistakes: &mut Vec<Mistake>) -> Router {
        Router::new(view, tables, self.mapper.classes.own().to_vec(), mistakes)
    }

    /// Completes an address as trivial-rewrite does; internal form in and out. Asks no table.
    pub fn rewrite(&self, context: Context, address: &Address) -> Address {
        self.mapper.rewriter.rewrite(context, address)
    }

    /// The same for an address in a header, in external form, of any bytes.
    pub fn rewrite_header(&self, context: Context, external: &[u8]) -> Vec<u8> {
        self.mapper.rewriter.rewrite_external(context, external)
    }

    /// Are header addresses completed at all in this context (`remote_header_rewrite_domain`)?
    pub fn rewrites(&self, context: Context) -> bool {
        self.mapper.rewriter.rewrites(context)
    }

    /// The context for the headers of a client's mail (`local_header_rewrite_clients`).
    pub async fn header_context(&self, client: &ClientFacts, trail: &mut Trail) -> Result<Context, Trouble> {
        self.header_clients.context(&self.mapper.classes, client, trail).await
    }

    /// Can canonical tables or masquerading change an address in this place? If not, no need to ask.
    pub fn has_canonical(&self, place: Place) -> bool {
        self.canonical.touches(place)
    }

    /// Puts a completed envelope address through canonical tables and masquerading.
    pub async fn canonical(
        &self,
        place: Place,
        address: &Address,
        trail: &mut Trail,
    ) -> Result<Address, Trouble> {
        if !self.has_canonical(place) {
            return Ok(address.clone());
        }
        let external = text(addresses::quote(address.as_str().as_bytes()));
        let changed = self.canonical.apply(&self.mapper, place, &external, trail).await?;
        Ok(text(addresses::unquote(changed.as_bytes())).into())
    }

    /// The same for a header address in external form.
    pub async fn canonical_header(
        &self,
        place: Place,
        external: &str,
        trail: &mut Trail,
    ) -> Result<String, Trouble> {
        self.canonical.apply(&self.mapper, place, external, trail).await
    }

    /// Every recipient that a recipient stands for by `virtual_alias_maps`; itself when it is no alias.
    ///
    /// A failing table, and an expansion beyond the limits (4.6.0), are temporary.
    pub async fn expand(&self, recipient: &Address, trail: &mut Trail) -> Result<Vec<Address>, Refusal> {
        self.aliases.expand(&self.mapper, recipient, trail).await
    }

    /// `sender_bcc_maps`: who gets a copy of this sender's mail.
    pub async fn sender_copy(&self, sender: &Address, trail: &mut Trail) -> Result<Option<Address>, Trouble> {
        bcc::copy_of(&self.mapper, &self.copies.sender, sender, trail).await
    }

    /// `recipient_bcc_maps`: who gets a copy of this recipient's mail.
    pub async fn recipient_copy(
        &self,
        recipient: &Address,
        trail: &mut Trail,
    ) -> Result<Option<Address>, Trouble> {
        bcc::copy_of(&self.mapper, &self.copies.recipient, recipient, trail).await
    }

    /// The next stop of `recipient`, which is rewritten already. `sender` is asked for `sender_dependent_*`.
    ///
    /// The only refusal is a table that fails: temporary. A malformed address is a [`Stop`] that says so.
    pub async fn resolve(
        &self,
        sender: &Address,
        recipient: &Address,
        trail: &mut Trail,
    ) -> Result<Stop, Refusal> {
        self.resolver.resolve(&self.mapper, sender, recipient, trail).await
    }

    /// The same with the `address_verify_*` parameters, for probes.
    pub async fn resolve_probe(
        &self,
        sender: &Address,
        recipient: &Address,
        trail: &mut Trail,
    ) -> Result<Stop, Refusal> {
        self.probe.resolve(&self.mapper, sender, recipient, trail).await
    }

    /// The class of a domain or address literal.
    pub async fn class(&self, domain: &str, trail: &mut Trail) -> Result<DomainClass, Trouble> {
        self.mapper.classes.class(domain, trail).await
    }

    /// Is `address` one of our interfaces or of the proxies before us?
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.mapper.classes.is_own(address)
    }

    /// Is the recipient that resolved to `stop` listed in the tables of its class?
    pub async fn listed_recipient(
        &self,
        _recipient: &Address,
        stop: &Stop,
        trail: &mut Trail,
    ) -> Result<Listing, Trouble> {
        let replaced = (&self.canonical, &self.aliases);
        self.recipients.look_up(&self.mapper, replaced, Role::Recipient, stop, trail).await
    }

    /// The same for a sender (`reject_unlisted_sender`, `smtpd_reject_unlisted_sender`).
    pub async fn listed_sender(
        &self,
        _sender: &Address,
        stop: &Stop,
        trail: &mut Trail,
    ) -> Result<Listing, Trouble> {
        let replaced = (&self.canonical, &self.aliases);
        self.recipients.look_up(&self.mapper, replaced, Role::Sender, stop, trail).await
    }

    /// Replaces an address by the first one a table names for it, with the keys of canonical(5): generic(5) maps
    /// of the SMTP client and their like. Internal form in and out.
    pub async fn map(
        &self,
        maps: &Maps,
        address: &Address,
        extension: Extension,
        trail: &mut Trail,
    ) -> Result<Option<Address>, Trouble> {
        let mapped = self.mapper.map_one(maps, address.as_str(), extension, trail).await?;
        Ok(mapped.map(Address::from))
    }

    /// Whether `propagate_unmatched_extensions` names a kind: `generic`, `alias`, `forward`, `include`.
    pub fn extension(&self, kind: &str) -> Extension {
        canonical::extension(&self.settings, kind)
    }
}
