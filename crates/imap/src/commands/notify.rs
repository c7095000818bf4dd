//! NOTIFY, and what a client is told because of it. RFC 5465.

use std::collections::{BTreeMap, HashMap};

use store::{Folder, Name, Status};

use super::fetch::Plan;
use super::{Call, list, status};
use crate::grammar::mailbox::{Pattern, StatusItem};
use crate::grammar::notify::{Events, Group, Notify};
use crate::grammar::search::{Source, patterns};
use crate::session::{Answer, Done, Fail, Session, Tell};

/// Mailboxes of an account that can be watched.
const MOST: usize = 5_000;

/// What a session is told without asking.
pub struct Notifying {
    /// Of the selected mailbox.
    pub selected: Option<OfSelected>,
    groups: Vec<Watched>,
    /// What the client knows.
    known: Known,
}

/// What is told of the selected mailbox.
pub struct OfSelected {
    /// Messages that are gone wait for the next command.
    pub delayed: bool,
    /// What is fetched of new messages.
    pub fetch: Option<Plan>,
}

/// Mailboxes, and what is told of them.
struct Watched {
    group: Group,
    patterns: Vec<Pattern>,
}

#[derive(Default)]
struct Known {
    folders: BTreeMap<Name, Folder>,
    states: HashMap<Name, Status>,
}

impl Notifying {
    /// Is anything told of mailboxes that are not selected?
    pub fn watches_account(&self) -> bool {
        !self.groups.is_empty()
    }

    /// What is told of a mailbox: the first group that it is in counts.
    fn events(&self, folder: &Folder, separator: char, others: &str) -> Option<&Events> {
        let shown = folder.name.shown(separator);
        let is_in = |watched: &&Watched| {
            let limited = match watched.group.source {
                Source::Subscribed => folder.subscribed,
                Source::Personal => others.is_empty() || !folder.name.as_str().starts_with(others),
                _ => true,
            };
            limited && watched.patterns.iter().any(|pattern| pattern.matches(&shown, separator))
        };
        self.groups.iter().find(is_in).map(|watched| &watched.group.events)
    }
}

/// NOTIFY.
pub fn notify(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let Some(wanted) = Notify::parse(&mut call.args, session.enabled.utf8_names())? else {
        session.notify = None;
        return Ok(Done::ok("NOTIFY completed.", Tell::All));
    };
    if wanted.unknown {
        let supported = "BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange)";
        return Err(Fail::no(supported, "Nothing is told of this event."));
    }
    let separator = session.separator();
    let watched = |group: Group| Watched { patterns: patterns(&group.source, separator), group };
    let mut notifying = Box::new(Notifying {
        selected: wanted.selected.filter(|(_, events)| events.new).map(|(delayed, events)| OfSelected {
            delayed,
            fetch: (!events.fetch.is_empty()).then(|| Plan::new(&events.fetch, true, false)),
        }),
        groups: wanted.groups.into_iter().map(watched).collect(),
        known: Known::default(),
    });
    if notifying.watches_account() {
        notifying.known = look(session, &notifying)?;
        if wanted.status {
            say_states(session, &notifying);
        }
    }
    session.notify = Some(notifying);
    Ok(Done::ok("NOTIFY completed.", Tell::All))
}

/// How things are, of the mailboxes that something is told of.
fn look(session: &Session, notifying: &Notifying) -> Result<Known, Fail> {
    let account = session.account()?;
    let (separator, others) = (account.separator(), account.namespaces().others);
    let mut known = Known::default();
    for folder in account.folders()? {
        let events = notifying.events(&folder, separator, &others);
        if events.is_none_or(|events| *events == Events::default()) {
            continue;
        }
        if known.folders.len() >= MOST {
            return Err(Fail::no("LIMIT", "There are too many mailboxes to watch."));
        }
        if folder.selectable {
            match account.status(&folder.name) {
                Ok(state) => drop(known.states.insert(folder.name.clone(), state)),
                Err(store::Error::NoMailbox | store::Error::NoPermission) => {}
                Err(error) => return Err(error.into()),
            }
        }
        known.folders.insert(folder.name.clone(), folder);
    }
    Ok(known)
}

