//! `table:mysql:/etc/postfix/passwords.cf`: any look-up table of Postfix's, whose values are passwords as stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mail::Trouble;
use tables::{Maps, Settings, Tables};

use super::{Clock, Kind, Opening, PassDb, Request, Row, Secret, elsewhere};
use crate::{Boxed, Fields};

/// The kind.
pub const KIND: Kind = Kind {
    name: "table",
    doc: "A look-up table, such as mysql:, pgsql:, ldap: or hash:, whose values are passwords as stored.",
    passdb: Some(|opening| Ok(Arc::new(open(opening)?))),
    userdb: None,
};

struct Table {
    tables: Tables,
    maps: Maps,
    scheme: String,
    clock: Clock,
    /// When files were looked at last.
    looked: AtomicU64,
}

fn open(opening: &Opening<'_>) -> Result<Table, String> {
    opening.only(&["scheme"])?;
    if opening.argument.is_empty() {
        return Err(
            "a table is expected behind the colon, such as table:hash:/etc/postfix/passwords".to_owned()
        );
    }
    let tables = Tables::new(Settings { program: "auth", utf8: true, ..Settings::default() });
    let maps = tables.maps("passdb", opening.argument).map_err(|fault| fault.to_string())?;
    if let Some(fault) = maps.faults().first() {
        return Err(fault.to_string());
    }
    let (scheme, clock) = (opening.option("scheme", "CRYPT"), opening.clock.clone());
    Ok(Table { tables, maps, scheme, clock, looked: AtomicU64::new(0) })
}

impl Table {
    /// Once a second at most, tables are read again whose files have changed.
    async fn refresh(&self) -> Result<(), Trouble> {
        let now = (self.clock)();
        if self.looked.swap(now, Ordering::Relaxed) == now {
            return Ok(());
        }
        let tables = self.tables.clone();
        elsewhere(move || {
            tables.refresh();
            Ok(())
        })
        .await
    }
}

impl PassDb for Table {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Row>, Trouble>> {
        Box::pin(async move {
            self.refresh().await?;
            let found = self.maps.find(request.user).await?;
            Ok(found.map(|found| Row { password: Some(Secret(found.value)), fields: Fields::default() }))
        })
    }

    fn default_scheme(&self) -> &str {
        &self.scheme
    }
}
