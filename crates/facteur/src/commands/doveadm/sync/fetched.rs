//! What `doveadm import` takes from another host: one mailbox after the other, by way of a store that lasts no longer.

use std::sync::Arc;

use store::{Limits, Location, Owner, Settings, close_idle, open_account};

use super::super::Call;
use super::super::FAILED;
use super::super::account::{self, Reader};
use super::super::whom::{Done, Error};
use super::plan::Mode;
use super::remote::{self, Remote};
use super::side::{Local, Side};
use super::{IMPOSSIBLE, Part, mailbox};

/// Shows each mailbox of a user on another host (`imapc:`) as one of an account here.
pub(in super::super) fn each(
    call: &Call,
    reader: &Reader,
    user: &str,
    mut work: impl FnMut(&Reader) -> Done,
) -> Done {
    let settings = remote::Settings::read(&call.settings, user);
    let mut there = Remote::open(&settings.map_err(|text| Error { status: IMPOSSIBLE, text })?)?;
    for found in there.folders()? {
        let place = tempfile::Builder::new().prefix("facteur-import-").tempdir();
        let failed = |what: String| Error { status: FAILED, text: format!("A place for the mail: {what}") };
        let place = place.map_err(|error| failed(error.to_string()))?;
        let location = Location::parse(&format!("facteur:{}", place.path().display())).map_err(failed)?;
        let owner = Owner { limits: Some(Limits::default()), ..reader.store.owner().clone() };
        let store = open_account(&Arc::new(Settings::plain(account::now)), &location, &owner)
            .map_err(|error| failed(error.to_string()))?;
        let mut here = Local::new(store.clone());
        if !found.name.is_inbox() {
            here.create(&found)?;
        }
        mailbox(&mut there, &mut here, &found, Mode::Backup, &Part::default())?;
        work(&reader.beside(store))?;
        drop(here);
        close_idle();
    }
    Ok(())
}