/// Tells the states of mailboxes to begin with (`STATUS`).
fn say_states(session: &mut Session, notifying: &Notifying) {
    use StatusItem::{HighestModSeq, Messages, UidNext, UidValidity};
    let separator = session.separator();
    let others = session.account().map(|account| account.namespaces().others).unwrap_or_default();
    let selected = session.selected.as_ref().map(|selected| selected.mailbox.name());
    for (name, folder) in &notifying.known.folders {
        let (Some(events), Some(state)) =
            (notifying.events(folder, separator, &others), notifying.known.states.get(name))
        else {
            continue;
        };
        let mut items = Vec::new();
        if events.new || events.expunged {
            items.push(Messages);
        }
        if events.new {
            items.push(UidNext);
        }
        if events.new || events.flags {
            items.push(UidValidity);
        }
        if events.flags {
            items.push(HighestModSeq);
        }
        if !items.is_empty() && Some(name) != selected.as_ref() {
            status::say(session, name, &items, state);
        }
    }
}

/// Tells what has happened in other mailboxes.
///
/// # Errors
/// The store fails; what was not told is told the next time.
pub fn push(session: &mut Session) -> Result<(), Fail> {
    let Some(mut notifying) = session.notify.take() else { return Ok(()) };
    let looked = if notifying.watches_account() { look(session, &notifying) } else { Ok(Known::default()) };
    let done = looked.map(|now| {
        let before = std::mem::replace(&mut notifying.known, now);
        say_names(session, &notifying, &before);
        say_changes(session, &notifying, &before);
    });
    session.notify = Some(notifying);
    done
}

fn say_names(session: &mut Session, notifying: &Notifying, before: &Known) {
    let separator = session.separator();
    let others = session.account().map(|account| account.namespaces().others).unwrap_or_default();
    let now = &notifying.known;
    let id = |known: &Known, name: &Name| known.states.get(name).map(|state| state.mailbox_id.clone());
    let mut renamed = Vec::new();
    for (name, folder) in &now.folders {
        let Some(events) = notifying.events(folder, separator, &others) else { continue };
        match before.folders.get(name) {
            None if events.names => {
                let old = id(now, name).and_then(|id| {
                    let same = |state: &Status| state.mailbox_id == id;
                    let was = before
                        .states
                        .iter()
                        .find(|(old, state)| same(state) && !now.folders.contains_key(*old));
                    was.map(|(old, _)| old.clone())
                });
                list::say_news(session, folder, true, old.as_ref());
                renamed.extend(old);
            }
            Some(was) if events.subscriptions && was.subscribed != folder.subscribed => {
                list::say_news(session, folder, true, None);
            }
            _ => {}
        }
    }
    for (name, folder) in &before.folders {
        let told = notifying.events(folder, separator, &others).is_some_and(|events| events.names);
        if told && !now.folders.contains_key(name) && !renamed.contains(name) {
            list::say_news(session, folder, false, None);
        }
    }
}

fn say_changes(session: &mut Session, notifying: &Notifying, before: &Known) {
    use StatusItem::{HighestModSeq, Messages, UidNext, UidValidity, Unseen};
    let separator = session.separator();
    let others = session.account().map(|account| account.namespaces().others).unwrap_or_default();
    let selected = session.selected.as_ref().map(|selected| selected.mailbox.name());
    for (name, folder) in &notifying.known.folders {
        let (Some(events), Some(now), Some(was)) = (
            notifying.events(folder, separator, &others),
            notifying.known.states.get(name),
            before.states.get(name),
        ) else {
            continue;
        };
        if Some(name) == selected.as_ref() {
            continue;
        }
        let came = now.uidnext != was.uidnext || now.uidvalidity != was.uidvalidity;
        let went = u64::from(was.messages) + u64::from(now.uidnext.saturating_sub(was.uidnext))
            > u64::from(now.messages);
        let changed = now.modseq != was.modseq;
        let mut items = Vec::new();
        if (events.new && came) || (events.expunged && went) {
            items.extend([Messages, UidNext, Unseen, UidValidity]);
        } else if events.flags && changed {
            items.extend([UidValidity, Unseen]);
        }
        if !items.is_empty() {
            if events.flags || session.enabled.condstore {
                items.push(HighestModSeq);
            }
            status::say(session, name, &items, now);
        }
    }
}
