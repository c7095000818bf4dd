//! Parameters of the LMTP server. Where Dovecot has a name for a setting, ours is that name.

conf::params! {
    /// Mail that comes by LMTP, straight into mailboxes.
    pub struct Lmtpd {
        /// How long a client may be silent, in seconds.
        lmtpd_timeout: Time(1..) = "300s", own;
        /// How many recipients a message may have.
        lmtpd_recipient_limit: Int(1..) = "1000", own;
        /// Whether a full mailbox is a temporary failure (4.2.2) and not a final one (5.2.2).
        quota_full_tempfail: YesNo = "no", own;
        /// Whether a recipient with a full mailbox is refused at RCPT already.
        lmtp_rcpt_check_quota: YesNo = "no", own;
        /// Whether mail for `user+detail` goes to the mailbox `detail`, where there is one.
        lmtp_save_to_detail_mailbox: YesNo = "no", own;
        /// Whether that mailbox is made when there is none.
        lda_mailbox_autocreate: YesNo = "no", own;
        /// Whether a Received header is put before the message.
        lmtp_add_received_header: YesNo = "yes", own;
        /// What Delivered-To says: the account's name (`final`), the recipient as given (`original`), or
        /// nothing (`none`).
        lmtp_hdr_delivery_address: Enum("none", "final", "original") = "final", own;
    }
}
