//! `v=spf1 …` as terms (RFC 7208 4.6.1, 12).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Verdict;
use super::macros::Template;

/// A policy.
#[derive(Debug, Default)]
pub struct Record {
    pub directives: Vec<Directive>,
    pub redirect: Option<Template>,
    pub explanation: Option<Template>,
}

/// A mechanism with its qualifier.
#[derive(Debug)]
pub struct Directive {
    pub verdict: Verdict,
    pub mechanism: Mechanism,
    /// As written, for explanations of ours.
    pub text: String,
}

/// Length of prefixes for IPv4 and IPv6.
pub type Prefixes = (u8, u8);

/// Which clients a directive is about.
#[derive(Debug)]
pub enum Mechanism {
    All,
    Include(Template),
    A(Option<Template>, Prefixes),
    Mx(Option<Template>, Prefixes),
    Ptr(Option<Template>),
    Ip4(Ipv4Addr, u8),
    Ip6(Ipv6Addr, u8),
    Exists(Template),
}

/// Is this text a policy, of this version?
pub fn is_policy(text: &str) -> bool {
    let Some(start) = text.get(..6) else { return false };
    start.eq_ignore_ascii_case("v=spf1") && matches!(text.as_bytes().get(6), None | Some(b' '))
}

impl Record {
    /// Reads a policy. `None`: it is malformed somewhere, and then all of it is worth nothing.
    pub fn parse(text: &str) -> Option<Record> {
        if !text.is_ascii() {
            return None;
        }
        let mut record = Record::default();
        for term in text.get(6..)?.split(' ').filter(|term| !term.is_empty()) {
            match modifier(term) {
                Some(("redirect", value)) => set(&mut record.redirect, Template::domain(value)?)?,
                Some(("exp", value)) => set(&mut record.explanation, Template::domain(value)?)?,
                Some((_, value)) => {
                    Template::any(value)?;
                }
                None => record.directives.push(directive(term)?),
            }
        }
        Some(record)
    }
}

/// A modifier comes once.
fn set(slot: &mut Option<Template>, value: Template) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

/// `name=value`, the name in lower case.
fn modifier(term: &str) -> Option<(&'static str, &str)> {
    let (name, value) = term.split_once('=')?;
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if !(starts && fits) {
        return None;
    }
    Some((
        match name.to_ascii_lowercase().as_str() {
            "redirect" => "redirect",
            "exp" => "exp",
            _ => "",
        },
        value,
    ))
}

fn directive(text: &str) -> Option<Directive> {
    let (verdict, term) = match text.as_bytes()[0] {
        b'+' => (Verdict::Pass, &text[1..]),
        b'-' => (Verdict::Fail, &text[1..]),
        b'~' => (Verdict::SoftFail, &text[1..]),
        b'?' => (Verdict::Neutral, &text[1..]),
        _ => (Verdict::Pass, text),
    };
    let end = term.find([':', '/']).unwrap_or(term.len());
    let (name, rest) = term.split_at(end);
    let mechanism = match name.to_ascii_lowercase().as_str() {
        "all" if rest.is_empty() => Mechanism::All,
        "include" => Mechanism::Include(Template::domain(rest.strip_prefix(':')?)?),
        "exists" => Mechanism::Exists(Template::domain(rest.strip_prefix(':')?)?),
        "ptr" if rest.is_empty() => Mechanism::Ptr(None),
        "ptr" => Mechanism::Ptr(Some(Template::domain(rest.strip_prefix(':')?)?)),
        "a" => {
            let (domain, prefixes) = domain_and_prefixes(rest)?;
            Mechanism::A(domain, prefixes)
        }
        "mx" => {
            let (domain, prefixes) = domain_and_prefixes(rest)?;
            Mechanism::Mx(domain, prefixes)
        }
        "ip4" => {
            let (address, prefix) = network(rest.strip_prefix(':')?, 32)?;
            Mechanism::Ip4(address.parse().ok()?, prefix)
        }
        "ip6" => {
            let (address, prefix) = network(rest.strip_prefix(':')?, 128)?;
            Mechanism::Ip6(address.parse().ok()?, prefix)
        }
        _ => return None,
    };
    Some(Directive { verdict, mechanism, text: text.to_owned() })
}

fn network(text: &str, max: u8) -> Option<(&str, u8)> {
    match text.split_once('/') {
        Some((address, prefix)) => Some((address, length(prefix, max)?)),
        None => Some((text, max)),
    }
}

/// A prefix length: no sign, no leading zero.
fn length(text: &str, max: u8) -> Option<u8> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    text.parse().ok().filter(|length| plain && *length <= max)
}

/// `[:domain][/prefix][//prefix]`
fn domain_and_prefixes(text: &str) -> Option<(Option<Template>, Prefixes)> {
    let (mut rest, mut prefixes) = (text, (32, 128));
    let is_digits = |tail: &str| tail.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((before, tail)) = rest.rsplit_once("//")
        && is_digits(tail)
    {
        prefixes.1 = length(tail, 128)?;
        rest = before;
    }
    if let Some((before, tail)) = rest.rsplit_once('/')
        && is_digits(tail)
    {
        prefixes.0 = length(tail, 32)?;
        rest = before;
    }
    match rest.strip_prefix(':') {
        Some(domain) => Some((Some(Template::domain(domain)?), prefixes)),
        None if rest.is_empty() => Some((None, prefixes)),
        None => None,
    }
}
