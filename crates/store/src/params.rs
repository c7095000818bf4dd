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
        /// has his rights, serves those who read mail, and takes what is delivered to them. Empty leaves mailboxes to
        /// `mail_owner`.
        mail_uid: Text = "", own;
        /// The group of that process, by name or number; empty takes the user's own.
        mail_gid: Text = "", own;
        /// What clients see between the levels of a mailbox name: `/` or `.`; empty leaves it to the kind of
        /// store, which is `.` for Maildir and `/` for the others.
        mailbox_separator: Text = "", own;
        /// What the names of a user's own mailboxes begin with for clients, INBOX excepted: `INBOX.` as with Courier, or
        /// nothing.
        mailbox_prefix: Text = "", own;
        /// What the names of mailboxes begin with that other users share with a user (IMAP ACL): the name of their
        /// owner follows, then the mailbox. Empty shares nothing.
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
