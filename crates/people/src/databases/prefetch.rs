//! `prefetch`: what the password database said in `userdb_*` fields.

use std::sync::Arc;

use mail::Trouble;

use super::{Kind, Opening, Request, UserDb};
use crate::{Boxed, Fields};

/// The kind.
pub const KIND: Kind = Kind {
    name: "prefetch",
    doc: "The userdb_* fields of the password database, where the login brought any.",
    passdb: None,
    userdb: Some(open),
};

struct Prefetch;

fn open(opening: &Opening<'_>) -> Result<Arc<dyn UserDb>, String> {
    opening.only(&[])?;
    Ok(Arc::new(Prefetch))
}

impl UserDb for Prefetch {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Fields>, Trouble>> {
        let fields = request.fields.of_userdb();
        Box::pin(std::future::ready(Ok((!fields.is_empty()).then_some(fields))))
    }
}
