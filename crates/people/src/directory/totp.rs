//! One-time passwords by time (RFC 6238): a second factor that programs on a telephone show. Optional, for the web.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use super::accounts::unknown;
use super::work::{list, number, text, with};
use super::{Directory, Error, folded};
use crate::random;
use mail::Trouble;
use tables::sql::Statement;

/// Seconds of a step.
const STEP: u64 = 30;

/// How many steps a clock may be wrong, before and behind.
const SLACK: u64 = 1;

/// Digits of a code.
const DIGITS: usize = 6;

/// RFC 4648 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What an account has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totp {
    /// Seconds since 1970.
    pub created: u64,
    /// When a code was taken last: the start of its step, in seconds since 1970.
    pub last_used: Option<u64>,
}

/// A new secret: shown to its user once.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// In base32, as programs take it by hand.
    pub base32: String,
    /// `otpauth://totp/…`, as they take it from a picture.
    pub uri: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

fn encode(bytes: &[u8]) -> String {
    let bit = |n: usize| bytes[n / 8] >> (7 - n % 8) & 1;
    let five = |n: usize| (n * 5..n * 5 + 5).fold(0, |value, n| value << 1 | bit(n));
    // Secrets have a multiple of five bytes: nothing is filled up.
    (0..bytes.len() * 8 / 5).map(|n| char::from(BASE32[usize::from(five(n))])).collect()
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = vec![0; text.len() * 5 / 8];
    for (n, letter) in text.bytes().enumerate() {
        let value = BASE32.iter().position(|known| *known == letter)?;
        for bit in (0..5).filter(|bit| value >> (4 - bit) & 1 == 1) {
            *out.get_mut((n * 5 + bit) / 8)? |= 0x80 >> ((n * 5 + bit) % 8);
        }
    }
    Some(out)
}

/// The code of a step. RFC 4226 5.3.
fn code(secret: &[u8], step: u64) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("any length is a key");
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash[19] & 15);
    let four = hash[at..at + 4].iter().fold(0, |value, byte| value << 8 | u32::from(*byte));
    format!("{:0DIGITS$}", (four & 0x7fff_ffff) % 10_u32.pow(6))
}

impl Directory {
    /// Gives an account a new secret in place of the one it has. `issuer` is whose login it is, for people to read.
    ///
    /// # Errors
    /// There is no such account.
    pub async fn set_totp(&self, account: &str, issuer: &str, now: u64) -> Result<Secret, Error> {
        let base32 = encode(&random::bytes::<20>());
        let mut work = self.begin().await?;
        let id = work.ask(with("SELECT id FROM accounts WHERE name = ", &folded(account))).await?;
        let Some(id) = id.rows.first().map(|row| text(row, "id")) else { return Err(unknown(account)) };
        work.change(with("DELETE FROM totp WHERE account = ", &id)).await?;
        let values = [Some(id.as_str()), Some(&base32), Some(&now.to_string())];
        work.change(list("INSERT INTO totp (account, secret, created) VALUES (", &values, ")")).await?;
        work.commit().await?;
        let escape = tables::http::escape;
        let (name, issuer) = (escape(&folded(account)), escape(issuer));
        let uri = format!("otpauth://totp/{issuer}:{name}?secret={base32}&issuer={issuer}");
        Ok(Secret { base32, uri })
    }

    /// What is known of an account's.
    ///
    /// # Errors
    /// The data base failed.
    pub async fn totp(&self, account: &str) -> Result<Option<Totp>, Trouble> {
        let found = self.ask(these(account)).await?;
        Ok(found.rows.first().map(|row| Totp {
            created: number(row, "created").unwrap_or_default(),
            last_used: number(row, "last_step").filter(|step| *step > 0).map(|step: u64| step * STEP),
        }))
    }

    /// Is this the code of now? Each is taken once.
    ///
    /// # Errors
    /// The data base failed.
    pub async fn check_totp(&self, account: &str, given: &str, now: u64) -> Result<bool, Trouble> {
        let found = self.ask(these(account)).await?;
        let Some(row) = found.rows.first() else { return Ok(false) };
        let Some(secret) = decode(&text(row, "secret")) else { return Ok(false) };
        let step = now / STEP;
        let steps = step.saturating_sub(SLACK)..=step + SLACK;
        let right = |step: &u64| bool::from(code(&secret, *step).as_bytes().ct_eq(given.as_bytes()));
        let Some(step) = steps.rev().find(right) else { return Ok(false) };
        // Of two who come with the same code at the same time, one has it.
        let taken = with("UPDATE totp SET last_step = ", &step.to_string())
            .then(with(" WHERE account = ", &text(row, "account")))
            .then(with(" AND last_step < ", &step.to_string()));
        let mut work = self.begin().await?;
        let taken = work.change(taken).await? == 1;
        work.commit().await?;
        Ok(taken)
    }

    /// Takes it away.
    ///
    /// # Errors
    /// There is none.
    pub async fn delete_totp(&self, account: &str) -> Result<(), Error> {
        let mut work = self.begin().await?;
        let id =
            with("DELETE FROM totp WHERE account = (SELECT id FROM accounts WHERE name = ", &folded(account));
        let gone = work.change(id.text(")")).await?;
        work.commit().await?;
        let wrong = || Error::Wrong(format!("{account}: has no one-time passwords"));
        if gone > 0 { Ok(()) } else { Err(wrong()) }
    }
}

fn these(account: &str) -> Statement {
    let head = "SELECT t.account, t.secret, t.created, t.last_step FROM totp t JOIN accounts a ON t.account = a.id \
                WHERE a.name = ";
    with(head, &folded(account))
}

/// The code of a time.
#[cfg(test)]
pub(super) fn code_of(base32: &str, time: u64) -> String {
    code(&decode(base32).unwrap(), time / STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B; RFC 4648 10.
    #[test]
    fn codes_and_letters_of_the_rfcs() {
        let secret = b"12345678901234567890";
        for (time, expected) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            assert_eq!(code(secret, time / STEP), expected, "{time}");
        }
        assert_eq!(encode(b"fooba"), "MZXW6YTB");
        assert_eq!(decode("MZXW6YTB").as_deref(), Some(&b"fooba"[..]));
        assert_eq!(decode("mzxw"), None);
    }
}
