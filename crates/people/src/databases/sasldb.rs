//! `sasldb[:/etc/sasldb2]`: the file that saslpasswd2(8) of Cyrus SASL keeps, with passwords in clear.

use std::path::PathBuf;
use std::sync::Arc;

use mail::Trouble;
use tables::bdb::Reader;

use super::{Kind, Opening, PassDb, Request, Row, Secret, elsewhere};
use crate::{Boxed, Fields};

/// The kind.
pub const KIND: Kind = Kind {
    name: "sasldb",
    doc: "The file of saslpasswd2 (Cyrus SASL, in the format of Berkeley DB); realm= is that of names without one.",
    passdb: Some(|opening| Ok(Arc::new(open(opening)?))),
    userdb: None,
};

/// Where Cyrus SASL has it.
pub const FILE: &str = "/etc/sasldb2";

/// The file.
pub struct Sasldb {
    file: PathBuf,
    realm: String,
}

impl Sasldb {
    /// This file; `realm` is that of names without one.
    pub fn of(file: PathBuf, realm: &str) -> Sasldb {
        Sasldb { file, realm: realm.to_owned() }
    }
}

fn open(opening: &Opening<'_>) -> Result<Sasldb, String> {
    opening.only(&["realm"])?;
    let file = if opening.argument.is_empty() { PathBuf::from(FILE) } else { opening.path()? };
    Ok(Sasldb::of(file, &opening.option("realm", "")))
}

impl PassDb for Sasldb {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Row>, Trouble>> {
        let (user, realm) = request.user.rsplit_once('@').unwrap_or((request.user, &self.realm));
        let key = [user, realm, "userPassword"].join("\0");
        let file = self.file.clone();
        Box::pin(elsewhere(move || {
            // Opened each time: saslpasswd2 changes it in place, and it is small.
            let found = Reader::open(&file).and_then(|reader| reader.get(key.as_bytes()));
            let found =
                found.map_err(|error| Trouble::from_error(format!("sasldb {}", file.display()), error))?;
            let row = |password: Vec<u8>| {
                let password = String::from_utf8_lossy(&password).into_owned();
                // Never taken for the name of another scheme, whatever it begins with.
                Row { password: Some(Secret(format!("{{PLAIN}}{password}"))), fields: Fields::default() }
            };
            Ok(found.filter(|password| !password.is_empty()).map(row))
        }))
    }
}
