//! trivial-rewrite's address form: a local name becomes a full address.

/// Which rules complete an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Ours: `append_at_myorigin`, `append_dot_mydomain`.
    Local,
    /// A stranger's header: `remote_header_rewrite_domain`.
    Remote,
}
