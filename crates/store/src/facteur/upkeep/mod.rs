//! Looking after an account: is it whole, make it whole, save it, and get rid of what nobody needs.

mod backup;
pub(super) mod compact;
mod export;
mod repair;
mod verify;

use std::path::Path;
use std::sync::Arc;

pub use backup::backup;
pub use export::{Exported, export};
pub use repair::{Repaired, repair};
pub use verify::{Verified, verify};

use super::account::FacteurAccount;
use super::disk::RealDisk;
use crate::{Clock, Error, Owner, Result, Settings};

/// Bytes freed by putting together what is still needed of old body files.
///
/// # Errors
/// When the account cannot be opened, or written to; nothing is lost then.
pub fn compact(root: &Path, clock: Clock) -> Result<u64> {
    account(root, clock)?.compact()
}

/// The account in a directory, apart from those that are open.
fn account(root: &Path, clock: Clock) -> Result<Arc<FacteurAccount>> {
    if !root.join("bodies").is_dir() && !super::catalogue::path(root).exists() {
        let error = std::io::Error::new(std::io::ErrorKind::NotFound, "no mailboxes of kind facteur: here");
        return Err(Error::io("open", root, error));
    }
    let owner = Owner::named(&root.to_string_lossy());
    Ok(FacteurAccount::new(&Arc::new(Settings::plain(clock)), root, &owner, Arc::new(RealDisk)))
}
