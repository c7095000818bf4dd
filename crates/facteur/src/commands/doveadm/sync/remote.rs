//! The mail of a user on another host, by IMAP: Dovecot's `imapc:`.

use imap::grammar::{Cursor, dates};
use jiff::tz::Offset;
use store::{Flags, Name, NewMessage, SpecialUse, from_utf7, to_utf7};

use super::super::FAILED;
use super::super::whom::Error;
use super::plan::{Contents, Marks, Message};
use super::side::{FIELDS, Found, Side, print};
use super::wire::{Reach, Ssl, Value, Wire, values};

/// Who is to be there, and how: the `imapc_` settings.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub reach: Reach,
    pub user: String,
    /// Who logs in on behalf of the user.
    pub master_user: String,
    pub password: String,
    /// What the names of mailboxes begin with there.
    pub prefix: String,
}

impl Settings {
    /// From `-o name=value`; `user` is who it is for.
    ///
    /// # Errors
    /// What is missing or makes no sense.
    pub fn read(given: &[(String, String)], user: &str) -> Result<Settings, String> {
        let value = |name: &str| {
            let found = given.iter().rev().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let ssl = match value("imapc_ssl") {
            "" | "no" => Ssl::No,
            "imaps" => Ssl::Imaps,
            "starttls" => Ssl::Starttls,
            other => return Err(format!("imapc_ssl={other}: write no, imaps or starttls")),
        };
        let port = match value("imapc_port") {
            "" if ssl == Ssl::Imaps => 993,
            "" => 143,
            port => port.parse().map_err(|_| format!("imapc_port={port}: write a number"))?,
        };
        let host = value("imapc_host").to_owned();
        if host.is_empty() {
            return Err("imapc: say which server: -o imapc_host=imap.example.org".to_owned());
        }
        let ca_file = Some(value("ssl_client_ca_file")).filter(|file| !file.is_empty()).map(Into::into);
        let own = Some(value("imapc_user")).filter(|user| !user.is_empty());
        Ok(Settings {
            reach: Reach { host, port, ssl, verify: value("imapc_ssl_verify") != "no", ca_file },
            user: own.unwrap_or(user).to_owned(),
            master_user: value("imapc_master_user").to_owned(),
            password: value("imapc_password").to_owned(),
            prefix: value("imapc_list_prefix").to_owned(),
        })
    }
}

/// An account there.
pub(super) struct Remote {
    wire: Wire,
    tags: u32,
    capabilities: Vec<String>,
    prefix: String,
    separator: char,
    selected: Option<Name>,
}

/// What a command was answered: the responses before its end.
type Answers = Vec<Vec<Value>>;

impl Remote {
    /// Connects and logs in.
    ///
    /// # Errors
    /// The server cannot be reached, or does not let us in.
    pub fn open(settings: &Settings) -> Result<Remote, Error> {
        let wire = Wire::connect(&settings.reach).map_err(failed)?;
        let mut remote = Remote {
            wire,
            tags: 0,
            capabilities: Vec::new(),
            prefix: settings.prefix.clone(),
            separator: '/',
            selected: None,
        };
        remote.wire.response().map_err(failed)?;
        if settings.reach.ssl == Ssl::Starttls {
            remote.ask(b"STARTTLS")?;
            remote.wire.handshake(&settings.reach).map_err(failed)?;
        }
        remote.login(settings)?;
        for answer in remote.ask(b"CAPABILITY")? {
            if answer.get(1).is_some_and(|word| word.text().eq_ignore_ascii_case("CAPABILITY")) {
                remote.capabilities =
                    answer[2..].iter().map(|word| word.text().to_ascii_uppercase()).collect();
            }
        }
        for answer in remote.ask(b"LIST \"\" \"\"")? {
            if let [_, word, _, separator, ..] = answer.as_slice()
                && word.text().eq_ignore_ascii_case("LIST")
            {
                remote.separator = separator.text().chars().next().unwrap_or('/');
            }
        }
        Ok(remote)
    }

