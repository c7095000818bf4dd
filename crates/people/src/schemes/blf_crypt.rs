//! bcrypt: `$2y$05$…`.

use super::{Encoding, Given, Scheme, Strength, text};

/// The scheme.
pub const BLF_CRYPT: Scheme = Scheme {
    name: "BLF-CRYPT",
    strength: Strength::Strong,
    costly: true,
    encoding: Encoding::Plain,
    length: None,
    verify,
    generate: Some(generate),
};

/// Two to this power rounds.
const COST: u32 = 10;

fn generate(given: &Given<'_>) -> Result<Vec<u8>, String> {
    let parts = bcrypt::hash_with_result(given.password, COST).map_err(|error| format!("bcrypt: {error}"))?;
    Ok(parts.format_for_version(bcrypt::Version::TwoY).into_bytes())
}

/// Also for `{CRYPT}$2…`.
pub(super) fn verify(given: &Given<'_>, stored: &[u8]) -> Result<bool, String> {
    bcrypt::verify(given.password, text(stored)?)
        .map_err(|error| format!("the stored bcrypt password: {error}"))
}
