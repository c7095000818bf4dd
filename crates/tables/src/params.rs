//! Parameters of lookup tables.

conf::params! {
    /// How tables are opened and compiled.
    pub struct Settings {
        /// The type of a table that is named without one, on the command line of `postmap` and its kin.
        default_database_type: Text = "hash";
        /// How many connections a data base that tables ask may have at one time.
        database_connection_limit: Int = "10", own;
        /// How long a data base server may take to accept a connection, in seconds.
        database_connect_timeout: Time = "10s", own;
        /// How long a data base may take to answer one question, in seconds.
        database_query_timeout: Time = "30s", own;
        /// For how long an answer of a data base is used again without asking, in seconds; 0 is never.
        database_cache_time: Time = "0s", own;
        /// For how long "not found" of a data base is used again without asking, in seconds; 0 is never.
        database_negative_cache_time: Time = "0s", own;
        /// How large a compiled table may become before it is made larger by itself, in bytes.
        lmdb_map_size: Bytes = "16777216",
            no_effect "a compiled table takes the space that it needs";
        /// Whether a table that cannot be opened ends the service instead of being a temporary failure.
        daemon_table_open_error_is_fatal: YesNo = "no",
            no_effect "a table that does not open is a temporary failure until it does";
        /// Which tables may be read through `proxy:`.
        proxy_read_maps: List = "\
            $local_recipient_maps $mydestination $virtual_alias_maps $virtual_alias_domains \
            $virtual_mailbox_maps $virtual_mailbox_domains $relay_recipient_maps $relay_domains \
            $canonical_maps $sender_canonical_maps $recipient_canonical_maps $relocated_maps \
            $transport_maps $mynetworks $smtpd_sender_login_maps $sender_bcc_maps $recipient_bcc_maps \
            $smtp_generic_maps $lmtp_generic_maps $alias_maps $smtpd_client_restrictions \
            $smtpd_helo_restrictions $smtpd_sender_restrictions $smtpd_relay_restrictions \
            $smtpd_recipient_restrictions $address_verify_sender_dependent_default_transport_maps \
            $address_verify_sender_dependent_relayhost_maps $address_verify_transport_maps \
            $fallback_transport_maps $lmtp_discard_lhlo_keyword_address_maps $lmtp_pix_workaround_maps \
            $lmtp_sasl_password_maps $lmtp_tls_policy_maps $mailbox_command_maps $mailbox_transport_maps \
            $postscreen_discard_ehlo_keyword_address_maps $rbl_reply_maps \
            $sender_dependent_default_transport_maps $sender_dependent_relayhost_maps \
            $smtp_discard_ehlo_keyword_address_maps $smtp_pix_workaround_maps $smtp_sasl_password_maps \
            $smtp_tls_policy_maps $smtpd_discard_ehlo_keyword_address_maps $smtpd_milter_maps \
            $virtual_gid_maps $virtual_uid_maps $local_login_sender_maps $postscreen_reject_footer_maps \
            $smtpd_reject_footer_maps $tls_server_sni_maps $tlsproxy_client_policy_maps \
            $default_delivery_status_filter $lmtp_delivery_status_filter $lmtp_dns_reply_filter \
            $lmtp_reply_filter $local_delivery_status_filter $pipe_delivery_status_filter \
            $postscreen_command_filter $smtp_delivery_status_filter $smtp_dns_reply_filter \
            $smtp_reply_filter $smtpd_command_filter $smtpd_dns_reply_filter \
            $virtual_delivery_status_filter $body_checks $header_checks $lmtp_body_checks \
            $lmtp_header_checks $lmtp_mime_header_checks $lmtp_nested_header_checks $milter_header_checks \
            $mime_header_checks $nested_header_checks $smtp_body_checks $smtp_header_checks \
            $smtp_mime_header_checks $smtp_nested_header_checks",
            no_effect "`proxy:` opens the table within the program, with no rights but its own";
        /// Which tables may be written through `proxy:`.
        proxy_write_maps: List = "$smtp_sasl_auth_cache_name $lmtp_sasl_auth_cache_name \
            $address_verify_map $postscreen_cache_map",
            no_effect "`proxy:` opens the table within the program, with no rights but its own";
        /// The master.cf entry that reads tables for others.
        proxymap_service_name: Text = "proxymap", no_effect "`proxy:` opens the table within the program";
        /// The master.cf entry that writes tables for others.
        proxywrite_service_name: Text = "proxywrite", no_effect "`proxy:` opens the table within the program";
        /// How much memory Berkeley DB may use to make a file, in bytes.
        berkeley_db_create_buffer_size: Bytes = "16777216",
            no_effect "compiled tables are LMDB files; Berkeley DB files are only read";
        /// How much memory Berkeley DB may use to read a file, in bytes.
        berkeley_db_read_buffer_size: Bytes = "131072",
            no_effect "Berkeley DB files are read without a cache";
    }
}

conf::params! {
    /// Rows copied between data bases while the program runs.
    pub struct Copies {
        /// The files, in the form of `facteur sync`, that say what is copied.
        sync_files: List = "", own;
        /// How long after a copy the next one begins, in seconds.
        sync_interval: Time = "600s", own;
    }
}

impl Settings {
    /// What tables in data bases may use.
    pub fn databases(&self) -> crate::Databases {
        crate::Databases {
            limits: crate::sql::Limits {
                connections: usize::try_from(self.database_connection_limit).unwrap_or(1).max(1),
                connect: self.database_connect_timeout,
                query: self.database_query_timeout,
                ..crate::sql::Limits::default()
            },
            cache: self.database_cache_time,
            negative_cache: self.database_negative_cache_time,
        }
    }
}
