//! The keys under which a mail address is looked up.

use mail::Trouble;

use crate::{Found, Maps};

/// Which keys to try for an address, in the order of the fields.
///
/// The search order of virtual(5), canonical(5), access(5) and transport(5) are choices of these.
#[derive(Clone, Copy, Debug)]
pub struct AddressSearch<'a> {
    /// `recipient_delimiter`: where extensions begin. Empty: nowhere.
    pub delimiter: &'a str,
    /// `user+ext@domain`, then without the extension.
    pub full: bool,
    /// `user+ext`, then `user`, when the domain is local (`myorigin`, `mydestination`, our interfaces).
    pub user: bool,
    /// Is the domain of the address local in that sense? The caller knows.
    pub domain_is_local: bool,
    /// `user+ext@`, `user@`, which access(5) has.
    pub user_at: bool,
    /// `@domain`
    pub at_domain: bool,
    /// `domain`, and its parents in this form.
    pub domain: Option<crate::Parents>,
}

impl<'a> AddressSearch<'a> {
    /// The order of canonical(5), virtual(5), generic(5), relocated(5): full address, bare address, local
    /// user, `@domain`.
    pub fn standard(delimiter: &'a str, domain_is_local: bool) -> AddressSearch<'a> {
        AddressSearch {
            delimiter,
            full: true,
            user: true,
            domain_is_local,
            user_at: false,
            at_domain: true,
            domain: None,
        }
    }
}

impl Maps {
    /// Looks up an address in internal form. The quoted form is asked first, then the unquoted one where it
    /// differs, as Postfix does since 3.2.
    pub async fn find_address(
        &self,
        address: &str,
        search: AddressSearch<'_>,
    ) -> Result<Option<Found>, Trouble> {
        let _ = (address, search);
        todo!()
    }
}
