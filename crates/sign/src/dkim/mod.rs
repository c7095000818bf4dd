//! DKIM signatures (RFC 6376, RFC 8301, RFC 8463).

mod hashing;
mod private;
mod public;
mod sign;
mod signature;
mod verify;

pub(crate) use hashing::{Digested, Digests, header_hash_input};
pub use private::{Algorithm, PrivateKey, generate};
pub use public::record_of;
pub(crate) use public::{NoKey, fetch};
pub(crate) use sign::push_folded;
pub use sign::{Recipe, SignAs, sign};
pub(crate) use signature::{Fault, Signature, is_within, name};
pub(crate) use verify::Verifier;
pub use verify::{Dkim, Outcome};
