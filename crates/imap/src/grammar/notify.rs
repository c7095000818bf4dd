//! NOTIFY: what a client wants to be told of, and of which mailboxes. RFC 5465.

use super::cursor::{Bad, Cursor, Parsed};
use super::fetch::{Item, items};
use super::search::{Source, source};

/// Most groups of mailboxes.
const GROUPS: usize = 50;

/// What is told of a group of mailboxes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// `MessageNew`
    pub new: bool,
    /// `MessageExpunge`
    pub expunged: bool,
    /// `FlagChange`
    pub flags: bool,
    /// `MailboxName`
    pub names: bool,
    /// `SubscriptionChange`
    pub subscriptions: bool,
    /// What is fetched of new messages of the selected mailbox.
    pub fetch: Vec<Item>,
}

/// A group of mailboxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Which.
    pub source: Source,
    /// What is told of them.
    pub events: Events,
}

/// What NOTIFY asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// The selected mailbox, if it is to be told of; whether messages that are gone may wait for a command.
    pub selected: Option<(bool, Events)>,
    /// Other mailboxes; the first group that a mailbox is in counts.
    pub groups: Vec<Group>,
    /// Their state is told first.
    pub status: bool,
    /// An event was named that nobody is told of here.
    pub unknown: bool,
}

impl Notify {
    /// The arguments; `None` for `NONE`.
    pub fn parse(cursor: &mut Cursor<'_>, utf8: bool) -> Parsed<Option<Notify>> {
        if cursor.eat_word("NONE") {
            return cursor.end().map(|()| None);
        }
        if !cursor.eat_word("SET") {
            return Err(Bad("expected SET or NONE"));
        }
        cursor.space()?;
        let mut notify = Notify::default();
        if cursor.eat_word("STATUS") {
            notify.status = true;
            cursor.space()?;
        }
        loop {
            notify.group(cursor, utf8)?;
            if cursor.is_at_end() {
                break;
            }
            if notify.groups.len() >= GROUPS {
                return Err(Bad("too many groups"));
            }
            cursor.space()?;
        }
        cursor.end()?;
        Ok(Some(notify))
    }

    fn group(&mut self, cursor: &mut Cursor<'_>, utf8: bool) -> Parsed<()> {
        cursor.open()?;
        let delayed = cursor.eat_word("SELECTED-DELAYED");
        if delayed || cursor.eat_word("SELECTED") {
            cursor.space()?;
            let events = self.events(cursor)?;
            if events.new != events.expunged || (events.flags && !events.new) {
                return Err(Bad("MessageNew and MessageExpunge go together, and FlagChange with them"));
            }
            if events.names || events.subscriptions {
                return Err(Bad("the selected mailbox has message events only"));
            }
            if self.selected.replace((delayed, events)).is_some() {
                return Err(Bad("the selected mailbox is named twice"));
            }
        } else {
            let source = source(cursor, utf8)?;
            cursor.space()?;
            let events = self.events(cursor)?;
            if !events.fetch.is_empty() {
                return Err(Bad("messages are fetched of the selected mailbox only"));
            }
            self.groups.push(Group { source, events });
        }
        cursor.expect(b')')?;
        cursor.close();
        Ok(())
    }

    fn events(&mut self, cursor: &mut Cursor<'_>) -> Parsed<Events> {
        let mut events = Events::default();
        if cursor.eat_word("NONE") {
            return Ok(events);
        }
        cursor.list(|cursor| {
            match cursor.keyword()?.to_ascii_uppercase().as_str() {
                "MESSAGENEW" => {
                    events.new = true;
                    if cursor.rest().starts_with(b" (") {
                        cursor.space()?;
                        events.fetch = items(cursor)?;
                    }
                }
                "MESSAGEEXPUNGE" => events.expunged = true,
                "FLAGCHANGE" => events.flags = true,
                "MAILBOXNAME" => events.names = true,
                "SUBSCRIPTIONCHANGE" => events.subscriptions = true,
                "ANNOTATIONCHANGE" | "MAILBOXMETADATACHANGE" | "SERVERMETADATACHANGE" => self.unknown = true,
                _ => return Err(Bad("unknown event")),
            }
            Ok(())
        })?;
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parsed<Option<Notify>> {
        Notify::parse(&mut Cursor::new(text.as_bytes()), false)
    }

    #[test]
    fn groups_and_their_events() {
        assert_eq!(parse("NONE"), Ok(None));
        let text = "SET STATUS (selected-delayed (MessageNew (UID FLAGS) MessageExpunge)) \
            (mailboxes (a b) (MessageNew)) (subtree \"x y\" NONE) (personal (MailboxName SubscriptionChange))";
        let notify = parse(text).unwrap().unwrap();
        let (delayed, events) = notify.selected.unwrap();
        assert!(delayed && notify.status && !notify.unknown);
        assert_eq!(events.fetch, [Item::Uid, Item::Flags]);
        assert_eq!(notify.groups.len(), 3);
        assert_eq!(notify.groups[1].events, Events::default());
        assert!(notify.groups[2].events.names && notify.groups[2].events.subscriptions);
        assert!(parse("SET (personal (AnnotationChange))").unwrap().unwrap().unknown);
    }

    #[test]
    fn what_is_no_notify() {
        for bad in [
            "",
            "SET",
            "SET STATUS",
            "NONE x",
            "SET (selected (MessageNew))",
            "SET (selected (FlagChange))",
            "SET (selected (MessageNew MessageExpunge MailboxName))",
            "SET (selected NONE) (selected NONE)",
            "SET (personal (MessageNew (FLAGS)))",
            "SET (personal (Foo))",
            "SET (nobody NONE)",
            "SET (personal)",
            "SET (personal NONE",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
