//! Parameters of the mailboxes.

conf::params! {
    /// Where mailboxes are, and what every account gets.
    pub struct Mailboxes {
        /// The kind and the place of mailboxes, as in Dovecot: `facteur:`, `maildir:` or `mbox:` and a path.
        ///
        /// `~` and `%h` stand for the user's home, `%u` for the name of the account, `%n` and `%d` for what is
        /// before and after its `@`. Options: `INBOX=`, `CONTROL=`, `INDEX=`, `LAYOUT=fs`.
        mail_location: Text = "facteur:~/mail", own;
        /// The user who owns the mailboxes, by name or number, when the program is started as root: a process of its own
        /// has his rights, serves those who read mail, and takes what is delivered to them. Where it is empty, each
        /// user's mailboxes are in a process of his own, with the `uid` and `gid` that the userdb gives; users without
        /// have those of `mail_owner`.
        mail_uid: Text = "", own;
        /// The group of that process, by name or number; empty takes the user's own.
        mail_gid: Text = "", own;
        /// As whom the process runs that takes logins where mailboxes have several owners, by name; it reads no mail. Empty
        /// takes `mail_owner`.
        default_login_user: Text = "", own;
        /// The least number of a user whose mailboxes are served, when the program is started as root; root's never are.
        first_valid_uid: Int(1..) = "500", own;
        /// The greatest number of such a user; 0 for no limit.
        last_valid_uid: Int(0..) = "0", own;
        /// The least number of a group whose rights mailboxes may be served with.
        first_valid_gid: Int(1..) = "1", own;
        /// The greatest number of such a group; 0 for no limit.
        last_valid_gid: Int(0..) = "0", own;
        /// Groups that every process with mailboxes is a member of, by name or number; they let it reach shared ones.
        mail_access_groups: List = "", own;
        /// The group that may make lock files in `mail_spool_directory`: where that directory belongs to it and lets it
        /// write, they are made for the owners of mailboxes, who may not. Empty makes none.
        mail_privileged_group: Text = "mail", own;
        /// How many users' mailboxes may be open at once, each in a process of its own, where they have several owners.
        mailbox_process_limit: Int(1..) = "1000", own;
        /// How long such a process is kept when nothing is done in it, in seconds.
        default_idle_kill: Time(1..) = "60s", own;
        /// What clients see between the levels of a mailbox name: `/` or `.`; empty leaves it to the kind of
        /// store, which is `.` for Maildir and `/` for the others.
        mailbox_separator: Text = "", own;
        /// What the names of a user's own mailboxes begin with for clients, INBOX excepted: `INBOX.` as with Courier, or
        /// nothing.
        mailbox_prefix: Text = "", own;
        /// What the names of mailboxes begin with that other users share with a user (IMAP ACL): the name of their
        /// owner follows, then the mailbox. Empty shares nothing. Where each user's mailboxes have an owner of their own, the
        /// rights of their files hold besides: sharing is for sites with `mail_uid`.
        mailbox_shared_prefix: Text = "shared/", own;
        /// How many bytes an account may hold when nothing else is said of it; 0 means no limit.
        mailbox_quota: Bytes = "0", own;
        /// How many messages an account may hold when nothing else is said of it; 0 means no limit.
        mailbox_message_quota: Bytes = "0", own;
        /// At how many per cent of its quota a warning about an account is logged.
        mailbox_quota_warnings: List = "80%, 95%", own;
        /// The mailboxes with a special use that every account has: `use=name`, or
        /// `{use=a name with blanks}`.
        mailbox_special_use: List = "Drafts=Drafts, Sent=Sent, Trash=Trash, Junk=Junk, Archive=Archive", own;
        /// Whether these are created, and subscribed to, with the account; else they only get their use when
        /// somebody creates them.
        mailbox_special_use_create: YesNo = "yes", own;
        /// How an mbox file is locked while it is read, in this order: `dotlock` (`file.lock`), `dotlock_try` (left
        /// out where its directory may not be written), `fcntl`, `flock`.
        mbox_read_locks: List = "fcntl", own;
        /// How an mbox file is locked while it is changed; all programs that share it must agree.
        mbox_write_locks: List = "dotlock, fcntl", own;
        /// How long a lock on an mbox file is waited for, in seconds.
        mbox_lock_timeout: Time = "300s", own;
        /// How long a lock file stands while nothing happens to the mbox file, before it counts as left
        /// behind, in seconds.
        mbox_dotlock_change_timeout: Time = "120s", own;
    }
}
