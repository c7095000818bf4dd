//! DKIM signatures (RFC 6376, RFC 8301, RFC 8463).

mod hashing;
mod private;
mod public;
mod sign;
mod signature;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vector_tests;
mod verify;

pub(crate) use hashing::{Digested, Digests, header_hash_input};
pub use private::{Algorithm, PrivateKey, generate};
pub(crate) use public::{NoKey, fetch};
pub use public::{Published, published, record_of};
pub use sign::{Recipe, SignAs, Signer};
pub(crate) use signature::{Fault, Signature, is_within, name};
pub(crate) use verify::Verifier;
pub use verify::{Dkim, Outcome};
