//! Random bytes: salts and nonces.

/// So many random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    aws_lc_rs::rand::fill(&mut out).expect("the system gives random bytes");
    out
}

/// So many random letters of an alphabet of 64, as salts of crypt(3) are written.
pub fn letters(count: usize, alphabet: &[u8; 64]) -> String {
    let mut out = vec![0; count];
    aws_lc_rs::rand::fill(&mut out).expect("the system gives random bytes");
    out.into_iter().map(|byte| char::from(alphabet[usize::from(byte & 63)])).collect()
}
