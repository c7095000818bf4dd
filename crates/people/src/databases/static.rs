//! `static`: the same for everybody.

use std::sync::Arc;

use mail::Trouble;

use super::{Kind, Opening, PassDb, Request, Row, Secret, UserDb, has_port};
use crate::expand::{check, expand};
use crate::{Boxed, Fields};

/// The kind.
pub const KIND: Kind = Kind {
    name: "static",
    doc: "The fields given as options, for every user, with % variables.",
    passdb: Some(passdb),
    userdb: Some(userdb),
};

struct Static(Fields);

fn read(opening: &Opening<'_>) -> Result<Static, String> {
    // As Dovecot's args, fields may also stand behind the colon, divided by blanks.
    let mut fields: Fields = opening
        .argument
        .split_ascii_whitespace()
        .map(|word| word.split_once('=').unwrap_or((word, "yes")))
        .collect();
    fields.extend(opening.options);
    for (name, value) in fields.iter() {
        check(value).map_err(|wrong| format!("{name}: {wrong}"))?;
    }
    Ok(Static(fields))
}

fn passdb(opening: &Opening<'_>) -> Result<Arc<dyn PassDb>, String> {
    let read = read(opening)?;
    if read.0.get("password").is_none() && !read.0.is_on("nopassword") {
        return Err("password=... or nopassword=yes is needed".to_owned());
    }
    Ok(Arc::new(read))
}

fn userdb(opening: &Opening<'_>) -> Result<Arc<dyn UserDb>, String> {
    Ok(Arc::new(read(opening)?))
}

impl Static {
    fn fill(&self, request: &Request<'_>) -> Result<Fields, Trouble> {
        let vars = request.vars();
        let mut filled = Fields::default();
        for (name, value) in self.0.iter() {
            let value = expand(value, &vars, &str::to_owned)
                .map_err(|wrong| Trouble::new(format!("static: {name}: {wrong}")))?;
            filled.set(name, value);
        }
        Ok(filled)
    }
}

impl PassDb for Static {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Row>, Trouble>> {
        let row = self.fill(request).map(|mut fields| {
            let password = fields.remove("password").map(Secret);
            Some(Row { password, fields })
        });
        Box::pin(std::future::ready(row))
    }

    fn asks_port(&self) -> bool {
        self.0.iter().any(|(_, value)| has_port(value))
    }
}

impl UserDb for Static {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Fields>, Trouble>> {
        let fields = self.fill(request).map(|mut fields| {
            fields.remove("allow_all_users");
            Some(fields)
        });
        Box::pin(std::future::ready(fields))
    }
}
