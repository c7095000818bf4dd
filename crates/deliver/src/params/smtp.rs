//! Parameters of the SMTP client. The LMTP client reads the same structs under the names of `lmtp.rs`.
//!
//! A list of like things, and long for that reason: one paragraph a parameter.

conf::params! {
    /// Where the client connects to, what it says there, and how it sends content.
    pub struct SmtpClient {
        /// The port to connect to when the destination names none.
        smtp_tcp_port: Text = "smtp";
        /// The name given in EHLO and HELO.
        smtp_helo_name: Text = "$myhostname";
        /// Whether EHLO is sent even when the greeting does not say ESMTP.
        smtp_always_send_ehlo: YesNo = "yes";
        /// Whether EHLO is never sent.
        smtp_never_send_ehlo: YesNo = "no";
        /// EHLO keywords of servers that are ignored.
        smtp_discard_ehlo_keywords: List = "";
        /// Tables that choose these keywords by the address of the server.
        smtp_discard_ehlo_keyword_address_maps: Maps = "";
        /// The IPv4 address to connect from.
        smtp_bind_address: Text = "";
        /// The IPv6 address to connect from.
        smtp_bind_address6: Text = "";
        /// Whether mail waits when that address cannot be used, instead of leaving from another.
        smtp_bind_address_enforce: YesNo = "no";
        /// Which kind of address is tried first where a server has both: `ipv4`, `ipv6` or `any`.
        smtp_address_preference: Enum("any", "ipv4", "ipv6") = "any";
        /// Whether both kinds of address are among those that are tried.
        smtp_balance_inet_protocols: YesNo = "yes";
        /// Whether servers of equal preference are tried in random order.
        smtp_randomize_addresses: YesNo = "yes";
        /// How many addresses of mail exchangers are looked at; 0 means all.
        smtp_mx_address_limit: Int = "5";
        /// How many sessions one delivery tries; 0 means no limit.
        smtp_mx_session_limit: Int = "2";
        /// Whether mail waits when no mail exchanger of its domain has an address.
        smtp_defer_if_no_mx_address_found: YesNo = "no";
        /// Whether a failed search for mail exchangers counts as there being none.
        ignore_mx_lookup_error: YesNo = "no";
        /// The transport for domains whose best mail exchanger we are, though no class names them.
        best_mx_transport: Text = "";
        /// Hosts tried when the destination itself cannot be reached.
        smtp_fallback_relay: List = "$fallback_relay";
        /// How much DNS is used: `disabled`, `enabled`, or `dnssec` where answers must be validated.
        smtp_dns_support_level: Enum("", "disabled", "enabled", "dnssec") = "";
        /// Whether DNS is not used at all, from the time before `smtp_dns_support_level`.
        disable_dns_lookups: YesNo = "no";
        /// How the addresses of hosts are found: in DNS, or as the system does (`native`).
        smtp_host_lookup: List = "dns";
        /// How host names are completed with the domains of resolv.conf: `res_defnames` those without a dot,
        /// `res_dnsrch` those with one.
        smtp_dns_resolver_options: List = "";
        /// A filter for DNS answers: a record for which the tables say `IGNORE` is not seen.
        smtp_dns_reply_filter: Maps = "";
        /// Whether the name a CNAME leads to takes the place of the server's name.
        smtp_cname_overrides_servername: YesNo = "no";
        /// Whether a server that greets with a 5xx code is passed over instead of failing the mail.
        smtp_skip_5xx_greeting: YesNo = "yes";
        /// Whether the reply to QUIT is not waited for.
        smtp_skip_quit_response: YesNo = "yes";
        /// Whether addresses in MAIL FROM and RCPT TO are quoted as RFC 5321 asks.
        smtp_quote_rfc821_envelope: YesNo = "yes";
        /// How long a line may be that is sent, in bytes, before it is broken; 0 means no limit.
        smtp_line_length_limit: Int = "998";
        /// Whether servers are told with XFORWARD where mail came from.
        smtp_send_xforward_command: YesNo = "no";
        /// At which stage a probe asks whether an address takes mail.
        smtp_address_verify_target: Enum("rcpt", "data") = "rcpt";
        /// Tables that replace local addresses in mail that leaves.
        smtp_generic_maps: Maps = "";
        /// Header checks for mail that leaves.
        smtp_header_checks: Maps = "";
        /// The same for headers of MIME parts.
        smtp_mime_header_checks: Maps = "";
        /// The same for headers of attached messages.
        smtp_nested_header_checks: Maps = "";
        /// Body checks for mail that leaves.
        smtp_body_checks: Maps = "";
        /// Whether 8-bit mail is sent as it is to servers without 8BITMIME, instead of being converted.
        disable_mime_output_conversion: YesNo = "no";
        /// A table that replaces lines of replies before they are looked at.
        smtp_reply_filter: Maps = "";
        /// A table that may replace the outcome of a delivery.
        smtp_delivery_status_filter: Maps = "$default_delivery_status_filter";
        /// What is done about servers behind a Cisco PIX: `disable_esmtp`, `delay_dotcrlf`.
        smtp_pix_workarounds: List = "disable_esmtp,delay_dotcrlf";
        /// Tables that choose this by the address of the server.
        smtp_pix_workaround_maps: Maps = "";
        /// How long to wait before the end of a message to such a server, in seconds.
        smtp_pix_workaround_delay_time: Time(1..) = "10s";
        /// From which age of a message on this is done, in seconds.
        smtp_pix_workaround_threshold_time: Time = "500s";
        /// Destinations whose connections are always kept for the next message.
        smtp_connection_cache_destinations: List = "";
        /// Whether connections are kept while much mail waits for their destination.
        smtp_connection_cache_on_demand: YesNo = "yes";
        /// How long a connection is kept unused, in seconds.
        smtp_connection_cache_time_limit: Time(1..) = "2s";
        /// How often a connection is used again; 0 means no limit.
        smtp_connection_reuse_count_limit: Int = "0";
        /// How long a connection may be used altogether, in seconds.
        smtp_connection_reuse_time_limit: Time(1..) = "300s";
        /// How long any connection may be kept unused, whatever a client asks for, in seconds.
        connection_cache_ttl_limit: Time(1..) = "2s",
            no_effect "smtp_connection_cache_time_limit bounds kept connections";
        /// How often the use of kept connections is logged, in seconds.
        connection_cache_status_update_time: Time(1..) = "600s",
            no_effect "no statistics are logged at intervals";
        /// How long handing a connection over may take, in seconds.
        connection_cache_protocol_timeout: Time(1..) = "5s",
            no_effect "kept connections do not leave the program";
        /// The master.cf entry of the service that keeps connections.
        connection_cache_service_name: Text = "scache", no_effect "connections are kept within the program";
    }

    /// How long each step of a session may take.
    pub struct SmtpTimeouts {
        /// How long connecting may take, in seconds; 0 means as long as the system allows.
        smtp_connect_timeout: Time = "30s";
        /// How long the greeting, and the reply to EHLO or HELO, may take, in seconds.
        smtp_helo_timeout: Time(1..) = "300s";
        /// How long one step of a TLS handshake may take, in seconds.
        smtp_starttls_timeout: Time(1..) = "300s";
        /// How long the reply to XFORWARD may take, in seconds.
        smtp_xforward_timeout: Time(1..) = "300s";
        /// How long the reply to MAIL FROM may take, in seconds.
        smtp_mail_timeout: Time(1..) = "300s";
        /// How long the reply to RCPT TO may take, in seconds.
        smtp_rcpt_timeout: Time(1..) = "300s";
        /// How long the reply to DATA may take, in seconds.
        smtp_data_init_timeout: Time(1..) = "120s";
        /// How long sending the next part of the content may take, in seconds.
        smtp_data_xfer_timeout: Time(1..) = "180s";
        /// How long the reply to the end of the content may take, in seconds.
        smtp_data_done_timeout: Time(1..) = "600s";
        /// How long the reply to RSET may take, in seconds.
        smtp_rset_timeout: Time(1..) = "20s";
        /// How long the reply to QUIT may take, in seconds.
        smtp_quit_timeout: Time(1..) = "300s";
        /// Whether these times hold for a whole command and reply instead of each read and write.
        smtp_per_request_deadline: YesNo = "${smtp_per_record_deadline?{$smtp_per_record_deadline}:{no}}";
        /// How many bytes of content in a second win a second of time, when whole requests are timed.
        smtp_min_data_rate: Int(1..) = "500";
    }

    /// How the client logs in.
    pub struct SmtpSasl {
        /// Whether the client logs in where it has a password.
        smtp_sasl_auth_enable: YesNo = "no";
        /// The implementation of mechanisms; only `cyrus` is known, and ours takes its place.
        smtp_sasl_type: Text = "cyrus",
            no_effect "the login mechanisms are built in";
        /// What that implementation is told about its configuration.
        smtp_sasl_path: Text = "",
            no_effect "the mechanisms are built in and need no configuration of their own";
        /// Tables with `user:password` by server or destination.
        smtp_sasl_password_maps: Maps = "";
        /// Whether passwords are looked up by sender first.
        smtp_sender_dependent_authentication: YesNo = "no";
        /// Which mechanisms may be used, by name; empty means all.
        smtp_sasl_mechanism_filter: List = "";
        /// Which kinds of mechanism are not used, such as `noplaintext`.
        smtp_sasl_security_options: List = "noplaintext, noanonymous";
        /// The same under TLS.
        smtp_sasl_tls_security_options: List = "$smtp_sasl_security_options";
        /// The same under TLS with a verified server.
        smtp_sasl_tls_verified_security_options: List = "$smtp_sasl_tls_security_options";
        /// Whether failed logins are remembered, so that they are not repeated: empty means no. They are kept in memory,
        /// and not in the table that is named.
        smtp_sasl_auth_cache_name: Text = "";
        /// How long they are remembered, in days.
        smtp_sasl_auth_cache_time: Time = "90d";
        /// Whether mail waits after a failed login instead of being returned.
        smtp_sasl_auth_soft_bounce: YesNo = "yes";
        /// Whether `AUTH=<>` is added to MAIL FROM after a login.
        smtp_send_dummy_mail_auth: YesNo = "no";
        /// Whether the login name is also sent as the name to act for.
        send_cyrus_sasl_authzid: YesNo = "no",
            no_effect "there is no Cyrus SASL library";
    }
}
