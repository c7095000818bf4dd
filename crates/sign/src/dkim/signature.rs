//! The field `DKIM-Signature`, and what ARC has in common with it.

use crate::canon::Canon;
use crate::dkim::Algorithm;
use crate::tags::{Tags, decoded, squeezed};

/// Why a signature cannot be good, whatever its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is malformed.
    Malformed(&'static str),
    /// It is well formed, and we do not accept its kind.
    Policy(&'static str),
}

/// A signature as it stands in a header field.
#[derive(Clone, Debug)]
pub(crate) struct Signature {
    pub algorithm: Algorithm,
    pub canon: (Canon, Canon),
    /// `d=`, lower case.
    pub domain: String,
    /// `s=`
    pub selector: String,
    /// `h=`
    pub headers: Vec<String>,
    /// `bh=`
    pub body_hash: Vec<u8>,
    /// `b=`
    pub bytes: Vec<u8>,
    /// `b=` as written, for `header.b`.
    pub text: String,
    /// `i=` of a DKIM signature.
    pub identity: Option<String>,
    /// `x=`
    pub expires: Option<i64>,
}

/// Most names in `h=`.
const NAMES_MAX: usize = 200;

impl Signature {
    /// Reads the value of a DKIM-Signature.
    pub fn dkim(value: &str) -> Result<Signature, Fault> {
        let tags = Tags::parse(value).ok_or(Fault::Malformed("no tag list"))?;
        if tags.get("v") != Some("1") {
            return Err(Fault::Malformed("version"));
        }
        let mut signature = Signature::common(&tags, "simple/simple")?;
        let names = &signature.headers;
        if !names.iter().any(|name| name.eq_ignore_ascii_case("from")) {
            return Err(Fault::Malformed("From is not signed"));
        }
        if names.iter().any(String::is_empty) {
            return Err(Fault::Malformed("h="));
        }
        let identity = tags.get("i").map(squeezed);
        if let Some(identity) = &identity {
            let host = identity.rsplit_once('@').ok_or(Fault::Malformed("i="))?.1.to_ascii_lowercase();
            if !is_within(&host, &signature.domain) {
                return Err(Fault::Malformed("i= is not within d="));
            }
        }
        signature.identity = identity;
        if tags.get("l").is_some() {
            // Anybody may add text behind such a signature.
            return Err(Fault::Policy("l= leaves the end of the body unsigned"));
        }
        let methods = tags.get("q").map(squeezed);
        if methods.is_some_and(|methods| !methods.split(':').any(|method| method == "dns/txt")) {
            return Err(Fault::Malformed("q="));
        }
        Ok(signature)
    }

    /// Reads what DKIM-Signature and ARC-Message-Signature have in common. `canon` stands where there is no `c=`.
    pub fn common(tags: &Tags<'_>, canon: &str) -> Result<Signature, Fault> {
        let need =
            |name, what| tags.get(name).filter(|value| !value.is_empty()).ok_or(Fault::Malformed(what));
        let algorithm = match need("a", "a=")? {
            "rsa-sha256" => Algorithm::Rsa,
            "ed25519-sha256" => Algorithm::Ed25519,
            "rsa-sha1" => return Err(Fault::Policy("rsa-sha1 is not secure (RFC 8301)")),
            _ => return Err(Fault::Malformed("unknown algorithm")),
        };
        let canon = squeezed(tags.get("c").unwrap_or(canon));
        let canon = Canon::pair(&canon).ok_or(Fault::Malformed("c="))?;
        let names = squeezed(tags.get("h").ok_or(Fault::Malformed("h="))?);
        let headers: Vec<String> = names.split(':').map(str::to_owned).collect();
        if headers.len() > NAMES_MAX {
            return Err(Fault::Malformed("h="));
        }
        let text = squeezed(need("b", "b=")?);
        let body_hash = decoded(need("bh", "bh=")?).ok_or(Fault::Malformed("bh="))?;
        let time = |name| tags.get(name).map(str::parse).transpose().map_err(|_| Fault::Malformed("time"));
        let (signed, expires): (Option<i64>, Option<i64>) = (time("t")?, time("x")?);
        if let (Some(signed), Some(expires)) = (signed, expires)
            && expires < signed
        {
            return Err(Fault::Malformed("x= is before t="));
        }
        Ok(Signature {
            algorithm,
            canon,
            domain: name(need("d", "d=")?)?,
            selector: name(need("s", "s=")?)?,
            headers,
            body_hash,
            bytes: decoded(&text).ok_or(Fault::Malformed("b="))?,
            text,
            identity: None,
            expires,
        })
    }

    /// Where the key is.
    pub fn key_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }
}

/// A domain name or selector as it may stand in a question to the DNS.
pub(crate) fn name(text: &str) -> Result<String, Fault> {
    let fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let text = squeezed(text).to_ascii_lowercase();
    match text.len() <= 253 && text.split('.').all(fits) {
        true => Ok(text),
        false => Err(Fault::Malformed("not a domain name")),
    }
}

/// Is `host` the domain or below it?
pub(crate) fn is_within(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|above| above.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_good() {
        let good = "v=1; a=rsa-sha256; d=a.test; s=s; h=From:To; bh=AAAA; b=AAAA";
        assert!(Signature::dkim(good).is_ok());
        let with = |tag: &str| Signature::dkim(&format!("{good}; {tag}")).map(|_| ());
        assert_eq!(with("l=5"), Err(Fault::Policy("l= leaves the end of the body unsigned")));
        assert_eq!(with("i=@b.test"), Err(Fault::Malformed("i= is not within d=")));
        assert_eq!(with("i=@xa.test"), Err(Fault::Malformed("i= is not within d=")));
        assert_eq!(with("i=me@b.a.test"), Ok(()));
        assert_eq!(with("t=5; x=4"), Err(Fault::Malformed("x= is before t=")));
        let other = |from: &str, to: &str| Signature::dkim(&good.replace(from, to)).map(|_| ());
        assert_eq!(other("From:To", "To"), Err(Fault::Malformed("From is not signed")));
        assert!(matches!(other("rsa-sha256", "rsa-sha1"), Err(Fault::Policy(_))));
        assert!(other("s=s", "s=s..t").is_err());
        assert!(other("d=a.test", "d=a b/.test").is_err());
        assert!(other("v=1", "v=2").is_err());
    }
}