    fn login(&mut self, settings: &Settings) -> Result<(), Error> {
        use base64::Engine as _;
        let (who, as_whom) = match settings.master_user.as_str() {
            "" => (settings.user.as_str(), ""),
            master => (master, settings.user.as_str()),
        };
        let line = format!("{as_whom}\0{who}\0{}", settings.password);
        let line = base64::engine::general_purpose::STANDARD.encode(line);
        let tag = self.send(b"AUTHENTICATE PLAIN")?;
        let go = self.wire.response().map_err(failed)?;
        if go.starts_with(b"+") {
            self.wire.send(format!("{line}\r\n").as_bytes()).map_err(failed)?;
            return self.answers(&tag).map(drop);
        }
        Err(failed(format!("the server refuses AUTHENTICATE PLAIN: {}", String::from_utf8_lossy(&go))))
    }

    fn send(&mut self, command: &[u8]) -> Result<String, Error> {
        self.tags += 1;
        let tag = format!("s{}", self.tags);
        self.wire.send(&[tag.as_bytes(), b" ", command, b"\r\n"].concat()).map_err(failed)?;
        Ok(tag)
    }

    /// The responses up to the end of the command.
    fn answers(&mut self, tag: &str) -> Result<Answers, Error> {
        let mut answers = Vec::new();
        loop {
            let response = self.wire.response().map_err(failed)?;
            let rest = response.strip_prefix(tag.as_bytes()).and_then(|rest| rest.strip_prefix(b" "));
            match rest {
                Some(rest) if rest.len() >= 2 && rest[..2].eq_ignore_ascii_case(b"OK") => return Ok(answers),
                Some(rest) => return Err(failed(String::from_utf8_lossy(rest).into_owned())),
                None => answers.push(values(&response)),
            }
        }
    }

    fn ask(&mut self, command: &[u8]) -> Result<Answers, Error> {
        let tag = self.send(command)?;
        self.answers(&tag)
    }

    fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known == capability)
    }

    /// A mailbox's name for the server.
    fn named(&self, name: &Name) -> String {
        let shown = match name.is_inbox() {
            true => "INBOX".to_owned(),
            false => format!("{}{}", self.prefix, name.shown(self.separator)),
        };
        quoted(&to_utf7(&shown))
    }

    /// A name as the server says it; `None` where it is no name here.
    fn known(&self, value: &Value) -> Option<Name> {
        let text = from_utf7(&value.text())?;
        let text = match text.eq_ignore_ascii_case("INBOX") {
            true => "INBOX",
            false => text.strip_prefix(&self.prefix)?,
        };
        Name::with_separator(text, self.separator).ok()
    }

    fn select(&mut self, name: &Name) -> Result<Answers, Error> {
        self.selected = None;
        let answers = self.ask(format!("SELECT {}", self.named(name)).as_bytes())?;
        self.selected = Some(name.clone());
        Ok(answers)
    }

    fn be_in(&mut self, name: &Name) -> Result<(), Error> {
        if self.selected.as_ref() == Some(name) { Ok(()) } else { self.select(name).map(drop) }
    }
}

fn failed(what: String) -> Error {
    Error { status: FAILED, text: mail::logline::printable(&what) }
}

/// A quoted string; names in modified UTF-7 have nothing that it could not hold.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn marks(flags: Flags, keywords: &[String]) -> String {
    let mut words: Vec<&str> = flags.names().collect();
    words.extend(keywords.iter().map(String::as_str));
    format!("({})", words.join(" "))
}

/// The number in a response code such as `[UIDNEXT 4]`.
fn code(answers: &Answers, name: &str) -> Option<u32> {
    answers.iter().find_map(|answer| {
        let code = answer.get(2)?.text();
        let (word, number) = code.strip_prefix('[')?.strip_suffix(']')?.split_once(' ')?;
        word.eq_ignore_ascii_case(name).then(|| number.parse().ok()).flatten()
    })
}

