//! Parameters of TLS in sessions that we begin.
//!
//! A list of like things, and long for that reason: one paragraph a parameter.

conf::params! {
    /// TLS as the SMTP client asks for it; the LMTP client reads it under the names of [`LMTP_TLS`].
    pub struct ClientTls {
        /// How much TLS is asked of servers, from `none` and `may` to `verify` and `secure`; empty leaves it
        /// to the two old switches.
        smtp_tls_security_level: Enum("", "none", "may", "encrypt", "dane", "dane-only", "fingerprint",
            "verify", "secure") = "";
        /// Tables that choose level, protocols, ciphers and names by destination.
        smtp_tls_policy_maps: Maps = "";
        /// Tables that choose TLS by server or destination, from the time before `smtp_tls_policy_maps`.
        smtp_tls_per_site: Maps = "",
            refused "move its lines to `smtp_tls_policy_maps`";
        /// Whether TLS is used where it is offered, from the time before security levels.
        smtp_use_tls: YesNo = "no";
        /// Whether TLS is demanded, from the time before security levels.
        smtp_enforce_tls: YesNo = "no";
        /// Whether the name in the certificate must be the server's, where TLS is demanded by the old switch.
        smtp_tls_enforce_peername: YesNo = "yes";
        /// Whether sessions start with the handshake instead of STARTTLS, as on port 465.
        smtp_tls_wrappermode: YesNo = "no";
        /// Files with private keys and their certificate chains, in PEM; they replace the other file
        /// settings.
        smtp_tls_chain_files: List = "";
        /// The file with the RSA certificate shown to servers, and its chain.
        smtp_tls_cert_file: Path = "";
        /// The file with the private key of that certificate.
        smtp_tls_key_file: Path = "$smtp_tls_cert_file";
        /// The file with the ECDSA certificate shown to servers, and its chain.
        smtp_tls_eccert_file: Path = "";
        /// The file with the private key of that certificate.
        smtp_tls_eckey_file: Path = "$smtp_tls_eccert_file";
        /// The file with the DSA certificate shown to servers.
        smtp_tls_dcert_file: Path = "",
            refused "DSA is no longer in use; keep the RSA or ECDSA certificate and remove this setting";
        /// The file with the private key of the DSA certificate.
        smtp_tls_dkey_file: Path = "$smtp_tls_dcert_file",
            refused "DSA is no longer in use; keep the RSA or ECDSA certificate and remove this setting";
        /// The file with the authorities that servers are checked against.
        smtp_tls_CAfile: Path = "";
        /// The directory with such authorities.
        smtp_tls_CApath: Path = "";
        /// Files with certificates that alone are trusted at the levels `verify` and `secure`, in place of all authorities;
        /// those in the middle of a chain, too.
        smtp_tls_trust_anchor_file: List = "";
        /// How many authorities may stand between a server's certificate and one we trust.
        smtp_tls_scert_verifydepth: Int = "9",
            no_effect "the TLS library follows six authorities";
        /// Which names a certificate may have at level `verify`.
        smtp_tls_verify_cert_match: List = "hostname";
        /// Which names a certificate may have at level `secure`.
        smtp_tls_secure_cert_match: List = "nexthop, dot-nexthop";
        /// Which fingerprints a certificate or key may have at level `fingerprint`.
        smtp_tls_fingerprint_cert_match: List = "";
        /// Whether domains are asked for their MTA-STS policy (RFC 8461), where neither a table nor DANE says more.
        ///
        /// It raises the levels `may`, `encrypt` and `dane` for hosts of a domain that wants it enforced.
        smtp_tls_mta_sts: YesNo = "no", own;
        /// The digest of these fingerprints.
        smtp_tls_fingerprint_digest: Text = "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}";
        /// What becomes of level `dane` when the mail exchangers were found by answers that are not
        /// validated.
        smtp_tls_dane_insecure_mx_policy: Text = "${{$smtp_tls_security_level} == {dane} ? {dane} : {may}}";
        /// Whether TLSA records are asked for even where the address of a server is not validated.
        smtp_tls_force_insecure_host_tlsa_lookup: YesNo = "no";
        /// The name asked for in the handshake: `hostname`, `nexthop` or a name; empty asks for none.
        smtp_tls_servername: Text = "";
        /// The protocol versions allowed where TLS is used if offered, such as `>=TLSv1.2` or `!TLSv1`.
        smtp_tls_protocols: Text = ">=TLSv1";
        /// The protocol versions allowed where TLS is demanded.
        smtp_tls_mandatory_protocols: Text = ">=TLSv1";
        /// The least strength of ciphers where TLS is used if offered.
        smtp_tls_ciphers: Enum("export", "low", "medium", "high", "null") = "medium",
            no_effect "every cipher is of grade `high`; see `smtp_tls_exclude_ciphers`";
        /// The least strength of ciphers where TLS is demanded.
        smtp_tls_mandatory_ciphers: Enum("export", "low", "medium", "high", "null") = "medium",
            no_effect "every cipher is of grade `high`; see `smtp_tls_mandatory_exclude_ciphers`";
        /// Ciphers or kinds of them that are not used.
        smtp_tls_exclude_ciphers: List = "";
        /// Further ones that are not used where TLS is demanded.
        smtp_tls_mandatory_exclude_ciphers: List = "";
        /// Whether servers are logged that offer TLS where we do not use it.
        smtp_tls_note_starttls_offer: YesNo = "no";
        /// Whether a server that answers before it could have read our command under TLS is left, as in an
        /// attack.
        smtp_tls_block_early_mail_reply: YesNo = "no",
            no_effect "whatever a server says before the handshake is dropped";
        /// Whether connections under TLS are kept for the next message.
        smtp_tls_connection_reuse: YesNo = "no",
            no_effect "encrypted connections are kept as smtp_connection_cache_on_demand says";
        /// How much is logged: 0 nothing, 1 a line for each handshake, 2 and more its details.
        smtp_tls_loglevel: Int = "0";
        /// How long a session may be resumed, in seconds.
        smtp_tls_session_cache_timeout: Time(0..=8640000) = "3600s",
            no_effect "sessions are not resumed: every certificate is looked at anew";
        /// The table that remembers sessions.
        smtp_tls_session_cache_database: Text = "",
            no_effect "sessions are remembered in memory, for all clients together";
    }
}

