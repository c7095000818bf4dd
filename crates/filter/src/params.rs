//! Parameters of judgement: restrictions and their codes, policy, rates, verification, checks, milters.
//!
//! A list of like things, and long for that reason: one paragraph a parameter.

mod milter;
mod postscreen;

pub use milter::Milter;
pub use postscreen::{Postscreen, PostscreenTests};

conf::params! {
    /// The restriction lists of each stage, and how they are gone through.
    pub struct Restrictions {
        /// What is asked when a client connects.
        smtpd_client_restrictions: Restrictions = "";
        /// What is asked at HELO and EHLO.
        smtpd_helo_restrictions: Restrictions = "";
        /// What is asked at MAIL FROM.
        smtpd_sender_restrictions: Restrictions = "";
        /// Who may relay: asked at RCPT TO, apart from the question whether mail is wanted.
        smtpd_relay_restrictions: Restrictions = "${{$compatibility_level} <level {1} ? {} : \
            {permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination}}";
        /// What is asked at RCPT TO.
        smtpd_recipient_restrictions: Restrictions = "";
        /// What is asked at DATA.
        smtpd_data_restrictions: Restrictions = "";
        /// What is asked when the message is whole.
        smtpd_end_of_data_restrictions: Restrictions = "";
        /// What is asked at ETRN.
        smtpd_etrn_restrictions: Restrictions = "";
        /// Names that stand for restriction lists of their own, each defined by a parameter of that name.
        smtpd_restriction_classes: List = "";
        /// Whether `smtpd_relay_restrictions` come before `smtpd_recipient_restrictions`.
        smtpd_relay_before_recipient_restrictions: YesNo
            = "${{$compatibility_level} <level {3.6} ? {no} : {yes}}";
        /// Whether refusals of client, HELO and sender are held back until RCPT TO.
        smtpd_delay_reject: YesNo = "yes";
        /// Whether HELO or EHLO must come before MAIL FROM.
        smtpd_helo_required: YesNo = "no";
        /// Whether recipients that no table knows are refused even when no restriction asks for it.
        smtpd_reject_unlisted_recipient: YesNo = "yes";
        /// Whether senders in our own domains that no table knows are refused even when no restriction asks
        /// for it.
        smtpd_reject_unlisted_sender: YesNo = "no";
        /// Whether MAIL FROM and RCPT TO need their angle brackets and bare addresses between them.
        strict_rfc821_envelopes: YesNo = "no";
        /// The key under which access tables find the null sender.
        smtpd_null_access_lookup_key: Text = "<>";
        /// The tables of login names that own a sender address.
        smtpd_sender_login_maps: Maps = "";
        /// Networks whose hosts must be primary mail exchangers for `permit_mx_backup` to accept a
        /// destination.
        permit_mx_backup_networks: List = "";
        /// Tables of fingerprints of client certificates that `permit_tls_clientcerts` lets pass.
        relay_clientcerts: Maps = "";
        /// Permitting actions that are logged, by name; `static:all` for every one.
        smtpd_log_access_permit_actions: List = "";
        /// A filter for DNS answers in restrictions: records can be dropped or turned into an action.
        smtpd_dns_reply_filter: Maps = "";
        /// The characters that may pass from a session into replies; all others become `_`.
        smtpd_expansion_filter: Raw
            = r##"\t\40!"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"##;
        /// A text added to every refusal; a leading `\c` keeps it on the same line.
        smtpd_reject_footer: Raw = "";
        /// Tables that choose that text by the whole refusal.
        smtpd_reject_footer_maps: Maps = "";
        /// Domains of DNS blocklists, from the time before `reject_rbl_client`.
        maps_rbl_domains: List = "";
        /// The reply to a listed client, with the macros of its listing.
        default_rbl_reply: Raw = "$rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using \
            $rbl_domain${rbl_reason?; $rbl_reason}";
        /// Tables that choose that reply by the domain of the blocklist.
        rbl_reply_maps: Maps = "";
    }
}