/// A message of a FETCH response; `None` where it tells something else.
fn message(answer: &[Value]) -> Option<Message> {
    let [_, _, word, items] = answer else { return None };
    if !word.text().eq_ignore_ascii_case("FETCH") {
        return None;
    }
    let (mut uid, mut header) = (None, None);
    let mut found =
        Message { uid: 0, flags: Flags::NONE, keywords: Vec::new(), received: 0, size: 0, print: 0 };
    for item in items.list().chunks_exact(2) {
        let (name, value) = (item[0].text().to_ascii_uppercase(), &item[1]);
        match name.as_str() {
            "UID" => uid = value.text().parse().ok(),
            "RFC822.SIZE" => found.size = value.text().parse().unwrap_or(0),
            "INTERNALDATE" => {
                let text = quoted(&value.text());
                let at = dates::date_time(&mut Cursor::new(text.as_bytes())).ok()?;
                found.received = at.as_second();
            }
            "FLAGS" => {
                for flag in value.list() {
                    let flag = flag.text();
                    match Flags::from_name(&flag) {
                        Some(flag) => found.flags = found.flags | flag,
                        None if flag.starts_with('\\') => {}
                        None => found.keywords.push(flag),
                    }
                }
                found.keywords.sort();
            }
            name if name.starts_with("BODY[") => {
                if let Value::Text(text) = value {
                    header = Some(print(text));
                }
            }
            _ => {}
        }
    }
    Some(Message { uid: uid?, print: header?, ..found })
}

impl Side for Remote {
    fn folders(&mut self) -> Result<Vec<Found>, Error> {
        let special = if self.can("SPECIAL-USE") { " RETURN (SPECIAL-USE)" } else { "" };
        let command = format!("LIST \"\" {}{special}", quoted(&format!("{}*", self.prefix)));
        let mut answers = self.ask(command.as_bytes())?;
        if !self.prefix.is_empty() {
            answers.extend(self.ask(b"LIST \"\" INBOX")?);
        }
        let mut found: Vec<Found> = Vec::new();
        for answer in answers {
            let [_, word, flags, _, name] = answer.as_slice() else { continue };
            let flags: Vec<String> =
                flags.list().iter().map(|flag| flag.text().to_ascii_lowercase()).collect();
            let hidden = flags.iter().any(|flag| flag == "\\noselect" || flag == "\\nonexistent");
            let Some(name) = self.known(name).filter(|_| !hidden && word.text().eq_ignore_ascii_case("LIST"))
            else {
                continue;
            };
            let special = flags.iter().find_map(|flag| SpecialUse::from_attribute(flag));
            if found.iter().all(|known| known.name != name) {
                found.push(Found { name, special });
            }
        }
        Ok(found)
    }

    fn subscriptions(&mut self) -> Result<Vec<Name>, Error> {
        let answers = self.ask(b"LSUB \"\" \"*\"")?;
        let name = |answer: &Vec<Value>| match answer.as_slice() {
            [_, word, flags, _, name] if word.text().eq_ignore_ascii_case("LSUB") => {
                let level = flags.list().iter().any(|flag| flag.text().eq_ignore_ascii_case("\\noselect"));
                self.known(name).filter(|_| !level)
            }
            _ => None,
        };
        Ok(answers.iter().filter_map(name).collect())
    }

    fn create(&mut self, found: &Found) -> Result<(), Error> {
        let special = found.special.filter(|_| self.can("CREATE-SPECIAL-USE"));
        let uses = special.map(|special| format!(" (USE ({}))", special.attribute())).unwrap_or_default();
        self.ask(format!("CREATE {}{uses}", self.named(&found.name)).as_bytes()).map(drop)
    }

    fn delete(&mut self, name: &Name) -> Result<(), Error> {
        self.selected = None;
        self.ask(format!("DELETE {}", self.named(name)).as_bytes()).map(drop)
    }

    fn subscribe(&mut self, name: &Name, on: bool) -> Result<(), Error> {
        let verb = if on { "SUBSCRIBE" } else { "UNSUBSCRIBE" };
        self.ask(format!("{verb} {}", self.named(name)).as_bytes()).map(drop)
    }

    fn contents(&mut self, name: &Name) -> Result<Contents, Error> {
        let answers = self.select(name)?;
        let fields = FIELDS.join(" ").to_ascii_uppercase();
        let command =
            format!("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS ({fields})])");
        let mut messages: Vec<Message> =
            self.ask(command.as_bytes())?.iter().filter_map(|answer| message(answer)).collect();
        messages.sort_by_key(|message| message.uid);
        let last = messages.last().map_or(0, |message| message.uid);
        Ok(Contents {
            uidvalidity: code(&answers, "UIDVALIDITY").unwrap_or(0),
            uidnext: code(&answers, "UIDNEXT").unwrap_or(0).max(last.saturating_add(1)),
            messages,
        })
    }

