//! access(5): the right-hand sides of access tables, which policy servers answer with too.

use mail::{Address, Blame, Detail, Trouble};
use tables::{Found, Maps};

use crate::case::{Case, class};
use crate::compile;
use crate::restriction::{Decision, Rule};
use crate::{Boxed, Stage};

/// Where a right-hand side was found.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The table or server, as configured.
    pub table: &'a str,
    /// The key it was found under.
    pub key: &'a str,
}

/// Does what an access table found, or failed to find, asks for.
pub(crate) async fn obey(
    case: &mut Case<'_>,
    table: &str,
    key: &str,
    answer: Result<Option<Found>, Trouble>,
) -> Decision {
    match answer {
        Ok(Some(found)) => {
            let source = Source { table, key: &found.key };
            case.note(&found.table, &found.key, found.place.as_deref(), &found.value);
            act(case, &found.value, source).await
        }
        Ok(None) => {
            case.note(table, key, None, "not found");
            Decision::Dunno
        }
        Err(trouble) => {
            case.warning(&format!("{table}: table lookup problem"));
            case.note(table, key, None, &trouble.to_string());
            let say = case.rejected("Server configuration error");
            case.refuse(mail::Refusal::later(51, Detail(3, 5), Blame::Ourselves, say))
        }
    }
}

/// Looks up a domain and its parents. Numbers have no parents.
pub(crate) async fn find_domain(
    case: &Case<'_>,
    maps: &Maps,
    domain: &str,
    whole: bool,
) -> Result<Option<Found>, Trouble> {
    let numerical = crate::names::address(domain).is_some();
    let parents = case.judge.settings.parents;
    let mut key = domain;
    let mut part = !whole;
    loop {
        let answer = if part { maps.find_part(key).await? } else { maps.find(key).await? };
        if answer.is_some() || numerical {
            return Ok(answer);
        }
        part = true;
        // A leading dot is part of the key under `.domain` rules, not a separator.
        match key.get(1..).and_then(|rest| rest.find('.')) {
            Some(at) if parents == tables::Parents::Match => key = &key[at + 2..],
            Some(at) => key = &key[at + 1..],
            None => return Ok(None),
        }
        if key.is_empty() || key == "." {
            return Ok(None);
        }
    }
}

/// Looks up a mail address: `user+ext@domain`, `user@domain`, domain and parents, `user+ext@`, `user@`.
pub(crate) async fn find_mail(
    case: &Case<'_>,
    maps: &Maps,
    address: &Address,
) -> Result<Option<Found>, Trouble> {
    let text = address.as_str();
    let (local, Some(domain)) = address.split() else {
        return maps.find(text).await;
    };
    let delimiters = case.judge.settings.recipient_delimiter.as_str();
    let bare = mail::address::split_extension(local, delimiters).map(|(user, _, _)| user);
    if let Some(found) = maps.find(text).await? {
        return Ok(Some(found));
    }
    if let Some(user) = bare
        && let Some(found) = maps.find_part(&format!("{user}@{domain}")).await?
    {
        return Ok(Some(found));
    }
    if let Some(found) = find_domain(case, maps, domain, false).await? {
        return Ok(Some(found));
    }
    if let Some(found) = maps.find_part(&format!("{local}@")).await? {
        return Ok(Some(found));
    }
    match bare {
        Some(user) => maps.find_part(&format!("{user}@")).await,
        None => Ok(None),
    }
}

/// Looks up a host: its name and parents, then its address and the networks around it.
pub(crate) async fn find_host(
    case: &Case<'_>,
    maps: &Maps,
    name: &str,
    address: &str,
) -> Result<Option<Found>, Trouble> {
    match find_domain(case, maps, name, true).await? {
        Some(found) => Ok(Some(found)),
        None => find_address(maps, address).await,
    }
}