conf::params! {
    /// The same for the LMTP client, each as its `smtp_` counterpart.
    pub const LMTP_TLS {
        /// How much TLS is asked of servers, from `none` and `may` to `verify` and `secure`; empty leaves it
        /// to the two old switches.
        lmtp_tls_security_level: Enum("", "none", "may", "encrypt", "dane", "dane-only", "fingerprint",
            "verify", "secure") = "";
        /// Tables that choose level, protocols, ciphers and names by destination.
        lmtp_tls_policy_maps: Maps = "";
        /// Tables that choose TLS by server or destination, from the time before `lmtp_tls_policy_maps`.
        lmtp_tls_per_site: Maps = "",
            refused "move its lines to `lmtp_tls_policy_maps`";
        /// Whether TLS is used where it is offered, from the time before security levels.
        lmtp_use_tls: YesNo = "no";
        /// Whether TLS is demanded, from the time before security levels.
        lmtp_enforce_tls: YesNo = "no";
        /// Whether the name in the certificate must be the server's, where TLS is demanded by the old switch.
        lmtp_tls_enforce_peername: YesNo = "yes";
        /// Whether sessions start with the handshake instead of STARTTLS, as on port 465.
        lmtp_tls_wrappermode: YesNo = "no";
        /// Files with private keys and their certificate chains, in PEM; they replace the other file
        /// settings.
        lmtp_tls_chain_files: List = "";
        /// The file with the RSA certificate shown to servers, and its chain.
        lmtp_tls_cert_file: Path = "";
        /// The file with the private key of that certificate.
        lmtp_tls_key_file: Path = "$lmtp_tls_cert_file";
        /// The file with the ECDSA certificate shown to servers, and its chain.
        lmtp_tls_eccert_file: Path = "";
        /// The file with the private key of that certificate.
        lmtp_tls_eckey_file: Path = "$lmtp_tls_eccert_file";
        /// The file with the DSA certificate shown to servers.
        lmtp_tls_dcert_file: Path = "",
            refused "DSA is no longer in use; keep the RSA or ECDSA certificate and remove this setting";
        /// The file with the private key of the DSA certificate.
        lmtp_tls_dkey_file: Path = "$lmtp_tls_dcert_file",
            refused "DSA is no longer in use; keep the RSA or ECDSA certificate and remove this setting";
        /// The file with the authorities that servers are checked against.
        lmtp_tls_CAfile: Path = "";
        /// The directory with such authorities.
        lmtp_tls_CApath: Path = "";
        /// Files with certificates that alone are trusted at the levels `verify` and `secure`, in place of all authorities;
        /// those in the middle of a chain, too.
        lmtp_tls_trust_anchor_file: List = "";
        /// How many authorities may stand between a server's certificate and one we trust.
        lmtp_tls_scert_verifydepth: Int = "9",
            no_effect "the TLS library follows six authorities";
        /// Which names a certificate may have at level `verify`.
        lmtp_tls_verify_cert_match: List = "hostname";
        /// Which names a certificate may have at level `secure`.
        lmtp_tls_secure_cert_match: List = "nexthop";
        /// Which fingerprints a certificate or key may have at level `fingerprint`.
        lmtp_tls_fingerprint_cert_match: List = "";
        /// The digest of these fingerprints.
        lmtp_tls_fingerprint_digest: Text = "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}";
        /// Whether TLSA records are asked for even where the address of a server is not validated.
        lmtp_tls_force_insecure_host_tlsa_lookup: YesNo = "no",
            no_effect "DANE is used where MX and address answers are validated";
        /// The name asked for in the handshake: `hostname`, `nexthop` or a name; empty asks for none.
        lmtp_tls_servername: Text = "";
        /// The protocol versions allowed where TLS is used if offered, such as `>=TLSv1.2` or `!TLSv1`.
        lmtp_tls_protocols: Text = ">=TLSv1";
        /// The protocol versions allowed where TLS is demanded.
        lmtp_tls_mandatory_protocols: Text = ">=TLSv1";
        /// The least strength of ciphers where TLS is used if offered.
        lmtp_tls_ciphers: Enum("export", "low", "medium", "high", "null") = "medium",
            no_effect "every cipher is of grade `high`; see `lmtp_tls_exclude_ciphers`";
        /// The least strength of ciphers where TLS is demanded.
        lmtp_tls_mandatory_ciphers: Enum("export", "low", "medium", "high", "null") = "medium",
            no_effect "every cipher is of grade `high`; see `lmtp_tls_mandatory_exclude_ciphers`";
        /// Ciphers or kinds of them that are not used.
        lmtp_tls_exclude_ciphers: List = "";
        /// Further ones that are not used where TLS is demanded.
        lmtp_tls_mandatory_exclude_ciphers: List = "";
        /// Whether servers are logged that offer TLS where we do not use it.
        lmtp_tls_note_starttls_offer: YesNo = "no";
        /// Whether a server that answers before it could have read our command under TLS is left, as in an
        /// attack.
        lmtp_tls_block_early_mail_reply: YesNo = "no",
            no_effect "whatever a server says before the handshake is dropped";
        /// Whether connections under TLS are kept for the next message.
        lmtp_tls_connection_reuse: YesNo = "no",
            no_effect "encrypted connections are kept as smtp_connection_cache_on_demand says";
        /// How much is logged: 0 nothing, 1 a line for each handshake, 2 and more its details.
        lmtp_tls_loglevel: Int = "0";
        /// How long a session may be resumed, in seconds.
        lmtp_tls_session_cache_timeout: Time(0..=8640000) = "3600s",
            no_effect "sessions are not resumed: every certificate is looked at anew";
        /// The table that remembers sessions.
        lmtp_tls_session_cache_database: Text = "",
            no_effect "sessions are remembered in memory, for all clients together";
    }
}
