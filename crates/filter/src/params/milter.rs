//! Parameters of milters: mail filters that follow a session or a message from outside the program.

conf::params! {
    /// Which milters are asked, how long, and what they are told.
    pub struct Milter {
        /// Milters for mail that arrives by SMTP: `inet:host:port`, `unix:path`, or `{ endpoint,
        /// setting=value }`.
        smtpd_milters: List = "";
        /// Tables that choose other milters by the address of the client; `DISABLE` means none.
        smtpd_milter_maps: Maps = "";
        /// Milters for mail that arrives in any other way.
        non_smtpd_milters: List = "";
        /// What happens to mail when a milter fails: `accept`, `reject`, `tempfail` or `quarantine`.
        milter_default_action: Text = "tempfail";
        /// The protocol version to offer, with optional words for old milters.
        milter_protocol: Text = "6";
        /// How long connecting and agreeing on a protocol may take, in seconds.
        milter_connect_timeout: Time(1..) = "30s";
        /// How long the answer to a command may take, in seconds.
        milter_command_timeout: Time(1..) = "30s";
        /// How long the answer to a content event may take, in seconds.
        milter_content_timeout: Time(1..) = "300s";
        /// Tables for headers that milters add, with the actions of header checks.
        milter_header_checks: Maps = "";
        /// The value of the macro `{daemon_name}`.
        milter_macro_daemon_name: Text = "$myhostname";
        /// The value of the macro `v`.
        milter_macro_v: Text = "$mail_name $mail_version";
        /// Values of macros that have none of their own, as `name=value`.
        milter_macro_defaults: List = "";
        /// The macros sent when a client connects.
        milter_connect_macros: Text = "j {daemon_name} {daemon_addr} v _";
        /// The macros sent at HELO.
        milter_helo_macros: Text = "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}";
        /// The macros sent at MAIL FROM.
        milter_mail_macros: Text
            = "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}";
        /// The macros sent at RCPT TO.
        milter_rcpt_macros: Text = "i {rcpt_addr} {rcpt_host} {rcpt_mailer}";
        /// The macros sent at DATA.
        milter_data_macros: Text = "i";
        /// The macros sent after the headers.
        milter_end_of_header_macros: Text = "i";
        /// The macros sent at the end of the message.
        milter_end_of_data_macros: Text = "i";
        /// The macros sent with an unknown command.
        milter_unknown_command_macros: Text = "";
    }
}
