//! Is this recipient, or sender, listed? `reject_unlisted_recipient` and `reject_unlisted_sender`.

use mail::{Trail, Trouble};
use tables::Maps;

use crate::canonical::Canonical;
use crate::mapping::Mapper;
use crate::open::Opener;
use crate::transport::is_error;
use crate::virtual_alias::VirtualAliases;
use crate::{DomainClass, Stop};

/// What the tables of its domain say of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// It exists, or its class has no table that lists addresses.
    Listed,
    /// The tables of this class were asked and do not have it: 5.1.1 (5.1.0 for a sender), "User unknown in …
    /// table" as [`Listing::table`] says.
    Unknown(DomainClass),
    /// It leads to an `error` or `retry` transport, whose text is the next hop of its [`Stop`].
    Refused,
}

impl Listing {
    /// The table that does not have it, as `show_user_unknown_table_name` names it.
    pub fn table(self) -> Option<&'static str> {
        let Listing::Unknown(class) = self else { return None };
        match class {
            DomainClass::Local => Some("local recipient table"),
            DomainClass::VirtualAlias => Some("virtual alias table"),
            DomainClass::VirtualMailbox => Some("virtual mailbox table"),
            DomainClass::Relay => Some("relay recipient table"),
            DomainClass::Default => None,
        }
    }
}

/// Whose address is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Sender,
    Recipient,
}

/// The tables of valid addresses of one configuration.
pub(crate) struct Recipients {
    local: Maps,
    virtual_mailbox: Maps,
    relay: Maps,
    double_bounce: String,
}

impl Recipients {
    pub fn new(opener: &mut Opener<'_>) -> Recipients {
        Recipients {
            local: opener.maps("local_recipient_maps"),
            virtual_mailbox: opener.maps("virtual_mailbox_maps"),
            relay: opener.maps("relay_recipient_maps"),
            double_bounce: opener.view.get("double_bounce_sender"),
        }
    }

    /// What the tables say of the recipient of `stop`.
    pub async fn look_up(
        &self,
        mapper: &Mapper,
        replaced: (&Canonical, &VirtualAliases),
        role: Role,
        stop: &Stop,
        trail: &mut Trail,
    ) -> Result<Listing, Trouble> {
        if stop.malformed {
            return Ok(Listing::Listed);
        }
        // Tables are asked for folded addresses, as smtpd does.
        let address = stop.recipient.as_str().to_lowercase();
        let (canonical, aliases) = replaced;
        // An address that is replaced by another one exists.
        for maps in canonical.maps().chain([&aliases.maps]) {
            let applies = role == Role::Sender || maps.parameter() != "sender_canonical_maps";
            if applies && mapper.find(maps, &address, trail).await?.is_some() {
                return Ok(Listing::Listed);
            }
        }
        let mut class = stop.class;
        let stand_in = mapper.classes.takeovers.stand_in(&address, trail)?;
        if let Some(stand_in) = &stand_in {
            let domain = mail::address::split(stand_in).1.unwrap_or_default();
            class = mapper.classes.class(domain, trail).await?;
        } else if is_error(&stop.transport) {
            return Ok(match stop.class {
                DomainClass::VirtualAlias => Listing::Unknown(stop.class),
                _ => Listing::Refused,
            });
        }
        let address = stand_in.unwrap_or(address);
        let maps = match class {
            DomainClass::Local if self.is_built_in(&address) => return Ok(Listing::Listed),
            DomainClass::Local => &self.local,
            DomainClass::VirtualMailbox => &self.virtual_mailbox,
            DomainClass::Relay => &self.relay,
            DomainClass::VirtualAlias | DomainClass::Default => return Ok(Listing::Listed),
        };
        if maps.is_empty() || mapper.find(maps, &address, trail).await?.is_some() {
            return Ok(Listing::Listed);
        }
        Ok(Listing::Unknown(class))
    }

    /// Users that exist on every site, whatever the tables say.
    fn is_built_in(&self, address: &str) -> bool {
        let user = mail::address::split(address).0;
        ["postmaster", "mailer-daemon", self.double_bounce.as_str()]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(user))
    }
}
