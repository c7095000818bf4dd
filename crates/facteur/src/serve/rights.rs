//! Who may look into the queue, flush it, or change it.

use conf::View;
use nix::unistd::{Uid, User, getuid};
use queue::control::{Policy, Right};
use tables::{List, Parents, Tables};
use tokio::runtime::Handle;

/// `authorized_mailq_users`, `authorized_flush_users`, `fast_flush_domains`.
pub struct Rights {
    mailq: List,
    flush: List,
    sites: List,
    owner: Option<Uid>,
    /// The lists may ask tables, which may wait: the tools' thread waits with them.
    runtime: Handle,
}

impl Rights {
    /// Reads them. A list that cannot be opened lets nobody in but root; checking the configuration tells of it.
    pub fn new(view: &View, tables: &Tables) -> Rights {
        let none =
            |parameter: &str| tables.string_list(parameter, "").expect("an empty list can always be opened");
        let users = |parameter: &str| {
            tables.string_list(parameter, &view.get(parameter)).unwrap_or_else(|_| none(parameter))
        };
        let sites = "fast_flush_domains";
        let parents = view.get("parent_domain_matches_subdomains");
        let parents = parents.split([',', ' ', '\t', '\n']).any(|word| word == sites);
        let parents = if parents { Parents::Match } else { Parents::Dotted };
        Rights {
            mailq: users("authorized_mailq_users"),
            flush: users("authorized_flush_users"),
            sites: tables.domain_list(sites, &view.get(sites), parents).unwrap_or_else(|_| none(sites)),
            owner: User::from_name(&view.get("mail_owner")).ok().flatten().map(|user| user.uid),
            runtime: Handle::current(),
        }
    }

    fn lists(&self, list: &List, name: &str) -> bool {
        match self.runtime.block_on(list.matches(name)) {
            Ok(found) => found,
            Err(trouble) => {
                log::warn!(target: "showq", "{}: {trouble}", list.parameter());
                false
            }
        }
    }
}

impl Policy for Rights {
    fn may(&self, uid: u32, right: Right) -> bool {
        let uid = Uid::from_raw(uid);
        if uid.is_root() || uid == getuid() || Some(uid) == self.owner {
            return true;
        }
        let list = match right {
            Right::List => &self.mailq,
            Right::Flush => &self.flush,
            Right::Administer => return false,
        };
        let user = User::from_uid(uid).ok().flatten();
        self.lists(list, user.as_ref().map_or("unknown", |user| user.name.as_str()))
    }

    fn is_flushed(&self, site: &str) -> bool {
        self.lists(&self.sites, site)
    }
}