    fn read(&mut self, name: &Name, uid: u32) -> Result<Option<Vec<u8>>, Error> {
        self.be_in(name)?;
        for answer in self.ask(format!("UID FETCH {uid} BODY.PEEK[]").as_bytes())? {
            let Some(items) = answer.get(3) else { continue };
            for item in items.list().chunks_exact(2) {
                if item[0].text().eq_ignore_ascii_case("BODY[]")
                    && let Value::Text(text) = &item[1]
                {
                    return Ok(Some(text.clone()));
                }
            }
        }
        Ok(None)
    }

    fn takes_numbers(&self) -> bool {
        false
    }

    fn renumber(&mut self, _: &Name, _: u32, _: u32) -> Result<(), Error> {
        Ok(())
    }

    fn append(&mut self, name: &Name, messages: &[NewMessage]) -> Result<(), Error> {
        for message in messages {
            let at = jiff::Timestamp::from_second(message.received).unwrap_or_default();
            let mut date = Vec::new();
            dates::write(at, Offset::UTC, &mut date);
            let head = format!(
                "APPEND {} {} {} {{{}}}",
                self.named(name),
                marks(message.flags, &message.keywords),
                String::from_utf8_lossy(&date),
                message.content.len()
            );
            let tag = self.send(head.as_bytes())?;
            loop {
                let response = self.wire.response().map_err(failed)?;
                if response.starts_with(b"+") {
                    break;
                }
                if response.starts_with(tag.as_bytes()) {
                    return Err(failed(String::from_utf8_lossy(&response).into_owned()));
                }
            }
            self.wire.send(&message.content).and_then(|()| self.wire.send(b"\r\n")).map_err(failed)?;
            self.answers(&tag)?;
        }
        Ok(())
    }

    fn mark(&mut self, name: &Name, changes: &[(u32, Marks)]) -> Result<(), Error> {
        self.be_in(name)?;
        for (uid, (flags, keywords)) in changes {
            self.ask(format!("UID STORE {uid} FLAGS.SILENT {}", marks(*flags, keywords)).as_bytes())?;
        }
        Ok(())
    }

    fn expunge(&mut self, name: &Name, uids: &[u32]) -> Result<(), Error> {
        self.be_in(name)?;
        let set: store::UidSet = uids.iter().copied().collect();
        self.ask(format!("UID STORE {set} +FLAGS.SILENT (\\Deleted)").as_bytes())?;
        match self.can("UIDPLUS") {
            true => self.ask(format!("UID EXPUNGE {set}").as_bytes()).map(drop),
            false => Err(failed("the server has no UIDPLUS: nothing can be removed there safely".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_dovecots() {
        let given = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let read = Settings::read(&given(&[("imapc_host", "h"), ("imapc_ssl", "imaps")]), "joe").unwrap();
        assert_eq!((read.reach.port, read.user.as_str(), read.reach.verify), (993, "joe", true));
        assert!(Settings::read(&[], "joe").unwrap_err().contains("imapc_host"));
        assert!(Settings::read(&given(&[("imapc_host", "h"), ("imapc_ssl", "yes")]), "joe").is_err());
    }

    #[test]
    fn messages_of_a_server() {
        let answer = values(
            b"* 1 FETCH (UID 5 FLAGS (\\Seen $x \\Recent) INTERNALDATE \" 1-Jan-2024 00:00:10 +0000\" \
              RFC822.SIZE 9 BODY[HEADER.FIELDS (DATE)] {2}\r\n\r\n)",
        );
        let found = message(&answer).unwrap();
        assert_eq!((found.uid, found.flags, found.size), (5, Flags::SEEN, 9));
        assert_eq!((found.keywords, found.received), (vec!["$x".to_owned()], 1_704_067_210));
        assert_eq!(code(&vec![values(b"* OK [UIDVALIDITY 77] ok")], "UIDVALIDITY"), Some(77));
    }
}
