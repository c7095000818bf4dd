//! `mail_location`: which kind of store, and where, as Dovecot writes it.

use std::path::PathBuf;

use crate::{Error, Owner, Result};

/// Kinds of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Our own: a catalogue and append-only bodies.
    Facteur,
    /// Maildir++ or Maildir directories, with Dovecot's files.
    Maildir,
    /// Files of messages one after another.
    Mbox,
}

impl Kind {
    /// As `mail_location` begins.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Facteur => "facteur",
            Kind::Maildir => "maildir",
            Kind::Mbox => "mbox",
        }
    }
}

/// How mailboxes are laid out as directories (`LAYOUT=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Maildir++: `.Work.2026`.
    #[default]
    MaildirPlusPlus,
    /// Directories in directories: `Work/2026`.
    Fs,
}

/// A parsed `mail_location`, variables and all: one for many accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Kind of store.
    pub kind: Kind,
    root: String,
    inbox: Option<String>,
    control: Option<String>,
    index: Option<String>,
    layout: Option<Layout>,
}

/// Where one account's mail is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Kind of store.
    pub kind: Kind,
    /// The directory of the account.
    pub root: PathBuf,
    /// `INBOX=`: where the INBOX is, when it is elsewhere.
    pub inbox: Option<PathBuf>,
    /// `CONTROL=`: where UIDs and subscriptions are kept, when elsewhere.
    pub control: Option<PathBuf>,
    /// `INDEX=`: where caches are kept, when elsewhere.
    pub index: Option<PathBuf>,
    /// `LAYOUT=`.
    pub layout: Layout,
}

impl Place {
    /// Has anything been put there yet?
    pub fn is_there(&self) -> bool {
        self.root.exists() || self.inbox.as_ref().is_some_and(|inbox| inbox.exists())
    }
}

impl Location {
    /// Parses a `mail_location`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what would be right.
    pub fn parse(text: &str) -> std::result::Result<Location, String> {
        let (kind, rest) = text
            .split_once(':')
            .ok_or_else(|| format!("\"{text}\": write a kind and a place, such as maildir:~/Maildir"))?;
        let kind = match kind {
            "facteur" => Kind::Facteur,
            "maildir" => Kind::Maildir,
            "mbox" => Kind::Mbox,
            "sdbox" | "mdbox" | "dbox" | "imapc" | "pop3c" => {
                return Err(format!(
                    "Dovecot's {kind} is not read in place; move the mail with \"doveadm sync\" and use facteur:"
                ));
            }
            other => {
                return Err(format!("\"{other}\" is no kind of mail store; use facteur, maildir or mbox"));
            }
        };
        let mut words = rest.split(':');
        let root = words.next().unwrap_or_default().to_owned();
        if root.is_empty() {
            return Err(format!("\"{text}\" names no directory"));
        }
        let mut location = Location { kind, root, inbox: None, control: None, index: None, layout: None };
        for word in words {
            let Some((key, value)) = word.split_once('=') else {
                return Err(format!("\"{word}\" is no option; options have the form NAME=value"));
            };
            match key {
                "INBOX" => location.inbox = Some(value.to_owned()),
                "CONTROL" => location.control = Some(value.to_owned()),
                "INDEX" => location.index = Some(value.to_owned()),
                "LAYOUT" if value.eq_ignore_ascii_case("fs") => location.layout = Some(Layout::Fs),
                "LAYOUT" if value.eq_ignore_ascii_case("maildir++") => {
                    location.layout = Some(Layout::MaildirPlusPlus);
                }
                _ => {
                    return Err(format!(
                        "option \"{word}\" is not supported; INBOX=, CONTROL=, INDEX=, LAYOUT=fs are"
                    ));
                }
            }
            if value.is_empty() {
                return Err(format!("option \"{key}=\" has no value"));
            }
        }
        for template in location.templates() {
            walk(template, &mut |_| Ok(String::new()))?;
        }
        Ok(location)
    }

    /// The place of one account.
    ///
    /// # Errors
    /// When the name of the owner cannot be part of a path, or a home is needed and there is none.
    pub fn place(&self, owner: &Owner) -> Result<Place> {
        let path = |template: &str| expand(template, owner);
        let each = |template: &Option<String>| match template.as_deref() {
            // As Dovecot: "no index files at all", which is what we do without one.
            None | Some("MEMORY") => Ok(None),
            Some(template) => path(template).map(Some),
        };
        let layout = self.layout.unwrap_or(match self.kind {
            Kind::Mbox => Layout::Fs,
            Kind::Facteur | Kind::Maildir => Layout::MaildirPlusPlus,
        });
        Ok(Place {
            kind: self.kind,
            root: path(&self.root)?,
            inbox: each(&self.inbox)?,
            control: each(&self.control)?,
            index: each(&self.index)?,
            layout,
        })
    }

