//! LIST, LSUB, NAMESPACE. RFC 9051 6.3.9, RFC 3501 6.3.9, RFC 5258, 5819, 6154, 2342.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use store::{Account, Folder, Name};

use super::{Call, acl, status};
use crate::grammar::mailbox::{List, Pattern, lsub as parse_lsub};
use crate::respond::say;
use crate::session::{Answer, Done, Fail, Session, Tell};

/// A line of the answer.
struct Line {
    folder: Folder,
    /// There is such a mailbox, or a level above one.
    exists: bool,
    /// Something below it is what was asked for, and does not match by itself.
    child_info: bool,
}

/// NAMESPACE: the user's own, and that of what others share.
pub fn namespace(session: &mut Session, call: &mut Call<'_>) -> Answer {
    call.args.end()?;
    let account = session.account()?;
    let (names, separator) = (account.namespaces(), account.separator());
    let out = &mut session.out;
    out.put(b"* NAMESPACE ");
    for (at, prefix) in [names.prefix, names.others].into_iter().enumerate() {
        if at == 1 && prefix.is_empty() {
            out.put(b"NIL ");
            continue;
        }
        out.put(b"((");
        let shown = prefix.replace('/', separator.encode_utf8(&mut [0; 4]));
        let shown = if out.utf8 { shown } else { store::to_utf7(&shown) };
        out.string(shown.as_bytes());
        let _ = write!(out, " \"{separator}\")) ");
    }
    out.put(b"NIL\r\n");
    Ok(Done::ok("Namespace completed.", Tell::All))
}

/// LIST.
pub fn list(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let list = List::parse(&mut call.args, session.enabled.utf8_names())?;
    let account = session.account()?;
    let separator = account.separator();
    if !list.extended && list.patterns == [""] {
        // What is the separator, and where is the root?
        say!(session.out, "* LIST (\\Noselect) \"{separator}\" \"\"");
        return Ok(Done::ok("List completed.", Tell::All));
    }
    let patterns = patterns(&list.reference, &list.patterns, separator);
    let mut lines = candidates(&*account)?;
    if list.recursive_match {
        add_levels(&mut lines, &list, |name| matches(&patterns, name, separator));
    }
    let found = |line: &Line| {
        (is_asked(line, &list) || line.child_info) && matches(&patterns, &line.folder.name, separator)
    };
    status::learn(session, &list.status);
    for line in lines.into_values().filter(found) {
        say_list(session, &line, &list, separator);
        let name = &line.folder.name;
        if !list.status.is_empty() && line.exists && line.folder.selectable {
            // A mailbox that cannot be counted is listed without numbers. RFC 5819 2.
            match account.status(name) {
                Ok(numbers) => status::say(session, name, &list.status, &numbers),
                Err(store::Error::NoPermission | store::Error::NoMailbox) => {}
                Err(error) => log::warn!(target: "imap", "STATUS {name}: {error}"),
            }
        }
        if list.my_rights && line.exists && line.folder.selectable {
            // Rights of a mailbox that has gone meanwhile are not told. RFC 8440 3.
            if let Ok(rights) = account.rights(name) {
                acl::say_mine(session, name, rights);
            }
        }
    }
    Ok(Done::ok("List completed.", Tell::All))
}

/// Everything that may be listed, by name; INBOX first.
fn candidates(account: &dyn Account) -> Result<BTreeMap<(bool, String), Line>, Fail> {
    let key = |name: &Name| (!name.is_inbox(), name.as_str().to_owned());
    let mut lines = BTreeMap::new();
    for folder in account.folders()? {
        lines.insert(key(&folder.name), Line { folder, exists: true, child_info: false });
    }
    for name in account.subscriptions()? {
        let gone = |name: Name| Folder {
            name,
            selectable: false,
            children: false,
            subscribed: true,
            special_use: None,
            inferiors: true,
        };
        lines
            .entry(key(&name))
            .or_insert_with(|| Line { folder: gone(name), exists: false, child_info: false })
            .folder
            .subscribed = true;
    }
    Ok(lines)
}

/// For RECURSIVEMATCH: the levels above what was asked for.
fn add_levels(lines: &mut BTreeMap<(bool, String), Line>, list: &List, is_listed: impl Fn(&Name) -> bool) {
    let hidden = |line: &&Line| is_asked(line, list) && !is_listed(&line.folder.name);
    let asked: Vec<Name> = lines.values().filter(hidden).map(|line| line.folder.name.clone()).collect();
    for name in asked {
        let mut level = name.parent();
        while let Some(above) = level {
            level = above.parent();
            if let Some(line) = lines.get_mut(&(!above.is_inbox(), above.as_str().to_owned())) {
                line.child_info = true;
            }
        }
    }
}

