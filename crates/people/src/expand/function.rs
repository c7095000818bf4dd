//! `%{sha256;rounds=2,truncate=64:user}` and `%{if;%s;eq;imap;yes;no}`.

use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use super::modifier::hex;
use super::{Vars, expand};

/// Most rounds of a hash.
const ROUNDS: u32 = 1_000_000;

/// A hash over a value: `md5 sha1 sha256 sha384 sha512`, with options behind semicolons.
pub fn call(function: &str, value: &str) -> Result<String, String> {
    let (name, options) = function.split_once(';').unwrap_or((function, ""));
    let (mut rounds, mut salt, mut bits, mut format) = (1u32, String::new(), None, "hex");
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let wrong = || format!("unknown option \"{option}\" of %{{{function}:…}}");
        match option.split_once('=') {
            Some(("rounds", text)) => {
                rounds =
                    text.parse().ok().filter(|rounds| (1..=ROUNDS).contains(rounds)).ok_or_else(wrong)?;
            }
            Some(("salt", text)) => text.clone_into(&mut salt),
            Some(("truncate", text)) => {
                bits = Some(text.parse::<usize>().ok().filter(|bits| *bits > 0).ok_or_else(wrong)?);
            }
            Some(("format", text @ ("hex" | "hexuc" | "base64"))) => format = text,
            _ => return Err(wrong()),
        }
    }
    let hash: fn(&[u8]) -> Vec<u8> = match name {
        "md5" => |bytes| Md5::digest(bytes).to_vec(),
        "sha1" => |bytes| Sha1::digest(bytes).to_vec(),
        "sha256" => |bytes| Sha256::digest(bytes).to_vec(),
        "sha384" => |bytes| Sha384::digest(bytes).to_vec(),
        "sha512" => |bytes| Sha512::digest(bytes).to_vec(),
        _ => return Err(format!("unknown function %{{{name}:…}}")),
    };
    let mut digest = [salt.as_bytes(), value.as_bytes()].concat();
    for _ in 0..rounds {
        digest = hash(&digest);
    }
    if let Some(bits) = bits.filter(|bits| *bits < digest.len() * 8) {
        digest.truncate(bits.div_ceil(8));
        if let (Some(last), spare @ 1..) = (digest.last_mut(), digest_spare(bits)) {
            *last = *last >> spare << spare;
        }
    }
    Ok(match format {
        "hexuc" => hex(&digest).to_uppercase(),
        "base64" => base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &digest),
        _ => hex(&digest),
    })
}

/// Bits of the last byte that are not wanted.
fn digest_spare(bits: usize) -> usize {
    (8 - bits % 8) % 8
}

/// `left;operator;right;then;else`, each with variables of its own.
pub fn condition(text: &str, vars: &Vars<'_>) -> Result<String, String> {
    let parts: Vec<&str> = conf::words::words(text, ";");
    let [left, operator, right, then, rest @ ..] = parts.as_slice() else {
        return Err(format!("%{{if;{text}}}: a value, an operator, a value, then and else are expected"));
    };
    let fill = |text: &str| expand(text, vars, &str::to_owned);
    let (left, right) = (fill(left)?, fill(right)?);
    let numbers = (left.parse::<i64>().unwrap_or(0), right.parse::<i64>().unwrap_or(0));
    let holds = match *operator {
        "==" => numbers.0 == numbers.1,
        "!=" => numbers.0 != numbers.1,
        "<" => numbers.0 < numbers.1,
        "<=" => numbers.0 <= numbers.1,
        ">" => numbers.0 > numbers.1,
        ">=" => numbers.0 >= numbers.1,
        "eq" => left == right,
        "ne" => left != right,
        "lt" => left < right,
        "le" => left <= right,
        "gt" => left > right,
        "ge" => left >= right,
        "*" => like(&right, &left),
        "!*" => !like(&right, &left),
        _ => return Err(format!("%{{if;{text}}}: unknown operator {operator}")),
    };
    if holds { fill(then) } else { fill(rest.first().copied().unwrap_or_default()) }
}

/// `*` stands for any text, `?` for one character.
pub fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // Where the last `*` stands, and how much of the text it has taken so far.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|c| *c == '?' || *c == text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            (p, t) = (at + 1, taken + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}
