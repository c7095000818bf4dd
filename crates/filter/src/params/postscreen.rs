//! Parameters of postscreen: who may talk to smtpd at all.

conf::params! {
    /// The session with a client that is not yet known.
    pub struct Postscreen {
        /// Who passes or fails without any test: `permit_mynetworks`, or tables by address.
        postscreen_access_list: List = "permit_mynetworks";
        /// What happens to a client that this list rejects.
        postscreen_denylist_action: Enum("ignore", "enforce", "drop")
            = "${postscreen_blacklist_action?{$postscreen_blacklist_action}:{ignore}}";
        /// Our own addresses at which a client may earn the right to pass; elsewhere it can only use it.
        postscreen_allowlist_interfaces: List
            = "${postscreen_whitelist_interfaces?{$postscreen_whitelist_interfaces}:{static:all}}";
        /// The table that remembers which tests a client has passed.
        postscreen_cache_map: Text = "btree:$data_directory/postscreen_cache",
            no_effect "results are kept in memory, as long as the program runs";
        /// How long a result is kept after it expired, in days.
        postscreen_cache_retention_time: Time(1..) = "7d",
            no_effect "results are forgotten when they are over and their room is needed";
        /// How often old results are removed, in hours; 0 means never.
        postscreen_cache_cleanup_interval: Time = "12h",
            no_effect "results are forgotten when they are over and their room is needed";
        /// How many connections one client may have at once; 0 means no limit.
        postscreen_client_connection_count_limit: Int = "$smtpd_client_connection_count_limit";
        /// How many clients may wait for the end of their tests.
        postscreen_pre_queue_limit: Int(10..) = "$default_process_limit";
        /// How many clients may wait for a session with smtpd.
        postscreen_post_queue_limit: Int(5..) = "$default_process_limit",
            no_effect "a client that passed is handed over at once";
        /// The master.cf entry that clients are handed to when they have passed.
        smtpd_service_name: Text = "smtpd";
        /// The first line of the greeting, sent before smtpd's own to lure clients that talk too early.
        postscreen_greet_banner: Text = "$smtpd_banner";
        /// How many commands a session may have.
        postscreen_command_count_limit: Int(1..) = "20";
        /// How long the next command may take, in seconds.
        postscreen_command_time_limit: Time(1..) = "${stress?{10}:{300}}s";
        /// A table that replaces commands before they are looked at.
        postscreen_command_filter: Maps = "",
            no_effect "the dialogue with clients under test delivers nothing, whatever they say";
        /// Whether VRFY is turned off.
        postscreen_disable_vrfy_command: YesNo = "$disable_vrfy_command";
        /// EHLO keywords that are not announced.
        postscreen_discard_ehlo_keywords: List = "$smtpd_discard_ehlo_keywords",
            no_effect "clients under test hear a fixed list, without PIPELINING and STARTTLS";
        /// Tables that choose these keywords by the address of the client.
        postscreen_discard_ehlo_keyword_address_maps: Maps = "$smtpd_discard_ehlo_keyword_address_maps",
            no_effect "clients under test hear a fixed list, without PIPELINING and STARTTLS";
        /// Whether HELO or EHLO must come before MAIL FROM.
        postscreen_helo_required: YesNo = "$smtpd_helo_required";
        /// The characters that may pass from a session into the reject footer; by default those of smtpd.
        postscreen_expansion_filter: Raw = "$smtpd_expansion_filter",
            no_effect "refusals of clients under test have no footer";
        /// A text added to every refusal.
        postscreen_reject_footer: Raw = "$smtpd_reject_footer",
            no_effect "refusals of clients under test have no footer";
        /// Tables that choose that text by the whole refusal.
        postscreen_reject_footer_maps: Maps = "$smtpd_reject_footer_maps",
            no_effect "refusals of clients under test have no footer";
        /// Whether TLS is offered (`may`) or demanded (`encrypt`).
        postscreen_tls_security_level: Enum("", "none", "may", "encrypt", "dane", "dane-only", "fingerprint",
            "verify", "secure") = "$smtpd_tls_security_level",
            no_effect "clients under test are not offered TLS; smtpd offers it to those who passed";
        /// Whether TLS is offered, from the time before security levels.
        postscreen_use_tls: YesNo = "$smtpd_use_tls",
            no_effect "clients under test are not offered TLS; smtpd offers it to those who passed";
        /// Whether TLS is demanded, from the time before security levels.
        postscreen_enforce_tls: YesNo = "$smtpd_enforce_tls",
            no_effect "clients under test are not offered TLS; smtpd offers it to those who passed";
        /// The protocol by which a proxy in front tells the client's address: `haproxy`, or empty for none.
        postscreen_upstream_proxy_protocol: Enum("", "haproxy") = "";
        /// How long the proxy may take to do so, in seconds.
        postscreen_upstream_proxy_timeout: Time(1..) = "5s";
        /// How long one step may take, in seconds, before a watchdog ends the process.
        postscreen_watchdog_timeout: Time(10..) = "10s",
            no_effect "every wait has its own time limit instead of a watchdog";
        /// The master.cf entry of the service that asks DNS lists.
        dnsblog_service_name: Text = "dnsblog", no_effect "DNS lists are asked within the program";
        /// An artificial delay of DNS answers, in seconds.
        dnsblog_reply_delay: Time = "0s", no_effect "our tests delay the answers at their own DNS server";
    }

    /// The tests a new client has to pass, and for how long they count.
    pub struct PostscreenTests {
        /// How long a client is watched for talking before its turn, in seconds.
        postscreen_greet_wait: Time(1..) = "${stress?{2}:{6}}s";
        /// What happens to a client that talks before its turn.
        postscreen_greet_action: Enum("ignore", "enforce", "drop") = "ignore";
        /// How long having waited counts, in days.
        postscreen_greet_ttl: Time(1..) = "1d";
        /// The DNS lists to ask, as `domain[=filter][*weight]`.
        postscreen_dnsbl_sites: List = "";
        /// The score from which a client fails.
        postscreen_dnsbl_threshold: Int(1..) = "1";
        /// The score, below 0, up to which a client passes without further tests; 0 turns this off.
        postscreen_dnsbl_allowlist_threshold: Int(-2147483648..=0)
            = "${postscreen_dnsbl_whitelist_threshold?{$postscreen_dnsbl_whitelist_threshold}:{0}}";
        /// What happens to a client whose score is too high.
        postscreen_dnsbl_action: Enum("ignore", "enforce", "drop") = "ignore";
        /// How long a good score counts at most, in hours, whatever the DNS answers say.
        postscreen_dnsbl_max_ttl: Time(1..) = "${postscreen_dnsbl_ttl?{$postscreen_dnsbl_ttl}:{1}}h";
        /// How long a good score counts at least, in seconds.
        postscreen_dnsbl_min_ttl: Time(1..) = "60s";
        /// How long the lists are waited for, in seconds.
        postscreen_dnsbl_timeout: Time(1..) = "10s";
        /// A table with the names of lists to show in replies, for lists whose name holds a secret.
        postscreen_dnsbl_reply_map: Maps = "";
        /// Whether sending several commands at once is tested for.
        postscreen_pipelining_enable: YesNo = "no";
        /// What happens to a client that does so.
        postscreen_pipelining_action: Enum("ignore", "enforce", "drop") = "enforce";
        /// How long having passed counts, in days.
        postscreen_pipelining_ttl: Time(1..) = "30d";
        /// Whether commands of other protocols are tested for.
        postscreen_non_smtp_command_enable: YesNo = "no";
        /// What happens to a client that sends one.
        postscreen_non_smtp_command_action: Enum("ignore", "enforce", "drop") = "drop";
        /// How long having passed counts, in days.
        postscreen_non_smtp_command_ttl: Time(1..) = "30d";
        /// The commands of other protocols to look for.
        postscreen_forbidden_commands: List = "$smtpd_forbidden_commands";
        /// Whether lines that end in a bare newline are tested for.
        postscreen_bare_newline_enable: YesNo = "no";
        /// What happens to a client that sends one.
        postscreen_bare_newline_action: Enum("ignore", "enforce", "drop") = "ignore";
        /// How long having passed counts, in days.
        postscreen_bare_newline_ttl: Time(1..) = "30d";
    }
}
