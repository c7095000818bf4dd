//! What all sessions on a mailbox share.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{Name, View, Watch};

/// An open mailbox without its account.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: i64,
    pub(crate) watch: Watch,
    now: Mutex<(Name, Arc<View>)>,
}

impl Shared {
    pub(crate) fn new(id: i64, name: Name, view: View) -> Shared {
        Shared { id, watch: Watch::new(), now: Mutex::new((name, Arc::new(view))) }
    }

    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.now.lock().unwrap_or_else(PoisonError::into_inner).1)
    }

    pub(crate) fn name(&self) -> Name {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    pub(crate) fn rename(&self, name: Name) {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).0 = name;
    }

    /// Puts a newer view in place and wakes those who wait, if there is anything to tell them.
    pub(crate) fn publish(&self, view: View) {
        let was =
            std::mem::replace(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner).1, Arc::new(view));
        let now = self.view();
        if (was.modseq, was.uidnext, was.gone) != (now.modseq, now.uidnext, now.gone) {
            self.watch.ring();
        }
    }

    /// The mailbox has been deleted.
    pub(crate) fn close(&self) {
        let mut view = View::clone(&self.view());
        view.gone = true;
        self.publish(view);
    }
}
