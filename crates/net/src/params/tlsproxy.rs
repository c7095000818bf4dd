//! Parameters of tlsproxy, which does TLS for postscreen and for kept connections in Postfix.
//!
//! Here the part of the program that holds a connection does its TLS, by the settings these copy.

conf::params! {
    /// The copies, none of which has an effect.
    pub const TLSPROXY {
        /// The copy of `smtp_tls_CAfile` for tlsproxy.
        tlsproxy_client_CAfile: Path = "$smtp_tls_CAfile",
            no_effect "there is no tlsproxy; `smtp_tls_CAfile` is used";
        /// The copy of `smtp_tls_CApath` for tlsproxy.
        tlsproxy_client_CApath: Path = "$smtp_tls_CApath",
            no_effect "there is no tlsproxy; `smtp_tls_CApath` is used";
        /// The copy of `smtp_tls_cert_file` for tlsproxy.
        tlsproxy_client_cert_file: Path = "$smtp_tls_cert_file",
            no_effect "there is no tlsproxy; `smtp_tls_cert_file` is used";
        /// The copy of `smtp_tls_chain_files` for tlsproxy.
        tlsproxy_client_chain_files: List = "$smtp_tls_chain_files",
            no_effect "there is no tlsproxy; `smtp_tls_chain_files` is used";
        /// The copy of `smtp_tls_dcert_file` for tlsproxy.
        tlsproxy_client_dcert_file: Path = "$smtp_tls_dcert_file",
            no_effect "there is no tlsproxy; `smtp_tls_dcert_file` is used";
        /// The copy of `smtp_tls_dkey_file` for tlsproxy.
        tlsproxy_client_dkey_file: Path = "$smtp_tls_dkey_file",
            no_effect "there is no tlsproxy; `smtp_tls_dkey_file` is used";
        /// The copy of `smtp_tls_eccert_file` for tlsproxy.
        tlsproxy_client_eccert_file: Path = "$smtp_tls_eccert_file",
            no_effect "there is no tlsproxy; `smtp_tls_eccert_file` is used";
        /// The copy of `smtp_tls_eckey_file` for tlsproxy.
        tlsproxy_client_eckey_file: Path = "$smtp_tls_eckey_file",
            no_effect "there is no tlsproxy; `smtp_tls_eckey_file` is used";
        /// The copy of `smtp_enforce_tls` for tlsproxy.
        tlsproxy_client_enforce_tls: YesNo = "$smtp_enforce_tls",
            no_effect "there is no tlsproxy; `smtp_enforce_tls` is used";
        /// The copy of `smtp_tls_fingerprint_digest` for tlsproxy.
        tlsproxy_client_fingerprint_digest: Text = "$smtp_tls_fingerprint_digest",
            no_effect "there is no tlsproxy; `smtp_tls_fingerprint_digest` is used";
        /// The copy of `smtp_tls_key_file` for tlsproxy.
        tlsproxy_client_key_file: Path = "$smtp_tls_key_file",
            no_effect "there is no tlsproxy; `smtp_tls_key_file` is used";
        /// The copy of `smtp_tls_loglevel` for tlsproxy.
        tlsproxy_client_loglevel: Int = "$smtp_tls_loglevel",
            no_effect "there is no tlsproxy; `smtp_tls_loglevel` is used";
        /// The name of the parameter to mention when logging about the level of logging.
        tlsproxy_client_loglevel_parameter: Text = "smtp_tls_loglevel",
            no_effect "there is no tlsproxy; the SMTP client logs for itself";
        /// The copy of `smtp_tls_per_site` for tlsproxy.
        tlsproxy_client_per_site: Maps = "$smtp_tls_per_site",
            no_effect "there is no tlsproxy; `smtp_tls_per_site` is used";
        /// The copy of `smtp_tls_policy_maps` for tlsproxy.
        tlsproxy_client_policy_maps: Maps = "${tlsproxy_client_policy:$smtp_tls_policy_maps}",
            no_effect "there is no tlsproxy; `smtp_tls_policy_maps` is used";
        /// The copy of `smtp_tls_scert_verifydepth` for tlsproxy.
        tlsproxy_client_scert_verifydepth: Int = "$smtp_tls_scert_verifydepth",
            no_effect "there is no tlsproxy; `smtp_tls_scert_verifydepth` is used";
        /// The copy of `smtp_tls_security_level` for tlsproxy.
        tlsproxy_client_security_level: Enum("", "none", "may", "encrypt", "dane", "dane-only", "fingerprint",
            "verify", "secure") = "${tlsproxy_client_level:$smtp_tls_security_level}",
            no_effect "there is no tlsproxy; `smtp_tls_security_level` is used";
        /// The copy of `smtp_use_tls` for tlsproxy.
        tlsproxy_client_use_tls: YesNo = "$smtp_use_tls",
            no_effect "there is no tlsproxy; `smtp_use_tls` is used";
        /// The copy of `smtpd_enforce_tls` for tlsproxy.
        tlsproxy_enforce_tls: YesNo = "$smtpd_enforce_tls",
            no_effect "there is no tlsproxy; `smtpd_enforce_tls` is used";
        /// The master.cf entry of tlsproxy.
        tlsproxy_service_name: Text = "tlsproxy",
            no_effect "there is no tlsproxy; TLS is done where the connection is";
        /// The copy of `smtpd_tls_CAfile` for tlsproxy.
        tlsproxy_tls_CAfile: Path = "$smtpd_tls_CAfile",
            no_effect "there is no tlsproxy; `smtpd_tls_CAfile` is used";
        /// The copy of `smtpd_tls_CApath` for tlsproxy.
        tlsproxy_tls_CApath: Path = "$smtpd_tls_CApath",
            no_effect "there is no tlsproxy; `smtpd_tls_CApath` is used";
        /// The copy of `smtpd_tls_always_issue_session_ids` for tlsproxy.
        tlsproxy_tls_always_issue_session_ids: YesNo = "$smtpd_tls_always_issue_session_ids",
            no_effect "there is no tlsproxy; `smtpd_tls_always_issue_session_ids` is used";
        /// The copy of `smtpd_tls_ask_ccert` for tlsproxy.
        tlsproxy_tls_ask_ccert: YesNo = "$smtpd_tls_ask_ccert",
            no_effect "there is no tlsproxy; `smtpd_tls_ask_ccert` is used";
        /// The copy of `smtpd_tls_ccert_verifydepth` for tlsproxy.
        tlsproxy_tls_ccert_verifydepth: Int = "$smtpd_tls_ccert_verifydepth",
            no_effect "there is no tlsproxy; `smtpd_tls_ccert_verifydepth` is used";
        /// The copy of `smtpd_tls_cert_file` for tlsproxy.
        tlsproxy_tls_cert_file: Path = "$smtpd_tls_cert_file",
            no_effect "there is no tlsproxy; `smtpd_tls_cert_file` is used";
        /// The copy of `smtpd_tls_chain_files` for tlsproxy.
        tlsproxy_tls_chain_files: List = "$smtpd_tls_chain_files",
            no_effect "there is no tlsproxy; `smtpd_tls_chain_files` is used";
        /// The copy of `smtpd_tls_ciphers` for tlsproxy.
        tlsproxy_tls_ciphers: Enum("export", "low", "medium", "high", "null") = "$smtpd_tls_ciphers",
            no_effect "there is no tlsproxy; `smtpd_tls_ciphers` is used";
        /// The copy of `smtpd_tls_dcert_file` for tlsproxy.
        tlsproxy_tls_dcert_file: Path = "$smtpd_tls_dcert_file",
            no_effect "there is no tlsproxy; `smtpd_tls_dcert_file` is used";
        /// The copy of `smtpd_tls_dh1024_param_file` for tlsproxy.
        tlsproxy_tls_dh1024_param_file: Path = "$smtpd_tls_dh1024_param_file",
            no_effect "there is no tlsproxy; `smtpd_tls_dh1024_param_file` is used";
        /// The copy of `smtpd_tls_dh512_param_file` for tlsproxy.
        tlsproxy_tls_dh512_param_file: Path = "$smtpd_tls_dh512_param_file",
            no_effect "there is no tlsproxy; `smtpd_tls_dh512_param_file` is used";
        /// The copy of `smtpd_tls_dkey_file` for tlsproxy.
        tlsproxy_tls_dkey_file: Path = "$smtpd_tls_dkey_file",
            no_effect "there is no tlsproxy; `smtpd_tls_dkey_file` is used";
        /// The copy of `smtpd_tls_eccert_file` for tlsproxy.
        tlsproxy_tls_eccert_file: Path = "$smtpd_tls_eccert_file",
            no_effect "there is no tlsproxy; `smtpd_tls_eccert_file` is used";
        /// The copy of `smtpd_tls_eckey_file` for tlsproxy.
        tlsproxy_tls_eckey_file: Path = "$smtpd_tls_eckey_file",
            no_effect "there is no tlsproxy; `smtpd_tls_eckey_file` is used";
        /// The copy of `smtpd_tls_eecdh_grade` for tlsproxy.
        tlsproxy_tls_eecdh_grade: Text = "$smtpd_tls_eecdh_grade",
            no_effect "there is no tlsproxy; `smtpd_tls_eecdh_grade` is used";
        /// The copy of `smtpd_tls_exclude_ciphers` for tlsproxy.
        tlsproxy_tls_exclude_ciphers: List = "$smtpd_tls_exclude_ciphers",
            no_effect "there is no tlsproxy; `smtpd_tls_exclude_ciphers` is used";
        /// The copy of `smtpd_tls_fingerprint_digest` for tlsproxy.
        tlsproxy_tls_fingerprint_digest: Text = "$smtpd_tls_fingerprint_digest",
            no_effect "there is no tlsproxy; `smtpd_tls_fingerprint_digest` is used";
        /// The copy of `smtpd_tls_key_file` for tlsproxy.
        tlsproxy_tls_key_file: Path = "$smtpd_tls_key_file",
            no_effect "there is no tlsproxy; `smtpd_tls_key_file` is used";
        /// The copy of `smtpd_tls_loglevel` for tlsproxy.
        tlsproxy_tls_loglevel: Int = "$smtpd_tls_loglevel",
            no_effect "there is no tlsproxy; `smtpd_tls_loglevel` is used";
        /// The copy of `smtpd_tls_mandatory_ciphers` for tlsproxy.
        tlsproxy_tls_mandatory_ciphers: Enum("export", "low", "medium", "high", "null")
            = "$smtpd_tls_mandatory_ciphers",
            no_effect "there is no tlsproxy; `smtpd_tls_mandatory_ciphers` is used";
        /// The copy of `smtpd_tls_mandatory_exclude_ciphers` for tlsproxy.
        tlsproxy_tls_mandatory_exclude_ciphers: List = "$smtpd_tls_mandatory_exclude_ciphers",
            no_effect "there is no tlsproxy; `smtpd_tls_mandatory_exclude_ciphers` is used";
        /// The copy of `smtpd_tls_mandatory_protocols` for tlsproxy.
        tlsproxy_tls_mandatory_protocols: Text = "$smtpd_tls_mandatory_protocols",
            no_effect "there is no tlsproxy; `smtpd_tls_mandatory_protocols` is used";
        /// The copy of `smtpd_tls_protocols` for tlsproxy.
        tlsproxy_tls_protocols: Text = "$smtpd_tls_protocols",
            no_effect "there is no tlsproxy; `smtpd_tls_protocols` is used";
        /// The copy of `smtpd_tls_req_ccert` for tlsproxy.
        tlsproxy_tls_req_ccert: YesNo = "$smtpd_tls_req_ccert",
            no_effect "there is no tlsproxy; `smtpd_tls_req_ccert` is used";
        /// The copy of `smtpd_tls_security_level` for tlsproxy.
        tlsproxy_tls_security_level: Enum("", "none", "may", "encrypt", "dane", "dane-only", "fingerprint",
            "verify", "secure") = "$smtpd_tls_security_level",
            no_effect "there is no tlsproxy; `smtpd_tls_security_level` is used";
        /// The copy of `smtpd_use_tls` for tlsproxy.
        tlsproxy_use_tls: YesNo = "$smtpd_use_tls",
            no_effect "there is no tlsproxy; `smtpd_use_tls` is used";
        /// How long one step may take, in seconds, before a watchdog ends tlsproxy.
        tlsproxy_watchdog_timeout: Time(10..) = "10s",
            no_effect "there is no tlsproxy; every wait has its own time limit";
    }
}