/// Looks up an address and the networks around it, octet by octet.
pub(crate) async fn find_address(maps: &Maps, address: &str) -> Result<Option<Found>, Trouble> {
    let separator = if address.contains(':') { ':' } else { '.' };
    let mut key = address;
    if let Some(found) = maps.find(key).await? {
        return Ok(Some(found));
    }
    while let Some(at) = key.rfind(separator) {
        key = &key[..at];
        if let Some(found) = maps.find_part(key).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Does one right-hand side.
pub(crate) fn act<'a>(case: &'a mut Case<'_>, value: &'a str, source: Source<'a>) -> Boxed<'a, Decision> {
    Box::pin(async move {
        let (command, text) = match value.find([' ', '\t']) {
            Some(at) => (&value[..at], value[at..].trim_start_matches([' ', '\t'])),
            None => (value, ""),
        };
        let codes = &case.judge.settings.codes;
        let (reject_code, defer_code) = (codes.access_map_reject_code, codes.access_map_defer_code);
        if is_digits(command, 3) && command.starts_with(['4', '5']) {
            return refuse(case, command.parse().unwrap_or(450), text, "Access denied");
        }
        match command.to_ascii_uppercase().as_str() {
            "DUNNO" => Decision::Dunno,
            "REJECT" => refuse(case, reject_code, text, "Access denied"),
            "DEFER" => refuse(case, defer_code, text, "Access denied"),
            "DEFER_IF_PERMIT" => {
                let refusal = refusal(case, defer_code, text, "Service unavailable");
                case.defer_if_permit(refusal)
            }
            "DEFER_IF_REJECT" => {
                let refusal = refusal(case, defer_code, text, "Service unavailable");
                case.defer_if_reject(refusal)
            }
            "OK" | "RELAY" => permit(case, command, source).await,
            word @ ("DISCARD" | "HOLD" | "FILTER" | "REDIRECT" | "BCC") if case.judge.settings.proxied => {
                case.warning(&format!(
                    "access table {}: with smtpd_proxy_filter specified, action {word} is unavailable",
                    source.table
                ));
                Decision::Dunno
            }
            "DISCARD" => {
                say(case, "discard", or(text, "triggers DISCARD action"));
                case.standing.orders.discard = true;
                permit(case, command, source).await
            }
            "HOLD" => {
                if !case.standing.orders.hold {
                    say(case, "hold", or(text, "triggers HOLD action"));
                    case.standing.orders.hold = true;
                }
                Decision::Dunno
            }
            "FILTER" if wanted(case, source, text, text.contains(':'), "transport:destination") => {
                say(case, "filter", &format!("triggers FILTER {text}"));
                case.standing.orders.filter = Some(text.to_owned());
                Decision::Dunno
            }
            "REDIRECT" if wanted(case, source, text, text.contains('@'), "user@domain target") => {
                say(case, "redirect", &format!("triggers REDIRECT {text}"));
                case.standing.orders.redirect = Some(Address::from(text));
                Decision::Dunno
            }
            "BCC" if wanted(case, source, text, text.contains('@'), "user@domain target") => {
                say(case, "bcc", &format!("triggers BCC {text}"));
                case.standing.orders.bcc.push(Address::from(text));
                Decision::Dunno
            }
            "PREPEND" if prepends(case, source, text) => {
                case.standing.orders.prepend.push(text.to_owned());
                Decision::Dunno
            }
            "FILTER" | "REDIRECT" | "BCC" | "PREPEND" => Decision::Dunno,
            "WARN" => {
                case.log("warn", text);
                Decision::Dunno
            }
            "INFO" => {
                case.log("info", text);
                Decision::Dunno
            }
            _ if is_digits(value, 1) => permit(case, value, source).await,
            _ => restrictions(case, value, source).await,
        }
    })
}

/// All digits: at least `least` of them, and exactly that many when it is more than one.
fn is_digits(text: &str, least: usize) -> bool {
    let count_fits = if least > 1 { text.len() == least } else { !text.is_empty() };
    count_fits && text.bytes().all(|b| b.is_ascii_digit())
}

fn or<'a>(text: &'a str, generic: &'a str) -> &'a str {
    if text.is_empty() { generic } else { text }
}

/// Logs what happens to the subject: `<x@y>: Recipient address triggers HOLD action`.
fn say(case: &Case<'_>, what: &str, text: &str) {
    case.log(what, &format!("<{}>: {} {text}", case.subject.name, case.subject.class));
}

async fn permit(case: &mut Case<'_>, action: &str, source: Source<'_>) -> Decision {
    let subject = case.subject.clone();
    case.permit(action, &subject, &format!("from {}", source.table)).await
}

fn refuse(case: &mut Case<'_>, code: i64, text: &str, generic: &str) -> Decision {
    let refusal = refusal(case, code, text, generic);
    case.refuse(refusal)
}

fn refusal(case: &Case<'_>, code: i64, text: &str, generic: &str) -> mail::Refusal {
    let (status, rest) = split_status(text);
    let detail = status.map_or((7, 1), |status| fit_status(case, status, case.subject.class));
    case.refusal(code, detail, case.rejected(or(rest, generic)))
}

/// An enhanced status code at the start of a text, and the text behind it.
pub(crate) fn split_status(text: &str) -> (Option<(char, u16, u16)>, &str) {
    let (word, rest) = match text.find([' ', '\t']) {
        Some(at) => (&text[..at], text[at..].trim_start_matches([' ', '\t'])),
        None => (text, ""),
    };
    let mut parts = word.split('.');
    let status = (|| {
        let class = parts.next().filter(|class| matches!(*class, "2" | "4" | "5"))?.chars().next()?;
        let mut number = || parts.next().filter(|part| is_digits(part, 1) && part.len() <= 3)?.parse().ok();
        let (subject, detail) = (number()?, number()?);
        parts.next().is_none().then_some((class, subject, detail))
    })();
    match status {
        Some(status) => (Some(status), rest),
        None => (None, text),
    }
}

/// One table serves senders, recipients and hosts: an address status is put into words for what is judged.
pub(crate) fn fit_status(
    case: &Case<'_>,
    (digit, subject, detail): (char, u16, u16),
    class: &'static str,
) -> (u16, u16) {
    if subject != 1 {
        return (subject, detail);
    }
    let fitting = match class {
        class::SENDER => match detail {
            2 | 8 => (1, 8),
            1 | 3 | 4 | 6 | 7 => (1, 7),
            _ => (1, 0),
        },
        class::RECIPIENT => match detail {
            7 => (1, 3),
            8 => (1, 2),
            1..=6 => (1, detail),
            _ => (1, 0),
        },
        _ => (0, 0),
    };
    if fitting != (subject, detail) && !case.standing.silent {
        log::info!(
            target: case.judge.program.as_str(),
            "mapping DSN status {digit}.{subject}.{detail} into {} status {digit}.{}.{}",
            class, fitting.0, fitting.1
        );
    }
    fitting
}

/// Warns of an action whose argument is missing or malformed.
fn wanted(case: &Case<'_>, source: Source<'_>, text: &str, fits: bool, what: &str) -> bool {
    if !fits || text.is_empty() {
        case.warning(&format!("access table {} entry \"{}\" requires {what}", source.table, source.key));
    }
    fits && !text.is_empty()
}

fn prepends(case: &Case<'_>, source: Source<'_>, text: &str) -> bool {
    if case.facts.command == Stage::EndOfData.name() {
        case.warning(&format!(
            "access table {}: action PREPEND must be used before smtpd_end_of_data_restrictions",
            source.table
        ));
        return false;
    }
    wanted(case, source, text, mail::header::name_end(text.as_bytes()).is_some(), "header: text")
}

/// A right-hand side may be a list of restrictions, or the name of a class.
async fn restrictions(case: &mut Case<'_>, value: &str, source: Source<'_>) -> Decision {
    let rules: Vec<Rule> = match compile::right_hand_side(case.judge, value) {
        Ok(rules) => rules,
        Err(compile::TableInTable) => {
            case.warning(&format!("access table {} has entry with lookup table: {value}", source.table));
            case.warning("do not specify lookup tables inside SMTPD access maps");
            case.warning("define a restriction class and specify its name instead.");
            return case.misconfigured();
        }
    };
    if rules.is_empty() {
        case.warning(&format!("access table {} entry {value} has empty value", source.table));
        return Decision::Permit;
    }
    case.go_through(&rules).await
}
