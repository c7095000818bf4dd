//! What the parent grants: plain values that it has read from the configuration itself.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, User};

/// User and group of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id, the only one.
    pub gid: u32,
}

/// What a configuration allows.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Files that the configuration names; the compiled forms of tables beside them count as named.
    pub files: HashSet<PathBuf>,
    /// Those of them that every process may read: main.cf, master.cf and their parts.
    pub configuration: HashSet<PathBuf>,
    /// Directories whose files may be opened: the maildrop.
    pub drops: Vec<PathBuf>,
    /// Ports of master.cf.
    pub ports: HashSet<u16>,
    /// Users and groups that the configuration names: `default_privs`, `user=` of pipe services.
    pub named: HashSet<Identity>,
    /// Groups that users may deliver with: the mail spool's.
    pub groups: HashSet<u32>,
    /// Least user id of virtual mailboxes; these users need no account.
    pub virtual_from: Option<u32>,
    /// `chroot=` of pipe services.
    pub roots: HashSet<PathBuf>,
    /// Are logins checked by PAM or by programs?
    pub checks: bool,
    /// Who may have a keeper.
    pub keepers: Keeping,
    /// Sockets of services whose sessions are in a keeper.
    pub sockets: HashSet<PathBuf>,
    /// The mail spool, where `mail_privileged_group` may make lock files.
    pub spool: Option<PathBuf>,
}

/// Whose mailboxes may be kept, and by how many processes.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// `first_valid_uid` to `last_valid_uid`.
    pub uids: RangeInclusive<u32>,
    /// `first_valid_gid` to `last_valid_gid`.
    pub gids: RangeInclusive<u32>,
    /// Those that the configuration names: `mail_owner`, `mail_uid`.
    pub named: HashSet<Identity>,
    /// `mail_access_groups`: all keepers are members.
    pub groups: Vec<u32>,
    /// Processes at once.
    pub most: usize,
}

impl Default for Keeping {
    /// Nobody: root never may.
    fn default() -> Keeping {
        Keeping { uids: 0..=0, gids: 0..=0, named: HashSet::new(), groups: Vec::new(), most: 0 }
    }
}

impl Rules {
    /// May this file be read?
    pub fn may_open(&self, path: &Path) -> bool {
        if !path.is_absolute() || path.components().any(|part| part.as_os_str() == "..") {
            return false;
        }
        let compiled =
            path.extension().is_some_and(|end| ["lmdb", "db", "cdb"].iter().any(|known| end == *known));
        self.files.contains(path)
            || (compiled && self.files.contains(&path.with_extension("")))
            || path.parent().is_some_and(|parent| self.drops.iter().any(|drop| drop == parent))
    }

    /// May this port be listened on?
    pub fn may_listen(&self, address: SocketAddr) -> bool {
        self.ports.contains(&address.port())
    }

    /// May this socket be listened on?
    pub fn may_serve(&self, path: &Path) -> bool {
        self.sockets.contains(path)
    }

    /// May mailboxes be kept with these rights? Never with root's.
    pub fn may_keep(&self, who: Identity) -> bool {
        let keepers = &self.keepers;
        let valid = keepers.uids.contains(&who.uid) && keepers.gids.contains(&who.gid);
        who.uid != 0 && who.gid != 0 && (valid || keepers.named.contains(&who))
    }

    /// Is this the name of a lock file in the mail spool?
    pub fn may_lock(&self, path: &Path) -> bool {
        path.file_name().is_some() && self.spool.as_deref().is_some_and(|spool| path.parent() == Some(spool))
    }

    /// May mail be delivered as this user, in this root directory?
    ///
    /// Root is the exception for mail spools that only root may write, and what it may do there is fixed in the
    /// deliverer; it never runs a program.
    pub fn may_deliver(&self, who: Identity, root: Option<&Path>) -> bool {
        if root.is_some_and(|root| !self.roots.contains(root)) {
            return false;
        }
        if who.uid == 0 {
            return who.gid == 0 && root.is_none();
        }
        let account = || User::from_uid(Uid::from_raw(who.uid)).ok().flatten();
        let own_group = |user: User| user.gid == Gid::from_raw(who.gid) || self.groups.contains(&who.gid);
        self.named.contains(&who)
            || self.virtual_from.is_some_and(|least| who.uid >= least && who.gid != 0)
            || (who.gid != 0 && account().is_some_and(own_group))
            // A user whose group is root's acts with the group of default_privs.
            || (account().is_some() && self.named.iter().any(|named| named.gid == who.gid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_configuration_names() {
        let rules = Rules {
            files: ["/etc/postfix/sasl".into(), "/etc/key.pem".into()].into(),
            drops: vec!["/spool/maildrop".into()],
            ports: [25].into(),
            named: [Identity { uid: 7_000_001, gid: 7_000_002 }].into(),
            ..Rules::default()
        };
        for (path, may) in [
            ("/etc/key.pem", true),
            ("/etc/postfix/sasl.lmdb", true),
            ("/spool/maildrop/a", true),
            ("/spool/maildrop/../shadow", false),
            ("/spool/maildrop/a/b", false),
            ("/etc/shadow", false),
            ("/etc/key.pem.db", true),
            ("/etc/postfix/sasl.txt", false),
            ("etc/key.pem", false),
        ] {
            assert_eq!(rules.may_open(Path::new(path)), may, "{path}");
        }
        assert!(rules.may_listen("127.0.0.1:25".parse().unwrap()));
        assert!(!rules.may_listen("127.0.0.1:22".parse().unwrap()));
        let who = |uid, gid| Identity { uid, gid };
        assert!(rules.may_deliver(who(7_000_001, 7_000_002), None));
        assert!(!rules.may_deliver(who(7_000_001, 7_000_002), Some(Path::new("/srv"))));
        assert!(!rules.may_deliver(who(7_000_001, 0), None), "a group nobody named");
        assert!(!rules.may_deliver(who(7_000_003, 7_000_002), None), "no such account");
        assert!(!rules.may_deliver(who(0, 8), None));
    }

    #[test]
    fn mailboxes_are_kept_for_valid_users() {
        let owner = Identity { uid: 89, gid: 89 };
        let rules = Rules {
            keepers: Keeping {
                uids: 1000..=2000,
                gids: 100..=3000,
                named: [owner].into(),
                ..Keeping::default()
            },
            spool: Some("/var/mail".into()),
            ..Rules::default()
        };
        for (uid, gid, may) in [
            (1000, 100, true),
            (2000, 3000, true),
            (89, 89, true),
            (89, 100, false),
            (999, 100, false),
            (2001, 100, false),
            (1000, 99, false),
            (1000, 0, false),
            (0, 100, false),
        ] {
            assert_eq!(rules.may_keep(Identity { uid, gid }), may, "{uid} {gid}");
        }
        assert!(!Rules::default().may_keep(Identity { uid: 1000, gid: 1000 }));
        assert!(rules.may_lock(Path::new("/var/mail/joe.lock")));
        assert!(!rules.may_lock(Path::new("/var/mail/../etc/joe.lock")));
        assert!(!rules.may_lock(Path::new("/var/mail/sub/joe.lock")));
        assert!(!rules.may_lock(Path::new("/etc/joe.lock")));
    }
}
