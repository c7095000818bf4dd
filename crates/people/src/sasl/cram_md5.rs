//! CRAM-MD5 (RFC 2195): the client's HMAC of a challenge. Needs a secret that is stored in clear, or nearly so.

use subtle::ConstantTimeEq;

use super::{Machine, Mechanism, Step};
use crate::expand::hex;
use crate::random;
use crate::schemes::cram_md5;

/// The mechanism.
pub const CRAM_MD5: Mechanism = Mechanism {
    name: "CRAM-MD5",
    traits: &["dictionary", "active"],
    client_first: false,
    word: "cram-md5",
    possible: |_| true,
    start: |_| Box::new(CramMd5::default()),
};

#[derive(Default)]
struct CramMd5 {
    challenge: String,
    digest: String,
}

impl Machine for CramMd5 {
    fn step(&mut self, response: &[u8]) -> Step {
        if self.challenge.is_empty() {
            if !response.is_empty() {
                return Step::Broken("CRAM-MD5 has no initial response");
            }
            let [number, time] = [random::bytes::<8>(), random::bytes::<8>()].map(u64::from_be_bytes);
            let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
            self.challenge = format!("<{number}.{time}@{}>", host.unwrap_or_else(|| "localhost".to_owned()));
            return Step::Ask(self.challenge.clone().into_bytes());
        }
        let text = String::from_utf8_lossy(response);
        // The name may contain blanks, the digest does not.
        let Some((user, digest)) = text.rsplit_once(' ') else {
            return Step::Broken("CRAM-MD5 response has no digest");
        };
        self.digest = digest.to_ascii_lowercase();
        Step::Secret { user: user.to_owned(), authzid: String::new(), scheme: &cram_md5::CRAM_MD5 }
    }

    fn secret(&mut self, secret: Option<&[u8]>) -> Step {
        let known = secret.is_some();
        let expected = cram_md5::response(secret.unwrap_or(&[0; 32]), self.challenge.as_bytes());
        let expected = expected.map(|digest| hex(&digest)).unwrap_or_default();
        let right: bool = expected.as_bytes().ct_eq(self.digest.as_bytes()).into();
        if right && known { Step::Proved } else { Step::Wrong }
    }
}