conf::params! {
    /// The reply codes of refusals, and what happens when a question cannot be answered.
    ///
    /// A code that is no 4xx or 5xx is answered as `450 4.7.1 Service unavailable`.
    pub struct RejectCodes {
        /// The code of `reject` in an access table.
        access_map_reject_code: Int = "554";
        /// The code of `defer` and its kin in an access table.
        access_map_defer_code: Int = "450";
        /// The code of the restriction `reject`.
        reject_code: Int = "554";
        /// The code of the restriction `defer`.
        defer_code: Int = "450";
        /// The code for a client named by a DNS blocklist.
        maps_rbl_reject_code: Int = "554";
        /// The code of `reject_unauth_destination`.
        relay_domains_reject_code: Int = "554";
        /// The code of `reject_invalid_helo_hostname`.
        invalid_hostname_reject_code: Int = "501";
        /// The code of `reject_non_fqdn_` restrictions.
        non_fqdn_reject_code: Int = "504";
        /// The code of `reject_plaintext_session`.
        plaintext_reject_code: Int = "450";
        /// The code of `reject_multi_recipient_bounce`.
        multi_recipient_bounce_reject_code: Int = "550";
        /// The code of `reject_unknown_sender_domain` and `reject_unknown_recipient_domain`.
        unknown_address_reject_code: Int = "450";
        /// The code of `reject_unknown_client_hostname`.
        unknown_client_reject_code: Int = "450";
        /// The code of `reject_unknown_helo_hostname`.
        unknown_hostname_reject_code: Int = "450";
        /// The code for an unknown user of `mydestination`.
        unknown_local_recipient_reject_code: Int = "550";
        /// The code for a recipient missing in `relay_recipient_maps`.
        unknown_relay_recipient_reject_code: Int = "550";
        /// The code for a recipient missing in `virtual_alias_maps`.
        unknown_virtual_alias_reject_code: Int = "550";
        /// The code for a recipient missing in `virtual_mailbox_maps`.
        unknown_virtual_mailbox_reject_code: Int = "550";
        /// The code for a recipient that a probe found to be undeliverable.
        unverified_recipient_reject_code: Int(200..=599) = "450";
        /// The code for a recipient whose probe has no result yet.
        unverified_recipient_defer_code: Int(200..=499) = "450";
        /// The text for an undeliverable recipient; when empty, what the probe was told.
        unverified_recipient_reject_reason: Text = "";
        /// The code for a sender that a probe found to be undeliverable.
        unverified_sender_reject_code: Int(200..=599) = "450";
        /// The code for a sender whose probe has no result yet.
        unverified_sender_defer_code: Int(200..=499) = "450";
        /// The text for an undeliverable sender; when empty, what the probe was told.
        unverified_sender_reject_reason: Text = "";
        /// What follows when a `reject_` restriction cannot find out: `defer` at once, or only instead of a
        /// permit.
        reject_tempfail_action: Enum("defer", "defer_if_permit") = "defer_if_permit";
        /// What follows when the domain of an address cannot be looked up.
        unknown_address_tempfail_action: Enum("defer", "defer_if_permit") = "$reject_tempfail_action";
        /// What follows when the name given at HELO cannot be looked up.
        unknown_helo_hostname_tempfail_action: Enum("defer", "defer_if_permit") = "$reject_tempfail_action";
        /// What follows when a recipient cannot be probed.
        unverified_recipient_tempfail_action: Enum("defer", "defer_if_permit") = "$reject_tempfail_action";
        /// What follows when a sender cannot be probed.
        unverified_sender_tempfail_action: Enum("defer", "defer_if_permit") = "$reject_tempfail_action";
    }
}

conf::params! {
    /// How policy servers are asked.
    pub struct Policy {
        /// How long a policy server may take to connect, take a question and answer it, in seconds.
        smtpd_policy_service_timeout: Time(1..) = "100s";
        /// What a policy server that does not answer counts as having said.
        smtpd_policy_service_default_action: Text = "451 4.3.5 Server configuration problem";
        /// How often a question is put before it counts as unanswered.
        smtpd_policy_service_try_limit: Int(1..) = "2";
        /// The pause before it is put again, in seconds.
        smtpd_policy_service_retry_delay: Time(1..) = "1s";
        /// After how long without a question a connection is closed, in seconds.
        smtpd_policy_service_max_idle: Time(1..) = "300s";
        /// How long a connection is kept at most, in seconds.
        smtpd_policy_service_max_ttl: Time(1..) = "1000s";
        /// How many questions one connection carries; 0 means no limit.
        smtpd_policy_service_request_limit: Int = "0";
        /// The value of the attribute `policy_context`, to tell several uses of one server apart.
        smtpd_policy_service_policy_context: Text = "";
    }
}

