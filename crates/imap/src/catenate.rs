//! A message put together from literals and from parts of messages that are here already. RFC 4469.

use bytes::Bytes;

use crate::grammar::Cursor;
use crate::grammar::fetch::section;
use crate::grammar::mailbox::Content;
use crate::session::{Fail, Session};

/// Joins the pieces.
///
/// # Errors
/// `NO [BADURL …]`: nothing is at a URL; `NO [TOOBIG]`.
pub fn join(session: &Session, pieces: &[Content<'_>], aside: &[Bytes], limit: usize) -> Result<Bytes, Fail> {
    let mut message = Vec::new();
    for piece in pieces {
        let text = match piece {
            Content::Literal(number) => aside.get(*number).cloned().unwrap_or_default(),
            Content::Url(url) => resolve(session, url)?,
            Content::UrlAside(number) => resolve(session, aside.get(*number).map_or(&[], |url| &url[..]))?,
        };
        if message.len() + text.len() > limit {
            return Err(Fail::no("TOOBIG", "Message too large."));
        }
        message.extend_from_slice(&text);
    }
    Ok(message.into())
}

/// `/INBOX;UIDVALIDITY=1/;UID=20/;SECTION=1.2`, or the part of it from `;UID=` for the selected mailbox. RFC 5092.
#[derive(Debug, PartialEq, Eq)]
struct Url {
    mailbox: Option<String>,
    uid_validity: Option<u32>,
    uid: u32,
    section: Option<String>,
    partial: Option<(u64, Option<u64>)>,
}

fn resolve(session: &Session, url: &[u8]) -> Result<Bytes, Fail> {
    let text = String::from_utf8_lossy(url).into_owned();
    let bad = |why: &'static str| {
        let code = format!("BADURL \"{}\"", text.replace(['"', '\\', '\r', '\n'], "?"));
        Fail::No { code: code.into(), text: why.into() }
    };
    let url = parse(&text).ok_or_else(|| bad("This URL is not one of a message here."))?;
    let mailbox = match &url.mailbox {
        Some(name) => {
            session.account()?.open(&session.name(name)?).map_err(|_| bad("There is no such mailbox."))?
        }
        None => session.selected().map_err(|_| bad("No mailbox selected."))?.mailbox.clone(),
    };
    if url.uid_validity.is_some_and(|validity| validity != mailbox.view().uidvalidity) {
        return Err(bad("The UIDVALIDITY is another one."));
    }
    let message = mailbox.body(url.uid).map_err(|_| bad("There is no such message."))?;
    let text = match &url.section {
        None => message,
        Some(name) => {
            let text = format!("[{name}]");
            let parsed =
                section(&mut Cursor::new(text.as_bytes())).map_err(|_| bad("There is no such part."))?;
            let structure = mime::parse(&message, &mime::Limits::default());
            let found = structure.section(&message, &crate::commands::fetch::convert(&parsed));
            Bytes::from(found.ok_or_else(|| bad("There is no such part."))?.into_owned())
        }
    };
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
    Ok(match url.partial {
        None => text,
        Some((start, None)) => text.slice(at(start)..),
        Some((start, Some(length))) => text.slice(at(start)..at(start.saturating_add(length))),
    })
}

fn parse(text: &str) -> Option<Url> {
    let mut url = Url { mailbox: None, uid_validity: None, uid: 0, section: None, partial: None };
    let mut rest = text;
    if let Some(absolute) = rest.strip_prefix('/') {
        let (path, after) = split_any_case(absolute, "/;UID=")?;
        let (name, validity) = match split_any_case(path, ";UIDVALIDITY=") {
            Some((name, validity)) => (name, Some(validity.parse().ok()?)),
            None => (path, None),
        };
        url.mailbox = Some(unescape(name)?);
        url.uid_validity = validity;
        rest = after;
    } else {
        rest = split_any_case(rest, ";UID=").filter(|(before, _)| before.is_empty())?.1;
    }
    let mut parts = rest.split("/;");
    url.uid = parts.next()?.parse().ok().filter(|uid| *uid > 0)?;
    for part in parts {
        let (name, value) = part.split_once('=')?;
        match (name.to_ascii_uppercase().as_str(), value) {
            ("SECTION", section) => url.section = Some(unescape(section)?),
            ("PARTIAL", range) => {
                url.partial = Some(match range.split_once('.') {
                    Some((start, length)) => (start.parse().ok()?, Some(length.parse().ok()?)),
                    None => (range.parse().ok()?, None),
                });
            }
            _ => return None,
        }
    }
    Some(url)
}

/// As `split_once`, whatever the case.
fn split_any_case<'a>(text: &'a str, by: &str) -> Option<(&'a str, &'a str)> {
    let at = text.to_ascii_uppercase().find(by)?;
    Some((&text[..at], &text[at + by.len()..]))
}

/// `%20` and the like.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_messages() {
        let url = parse("/Sent%20Mail;UIDVALIDITY=385759045/;UID=20/;SECTION=1.2/;PARTIAL=0.1024").unwrap();
        assert_eq!(
            (url.mailbox.as_deref(), url.uid_validity, url.uid),
            (Some("Sent Mail"), Some(385_759_045), 20)
        );
        assert_eq!((url.section.as_deref(), url.partial), (Some("1.2"), Some((0, Some(1024)))));
        assert_eq!(parse(";UID=7").unwrap().mailbox, None);
        assert_eq!(parse("/box/;uid=7/;section=HEADER").unwrap().section.as_deref(), Some("HEADER"));
        for bad in
            ["", "/INBOX", "/INBOX/;UID=0", "/a%2/;UID=1", "imap://host/INBOX/;UID=1", "/a/;UID=1/;FOO=1"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
