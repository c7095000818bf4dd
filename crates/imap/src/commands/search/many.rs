//! ESEARCH: one search in many mailboxes. RFC 7377.

use std::fmt::Write as _;

use ::store::{Folder, Name, UidSet};

use super::{Query, Verb, Words, find, finish, refuse, say_extended};
use crate::commands::Call;
use crate::grammar::search::{Search, Source, esearch as parse, patterns};
use crate::session::{Answer, Done, Fail, Selected, Session, Tell};

/// ESEARCH.
pub fn esearch(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let (sources, search) = match parse(&mut call.args, session.enabled.utf8_names()) {
        Ok(parsed) => parsed,
        Err(refused) => return refuse(session, refused),
    };
    if sources == [Source::Selected] {
        let found = find(session, &search.key)?;
        let words = Words { verb: Verb::Search, tag: call.tag.to_vec(), uid: true, arguments: Vec::new() };
        return finish(session, &words, &search, found);
    }
    for name in names(session, &sources)? {
        one(session, call, &name, &search)?;
    }
    Ok(Done::ok("Search completed.", Tell::All))
}

/// The mailboxes meant, each once.
fn names(session: &Session, sources: &[Source]) -> Result<Vec<Name>, Fail> {
    let account = session.account()?;
    let separator = account.separator();
    let others = account.namespaces().others;
    let is_own = |folder: &Folder| others.is_empty() || !folder.name.as_str().starts_with(&others);
    let mut names = Vec::new();
    for source in sources {
        if *source == Source::Selected {
            names.push(session.selected()?.mailbox.name());
            continue;
        }
        let patterns = patterns(source, separator);
        let is_meant = |folder: &Folder| {
            folder.selectable
                && (*source != Source::Subscribed || folder.subscribed)
                && (*source != Source::Personal || is_own(folder))
                && patterns.iter().any(|pattern| pattern.matches(&folder.name.shown(separator), separator))
        };
        names.extend(account.folders()?.into_iter().filter(is_meant).map(|folder| folder.name));
    }
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    Ok(names)
}

/// Searches one mailbox. Where nothing is found nothing is told. RFC 7377 2.1.
fn one(session: &mut Session, call: &Call<'_>, name: &Name, search: &Search<'_>) -> Result<(), Fail> {
    let account = session.account()?;
    // A mailbox that has gone meanwhile is passed over.
    let Ok(mailbox) = account.open(name) else { return Ok(()) };
    let known = mailbox.refresh()?;
    let validity = known.uidvalidity;
    let looked_at = Selected {
        mailbox,
        known,
        read_only: true,
        recent: UidSet::new(),
        saved: UidSet::new(),
        told_keywords: 0,
        contexts: Vec::new(),
    };
    // Numbers are those of the selected mailbox, and there is none here.
    let query = Query { selected: &looked_at, now: (session.settings.clock)(), uid_only: true };
    let found = query.run(&search.key)?;
    if found.is_empty() {
        return Ok(());
    }
    let separator = account.separator();
    let out = &mut session.out;
    out.put(b"* ESEARCH (TAG ");
    out.string(call.tag);
    out.put(b" MAILBOX ");
    out.mailbox(name, separator);
    let _ = write!(out, " UIDVALIDITY {validity}) UID");
    say_extended(out, &search.returns, &found, &found, false);
    out.put(b"\r\n");
    Ok(())
}
