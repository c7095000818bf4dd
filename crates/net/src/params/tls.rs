//! Parameters of TLS on both sides.

conf::params! {
    /// What holds for every TLS session.
    pub struct Tls {
        /// Tables with key and chain files by the name a client asks for.
        tls_server_sni_maps: Maps = "";
        /// Whether the authorities of the system are trusted besides those configured.
        tls_append_default_CA: YesNo = "no";
        /// Whether our order of ciphers counts instead of the client's.
        tls_preempt_cipherlist: YesNo = "no";
        /// The ciphers of grade `high`, in OpenSSL's notation; those we have are used.
        tls_high_cipherlist: Text = "aNULL:-aNULL:HIGH:@STRENGTH",
            no_effect "cipher lists of OpenSSL are not read; see `smtpd_tls_exclude_ciphers`";
        /// The ciphers of grade `medium` and above, in OpenSSL's notation; those we have are used.
        tls_medium_cipherlist: Text = "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH",
            no_effect "cipher lists of OpenSSL are not read; see `smtpd_tls_exclude_ciphers`";
        /// The ciphers of grade `low` and above.
        tls_low_cipherlist: Text = "aNULL:-aNULL:HIGH:MEDIUM:LOW:+RC4:@STRENGTH",
            no_effect "weak ciphers do not exist here; the grade `low` is taken as `medium`";
        /// The ciphers of grade `export` and above.
        tls_export_cipherlist: Text = "aNULL:-aNULL:HIGH:MEDIUM:LOW:EXPORT:+RC4:@STRENGTH",
            no_effect "weak ciphers do not exist here; the grade `export` is taken as `medium`";
        /// The ciphers without encryption.
        tls_null_cipherlist: Text = "eNULL:!aNULL",
            no_effect "ciphers without encryption do not exist here; the grade `null` cannot be had";
        /// The curves for key exchange, best first; those we have are used.
        tls_eecdh_auto_curves: List = "X25519 X448 prime256v1 secp521r1 secp384r1",
            no_effect "X25519MLKEM768, X25519, prime256v1 and secp384r1 are offered";
        /// The curve of grade `strong`.
        tls_eecdh_strong_curve: Text = "prime256v1",
            no_effect "both sides agree on a curve of tls_eecdh_auto_curves";
        /// The curve of grade `ultra`.
        tls_eecdh_ultra_curve: Text = "secp384r1",
            no_effect "both sides agree on a curve of tls_eecdh_auto_curves";
        /// Whether the end of a session is announced without waiting for the peer to confirm it.
        tls_fast_shutdown_enable: YesNo = "yes",
            no_effect "the end of a session is announced and not waited for, as with `yes`";
        /// Whether `*` in the name of a certificate stands for several labels.
        tls_wildcard_matches_multiple_labels: YesNo = "yes";
        /// The digests accepted in TLSA records, best first.
        tls_dane_digests: List = "sha512 sha256",
            no_effect "records with SHA-512 and with SHA-256 are both believed";
        /// Whether fingerprints of public keys are computed in the wrong way of old releases.
        tls_legacy_public_key_fingerprints: YesNo = "no",
            refused "compute the fingerprints in your tables anew, as the manual shows, and remove this";
        /// The cipher of session tickets.
        tls_session_ticket_cipher: Text = "aes-256-cbc", no_effect "the TLS library decides it";
        /// Workarounds of OpenSSL that are turned off.
        tls_disable_workarounds: Text = "", no_effect "the TLS library has no such workarounds";
        /// Options of OpenSSL that are turned on.
        tls_ssl_options: List = "",
            no_effect "compression and renegotiation, which these mostly turn off, do not exist here";
        /// The configuration file of OpenSSL.
        tls_config_file: Text = "default", no_effect "OpenSSL is not used";
        /// The application name in that file.
        tls_config_name: Text = "", no_effect "OpenSSL is not used";
        /// The openssl command that `postfix tls` calls.
        openssl_path: Path = "openssl", no_effect "keys and certificates are made within the program";
        /// How many random bytes a daemon asks for.
        tls_daemon_random_bytes: Int(1..) = "32", no_effect "random numbers come from the system";
        /// How many random bytes are read from their source at a time.
        tls_random_bytes: Int(1..=255) = "32", no_effect "random numbers come from the system";
        /// The source of random bytes.
        tls_random_source: Text = "dev:/dev/urandom", no_effect "random numbers come from the system";
        /// The file in which random state is kept.
        tls_random_exchange_name: Path = "${data_directory}/prng_exch",
            no_effect "random numbers come from the system";
        /// How often that file is written, in seconds.
        tls_random_prng_update_period: Time(1..) = "3600s", no_effect "random numbers come from the system";
        /// How often the source is read again, in seconds.
        tls_random_reseed_period: Time(1..) = "3600s", no_effect "random numbers come from the system";
        /// The master.cf entry of the service that keeps sessions and random state.
        tlsmgr_service_name: Text = "tlsmgr", no_effect "sessions are remembered within the program";
    }
}
