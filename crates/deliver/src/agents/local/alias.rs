//! aliases(5): `alias_maps`.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use mail::{Address, Blame, Class, Detail, Recipient, Refusal};
use route::Context;

use super::user;
use super::walk::{At, List, Walk};
use crate::Purpose;

impl Walk<'_> {
    /// Expands `name` when it is an alias. False when it is none.
    pub async fn alias(&mut self, at: &At, name: &str) -> bool {
        let rules = self.rules;
        if at.expanded_from.as_ref().is_some_and(|from| from.eq_ignore_ascii_case(name)) {
            return false;
        }
        let found = match rules.aliases.find(name).await {
            Ok(Some(found)) => found,
            Ok(None) => return false,
            Err(trouble) => {
                log::warn!(target: &rules.program, "{trouble}");
                let text = "alias database unavailable";
                self.settle(at, Refusal::later(51, Detail(3, 0), Blame::Ourselves, text));
                return true;
            }
        };
        if self.request.purpose == Purpose::Verify {
            self.sent(at, format!("aliased to {}", found.value));
            return true;
        }
        let mut inner = at.clone();
        inner.list = List::Alias;
        inner.expanded_from = Some(name.to_owned());
        inner.account = match self.database_owner(&found.table).await {
            Ok(account) => account,
            Err(refusal) => {
                self.settle(at, refusal);
                return true;
            }
        };
        let mut owned = false;
        match self.list_owner(name).await {
            Ok(Some(owner)) => {
                owned = true;
                inner.sender = owner.clone();
                // The list answers for its members: what they were called ends here (RFC 3461 5.2.7.3).
                let recipient = &mut inner.recipient;
                *recipient = Recipient {
                    address: recipient.address.clone(),
                    notify: recipient.notify,
                    ..Recipient::default()
                };
                inner.owner = Some(owner.as_str().to_owned());
            }
            Ok(None) if rules.params.reset_owner_alias => inner.owner = None,
            Ok(None) => {}
            Err(refusal) => {
                self.settle(at, refusal);
                return true;
            }
        }
        if !rules.params.frozen_delivered_to {
            inner.delivered = Some(at.recipient.address.clone());
        }
        self.expanded(at, &mut inner, owned);
        if self.tokens(&Arc::new(inner), found.value.as_bytes()) == 0 {
            let shown = mail::logline::printable(name);
            log::warn!(target: &rules.program, "no recipient in alias lookup result for {shown}");
            self.misconfigured(at, Class::Later);
        }
        true
    }

    /// `owner-name`, when there is such an alias: failures are told to it.
    async fn list_owner(&self, name: &str) -> Result<Option<Address>, Refusal> {
        let rules = self.rules;
        if !rules.owner_special {
            return Ok(None);
        }
        let owner = format!("owner-{name}");
        let Some(found) = rules.aliases.find(&owner).await? else { return Ok(None) };
        let text = if rules.params.expand_owner_alias { found.value } else { owner };
        let tokens = mail::addresses::parse(text.as_bytes(), 0);
        let first = mail::addresses::mailboxes(&tokens).next().map(|mailbox| mailbox.internal().to_vec());
        let first = Address::from(String::from_utf8_lossy(&first.unwrap_or_default()).into_owned());
        Ok(Some(rules.router.rewrite(Context::Local, &first)))
    }

    /// The user who owns the alias file: commands and files are delivered with his rights, and with those of
    /// `default_privs` when root owns it.
    async fn database_owner(&self, table: &str) -> Result<Option<user::Account>, Refusal> {
        let name = table.strip_prefix("proxy:").unwrap_or(table);
        let Some(path) = name.split_once(':').map(|(_, path)| path).filter(|path| path.starts_with('/'))
        else {
            return Ok(None);
        };
        let candidates = [path.to_owned(), format!("{path}.lmdb"), format!("{path}.db")];
        let owner = self.rules.crew.run(move || {
            candidates.iter().find_map(|path| std::fs::metadata(Path::new(path)).ok().map(|meta| meta.uid()))
        });
        let Some(Some(uid)) = owner.await else { return Ok(None) };
        if uid == 0 || uid == nix::unistd::geteuid().as_raw() {
            return Ok(None);
        }
        user::by_id(self.rules, uid).await?.map(Some).ok_or_else(|| {
            log::warn!(target: &self.rules.program, "cannot find alias database owner for {table}: uid {uid}");
            Refusal::later(51, Detail(3, 0), Blame::Admin, "cannot find alias database owner")
        })
    }
}
