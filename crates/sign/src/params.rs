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
        /// The domain in whose name mail from strangers is sealed (ARC) with its key of `dkim_signing_table`;
        /// empty: no seals.
        arc_seal_domain: Text = "", own;
    }
}
