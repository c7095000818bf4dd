//! The kinds of store. To add one: a file here, and a line in [`BACKENDS`].

use std::sync::Arc;

use crate::{Account, Kind, Owner, Place, Result, Settings};

/// Opens the account of an owner at a place.
pub type OpenAt = fn(&Arc<Settings>, &Place, &Owner) -> Result<Arc<dyn Account>>;

/// A kind of store.
pub struct Backend {
    /// Its name in `mail_location`.
    pub kind: Kind,
    /// Opens the account at a place, and makes it if it is not there.
    pub open: OpenAt,
}

/// Every kind there is.
pub const BACKENDS: &[Backend] = &[crate::facteur::BACKEND, crate::maildir::BACKEND, crate::mbox::BACKEND];
