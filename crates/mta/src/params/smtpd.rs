//! Parameters of the SMTP session, apart from its restrictions, rates and TLS.

conf::params! {
    /// What a client is told, what it may do, and for how long.
    pub struct Smtpd {
        /// The text after the code 220 of the greeting; it should begin with the host name.
        smtpd_banner: Text = "$myhostname ESMTP $mail_name";
        /// How long a client may take for a command or for the next part of its message, in seconds.
        smtpd_timeout: Time(1..) = "${stress?{10}:{300}}s";
        /// How long one step of a TLS handshake may take, in seconds.
        smtpd_starttls_timeout: Time(1..) = "${stress?{10}:{300}}s";
        /// Whether these times hold for a whole command and reply instead of each read and write.
        smtpd_per_request_deadline: YesNo
            = "${smtpd_per_record_deadline?{$smtpd_per_record_deadline}:{${stress?{yes}:{no}}}}";
        /// How many bytes of content in a second win a second of time, when whole requests are timed.
        smtpd_min_data_rate: Int(1..) = "500";
        /// How many errors a client may make before replies to it are slowed down.
        smtpd_soft_error_limit: Int(1..) = "10";
        /// How many errors a client may make before it is disconnected.
        smtpd_hard_error_limit: Int(1..) = "${stress?{1}:{20}}";
        /// By how much replies are slowed down, in seconds.
        smtpd_error_sleep_time: Time = "1s";
        /// How many NOOP, VRFY, ETRN and RSET commands a client may send before each counts as an error.
        smtpd_junk_command_limit: Int(1..) = "${stress?{1}:{100}}";
        /// How many recipients a message may have.
        smtpd_recipient_limit: Int(1..) = "1000";
        /// How many recipients beyond that are turned away before each counts as an error.
        smtpd_recipient_overshoot_limit: Int(1..) = "1000";
        /// How many lines of the session are kept for a report to the postmaster.
        smtpd_history_flush_threshold: Int(1..) = "100";
        /// Whether a message gets its queue id only with its first valid recipient.
        smtpd_delay_open_until_valid_rcpt: YesNo = "yes";
        /// Whether the reply of a refusal ends with a line `Reference XXXXXXXXX`, which `facteur trace` looks up: the
        /// log gets a line for each, with the restriction, the table and the key that decided.
        smtpd_reject_reference: YesNo = "no", own;
        /// Commands that end the session at once.
        smtpd_forbidden_commands: List = "CONNECT GET POST regexp:{{/^[^A-Z]/ Bogus}}";
        /// Commands that are answered with 250 and otherwise ignored.
        smtpd_noop_commands: List = "";
        /// A table that replaces commands before they are looked at.
        smtpd_command_filter: Maps = "";
        /// EHLO keywords that are not announced.
        smtpd_discard_ehlo_keywords: List = "";
        /// Tables that choose these keywords by the address of the client.
        smtpd_discard_ehlo_keyword_address_maps: Maps = "";
        /// Whether VRFY is turned off.
        disable_vrfy_command: YesNo = "no";
        /// Whether non-ASCII addresses are refused when the client has not asked for SMTPUTF8.
        strict_smtputf8: YesNo = "no";
        /// What is done about lines that end in a bare newline: they are lines, but never the end of a message
        /// (`normalize`, and where nothing is set); they end messages, too (`no`: mail can be smuggled in); or they are
        /// refused (`reject`).
        smtpd_forbid_bare_newline: Enum("no", "yes", "normalize", "reject") = "no";
        /// Clients that are not refused; where it is set, clients whose messages may end in any line with a dot.
        smtpd_forbid_bare_newline_exclusions: List = "$mynetworks";
        /// The reply code of that refusal.
        smtpd_forbid_bare_newline_reject_code: Int(500..=599) = "550";
        /// Whether a client that sends commands ahead without being allowed to is disconnected.
        smtpd_forbid_unauth_pipelining: YesNo = "no";
        /// Whether the log shows the port of a client.
        smtpd_client_port_logging: YesNo = "no";
        /// Clients that may send XCLIENT.
        smtpd_authorized_xclient_hosts: List = "";
        /// Clients that may send XFORWARD.
        smtpd_authorized_xforward_hosts: List = "";
        /// Clients that may send XVERP.
        smtpd_authorized_verp_clients: List = "$authorized_verp_clients";
        /// The protocol by which a proxy in front tells the client's address: `haproxy`, or empty for none.
        smtpd_upstream_proxy_protocol: Enum("", "haproxy") = "";
        /// How long the proxy may take to do so, in seconds.
        smtpd_upstream_proxy_timeout: Time(1..) = "5s";
        /// The content filter that a session is passed through before its message is accepted, as
        /// `host:port`.
        smtpd_proxy_filter: Text = "";
        /// The name given to that filter in EHLO.
        smtpd_proxy_ehlo: Text = "$myhostname";
        /// How the filter is used; `speed_adjust` connects when the message is whole.
        smtpd_proxy_options: List = "";
        /// How long the filter may take for one step, in seconds.
        smtpd_proxy_timeout: Time(1..) = "100s";
    }

    /// Logins in the SMTP session.
    pub struct SmtpdSasl {
        /// Whether clients may log in.
        smtpd_sasl_auth_enable: YesNo = "no";
        /// Who checks passwords: `cyrus`, the methods that a file of Cyrus SASL names (smtpd.conf: saslauthd, sasldb,
        /// sql); `dovecot`, a server of Dovecot's protocol; or `facteur`, the databases of `passdb`.
        smtpd_sasl_type: Text = "cyrus";
        /// For `cyrus` the name of that file without `.conf`; for `dovecot` where the server is: the path of its socket,
        /// in the queue directory unless it begins with `/`, or `inet:host:port`.
        smtpd_sasl_path: Text = "smtpd";
        /// The name of the service that passwords are checked for.
        smtpd_sasl_service: Text = "smtp";
        /// Directories, divided by colons, where the files of Cyrus SASL lie; empty means `sasl` beside main.cf,
        /// `/etc/postfix/sasl`, `/etc/sasl2`, `/etc/sasl` and `/usr/lib/sasl2`.
        cyrus_sasl_config_path: Text = "";
        /// The realm of logins that name none, for `cyrus`: a Dovecot server has its own, and is told none.
        smtpd_sasl_local_domain: Text = "";
        /// Which kinds of mechanism are not offered, such as `noanonymous` and `noplaintext`.
        smtpd_sasl_security_options: List = "noanonymous";
        /// The same under TLS.
        smtpd_sasl_tls_security_options: List = "$smtpd_sasl_security_options";
        /// Which mechanisms are offered, by name.
        smtpd_sasl_mechanism_filter: List = "!external, static:rest";
        /// Clients to which logins are not offered.
        smtpd_sasl_exceptions_networks: List = "";
        /// How long one line of a login may be, in characters.
        smtpd_sasl_response_limit: Int(12288..) = "12288";
        /// Whether the Received header shows the login name.
        smtpd_sasl_authenticated_header: YesNo = "no";
        /// Whether the offer is repeated as `AUTH=`, for clients that expect this old form.
        broken_sasl_auth_clients: YesNo = "no";
        /// Whether logins are offered and taken only under TLS.
        smtpd_tls_auth_only: YesNo = "no";
    }
}
