//! Parameters of ACME.

conf::params! {
    /// Certificates that are asked for, and renewed, by themselves.
    pub struct Acme {
        /// The names a certificate is asked for, the first one being its subject; empty asks for none.
        ///
        /// Services use it by `smtpd_tls_chain_files = ${acme_certificate_directory}/chain.pem`, and imapd and pop3d by
        /// `ssl_cert` and `ssl_key` with that file. Whoever sets this agrees to the authority's terms.
        acme_domains: List = "", own;
        /// Where the authority is.
        acme_directory_url: Text = "https://acme-v02.api.letsencrypt.org/directory", own;
        /// Whom the authority may write to, as an address.
        acme_contact_address: Text = "", own;
        /// How the authority makes sure whose the names are: it looks at port 80 (`http-01`) or 443 (`tls-alpn-01`) of
        /// each, where a service `acmed` of master.cf has to listen, or at DNS (`dns-01`), which `acme_dns_hook` changes.
        acme_challenge_type: Enum("http-01", "tls-alpn-01", "dns-01") = "http-01", own;
        /// The program that changes DNS; it is called with `add` or `remove`, the name of a TXT record, and its value,
        /// and ends with status 0 when name servers have it.
        acme_dns_hook: Path = "", own;
        /// With whose rights that program runs when the mail system is started as root; never with root's.
        acme_dns_hook_user: Text = "$default_privs", own;
        /// The file with authorities that the certificate of `acme_directory_url` is checked against; empty stands for
        /// those of the system.
        acme_CAfile: Path = "", own;
        /// Where the certificate (`chain.pem`), the account's key (`account.pem`) and answers for the authority lie.
        acme_certificate_directory: Path = "$queue_directory/acme", own;
        /// How long before its end a certificate is renewed, in days; never more than a third of its time.
        acme_renew_before: Time = "30d", own;
    }
}
