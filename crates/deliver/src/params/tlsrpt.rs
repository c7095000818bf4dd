//! Parameters of reports about TLS (RFC 8460).

conf::params! {
    /// Reports about TLS, for domains that ask for them.
    pub struct Tlsrpt {
        /// Whether domains with a record at `_smtp._tls` are mailed each day how TLS with their servers went (RFC 8460).
        smtp_tlsrpt_enable: YesNo = "no", own;
        /// The organisation that reports.
        tlsrpt_organization_name: Text = "$mydomain", own;
        /// Whom the readers of a report may ask.
        tlsrpt_contact_info: Text = "postmaster@$mydomain", own;
        /// The sender of reports, in the envelope and in From. Mail of this sender goes out without TLS where TLS is what
        /// is wrong, and is in no report itself.
        tlsrpt_sender: Text = "noreply-smtp-tls-reporting@$mydomain", own;
        /// How many bytes the notes of one day may take in data_directory; what comes after is in no report.
        tlsrpt_size_limit: Bytes = "16777216", own;
    }
}
