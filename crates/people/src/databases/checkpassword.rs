//! `checkpassword:/program`: a program with Daniel Bernstein's interface, as Dovecot runs it (see [`crate::outside`]).

use std::path::PathBuf;
use std::sync::Arc;

use mail::Trouble;

use super::{Checked, Kind, Opening, PassDb, Password, Request, elsewhere};
use crate::Boxed;
use crate::outside::{self, Job};

/// The kind.
pub const KIND: Kind = Kind {
    name: "checkpassword",
    doc: "A program that is given name and password on descriptor 3, and answers by its exit status.",
    passdb: Some(open),
    userdb: None,
};

struct CheckPassword(PathBuf);

fn open(opening: &Opening<'_>) -> Result<Arc<dyn PassDb>, String> {
    opening.only(&[])?;
    Ok(Arc::new(CheckPassword(opening.path()?)))
}

impl PassDb for CheckPassword {
    fn check<'a>(
        &'a self,
        request: &'a Request<'a>,
        password: &'a Password,
    ) -> Boxed<'a, Result<Checked, Trouble>> {
        let job = Job {
            program: Some(self.0.clone()),
            service: request.facts.service.clone(),
            user: request.user.to_owned(),
            password: password.clone(),
            remote: request.facts.remote.map(|remote| remote.to_string()).unwrap_or_default(),
        };
        Box::pin(elsewhere(move || outside::ask(&job)))
    }
}