conf::params! {
    /// How much one client may do at once and over time.
    pub struct Rates {
        /// The length of the time span over which rates are counted, in seconds.
        anvil_rate_time_unit: Time(1..) = "60s";
        /// How often the peak counts are logged, in seconds.
        anvil_status_update_time: Time(1..) = "600s",
            no_effect "no statistics are logged at intervals";
        /// How many connections one client may have at once; 0 means no limit.
        smtpd_client_connection_count_limit: Int = "50";
        /// How many connections one client may make in a time span; 0 means no limit.
        smtpd_client_connection_rate_limit: Int = "0";
        /// How many messages one client may begin in a time span; 0 means no limit.
        smtpd_client_message_rate_limit: Int = "0";
        /// How many recipients one client may name in a time span; 0 means no limit.
        smtpd_client_recipient_rate_limit: Int = "0";
        /// How many logins one client may try in a time span; 0 means no limit.
        smtpd_client_auth_rate_limit: Int = "0";
        /// How many new TLS sessions, that is without resumption, one client may make in a time span; 0 means
        /// no limit.
        smtpd_client_new_tls_session_rate_limit: Int = "0";
        /// Clients for which none of these limits hold.
        smtpd_client_event_limit_exceptions: List = "${smtpd_client_connection_limit_exceptions:$mynetworks}";
    }
}

conf::params! {
    /// Address verification: probes whether an address takes mail, and the memory of their results.
    pub struct AddressVerify {
        /// The file that keeps results, `btree:/file`; empty keeps them in memory only. Its form is our own.
        address_verify_map: Text = "btree:$data_directory/verify_cache";
        /// The sender of probes; empty or `<>` is the null sender.
        address_verify_sender: Text = "$double_bounce_sender";
        /// How often the changing part of the probe sender changes, in seconds; 0 means there is none.
        address_verify_sender_ttl: Time = "0s";
        /// How often a session asks whether a probe has its result.
        address_verify_poll_count: Int(1..) = "${stress?{1}:{3}}";
        /// The pause between two such questions, in seconds.
        address_verify_poll_delay: Time(1..) = "3s";
        /// How many probes may wait for their result.
        address_verify_pending_request_limit: Int(1..) = "5000";
        /// Whether failed probes are remembered.
        address_verify_negative_cache: YesNo = "yes";
        /// How long a success is remembered, in days.
        address_verify_positive_expire_time: Time(1..) = "31d";
        /// After how long a remembered success is probed again, in days.
        address_verify_positive_refresh_time: Time(1..) = "7d";
        /// How long a failure is remembered, in days.
        address_verify_negative_expire_time: Time(1..) = "3d";
        /// After how long a remembered failure is probed again, in hours.
        address_verify_negative_refresh_time: Time(1..) = "3h";
        /// How often expired results are removed from the table, in hours; 0 means never.
        address_verify_cache_cleanup_interval: Time = "12h";
        /// The master.cf entry of the verification service.
        address_verify_service_name: Text = "verify",
            no_effect "address verification is a part of the program";
    }
}

conf::params! {
    /// Checks of message headers and bodies against patterns.
    pub struct Checks {
        /// Tables for the headers of the message itself.
        header_checks: Maps = "";
        /// Tables for headers of MIME parts.
        mime_header_checks: Maps = "$header_checks";
        /// Tables for headers of attached messages.
        nested_header_checks: Maps = "$header_checks";
        /// Tables for lines of the body.
        body_checks: Maps = "";
        /// How many bytes of each body part are checked.
        body_checks_size_limit: Bytes = "51200";
        /// The transport and next hop that all mail takes through a content filter; empty means no filter.
        content_filter: Text = "";
        /// The next hop of FILTER actions that name none; when empty, the recipient's domain.
        default_filter_nexthop: Text = "";
        /// Which internal mail, `bounce` and `notify`, passes header and body checks and non_smtpd_milters.
        internal_mail_filter_classes: List = "";
        /// What is left out for mail that comes in here: recipient checks, address mappings, content checks,
        /// milters.
        receive_override_options: List = "";
    }
}

conf::params! {
    /// How MIME structure is read, and what in it is refused.
    pub struct Mime {
        /// Whether MIME structure is ignored, so that all text after the first headers is body.
        disable_mime_input_processing: YesNo = "no";
        /// How deep parts may be nested.
        mime_nesting_limit: Int(1..) = "100";
        /// How many characters of a boundary are compared.
        mime_boundary_length_limit: Int(1..) = "2048";
        /// How long a header may be, in bytes; the rest is dropped.
        header_size_limit: Bytes = "102400";
        /// How many words the addresses of one header may have; the rest is dropped.
        header_address_token_limit: Int(1..) = "10240";
        /// Whether a message is treated as 8-bit when its Content-Transfer-Encoding says so.
        detect_8bit_encoding_header: YesNo = "yes";
        /// Whether headers with 8-bit text are refused.
        strict_7bit_headers: YesNo = "no";
        /// Whether 8-bit bodies without a declaration as such are refused.
        strict_8bitmime_body: YesNo = "no";
        /// Whether both kinds of undeclared 8-bit text are refused.
        strict_8bitmime: YesNo = "no";
        /// Whether an encoding that multipart and message parts must not have is refused.
        strict_mime_encoding_domain: YesNo = "no";
    }
}
