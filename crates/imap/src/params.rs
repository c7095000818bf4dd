//! Parameters of the servers that people read their mail with. Where Dovecot has a name for a setting, ours is that name.

conf::params! {
    /// How people come to IMAP and POP3.
    pub struct Access {
        /// What the server says in its greeting.
        login_greeting: Raw = "Facteur ready.", own;
        /// Whether TLS is offered (`yes`), demanded (`required`), or off (`no`).
        ssl: Enum("no", "yes", "required") = "yes", own;
        /// The file with the certificate and its chain, in PEM; `<` before it, as Dovecot has it, is passed over.
        /// Empty takes the certificate of the SMTP server.
        ssl_cert: Text = "", own;
        /// The file with the private key of that certificate; empty where it stands in the same file.
        ssl_key: Text = "", own;
        /// The oldest version of TLS that is spoken.
        ssl_min_protocol: Enum("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3") = "TLSv1.2", own;
        /// Whether sessions start with the handshake, as on ports 993 and 995; set it with `-o` in master.cf.
        ssl_wrappermode: YesNo = "no", own;
        /// How many sessions of a user may come from the same address; 0 sets no limit.
        mail_max_userip_connections: Int(0..) = "10", own;
    }

    /// IMAP.
    pub struct Imap {
        /// Whether sessions start with the handshake, as on port 993; set it with `-o` in master.cf.
        imapd_tls_wrappermode: YesNo = "$ssl_wrappermode", own;
        /// How long a command may be, in bytes, literals other than messages included.
        imap_max_line_length: Bytes = "65536", own;
        /// How large a message may be that a client puts into a mailbox, in bytes.
        imap_append_limit: Bytes = "104857600", own;
        /// How often a client in IDLE is told that the connection lives, in seconds; 0 for never.
        imap_idle_notify_interval: Time = "120s", own;
        /// How often changes by other programs are looked for while a client is in IDLE, in seconds.
        mailbox_idle_check_interval: Time(1..) = "30s", own;
        /// The capabilities told after the login: empty for what there is, `+WORD` to add some, or all of them.
        imap_capability: Text = "", own;
        /// What ID tells about the server: names and values, where `*` stands for the usual value.
        imap_id_send: Text = "name *", own;
        /// What single clients need: delay-newmail (new messages are told in answer to NOOP and CHECK alone),
        /// tb-extra-mailbox-sep, tb-lsub-flags.
        imap_client_workarounds: List = "", own;
    }

    /// POP3.
    pub struct Pop3 {
        /// How a unique id is made: `%u` the UID, `%v` UIDVALIDITY, `%g` and `%f` the store's own id of the
        /// message; `X` writes it in hexadecimal, a number before it pads it with zeros.
        ///
        /// A change makes every client fetch all mail again.
        pop3_uidl_format: Raw = "%08Xu%08Xv", own;
        /// Whether a session has the mailbox to itself: a second POP3 session of the same user is refused meanwhile.
        pop3_lock_session: YesNo = "no", own;
        /// Whether messages that were retrieved stay unread.
        pop3_no_flag_updates: YesNo = "no", own;
        /// Whether the old command LAST is known.
        pop3_enable_last: YesNo = "no", own;
        /// What deletion means at QUIT: `expunge` removes the message, `flag` only hides it from POP3 with the
        /// keyword of `pop3_deleted_flag`; `default` is `flag` where such a keyword is set.
        pop3_delete_type: Enum("default", "expunge", "flag") = "default", own;
        /// The keyword that hides a message from POP3, such as `POP3Deleted`.
        pop3_deleted_flag: Raw = "", own;
        /// Quirks of old clients that are borne with: outlook-no-nuls (NUL becomes 0x80), oe-ns-eoh (a header always
        /// ends with an empty line).
        pop3_client_workarounds: List = "", own;
        /// What is logged at the end of a session: `%t` and `%p` messages and bytes of TOP, `%r` and `%b` of RETR, `%d`
        /// messages deleted of `%m`, `%s` the mailbox's bytes.
        pop3_logout_format: Raw = "top=%t/%p, retr=%r/%b, del=%d/%m, size=%s", own;
    }
}