    fn templates(&self) -> impl Iterator<Item = &str> {
        [Some(&self.root), self.inbox.as_ref(), self.control.as_ref(), self.index.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }
}

/// `~`, `%u`, `%n`, `%d`, `%h` and their long names in a path.
fn expand(template: &str, owner: &Owner) -> Result<PathBuf> {
    let home =
        || owner.home.as_deref().ok_or_else(|| format!("{template}: {} has no home directory", owner.user));
    let (local, domain) = owner.user.split_once('@').unwrap_or((&owner.user, ""));
    let mut text = String::new();
    let mut rest = template;
    let expanded = (|| {
        if let Some(below) =
            template.strip_prefix('~').filter(|below| below.is_empty() || below.starts_with('/'))
        {
            text.push_str(&home()?.to_string_lossy());
            rest = below;
        }
        text.push_str(&walk(rest, &mut |variable| match variable {
            Variable::User => safe(&owner.user),
            Variable::Local => safe(local),
            Variable::Domain => safe(domain),
            Variable::Home => Ok(home()?.to_string_lossy().into_owned()),
        })?);
        Ok(())
    })();
    expanded.map_err(|why: String| Error::Trouble(mail::Trouble::new(format!("mail_location: {why}"))))?;
    let path = PathBuf::from(text);
    match path.is_absolute() {
        true => Ok(path),
        false => {
            let why = format!("mail_location: {template} is not an absolute path; begin it with / or ~");
            Err(Error::Trouble(mail::Trouble::new(why)))
        }
    }
}

/// A name that becomes part of a path must not lead elsewhere.
fn safe(name: &str) -> std::result::Result<String, String> {
    let bad = name == "." || name == ".." || name.contains(['/', '\0']) || name.chars().any(char::is_control);
    match bad {
        true => Err(format!("the name \"{}\" cannot be part of a path", name.escape_debug())),
        false => Ok(name.to_owned()),
    }
}

/// What a variable stands for.
enum Variable {
    User,
    Local,
    Domain,
    Home,
}

/// Replaces `%…` in a text: `%u`, `%Lu` (lower case), `%U…`, `%1n` (width), `%1.1n` (from, width), `%{user}`, `%%`.
fn walk(
    text: &str,
    value: &mut dyn FnMut(Variable) -> std::result::Result<String, String>,
) -> std::result::Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let digits = after.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(after.len());
        let (range, after) = after.split_at(digits);
        let cases = after.find(['L', 'U']).filter(|at| *at == 0).map_or(0, |_| 1);
        let (case, after) = after.split_at(cases);
        let (name, after) = match after.strip_prefix('{') {
            Some(long) => long.split_once('}').ok_or_else(|| format!("\"{text}\": %{{ without }}"))?,
            None => after.split_at(after.chars().next().map_or(0, char::len_utf8)),
        };
        let variable = match name {
            "u" | "user" => Variable::User,
            "n" | "username" => Variable::Local,
            "d" | "domain" => Variable::Domain,
            "h" | "home" => Variable::Home,
            other => {
                return Err(format!("\"{text}\": variable %{other} is not known; %u, %n, %d and %h are"));
            }
        };
        let mut found = value(variable)?;
        match case {
            "L" => found = found.to_lowercase(),
            "U" => found = found.to_uppercase(),
            _ => {}
        }
        if !range.is_empty() {
            let number =
                |digits: &str| digits.parse::<usize>().map_err(|_| format!("\"{text}\": bad width {range}"));
            let (skip, width) = match range.split_once('.') {
                Some((skip, width)) => (number(skip)?, number(width)?),
                None => (0, number(range)?),
            };
            found = found.chars().skip(skip).take(width).collect();
        }
        out.push_str(&found);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn place(text: &str, user: &str) -> Result<Place> {
        let owner = Owner { home: Some("/home/j".into()), ..Owner::named(user) };
        Location::parse(text).unwrap().place(&owner)
    }

    #[test]
    fn variables_and_options_are_dovecots() {
        let found = place("mbox:~/mail:INBOX=/var/mail/%u", "joe").unwrap();
        assert_eq!((found.root, found.inbox), ("/home/j/mail".into(), Some("/var/mail/joe".into())));
        assert_eq!(found.layout, Layout::Fs);
        let check = |text, wanted: &str| {
            assert_eq!(place(text, "Joe@Example.org").unwrap().root, Path::new(wanted), "{text}");
        };
        check("maildir:/v/%d/%n/Maildir:LAYOUT=fs", "/v/Example.org/Joe/Maildir");
        check("facteur:/v/%Ld/%1n/%1.2n/%Lu", "/v/example.org/J/oe/joe@example.org");
        check("facteur:%h/%%x/%{domain}", "/home/j/%x/Example.org");
        assert_eq!(place("maildir:~:INDEX=MEMORY", "j").unwrap().index, None);
    }

    #[test]
    fn mistakes_are_explained() {
        let check = |text, part: &str| {
            let said = Location::parse(text).unwrap_err();
            assert!(said.contains(part), "{text}: {said}");
        };
        check("~/Maildir", "a kind and a place");
        check("mdbox:~/mdbox", "doveadm sync");
        check("imap:x", "no kind");
        check("maildir:", "no directory");
        check("maildir:~/x:LAYOUT=index", "LAYOUT=fs");
        check("maildir:~/x:fast", "NAME=value");
        check("maildir:/x/%q", "%q");
        check("maildir:/x/%{user", "without }");
    }

    #[test]
    fn names_cannot_lead_out_of_the_store() {
        for user in ["../joe", "..", "a/b", "joe@..", "joe@a/b", "a\nb"] {
            assert!(place("facteur:/v/%d/%n", user).is_err(), "{user}");
        }
        assert!(place("facteur:mail/%n", "joe").is_err());
        assert!(Location::parse("facteur:~/x").unwrap().place(&Owner::named("joe")).is_err());
    }
}
