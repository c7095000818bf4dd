//! `facteur queue hold`, `release`, `requeue`, `expire`, `delete`.

use std::io;

use jiff::tz::TimeZone;
use mail::QueueId;
use mail::logline::printable;
use queue::control::{Alteration, Answer, Request};
use queue::{Selection, State, Summary};

use super::options::Options;
use super::{Intent, Reach, counted, matching, within_reach};
use crate::config::Config;

/// So many messages of a plan are shown one by one.
const SHOWN: usize = 10;

/// So many are changed with one request.
const AT_ONCE: usize = 1000;

/// Changes the messages named, or those that pass the filters: these only with `--yes`, after saying which.
pub fn alter(config: &Config, options: &Options, alteration: Alteration) -> Result<u8, String> {
    let mut ids = Vec::new();
    for name in &options.names {
        ids.push(QueueId::parse(name).ok_or_else(|| format!("'{name}' is no queue id"))?);
    }
    if ids.is_empty() && options.filter.is_empty() {
        return Err("say which messages: queue ids, or filters (--state hold, --sender ...)".to_owned());
    }
    if !ids.is_empty() && !options.filter.is_empty() {
        return Err("queue ids and filters together: which are meant? Use one or the other".to_owned());
    }
    let intent = if options.yes || !ids.is_empty() { Intent::Change } else { Intent::Look };
    let mut reach = within_reach(config, intent)?;
    if !ids.is_empty() {
        return change(&mut reach, alteration, ids);
    }
    let found = matching(&mut reach, options)?;
    let found: Vec<Summary> =
        found.into_iter().filter(|summary| applies(alteration, summary.brief.state)).collect();
    print!("{}", plan(&found, alteration, &TimeZone::system()));
    if found.is_empty() {
        return Ok(0);
    }
    if !options.yes {
        println!("Nothing was done. The same command with --yes does it.");
        return Ok(0);
    }
    change(&mut reach, alteration, found.into_iter().map(|summary| summary.brief.id).collect())
}

/// Would it change anything in this state?
fn applies(alteration: Alteration, state: State) -> bool {
    match alteration {
        Alteration::Hold => state != State::Hold,
        Alteration::Release => state == State::Hold,
        Alteration::Delete | Alteration::Requeue | Alteration::Expire => true,
    }
}

/// What is going to be done, and what was done.
fn words(alteration: Alteration) -> (&'static str, &'static str) {
    match alteration {
        Alteration::Delete => ("To be deleted", "Deleted"),
        Alteration::Hold => ("To be placed on hold", "Placed on hold"),
        Alteration::Release => ("To be released from hold", "Released from hold"),
        Alteration::Requeue => ("To be requeued", "Requeued"),
        Alteration::Expire => ("To be returned to their senders", "Force-expired"),
    }
}

fn plan(found: &[Summary], alteration: Alteration, zone: &TimeZone) -> String {
    let recipients: usize = found.iter().map(|summary| summary.recipients.len()).sum();
    let bytes: u64 = found.iter().map(|summary| summary.brief.size).sum();
    let mut text = format!(
        "{}: {}, {}, {} Kbytes\n",
        words(alteration).0,
        counted(found.len(), "message"),
        counted(recipients, "recipient"),
        bytes / 1024
    );
    for summary in found.iter().take(SHOWN) {
        let date = mail::date::ctime(summary.brief.arrival, zone);
        let first = summary.recipients.first().map(|waiting| waiting.address.external()).unwrap_or_default();
        let more = match summary.recipients.len() {
            0 | 1 => String::new(),
            len => format!(" and {} more", len - 1),
        };
        text.push_str(&format!(
            "  {} {} {} from=<{}> to=<{}>{more}\n",
            summary.brief.id,
            summary.brief.state.name(),
            date.get(..19).unwrap_or(&date),
            printable(&summary.sender.external()),
            printable(&first),
        ));
    }
    if found.len() > SHOWN {
        text.push_str(&format!("  ... and {} more\n", found.len() - SHOWN));
    }
    text
}

fn change(reach: &mut Reach, alteration: Alteration, ids: Vec<QueueId>) -> Result<u8, String> {
    let mut changed = 0;
    for some in ids.chunks(AT_ONCE) {
        let selection = Selection::These(some.to_vec(), State::ALL.to_vec());
        let mut refused = None;
        let asked = reach.ask(Request::Alter(alteration, selection), &mut |answer| {
            match answer {
                Answer::Altered(ids) => changed += ids.len(),
                Answer::Refused(_, text) => refused = Some(text),
                _ => {}
            }
            io::Result::Ok(())
        });
        asked.map_err(|error| error.to_string())?;
        if let Some(what) = refused {
            return Err(what);
        }
    }
    println!("{}: {}", words(alteration).1, counted(changed, "message"));
    // What went away meanwhile is no failure of a filter; an id that was typed is.
    Ok(u8::from(changed == 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use queue::{Brief, Waiting};

    #[test]
    fn the_plan_names_some_and_counts_all() {
        let brief = Brief {
            id: QueueId::parse("6E19698E075").unwrap(),
            state: State::Deferred,
            arrival: Timestamp::from_second(1_795_270_867).unwrap(),
            next_attempt: Timestamp::UNIX_EPOCH,
            attempts: 1,
            size: 1000,
            recipients: 2,
            left: 2,
            forced_expire: false,
            delay_warned: false,
        };
        let waiting = |address: &str| Waiting { address: address.into(), reason: None };
        let recipients = vec![waiting("a@y.test"), waiting("b@y.test")];
        let summary = Summary { brief, sender: "s@x.test".into(), recipients };
        let found = vec![summary; 12];
        let text = plan(&found, Alteration::Delete, &TimeZone::UTC);
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("To be deleted: 12 messages, 24 recipients, 11 Kbytes"));
        assert_eq!(
            lines.next(),
            Some("  6E19698E075 deferred Sat Nov 21 14:21:07 from=<s@x.test> to=<a@y.test> and 1 more")
        );
        assert_eq!(lines.next_back(), Some("  ... and 2 more"));
        assert_eq!(text.lines().count(), 12);
    }
}