/// Is it of the selection?
fn is_asked(line: &Line, list: &List) -> bool {
    (!list.only_subscribed || line.folder.subscribed)
        && (!list.only_special || line.folder.special_use.is_some())
        && (line.exists || list.only_subscribed)
}

fn matches(patterns: &[Pattern], name: &Name, separator: char) -> bool {
    let shown = name.shown(separator);
    patterns.iter().any(|pattern| pattern.matches(&shown, separator))
}

/// A pattern that starts at the root is not relative to the reference.
fn patterns(reference: &str, patterns: &[String], separator: char) -> Vec<Pattern> {
    patterns
        .iter()
        .filter(|pattern| !pattern.is_empty())
        .map(|pattern| match pattern.strip_prefix(separator) {
            Some(_) => Pattern::new(pattern.clone()),
            None => Pattern::new(format!("{reference}{pattern}")),
        })
        .collect()
}

fn say_list(session: &mut Session, line: &Line, list: &List, separator: char) {
    let folder = &line.folder;
    let mut attributes = Vec::new();
    if !line.exists {
        attributes.push("\\NonExistent");
    } else if !folder.selectable {
        attributes.push("\\Noselect");
    }
    attributes.push(match (folder.inferiors, folder.children) {
        (false, _) => "\\NoInferiors",
        (true, true) => "\\HasChildren",
        (true, false) => "\\HasNoChildren",
    });
    if folder.subscribed && (list.subscribed || list.only_subscribed) {
        attributes.push("\\Subscribed");
    }
    if let Some(special) = folder.special_use {
        attributes.push(special.attribute());
    }
    let out = &mut session.out;
    let _ = write!(out, "* LIST ({}) \"{separator}\" ", attributes.join(" "));
    out.mailbox(&folder.name, separator);
    if line.child_info {
        let what = if list.only_subscribed { "SUBSCRIBED" } else { "SPECIAL-USE" };
        let _ = write!(out, " (\"CHILDINFO\" (\"{what}\"))");
    }
    out.put(b"\r\n");
}

/// A mailbox that has come (perhaps by another name), has gone, or has been subscribed to or not. RFC 5465 5.
pub fn say_news(session: &mut Session, folder: &Folder, exists: bool, old: Option<&Name>) {
    let separator = session.separator();
    let mut attributes = Vec::new();
    match (exists, folder.selectable) {
        (false, _) => attributes.push("\\NonExistent"),
        (true, false) => attributes.push("\\Noselect"),
        (true, true) => attributes.push(if folder.children { "\\HasChildren" } else { "\\HasNoChildren" }),
    }
    if folder.subscribed {
        attributes.push("\\Subscribed");
    }
    let out = &mut session.out;
    let _ = write!(out, "* LIST ({}) \"{separator}\" ", attributes.join(" "));
    out.mailbox(&folder.name, separator);
    if let Some(old) = old {
        out.put(b" (\"OLDNAME\" (");
        out.mailbox(old, separator);
        out.put(b"))");
    }
    out.put(b"\r\n");
}

/// LSUB. RFC 3501 6.3.9.
pub fn lsub(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let (reference, pattern) = parse_lsub(&mut call.args, session.enabled.utf8_names())?;
    let account = session.account()?;
    let separator = account.separator();
    let ends_in_percent = pattern.ends_with('%');
    let patterns = patterns(&reference, &[pattern], separator);
    let flags = match session.settings.quirks.lsub_flags {
        true => account.folders()?,
        false => Vec::new(),
    };
    let mut lines: BTreeMap<(bool, Name), bool> = BTreeMap::new();
    for name in account.subscriptions()? {
        if matches(&patterns, &name, separator) {
            let selectable = !flags.iter().any(|folder| folder.name == name && !folder.selectable);
            lines.insert((!name.is_inbox(), name), selectable);
            continue;
        }
        // `%` finds the level above a subscribed mailbox.
        let mut level = name.parent().filter(|_| ends_in_percent);
        while let Some(above) = level {
            level = above.parent();
            if matches(&patterns, &above, separator) {
                lines.entry((!above.is_inbox(), above)).or_insert(false);
            }
        }
    }
    for ((_, name), selectable) in lines {
        let attributes = if selectable { "" } else { "\\Noselect" };
        let _ = write!(session.out, "* LSUB ({attributes}) \"{separator}\" ");
        session.out.mailbox(&name, separator);
        session.out.put(b"\r\n");
    }
    Ok(Done::ok("Lsub completed.", Tell::All))
}
