//! Parameters of scanners.

conf::params! {
    /// Viruses.
    pub struct Viruses {
        /// The clamd that every message is shown to: `inet:host:port` or `unix:path` (a relative path is below
        /// `queue_directory`). Empty: none. Services with `receive_override_options = no_milters` do not ask it.
        clamd_service: Text = "", own;
        /// What becomes of a message with a virus: `reject`, `quarantine` (held), or `discard`.
        virus_action: Enum("reject", "quarantine", "discard") = "reject", own;
        /// What becomes of a message when clamd fails: `tempfail`, `accept`, or `quarantine` (held).
        clamd_default_action: Enum("tempfail", "accept", "quarantine") = "tempfail", own;
        /// How long connecting to clamd may take, in seconds.
        clamd_connect_timeout: Time(1..) = "10s", own;
        /// How long clamd may take to accept a piece, and to answer, in seconds.
        clamd_timeout: Time(1..) = "120s", own;
        /// Larger messages are not shown to clamd, in bytes; clamd's own limit is StreamMaxLength. 0: no limit.
        clamd_size_limit: Bytes = "25000000", own;
    }
}
