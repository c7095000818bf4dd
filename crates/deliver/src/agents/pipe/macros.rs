//! `$recipient` and the other macros in the arguments of a pipe service.

use mail::address::{quote_local, split, split_extension};

use super::attributes::Attributes;
use crate::Request;

/// Replaces macros; an argument that names a recipient's macro becomes one for each recipient. The error is the
/// name of an unknown macro.
pub fn expand(
    attributes: &Attributes,
    request: &Request,
    delimiter: &str,
    size: u64,
) -> Result<Vec<String>, String> {
    let mut out = Vec::with_capacity(attributes.argv.len());
    for argument in &attributes.argv {
        let pieces = pieces(argument)?;
        let each = pieces.iter().any(|piece| matches!(piece, Piece::Macro(name) if is_of_recipient(name)));
        let times = if each { request.targets.len() } else { 1 };
        for nth in 0..times {
            let mut word = String::new();
            for piece in &pieces {
                match piece {
                    Piece::Text(text) => word.push_str(text),
                    Piece::Macro("size") => word.push_str(&size.to_string()),
                    Piece::Macro(name) => word.push_str(&value(name, attributes, request, nth, delimiter)),
                }
            }
            out.push(word);
        }
    }
    Ok(out)
}

#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(String),
    Macro(&'a str),
}

const OF_RECIPIENT: [&str; 6] = ["recipient", "original_recipient", "user", "extension", "mailbox", "domain"];
const OF_MESSAGE: [&str; 12] = [
    "sender",
    "nexthop",
    "size",
    "queue_id",
    "client_address",
    "client_helo",
    "client_hostname",
    "client_port",
    "client_protocol",
    "sasl_method",
    "sasl_sender",
    "sasl_username",
];

fn is_of_recipient(name: &str) -> bool {
    OF_RECIPIENT.contains(&name)
}

/// Divides at `$name`, `${name}` and `$(name)`; `$$` is a dollar sign.
fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        push_text(&mut out, &rest[..at]);
        rest = &rest[at + 1..];
        let close = match rest.as_bytes().first() {
            Some(b'$') => {
                push_text(&mut out, "$");
                rest = &rest[1..];
                continue;
            }
            Some(b'{') => Some('}'),
            Some(b'(') => Some(')'),
            _ => None,
        };
        let name = match close {
            Some(close) => {
                let (name, after) = rest[1..].split_once(close).ok_or_else(|| rest[1..].to_owned())?;
                rest = after;
                name
            }
            None => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                let (name, after) = rest.split_at(end);
                rest = after;
                name
            }
        };
        if !is_of_recipient(name) && !OF_MESSAGE.contains(&name) {
            return Err(name.to_owned());
        }
        out.push(Piece::Macro(name));
    }
    push_text(&mut out, rest);
    Ok(out)
}

fn push_text(out: &mut Vec<Piece<'_>>, text: &str) {
    match out.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ if text.is_empty() => {}
        _ => out.push(Piece::Text(text.to_owned())),
    }
}

fn value(name: &str, attributes: &Attributes, request: &Request, nth: usize, delimiter: &str) -> String {
    let recipient = &request.targets[nth].recipient;
    let fold_host = |text: &str| if attributes.has('h') { text.to_lowercase() } else { text.to_owned() };
    let fold_user = |text: &str| if attributes.has('u') { text.to_lowercase() } else { text.to_owned() };
    let quoted = |text: &str| {
        let (local, domain) = split(text);
        let local = if attributes.has('q') { quote_local(local) } else { local.to_owned() };
        domain.map_or(local.clone(), |domain| format!("{local}@{domain}"))
    };
    let folded = |text: &str| {
        let (local, domain) = split(text);
        let local = fold_user(local);
        quoted(&domain.map_or(local.clone(), |domain| format!("{local}@{}", fold_host(domain))))
    };
    let (mailbox, domain) = recipient.address.split();
    let mailbox = fold_user(mailbox);
    let client = &request.client;
    match name {
        "recipient" => folded(recipient.address.as_str()),
        "original_recipient" => folded(recipient.original.as_str()),
        "domain" => fold_host(domain.unwrap_or_default()),
        "user" => split_extension(&mailbox, delimiter).map_or(mailbox.clone(), |(user, ..)| user.to_owned()),
        "extension" => split_extension(&mailbox, delimiter)
            .map_or(String::new(), |(_, _, extension)| extension.to_owned()),
        "mailbox" => mailbox,
        "sender" if request.sender.is_null() && attributes.null_sender.is_empty() => String::new(),
        "sender" if request.sender.is_null() => quoted(&attributes.null_sender),
        "sender" => quoted(request.sender.as_str()),
        "nexthop" => fold_host(&request.nexthop),
        "queue_id" => request.id.to_string(),
        "client_address" => client.address.clone(),
        "client_helo" => client.helo.clone(),
        "client_hostname" => client.name.clone(),
        "client_port" => client.port.map(|port| port.to_string()).unwrap_or_default(),
        "client_protocol" => client.protocol.clone(),
        "sasl_method" => client.sasl_method.clone(),
        "sasl_sender" => client.sasl_sender.clone(),
        "sasl_username" => client.sasl_username.clone(),
        other => unreachable!("{other} is checked when the argument is divided"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::request;

    fn expanded(words: &str, sender: &str, recipients: &[&str]) -> Result<Vec<String>, String> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let attributes = Attributes::parse(&words).expect("good attributes");
        expand(&attributes, &request(sender, recipients, b""), "+", 7)
    }

    #[test]
    fn macros_are_folded_and_quoted_as_the_flags_say() {
        let words =
            "flags=hqu user=x argv=c s=${sender} $recipient ${user}:$(extension) ${mailbox} d=$domain $$x";
        let out = expanded(words, "", &["User Name+Ext@P.Test"]).expect("known macros");
        assert_eq!(
            out,
            [
                "c",
                "s=MAILER-DAEMON",
                "\"user name+ext\"@p.test",
                "user name:ext",
                "user name+ext",
                "d=p.test",
                "$x"
            ]
        );
    }

    #[test]
    fn arguments_with_recipients_are_repeated() {
        let out = expanded("user=x argv=c -a $user ${size}", "s@x", &["a@y", "b+c@y"]).expect("known macros");
        assert_eq!(out, ["c", "-a", "a", "b", "7"]);
    }

    #[test]
    fn unknown_macros_are_named() {
        assert_eq!(expanded("user=x argv=c $unknown", "s@x", &["a@y"]), Err("unknown".to_owned()));
    }
}
