//! Parameters of logins and accounts. Where Dovecot has a name for a setting, ours is that name.

conf::params! {
    /// Who may log in, how, and where it is written down.
    pub struct Logins {
        /// The databases that passwords are checked with, in order: `type:argument`, or `{ type:argument,
        /// option=value, ... }`.
        ///
        /// Types: `directory[:/file]`, `passwd-file:/file`, `sql:/dovecot-sql.conf.ext`, `ldap:/dovecot-ldap.conf.ext`,
        /// `oauth2:/dovecot-oauth2.conf.ext`, `table:type:name`, `pam[:service]`, `shadow`, `passwd`,
        /// `checkpassword:/program`, `saslauthd[:/socket]`, `sasldb[:/file]`, `dovecot-auth:/socket`, `static`. Options as in Dovecot's
        /// `passdb { }`: `master`, `deny`, `pass`, `skip`, `result_success`, `result_failure`, `result_internalfail`,
        /// `default_fields`, `override_fields`, `mechanisms`, `username_filter`, `auth_verbose`, and those of a type,
        /// such as `scheme` and `username_format`.
        passdb: Text = "directory", own;
        /// The databases that say where a user's mail lies and with whose rights, in order; written as in `passdb`.
        ///
        /// `prefetch` stands for the `userdb_*` fields of the password database.
        userdb: Text = "prefetch, directory", own;
        /// The SASL mechanisms that are offered: plain login cram-md5 apop scram-sha-1 scram-sha-256 external
        /// oauthbearer xoauth2.
        ///
        /// Under TLS, `scram-sha-256` also offers its variant with channel binding.
        auth_mechanisms: List = "plain", own;
        /// Whether passwords in clear are refused in a session that is not encrypted.
        ///
        /// Clients on the same machine are exempt.
        disable_plaintext_auth: YesNo = "yes", own;
        /// How a name is brought into the form that databases know, with `%` variables; `%Lu` folds it to lower case.
        auth_username_format: Raw = "%Lu", own;
        /// The characters that may stand in a name; empty allows all.
        auth_username_chars: Raw
            = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890.-_@", own;
        /// Pairs of characters: the first of each becomes the second, in names.
        auth_username_translation: Raw = "", own;
        /// The domain of names that are sent without one.
        auth_default_realm: Text = "", own;
        /// The character that divides a user from the master user who logs in for him (`joe*admin`); empty for none.
        auth_master_user_separator: Raw = "", own;
        /// How long the answer to a failed login waits, in seconds.
        auth_failure_delay: Time(0..=60) = "2s", own;
        /// How much is kept of what password databases said, in bytes; 0 for nothing.
        ///
        /// The key holds every input of a decision, the password as a digest; `postfix reload` forgets everything.
        auth_cache_size: Bytes = "0", own;
        /// How long a right login is believed without asking again, in seconds.
        auth_cache_ttl: Time = "3600s", own;
        /// How long an unknown user or a wrong password is believed without asking again, in seconds; 0 always asks.
        auth_cache_negative_ttl: Time = "3600s", own;
        /// How many look-ups that block, in files and PAM, run at once.
        auth_worker_max_count: Int(1..=500) = "30", own;
        /// How many logins may wait for their password to be hashed; more are temporary failures.
        auth_hash_queue_limit: Int(1..) = "1000", own;
        /// Where the directory of accounts is, which `facteur user` and its kin edit: the path of an SQLite file, or
        /// `mysql://user:password@host/database`, or `postgresql://...`.
        ///
        /// `</file` stands for what the first line of that file says, which only root need be able to read.
        directory_database: Text = "$data_directory/directory.sqlite", own;
    }
}
