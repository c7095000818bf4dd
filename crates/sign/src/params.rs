//! Parameters of sender authentication and signatures.

conf::params! {
    /// What is found out about senders, and how our own mail is signed.
    pub struct Sign {
        /// What is found out about mail from strangers and told in Authentication-Results: any of `spf`, `dkim`,
        /// `arc`, `dmarc`. Logged in users and `mynetworks` are no strangers. Empty: nothing.
        sender_authentication: List = "", own;
        /// Our name in Authentication-Results; fields of strangers that use it are removed.
        authserv_id: Text = "$myhostname", own;
        /// How far the DMARC policy of a sender's domain is followed: `none` (told in Authentication-Results),
        /// `quarantine` (mail that fails is held), `reject` (refused where the domain asks for that).
        dmarc_policy_action: Enum("none", "quarantine", "reject") = "none", own;
        /// A configuration file of OpenDKIM, read as it stands.
        dkim_config: Path = "", own;
        /// Keys by name, in the form of OpenDKIM's KeyTable.
        dkim_key_table: Text = "", own;
        /// Which sender is signed with which key, in the form of OpenDKIM's SigningTable.
        dkim_signing_table: Text = "", own;
        /// Hosts whose mail is signed beside that of logged in users and `mynetworks`, in the form of OpenDKIM's
        /// InternalHosts.
        dkim_internal_hosts: Text = "", own;
        /// Canonical forms of header and body of our signatures; empty: as `dkim_config` has it, or
        /// `relaxed/simple`.
        dkim_canonicalization: Text = "", own;
        /// Fields that our signatures name once more than there are, so that none can be added.
        dkim_oversign_headers: List = "", own;
        /// The domain in whose name mail from strangers is sealed (ARC), as it is once milters have changed it, with
        /// its key of `dkim_signing_table`; empty: no seals.
        arc_seal_domain: Text = "", own;
        /// Domains that are believed what they say in their seals (ARC) of mail that they forward: where they alone have
        /// sealed it, and the first of them saw that the domain of From vouches for it, DMARC does nothing.
        arc_trusted_sealers: List = "", own;
    }
}

conf::params! {
    /// Senders of forwarded mail (SRS).
    pub struct Srs {
        /// The domain in whose name mail of foreign senders is forwarded (SRS), as postsrsd does it: such a sender becomes
        /// `SRS0=...@domain`, and notices to that address go to him. Mail for it must come here. Empty: senders stay.
        srs_domain: Text = "", own;
        /// The file of secrets, one a line: the first signs, all are believed. postsrsd's file as it stands.
        srs_secret_file: Path = "", own;
        /// Whose mail is rewritten when it leaves for a domain that is not ours: of foreign senders where an alias or a
        /// `.forward` put the recipient in the place of one of ours (`forwarded`), or all of theirs (`foreign`, as
        /// postsrsd does).
        srs_scope: Enum("forwarded", "foreign") = "forwarded", own;
        /// Domains of senders that stay as they are; `.domain` is what is below it.
        srs_exclude_domains: List = "", own;
        /// The character behind `SRS0`: `=`, `+` or `-`.
        srs_separator: Enum("=", "+", "-") = "=", own;
        /// Characters of a signature.
        srs_hash_length: Int(4..=27) = "4", own;
        /// How long notices to a rewritten sender are passed on, in days.
        srs_lifetime: Time = "21d", own;
    }
}

conf::params! {
    /// Aggregate reports of DMARC.
    pub struct DmarcReports {
        /// Whether it is kept what DMARC finds out about mail from strangers, and sent once a day to the domains that ask
        /// for it (`rua=`).
        dmarc_reports: YesNo = "no", own;
        /// The address that reports come from, which gets notices about them.
        dmarc_report_sender: Text = "postmaster@$myhostname", own;
        /// Who we are, in our reports.
        dmarc_report_organization: Text = "$mydomain", own;
        /// Recipients to whom others send reports about our domains: those in their mail are kept for
        /// `facteur dmarc reports`.
        dmarc_report_addresses: List = "", own;
        /// The file of what was seen and received, in SQLite's form.
        dmarc_database: Path = "$data_directory/dmarc.sqlite", own;
    }
}
