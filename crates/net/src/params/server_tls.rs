//! Parameters of TLS in sessions that we answer.

conf::params! {
    /// TLS as the SMTP server offers it.
    pub struct ServerTls {
        /// Whether TLS is offered (`may`) or demanded (`encrypt`); empty leaves it to the two old switches.
        ///
        /// The stricter levels of the client are taken as `encrypt`.
        smtpd_tls_security_level: Enum("", "none", "may", "encrypt", "dane", "dane-only", "fingerprint",
            "verify", "secure") = "";
        /// Whether TLS is offered, from the time before security levels.
        smtpd_use_tls: YesNo = "no";
        /// Whether TLS is demanded, from the time before security levels.
        smtpd_enforce_tls: YesNo = "no";
        /// Whether sessions start with the handshake instead of STARTTLS, as on port 465.
        smtpd_tls_wrappermode: YesNo = "no";
        /// Files with private keys and their certificate chains, in PEM; they replace the other file
        /// settings.
        smtpd_tls_chain_files: List = "";
        /// The file with the RSA certificate and its chain; `none` for no certificate.
        smtpd_tls_cert_file: Path = "";
        /// The file with the private key of that certificate.
        smtpd_tls_key_file: Path = "$smtpd_tls_cert_file";
        /// The file with the ECDSA certificate and its chain.
        smtpd_tls_eccert_file: Path = "";
        /// The file with the private key of that certificate.
        smtpd_tls_eckey_file: Path = "$smtpd_tls_eccert_file";
        /// The file with the DSA certificate.
        smtpd_tls_dcert_file: Path = "",
            refused "DSA is no longer in use; keep the RSA or ECDSA certificate and remove this setting";
        /// The file with the private key of the DSA certificate.
        smtpd_tls_dkey_file: Path = "$smtpd_tls_dcert_file",
            refused "DSA is no longer in use; keep the RSA or ECDSA certificate and remove this setting";
        /// The file with the authorities that client certificates are checked against.
        smtpd_tls_CAfile: Path = "";
        /// The directory with such authorities.
        smtpd_tls_CApath: Path = "";
        /// Whether a client is asked for a certificate.
        smtpd_tls_ask_ccert: YesNo = "no";
        /// Whether a client must have a trusted certificate, where TLS is demanded.
        smtpd_tls_req_ccert: YesNo = "no";
        /// How many authorities may stand between a client certificate and one we trust.
        smtpd_tls_ccert_verifydepth: Int = "9",
            no_effect "the TLS library follows six authorities";
        /// The digest by which client certificates and keys are named in tables.
        smtpd_tls_fingerprint_digest: Text
            = "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}";
        /// The protocol versions allowed where TLS is offered, such as `>=TLSv1.2` or `!TLSv1`.
        smtpd_tls_protocols: Text = ">=TLSv1";
        /// The protocol versions allowed where TLS is demanded.
        smtpd_tls_mandatory_protocols: Text = ">=TLSv1";
        /// The least strength of ciphers where TLS is offered.
        smtpd_tls_ciphers: Enum("export", "low", "medium", "high", "null") = "medium",
            no_effect "every cipher is of grade `high`; see `smtpd_tls_exclude_ciphers`";
        /// The least strength of ciphers where TLS is demanded.
        smtpd_tls_mandatory_ciphers: Enum("export", "low", "medium", "high", "null") = "medium",
            no_effect "every cipher is of grade `high`; see `smtpd_tls_mandatory_exclude_ciphers`";
        /// Ciphers or kinds of them that are not used.
        smtpd_tls_exclude_ciphers: List = "";
        /// Further ones that are not used where TLS is demanded.
        smtpd_tls_mandatory_exclude_ciphers: List = "";
        /// Whether the Received header shows protocol and cipher.
        smtpd_tls_received_header: YesNo = "no";
        /// How much is logged: 0 nothing, 1 a line for each handshake, 2 and more its details.
        smtpd_tls_loglevel: Int = "0";
        /// How long a session may be resumed, in seconds.
        smtpd_tls_session_cache_timeout: Time(0..=8640000) = "3600s",
            no_effect "sessions are kept by the clients, in tickets whose keys change every six hours";
        /// The table that remembers sessions.
        smtpd_tls_session_cache_database: Text = "",
            no_effect "clients keep their sessions in tickets, and the rest is remembered in memory";
        /// Whether clients that cannot use it are given a session id all the same.
        smtpd_tls_always_issue_session_ids: YesNo = "yes", no_effect "the TLS library decides it";
        /// The strength of elliptic curve key exchange.
        smtpd_tls_eecdh_grade: Text = "auto",
            no_effect "both sides agree on a curve of tls_eecdh_auto_curves";
        /// The file with parameters for Diffie-Hellman key exchange.
        smtpd_tls_dh1024_param_file: Path = "",
            no_effect "key exchange is by elliptic curves, which need no such file";
        /// The file with such parameters for export ciphers.
        smtpd_tls_dh512_param_file: Path = "", no_effect "export ciphers do not exist here";
    }
}
