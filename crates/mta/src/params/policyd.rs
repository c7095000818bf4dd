//! Parameters of our policy server.

conf::params! {
    /// What is offered to others over the policy protocol.
    pub struct Policyd {
        /// What a policy server of ours looks at, in this order: `spf` (the policies of the HELO name and of the sender;
        /// what the latter says of others is noted in a header Received-SPF), `greylist`, `rates` (`smtpd_client_message_rate_limit` and
        /// `smtpd_client_recipient_rate_limit`) and `outbound` (what the account may send). The first that refuses
        /// answers; a request that nothing refuses is answered with the first header, or with the hold of the
        /// account.
        policyd_checks: List = "greylist", own;
        /// How long a client may be silent, in seconds.
        policyd_timeout: Time(1..) = "3600s", own;
    }
}
