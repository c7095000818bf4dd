//! `%5.1Lu`: the part of a value that is taken, and what is done to it first.

use md5::{Digest, Md5};

/// `[offset.]width` and modifiers.
#[derive(Debug, Default)]
pub struct Format {
    offset: i64,
    width: i64,
    zeros: bool,
    modifiers: Vec<char>,
}

/// Most modifiers of one variable.
const MODIFIERS: usize = 10;

impl Format {
    /// The format at the start of a text, and the rest.
    pub fn parse(text: &str) -> (Format, &str) {
        let mut format = Format::default();
        let mut rest = text;
        if rest.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            (format.width, format.zeros, rest) = number(rest);
            if let Some(after) = rest.strip_prefix('.') {
                format.offset = format.width;
                (format.width, format.zeros, rest) = number(after);
            }
        }
        while let Some(letter) = rest.chars().next().filter(|letter| "LUEXRHNMDT".contains(*letter)) {
            if format.modifiers.len() == MODIFIERS {
                break;
            }
            format.modifiers.push(letter);
            rest = &rest[1..];
        }
        (format, rest)
    }

    /// The value so formed.
    pub fn apply(mut self, mut value: String) -> String {
        for modifier in std::mem::take(&mut self.modifiers) {
            value = self.modify(modifier, value);
        }
        self.cut(&value)
    }

    fn modify(&mut self, modifier: char, value: String) -> String {
        match modifier {
            'L' => value.to_lowercase(),
            'U' => value.to_uppercase(),
            'E' => escaped(&value),
            'X' => value.parse::<u64>().map(|number| format!("{number:x}")).unwrap_or_default(),
            'R' => value.chars().rev().collect(),
            'H' => self.hash(u64::from(elf(&value))),
            'N' => {
                let digest = Md5::digest(value.as_bytes());
                let head = digest.iter().take(8).fold(0u64, |all, byte| all << 8 | u64::from(*byte));
                self.hash(head)
            }
            'M' => hex(&Md5::digest(value.as_bytes())),
            'D' => value.replace('.', ",dc="),
            _ => value.trim_matches([' ', '\t', '\r', '\n']).to_owned(),
        }
    }

    /// Numbers before a hash are the digits it is filled to, and the modulus.
    fn hash(&mut self, mut value: u64) -> String {
        if let Ok(modulus @ 1..) = u64::try_from(std::mem::take(&mut self.width)) {
            value %= modulus;
        }
        let digits = usize::try_from(std::mem::take(&mut self.offset)).unwrap_or(0);
        format!("{:0digits$x}", value & 0xffff_ffff)
    }

    fn cut(&self, value: &str) -> String {
        let letters: Vec<char> = value.chars().collect();
        let whole = letters.len();
        let distance = usize::try_from(self.offset.unsigned_abs()).unwrap_or(whole);
        let start = match self.offset {
            ..0 if whole > distance => whole - distance,
            ..0 => 0,
            _ => distance.min(whole),
        };
        let letters = &letters[start..];
        let width = usize::try_from(self.width.unsigned_abs()).unwrap_or(usize::MAX);
        if self.width == 0 {
            return letters.iter().collect();
        }
        if self.zeros {
            let missing = width.min(1 << 10).saturating_sub(letters.len());
            return "0".repeat(missing) + &letters.iter().collect::<String>();
        }
        let taken = if self.width < 0 { letters.len().saturating_sub(width) } else { width };
        letters.iter().take(taken).collect()
    }
}

/// A number with its sign, and whether it begins with a zero.
fn number(text: &str) -> (i64, bool, &str) {
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let value: i64 = digits.parse().unwrap_or(0);
    (if negative { -value } else { value }, digits.len() > 1 && digits.starts_with('0'), rest)
}

/// The hash of ELF symbol tables.
fn elf(text: &str) -> u32 {
    text.bytes().fold(0, |hash: u32, byte| {
        let hash = (hash << 4).wrapping_add(u32::from(byte));
        let high = hash & 0xf000_0000;
        hash ^ (high >> 24) ^ high
    })
}

/// Quotes and backslashes behind a backslash.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '"' | '\\' | '\'') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
