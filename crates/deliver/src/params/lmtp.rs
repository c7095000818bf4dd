//! The LMTP client's parameters: those of the SMTP client under names of their own.
//!
//! [`LMTP_NAMES`] makes the view in which the structs of `smtp.rs`, and `net`'s client TLS, read these. Only
//! what LMTP alone has is a struct.

/// What takes the place of the beginning of a parameter name for LMTP, for [`conf::View::under_names`].
pub const LMTP_NAMES: &[(&str, &str)] = &[
    ("smtp_helo_name", "lmtp_lhlo_name"),
    ("smtp_helo_timeout", "lmtp_lhlo_timeout"),
    ("smtp_discard_ehlo_", "lmtp_discard_lhlo_"),
    ("smtp_", "lmtp_"),
];

conf::params! {
    /// What only LMTP has.
    pub struct LmtpClient {
        /// Whether a server without DSN is taken to be the last one, so that success notices say "delivered".
        lmtp_assume_final: YesNo = "no",
            no_effect "LMTP deliveries are final";
    }
}

conf::params! {
    /// The rest, each as its `smtp_` counterpart.
    pub const LMTP {
        /// The port to connect to when the destination names none.
        lmtp_tcp_port: Text = "24";
        /// The name given in LHLO.
        lmtp_lhlo_name: Text = "$myhostname";
        /// LHLO keywords of servers that are ignored.
        lmtp_discard_lhlo_keywords: List = "";
        /// Tables that choose these keywords by the address of the server.
        lmtp_discard_lhlo_keyword_address_maps: Maps = "";
        /// The IPv4 address to connect from.
        lmtp_bind_address: Text = "";
        /// The IPv6 address to connect from.
        lmtp_bind_address6: Text = "";
        /// Whether mail waits when that address cannot be used, instead of leaving from another.
        lmtp_bind_address_enforce: YesNo = "no";
        /// Which kind of address is tried first where a server has both: `ipv4`, `ipv6` or `any`.
        lmtp_address_preference: Enum("any", "ipv4", "ipv6") = "any";
        /// Whether both kinds of address are among those that are tried.
        lmtp_balance_inet_protocols: YesNo = "yes";
        /// Whether servers of equal preference are tried in random order.
        lmtp_randomize_addresses: YesNo = "yes";
        /// How many addresses of mail exchangers are looked at; 0 means all.
        lmtp_mx_address_limit: Int = "5";
        /// How many sessions one delivery tries; 0 means no limit.
        lmtp_mx_session_limit: Int = "2";
        /// Whether mail waits when no mail exchanger of its domain has an address.
        lmtp_defer_if_no_mx_address_found: YesNo = "no";
        /// Hosts tried when the destination itself cannot be reached.
        lmtp_fallback_relay: List = "";
        /// How much DNS is used: `disabled`, `enabled`, or `dnssec` where answers must be validated.
        lmtp_dns_support_level: Enum("", "disabled", "enabled", "dnssec") = "";
        /// How the addresses of hosts are found: in DNS, or as the system does (`native`).
        lmtp_host_lookup: List = "dns";
        /// How host names are completed with the domains of resolv.conf: `res_defnames` those without a dot,
        /// `res_dnsrch` those with one.
        lmtp_dns_resolver_options: List = "";
        /// A filter for DNS answers: a record for which the tables say `IGNORE` is not seen.
        lmtp_dns_reply_filter: Maps = "";
        /// Whether the name a CNAME leads to takes the place of the server's name.
        lmtp_cname_overrides_servername: YesNo = "no";
        /// Whether a server that greets with a 5xx code is passed over instead of failing the mail.
        lmtp_skip_5xx_greeting: YesNo = "yes";
        /// Whether the reply to QUIT is not waited for.
        lmtp_skip_quit_response: YesNo = "no";
        /// Whether addresses in MAIL FROM and RCPT TO are quoted as RFC 5321 asks.
        lmtp_quote_rfc821_envelope: YesNo = "yes";
        /// How long a line may be that is sent, in bytes, before it is broken; 0 means no limit.
        lmtp_line_length_limit: Int = "998";
        /// Whether servers are told with XFORWARD where mail came from.
        lmtp_send_xforward_command: YesNo = "no";
        /// At which stage a probe asks whether an address takes mail.
        lmtp_address_verify_target: Enum("rcpt", "data") = "rcpt";
        /// Tables that replace local addresses in mail that leaves.
        lmtp_generic_maps: Maps = "";
        /// Header checks for mail that leaves.
        lmtp_header_checks: Maps = "";
        /// The same for headers of MIME parts.
        lmtp_mime_header_checks: Maps = "";
        /// The same for headers of attached messages.
        lmtp_nested_header_checks: Maps = "";
        /// Body checks for mail that leaves.
        lmtp_body_checks: Maps = "";
        /// A table that replaces lines of replies before they are looked at.
        lmtp_reply_filter: Maps = "";
        /// A table that may replace the outcome of a delivery.
        lmtp_delivery_status_filter: Maps = "$default_delivery_status_filter";
        /// What is done about servers behind a Cisco PIX: `disable_esmtp`, `delay_dotcrlf`.
        lmtp_pix_workarounds: List = "disable_esmtp,delay_dotcrlf";
        /// Tables that choose this by the address of the server.
        lmtp_pix_workaround_maps: Maps = "";
        /// How long to wait before the end of a message to such a server, in seconds.
        lmtp_pix_workaround_delay_time: Time(1..) = "10s";
        /// From which age of a message on this is done, in seconds.
        lmtp_pix_workaround_threshold_time: Time = "500s";
        /// Destinations whose connections are always kept for the next message.
        lmtp_connection_cache_destinations: List = "";
        /// Whether connections are kept while much mail waits for their destination.
        lmtp_connection_cache_on_demand: YesNo = "yes";
        /// How long a connection is kept unused, in seconds.
        lmtp_connection_cache_time_limit: Time(1..) = "2s";
        /// How often a connection is used again; 0 means no limit.
        lmtp_connection_reuse_count_limit: Int = "0";
        /// How long a connection may be used altogether, in seconds.
        lmtp_connection_reuse_time_limit: Time(1..) = "300s";
        /// How long connecting may take, in seconds; 0 means as long as the system allows.
        lmtp_connect_timeout: Time = "0s";
        /// How long the greeting, and the reply to LHLO, may take, in seconds.
        lmtp_lhlo_timeout: Time(1..) = "300s";
        /// How long one step of a TLS handshake may take, in seconds.
        lmtp_starttls_timeout: Time(1..) = "300s";
        /// How long the reply to XFORWARD may take, in seconds.
        lmtp_xforward_timeout: Time(1..) = "300s";
        /// How long the reply to MAIL FROM may take, in seconds.
        lmtp_mail_timeout: Time(1..) = "300s";
        /// How long the reply to RCPT TO may take, in seconds.
        lmtp_rcpt_timeout: Time(1..) = "300s";
        /// How long the reply to DATA may take, in seconds.
        lmtp_data_init_timeout: Time(1..) = "120s";
        /// How long sending the next part of the content may take, in seconds.
        lmtp_data_xfer_timeout: Time(1..) = "180s";
        /// How long the reply to the end of the content may take, in seconds.
        lmtp_data_done_timeout: Time(1..) = "600s";
        /// How long the reply to RSET may take, in seconds.
        lmtp_rset_timeout: Time(1..) = "20s";
        /// How long the reply to QUIT may take, in seconds.
        lmtp_quit_timeout: Time(1..) = "300s";
        /// Whether these times hold for a whole command and reply instead of each read and write.
        lmtp_per_request_deadline: YesNo = "${lmtp_per_record_deadline?{$lmtp_per_record_deadline}:{no}}";
        /// How many bytes of content in a second win a second of time, when whole requests are timed.
        lmtp_min_data_rate: Int(1..) = "500";
        /// Whether the client logs in where it has a password.
        lmtp_sasl_auth_enable: YesNo = "no";
        /// The implementation of mechanisms; only `cyrus` is known, and ours takes its place.
        lmtp_sasl_type: Text = "cyrus",
            no_effect "the login mechanisms are built in";
        /// What that implementation is told about its configuration.
        lmtp_sasl_path: Text = "",
            no_effect "the mechanisms are built in and need no configuration of their own";
        /// Tables with `user:password` by server or destination.
        lmtp_sasl_password_maps: Maps = "";
        /// Whether passwords are looked up by sender first.
        lmtp_sender_dependent_authentication: YesNo = "no";
        /// Which mechanisms may be used, by name; empty means all.
        lmtp_sasl_mechanism_filter: List = "";
        /// Which kinds of mechanism are not used, such as `noplaintext`.
        lmtp_sasl_security_options: List = "noplaintext, noanonymous";
        /// The same under TLS.
        lmtp_sasl_tls_security_options: List = "$lmtp_sasl_security_options";
        /// The same under TLS with a verified server.
        lmtp_sasl_tls_verified_security_options: List = "$lmtp_sasl_tls_security_options";
        /// Whether failed logins are remembered, so that they are not repeated: empty means no. They are kept in memory,
        /// and not in the table that is named.
        lmtp_sasl_auth_cache_name: Text = "";
        /// How long they are remembered, in days.
        lmtp_sasl_auth_cache_time: Time = "90d";
        /// Whether mail waits after a failed login instead of being returned.
        lmtp_sasl_auth_soft_bounce: YesNo = "yes";
        /// Whether `AUTH=<>` is added to MAIL FROM after a login.
        lmtp_send_dummy_mail_auth: YesNo = "no";
    }
}
