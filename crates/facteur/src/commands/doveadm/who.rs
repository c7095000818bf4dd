//! `doveadm who` and `doveadm kick`: the sessions of the running program.

use std::net::IpAddr;

use super::super::sessions::{self, Session};
use super::print::{Column, Format, Printer};
use super::whom::matches;
use super::{Call, End, NOT_FOUND, USAGE, Verb, options};

pub(super) const VERBS: &[Verb] = &[
    Verb { name: "who", usage: "[-a <anvil socket path>] [-1] [<user mask>] [<ip/bits>]", run: who },
    Verb { name: "kick", usage: "[-a <anvil socket path>] [-f] <user mask>[|]<ip/bits>", run: kick },
];

/// Whose sessions, from where.
#[derive(Default)]
struct Filter {
    mask: Option<String>,
    network: Option<(IpAddr, u8)>,
}

impl Filter {
    fn read(words: &[String]) -> Option<Filter> {
        let mut filter = Filter::default();
        for word in words {
            match network(word) {
                Some(network) if filter.network.is_none() => filter.network = Some(network),
                None if filter.mask.is_none() => filter.mask = Some(word.clone()),
                _ => return None,
            }
        }
        Some(filter)
    }

    fn takes(&self, session: &Session) -> bool {
        let from = |(network, bits): (IpAddr, u8)| {
            session.remote.parse().is_ok_and(|address| is_within(address, network, bits))
        };
        self.mask.as_ref().is_none_or(|mask| matches(mask, &session.user, None))
            && self.network.is_none_or(from)
    }
}

/// `192.0.2.0/24`, `::1`.
fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(most);
    (bits <= most).then_some((address, bits))
}

fn is_within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(four) => (u128::from(u32::from(four)) << 96, true),
        IpAddr::V6(six) => (u128::from(six), false),
    };
    let ((one, kind), (other, wanted)) = (number(address), number(network));
    kind == wanted && (bits == 0 || (one ^ other) >> (128 - u32::from(bits)) == 0)
}

fn sessions(call: &Call, filter: &Filter) -> Result<Vec<Session>, End> {
    let mut found = sessions::list(&call.config).map_err(failed)?;
    found.retain(|session| filter.takes(session));
    Ok(found)
}

fn failed(what: String) -> End {
    End::fatal(format!("sessions: {what}"))
}

fn who(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, "a:1", || verb.wrong().text)?;
    let filter = Filter::read(&options.rest).ok_or_else(|| verb.wrong())?;
    let found = sessions(call, &filter)?;
    let format = call.format.unwrap_or(Format::Table);
    let (columns, rows) = if options.has('1') { each(found) } else { grouped(found) };
    let mut printer = Printer::new(format, columns);
    for row in rows {
        printer.row(row).map_err(End::fatal)?;
    }
    printer.finish().map_err(End::fatal)?;
    Ok(0)
}

type Rows = (Vec<Column>, Vec<Vec<String>>);

/// One line for each session.
fn each(found: Vec<Session>) -> Rows {
    let columns = vec![
        Column::named("username"),
        Column::keyed("proto", "service"),
        Column::named("pid"),
        Column::named("ip"),
    ];
    let row = |session: Session| vec![session.user, session.service, session.process, session.remote];
    (columns, found.into_iter().map(row).collect())
}

/// One line for each user and protocol.
fn grouped(mut found: Vec<Session>) -> Rows {
    let columns = vec![
        Column::named("username"),
        Column::keyed("#", "connections"),
        Column::keyed("proto", "service"),
        Column::keyed("(pids)", "pids"),
        Column::keyed("(ips)", "ips"),
    ];
    found.sort_by(|one, other| (&one.user, &one.service).cmp(&(&other.user, &other.service)));
    let rows = found.chunk_by(|one, other| (&one.user, &one.service) == (&other.user, &other.service));
    let rows = rows.map(|group| {
        let list = |of: fn(&Session) -> &String| {
            let mut values: Vec<&str> = Vec::new();
            for value in group.iter().map(of).filter(|value| !value.is_empty()) {
                if !values.contains(&value.as_str()) {
                    values.push(value);
                }
            }
            format!("({})", values.join(" "))
        };
        vec![
            group[0].user.clone(),
            group.len().to_string(),
            group[0].service.clone(),
            list(|session| &session.process),
            list(|session| &session.remote),
        ]
    });
    (columns, rows.collect())
}

fn kick(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, "a:f", || verb.wrong().text)?;
    if options.rest.is_empty() {
        return Err(End {
            status: USAGE,
            text: "Error: user and/or ip[/bits] must be specified.".to_owned(),
        });
    }
    let filter = Filter::read(&options.rest).ok_or_else(|| verb.wrong())?;
    let found = sessions(call, &filter)?;
    sessions::end(&call.config, &found).map_err(failed)?;
    let mut users: Vec<String> = found.into_iter().map(|session| session.user).collect();
    users.sort();
    users.dedup();
    if users.is_empty() {
        println!("no users kicked");
        return Ok(NOT_FOUND);
    }
    let Some(format) = call.format else {
        println!("kicked connections from the following users:\n{}", users.join(" "));
        return Ok(0);
    };
    let mut printer = Printer::new(format, vec![Column::bare("result")]);
    for user in users {
        printer.row(vec![user]).map_err(End::fatal)?;
    }
    printer.finish().map_err(End::fatal)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(user: &str, service: &str, process: &str, remote: &str) -> Session {
        let [user, service, process, remote] = [user, service, process, remote].map(str::to_owned);
        Session { id: "1".to_owned(), user, service, process, remote }
    }

    #[test]
    fn masks_and_networks_choose() {
        let takes = |words: &[&str], user: &str, remote: &str| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Filter::read(&words).unwrap().takes(&session(user, "imap", "1", remote))
        };
        assert!(takes(&[], "joe", "") && takes(&["j*"], "joe", "") && !takes(&["a*"], "joe", ""));
        assert!(
            takes(&["192.0.2.0/24"], "joe", "192.0.2.9") && !takes(&["192.0.2.0/24"], "joe", "192.0.3.9")
        );
        assert!(takes(&["joe", "::1"], "joe", "::1") && !takes(&["::/0"], "joe", "127.0.0.1"));
        assert!(Filter::read(&["a".to_owned(), "b".to_owned()]).is_none());
        assert!(network("10.0.0.0/33").is_none());
    }

    #[test]
    fn sessions_of_a_user_are_one_line() {
        let found = vec![
            session("joe", "imap", "12", "192.0.2.1"),
            session("ann", "pop3", "13", ""),
            session("joe", "imap", "14", "192.0.2.1"),
        ];
        let rows = grouped(found).1;
        assert_eq!(
            rows,
            [["ann", "1", "pop3", "(13)", "()"], ["joe", "2", "imap", "(12 14)", "(192.0.2.1)"]]
        );
    }
}
