//! `local_login_sender_maps`: which sender addresses a user of this machine may give.

use mail::address::split_extension;
use mail::{Address, Trouble};
use tables::Maps;

/// The tables, and how they are read.
#[derive(Clone)]
pub struct LoginSenders {
    /// Lists of addresses, `@domain` and `*`, by login name.
    pub maps: Maps,
    /// What stands in these lists for the null sender.
    pub null_key: String,
    /// `recipient_delimiter`: extensions do not count.
    pub delimiter: String,
}

impl LoginSenders {
    /// May `login` (or `uid:number`) send as `sender`, as it was given?
    ///
    /// # Errors
    /// A table that cannot be asked.
    pub async fn allow(&self, login: &str, sender: &Address) -> Result<bool, Trouble> {
        let Some(found) = self.maps.find(login).await? else { return Ok(false) };
        let patterns = found.value.split([',', ' ', '\t', '\r', '\n']).filter(|pattern| !pattern.is_empty());
        if sender.is_null() {
            return Ok(patterns.into_iter().any(|pattern| pattern == "*" || pattern == self.null_key));
        }
        let (local, domain) = sender.split();
        let local = split_extension(local, &self.delimiter).map_or(local, |(user, _, _)| user);
        let bare = domain.map_or_else(|| local.to_owned(), |domain| format!("{local}@{domain}"));
        let matches = |pattern: &str| match pattern.strip_prefix('@') {
            Some(wanted) => domain.is_some_and(|domain| domain.eq_ignore_ascii_case(wanted)),
            None => pattern == "*" || pattern.eq_ignore_ascii_case(&bare),
        };
        Ok(patterns.into_iter().any(matches))
    }
}

#[cfg(test)]
mod tests {
    use tables::{Settings, Tables};

    use super::*;

    #[tokio::test]
    async fn a_user_sends_as_the_tables_say() {
        let text = "inline:{{root=*} {joe=joe, joe@x.test @own.test} {list=<>} {uid:77=a@x.test}}";
        let maps = Tables::new(Settings::default()).maps("local_login_sender_maps", text).unwrap();
        let senders = LoginSenders { maps, null_key: "<>".to_owned(), delimiter: "+".to_owned() };
        for (login, sender, allowed) in [
            ("root", "anybody@y.test", true),
            ("root", "", true),
            ("joe", "joe", true),
            ("joe", "JOE+tag@X.test", true),
            ("joe", "info@own.test", true),
            ("joe", "info@sub.own.test", false),
            ("joe", "", false),
            ("list", "", true),
            ("list", "list", false),
            ("uid:77", "a@x.test", true),
            ("stranger", "stranger", false),
        ] {
            assert_eq!(senders.allow(login, &sender.into()).await.unwrap(), allowed, "{login} as <{sender}>");
        }
    }
}
