//! OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's): a token in place of a password. Databases that know tokens
//! (`oauth2`) are asked for it, and no others.

use super::{Machine, Mechanism, Step};
use crate::databases::Password;

/// RFC 7628.
pub const OAUTHBEARER: Mechanism = Mechanism {
    name: "OAUTHBEARER",
    traits: &["plaintext"],
    client_first: true,
    word: "oauthbearer",
    possible: |_| true,
    start: |_| Box::new(Bearer { read: oauthbearer }),
};

/// As Gmail and Outlook have it.
pub const XOAUTH2: Mechanism = Mechanism {
    name: "XOAUTH2",
    traits: &["plaintext"],
    client_first: true,
    word: "xoauth2",
    possible: |_| true,
    start: |_| Box::new(Bearer { read: xoauth2 }),
};

/// Is the password of this mechanism a token?
pub fn is_token(mechanism: &str) -> bool {
    [OAUTHBEARER.name, XOAUTH2.name].iter().any(|name| name.eq_ignore_ascii_case(mechanism))
}

/// What a client hears of a token that was not accepted; it answers with something empty, and the login fails.
const REFUSED: &[u8] = br#"{"status":"invalid_token","schemes":"bearer"}"#;

type Reader = fn(&str) -> Result<(String, String), &'static str>;

struct Bearer {
    /// User and token of a response.
    read: Reader,
}

impl Machine for Bearer {
    fn step(&mut self, response: &[u8]) -> Step {
        let Ok(text) = std::str::from_utf8(response) else { return Step::Broken("response is not UTF-8") };
        match (self.read)(text) {
            Ok((user, token)) => match Password::new(token) {
                Some(password) => Step::Check { user, authzid: String::new(), password },
                None => Step::Broken("NUL in token"),
            },
            Err(what) => Step::Broken(what),
        }
    }

    fn refused(&self) -> Option<&'static [u8]> {
        Some(REFUSED)
    }
}

/// `n,a=user,^Ahost=h^Aport=143^Aauth=Bearer token^A^A`
fn oauthbearer(text: &str) -> Result<(String, String), &'static str> {
    let (header, pairs) = text.split_once('\u{1}').ok_or("OAUTHBEARER response without fields")?;
    let mut parts = header.split(',');
    let (Some("n" | "y"), Some(user), Some(""), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("OAUTHBEARER response with a header that is none, or with channel binding");
    };
    let user = user.strip_prefix("a=").ok_or("OAUTHBEARER response without a user")?;
    let user = user.replace("=2C", ",").replace("=3D", "=");
    Ok((user, token(pairs)?))
}

/// `user=name^Aauth=Bearer token^A^A`
fn xoauth2(text: &str) -> Result<(String, String), &'static str> {
    let (user, pairs) = text.split_once('\u{1}').ok_or("XOAUTH2 response without fields")?;
    let user = user.strip_prefix("user=").ok_or("XOAUTH2 response without a user")?;
    Ok((user.to_owned(), token(pairs)?))
}

fn token(pairs: &str) -> Result<String, &'static str> {
    let pairs = pairs.strip_suffix("\u{1}\u{1}").ok_or("response without an end")?;
    let auth = pairs.split('\u{1}').find_map(|pair| pair.strip_prefix("auth="));
    let (scheme, token) = auth.and_then(|auth| auth.split_once(' ')).ok_or("response without a token")?;
    match scheme.eq_ignore_ascii_case("Bearer") && !token.trim().is_empty() {
        true => Ok(token.trim().to_owned()),
        false => Err("response without a bearer token"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let right = Ok(("a,b@x.test".to_owned(), "tok==".to_owned()));
        assert_eq!(
            oauthbearer("n,a=a=2Cb@x.test,\u{1}host=h\u{1}port=1\u{1}auth=Bearer tok==\u{1}\u{1}"),
            right
        );
        assert_eq!(xoauth2("user=a,b@x.test\u{1}auth=bearer tok==\u{1}\u{1}"), right);
        for wrong in [
            "",
            "n,a=joe,",
            "p=tls-exporter,a=joe,\u{1}auth=Bearer x\u{1}\u{1}",
            "n,,\u{1}auth=Bearer x\u{1}\u{1}",
            "n,a=joe,\u{1}auth=Basic x\u{1}\u{1}",
            "n,a=joe,\u{1}auth=Bearer \u{1}\u{1}",
            "n,a=joe,\u{1}auth=Bearer x\u{1}",
        ] {
            assert!(oauthbearer(wrong).is_err(), "{wrong:?}");
            assert!(xoauth2(wrong).is_err(), "{wrong:?}");
        }
        assert!(is_token("xoauth2") && !is_token("PLAIN"));
    }
}
