//! Parameters of our policy server.

conf::params! {
    /// What is offered to others over the policy protocol.
    pub struct Policyd {
        /// What a policy server of ours looks at, in this order: `spf` (the sender's policy; what it says of others is
        /// noted in a header Received-SPF) and `greylist`. The first that refuses answers; a request that nothing
        /// refuses is answered with the first header.
        policyd_checks: List = "greylist", own;
        /// How long a client may be silent, in seconds.
        policyd_timeout: Time(1..) = "3600s", own;
    }
}
