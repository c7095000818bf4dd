//! Parameters of the office: the SMTP session, cleaning up, notices, and the services around the queue.
//!
//! A list of like things, and long for that reason: one paragraph a parameter.

mod lmtpd;
mod policyd;
mod smtpd;

pub use lmtpd::Lmtpd;
pub use policyd::Policyd;
pub use smtpd::{Smtpd, SmtpdSasl};

conf::params! {
    /// What is done to a message before it enters the queue.
    pub struct Cleanup {
        /// Whether missing headers are added to every message, not only to local ones.
        always_add_missing_headers: YesNo = "no";
        /// The header added to a message that names no recipient; empty means none.
        undisclosed_recipients_header: Text = "";
        /// The form of an added From header: `Name <address>`, or in old style `address (Name)`.
        header_from_format: Enum("standard", "obsolete") = "standard";
        /// An address that gets a copy of every message.
        always_bcc: Text = "";
        /// Tables that give, by sender, an address that gets a copy.
        sender_bcc_maps: Maps = "";
        /// Tables that give, by recipient, an address that gets a copy.
        recipient_bcc_maps: Maps = "";
        /// Whether the recipient as first given is remembered, and recipients that differ in it are kept
        /// apart.
        enable_original_recipient: YesNo = "yes";
        /// How many recipients are remembered to leave out doubles; 0 means all.
        duplicate_filter_limit: Int = "1000";
        /// How many Received headers a message may have before it counts as looping.
        hopcount_limit: Int(1..) = "50";
        /// Headers that are removed.
        message_drop_headers: List = "bcc, content-length, resent-bcc, return-path";
        /// Characters that make a message be refused, with escapes as in C.
        message_reject_characters: Text = "";
        /// Characters that are removed from messages, with escapes as in C.
        message_strip_characters: Text = "";
        /// Whether a stray carriage return or line feed in content becomes a space.
        cleanup_replace_stray_cr_lf: YesNo = "yes";
        /// How long a line may be that is read, in bytes, before it is handled in pieces.
        line_length_limit: Int(512..) = "2048";
        /// In mail of which origins the need for SMTPUTF8 is found out by looking.
        smtputf8_autodetect_classes: List = "sendmail, verify";
        /// The master.cf entry whose `-o` settings apply to cleaning up.
        cleanup_service_name: Text = "cleanup";
    }
}

conf::params! {
    /// Notices: to senders about what became of their mail, and to the postmaster about trouble.
    pub struct Bounce {
        /// How many bytes of the undelivered message go back with a notice; past this, only its headers.
        bounce_size_limit: Bytes = "50000";
        /// The file with the texts of notices; empty means the built-in ones.
        bounce_template_file: Path = "";
        /// After how long a sender is told that mail is delayed, in hours; 0 means never.
        delay_warning_time: Time = "0h";
        /// Whether a sender who was told of a delay is also told of its end.
        confirm_delay_cleared: YesNo = "no";
        /// Whether notices carry References to the message, so that readers show both together.
        enable_threaded_bounces: YesNo = "no";
        /// About which classes of trouble the postmaster gets mail.
        notify_classes: List = "resource, software";
        /// Who gets copies of notices about undelivered mail.
        bounce_notice_recipient: Text = "postmaster";
        /// Who gets notices that could not be delivered themselves.
        family "2bounce_notice_recipient": Text = "postmaster";
        /// Who gets copies of notices about delayed mail.
        delay_notice_recipient: Text = "postmaster";
        /// Who gets reports of resource, software, policy and protocol trouble.
        error_notice_recipient: Text = "postmaster";
        /// The sender of mail to the postmaster; what is sent to it is dropped, which ends loops of notices.
        double_bounce_sender: Text = "double-bounce";
        /// The characters that VERP puts between the parts of a sender address.
        default_verp_delimiters: Text = "+=";
        /// The characters that `sendmail -V` and XVERP may ask for as delimiters.
        verp_delimiter_filter: Text = "-=+";
        /// Whether VERP mail gets one notice for all recipients instead of one each.
        disable_verp_bounces: YesNo = "no";
        /// The master.cf entry of the service that returns mail.
        bounce_service_name: Text = "bounce", no_effect "notices are made within the program";
        /// The master.cf entry of the service that collects reasons of delay.
        defer_service_name: Text = "defer", no_effect "notices are made within the program";
        /// The master.cf entry of the service that reports deliveries.
        trace_service_name: Text = "trace", no_effect "notices are made within the program";
        /// The master.cf entry of the agent that fails all mail.
        error_service_name: Text = "error", no_effect "mail is failed within the program";
    }
}

conf::params! {
    /// Local submission, the queue's own tools, and mail kept for a site that asks for it.
    pub struct Submission {
        /// Who may hand in mail with sendmail.
        authorized_submit_users: List = "static:anyone";
        /// Who may see the queue.
        authorized_mailq_users: List = "static:anyone";
        /// Who may flush the queue.
        authorized_flush_users: List = "static:anyone";
        /// Tables with the sender addresses a local user may give; `*` allows all.
        local_login_sender_maps: Maps = "static:*";
        /// The key under which the null sender is looked up there.
        empty_address_local_login_sender_maps_lookup_key: Text = "<>";
        /// When sendmail turns line ends of CR LF into LF: `always`, only if the first line has one, or
        /// `never`.
        sendmail_fix_line_endings: Enum("always", "strict", "never") = "always";
        /// Sites for which mail is kept together, to be sent when they ask with ETRN.
        fast_flush_domains: List = "$relay_domains";
        /// How often the list of a site's mail is brought up to date, in hours.
        fast_flush_refresh_time: Time(1..) = "12h",
            no_effect "the queue itself knows what waits for a site";
        /// After how long the empty list of a site is forgotten, in days.
        fast_flush_purge_time: Time(1..) = "7d",
            no_effect "the queue itself knows what waits for a site";
        /// The master.cf entry of the service that keeps these lists.
        flush_service_name: Text = "flush", no_effect "the scheduler itself knows what waits for a site";
        /// The master.cf entry of the service that takes in local mail.
        pickup_service_name: Text = "pickup", no_effect "local mail is taken in within the program";
        /// The master.cf entry of the service that lists the queue.
        showq_service_name: Text = "showq", no_effect "the queue is listed within the program";
    }
}

conf::params! {
    /// QMQP, the quick mail queueing protocol of qmail.
    pub struct Qmqpd {
        /// Clients that may hand in mail by QMQP.
        qmqpd_authorized_clients: List = "",
            refused "QMQP is not spoken; let the qmail host send by SMTP and name it in mynetworks";
        /// Whether the log shows the port of a QMQP client.
        qmqpd_client_port_logging: YesNo = "no",
            refused "QMQP is not spoken; let the qmail host send by SMTP";
        /// The pause before a QMQP client is told of an error, in seconds.
        qmqpd_error_delay: Time = "1s", refused "QMQP is not spoken; let the qmail host send by SMTP";
        /// How long a QMQP client may be silent, in seconds.
        qmqpd_timeout: Time(1..) = "300s", refused "QMQP is not spoken; let the qmail host send by SMTP";
    }
}
