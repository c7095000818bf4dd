//! Parameters of the local agent: aliases, `.forward` files, mailboxes of system users.

conf::params! {
    /// Delivery to the users and aliases of this machine.
    pub struct LocalAgent {
        /// Tables with the aliases of local names.
        alias_maps: Maps = "hash:/etc/aliases, nis:mail.aliases";
        /// The alias files that `newaliases` compiles.
        alias_database: Maps = "hash:/etc/aliases";
        /// Whether mail sent on by an alias gets the expansion of its owner as sender instead of the owner
        /// alias.
        expand_owner_alias: YesNo = "no";
        /// Whether an alias without an owner drops the owner of the alias that led to it.
        reset_owner_alias: YesNo = "no";
        /// From where mail may be delivered to commands: `alias`, `forward`, `include`.
        allow_mail_to_commands: List = "alias, forward";
        /// From where mail may be delivered to files: `alias`, `forward`, `include`.
        allow_mail_to_files: List = "alias, forward";
        /// The files, in order, that say where a user's mail is sent on to.
        forward_path: Raw = "$home/.forward${recipient_delimiter}${extension}, $home/.forward";
        /// The characters that may pass from an address into `forward_path`.
        forward_expansion_filter: Text
            = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        /// Whether mail waits when the home directory of its recipient is missing.
        require_home_directory: YesNo = "no";
        /// A user's mailbox in their home; one that ends in `/` is a Maildir, empty means the spool.
        home_mailbox: Text = "";
        /// The directory of the mailboxes of the spool.
        mail_spool_directory: Path = "/var/mail";
        /// The command that delivers to mailboxes in our place, such as procmail.
        mailbox_command: Raw = "";
        /// Tables that give, by user, such a command.
        mailbox_command_maps: Maps = "";
        /// The transport that delivers to mailboxes in our place.
        mailbox_transport: Text = "";
        /// Tables that give, by user, such a transport.
        mailbox_transport_maps: Maps = "";
        /// The transport of names that are no users here.
        fallback_transport: Text = "";
        /// Tables that give, by name, such a transport.
        fallback_transport_maps: Maps = "";
        /// Where mail for unknown users goes.
        luser_relay: Raw = "";
        /// How big a mailbox file or a Maildir file may become, in bytes; 0 means no limit.
        mailbox_size_limit: Bytes = "51200000";
        /// The shell that starts commands; empty means `/bin/sh`, and only where a command needs one.
        local_command_shell: Text = "";
        /// The directory that commands are started in.
        command_execution_directory: Raw = "";
        /// The characters that may pass from an address into that directory; all others become `_`.
        execution_directory_expansion_filter: Text
            = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        /// The characters that may pass from an address into `mailbox_command`; all others become `_`.
        command_expansion_filter: Text
            = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        /// Whether the biff service is told of new mail.
        biff: YesNo = "yes", no_effect "no mail reader of today listens for it";
        /// For which deliveries a Delivered-To header is added, which detects loops.
        prepend_delivered_header: List = "command, file, forward";
        /// Whether the Delivered-To address of a delivery is settled at its start, not anew with each alias.
        frozen_delivered_to: YesNo = "yes";
        /// A table that may replace the outcome of a delivery.
        local_delivery_status_filter: Maps = "$default_delivery_status_filter";
    }
}
