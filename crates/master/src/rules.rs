//! What the parent grants: plain values that it has read from the configuration itself.

use std::collections::HashSet;
use std::net::SocketAddr;
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
}
