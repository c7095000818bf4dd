//! The two halves of HMAC-MD5 that CRAM-MD5 needs (RFC 2195): MD5 stopped behind the outer and the inner key.

use md5::block_api::compress;
use md5::{Digest, Md5};

use super::{Encoding, Given, Scheme, Strength, same};

/// The scheme.
pub const CRAM_MD5: Scheme = scheme("CRAM-MD5");
/// The same.
pub const HMAC_MD5: Scheme = scheme("HMAC-MD5");

const fn scheme(name: &'static str) -> Scheme {
    Scheme {
        name,
        strength: Strength::Weak,
        costly: false,
        encoding: Encoding::Hex,
        length: Some(32),
        verify: |given, stored| Ok(same(&keys(given.password), stored)),
        generate: Some(|given: &Given<'_>| Ok(keys(given.password).to_vec())),
    }
}

/// MD5's state at the start.
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

fn keys(password: &[u8]) -> [u8; 32] {
    let mut key = [0; 64];
    if password.len() > key.len() {
        key[..16].copy_from_slice(&Md5::digest(password));
    } else {
        key[..password.len()].copy_from_slice(password);
    }
    let mut out = [0; 32];
    for (half, pad) in [(0, 0x5c), (16, 0x36)] {
        let mut state = START;
        compress(&mut state, &[key.map(|byte| byte ^ pad)]);
        for (n, word) in state.iter().enumerate() {
            out[half + n * 4..][..4].copy_from_slice(&word.to_le_bytes());
        }
    }
    out
}

/// HMAC-MD5 of a challenge, by the stored halves.
pub fn response(secret: &[u8], challenge: &[u8]) -> Option<[u8; 16]> {
    let (outer, inner) = (secret.get(..16)?, secret.get(16..32)?);
    let inner = finish(inner, challenge);
    Some(finish(outer, &inner))
}

/// Goes on from a state that has seen one block of 64 bytes.
fn finish(state: &[u8], message: &[u8]) -> [u8; 16] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(state.chunks_exact(4)) {
        *word = u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    }
    let bits = (64 + message.len() as u64) * 8;
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend_from_slice(&bits.to_le_bytes());
    for block in padded.chunks_exact(64) {
        compress(&mut words, &[block.try_into().expect("64 bytes")]);
    }
    let mut out = [0; 16];
    for (n, word) in words.iter().enumerate() {
        out[n * 4..][..4].copy_from_slice(&word.to_le_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use hmac::{Hmac, KeyInit, Mac};

    #[test]
    fn stored_halves_give_the_whole_hmac() {
        for length in [0, 1, 16, 55, 56, 57, 63, 64, 65, 120, 200] {
            let (password, challenge) = (vec![b'p'; length], vec![b'c'; length]);
            let mut mac = Hmac::<Md5>::new_from_slice(&password).unwrap();
            mac.update(&challenge);
            let expected = mac.finalize().into_bytes();
            let made = response(&keys(&password), &challenge).unwrap();
            assert_eq!(made.as_slice(), expected.as_slice(), "{length}");
        }
    }
}
