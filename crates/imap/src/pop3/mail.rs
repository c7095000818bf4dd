//! The half of a session in which mail is fetched. RFC 1939 sections 5 to 7.

use std::time::Duration;

use super::command::{self, Command};
use super::drop::Maildrop;
use super::login::Held;
use super::said::Counts;
use super::wire::{End, Wire};

/// How long a client may be silent. RFC 1939 section 3.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Commands that may be wrong.
const MISTAKES: u32 = 21;

/// What both halves are capable of.
pub const CAPABILITIES: [&str; 8] =
    ["CAPA", "TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE", "UTF8", "LANG"];

/// A session of somebody who has logged in.
pub struct Session {
    /// Elsewhere while a thread works on it.
    held: Option<Held>,
    /// LAST is known.
    last_known: bool,
    last: usize,
    mistakes: u32,
    /// For the log.
    pub counts: Counts,
}

enum Next {
    Go,
    End(&'static str),
}

/// An answer that says no: the text behind `-ERR`.
type Refused = String;

impl Session {
    /// Begins. `last_known`: `pop3_enable_last`.
    pub fn new(held: Held, last_known: bool) -> Session {
        let (messages, bytes) = held.drop.count();
        let counts = Counts { messages, bytes, ..Counts::default() };
        Session { held: Some(held), last_known, last: 0, mistakes: 0, counts }
    }

    /// Talks until the client is gone; gives the reason, for the log.
    pub async fn run(&mut self, wire: &mut Wire, user: &str) -> &'static str {
        loop {
            let line = match wire.line(PATIENCE).await {
                Ok(line) => line,
                Err(end) => {
                    match end {
                        End::Silent => wire.say("-ERR Disconnected for inactivity."),
                        End::TooLong => wire.say("-ERR Input line too long."),
                        End::Closed => {}
                    }
                    return end.why();
                }
            };
            match self.step(wire, &line, user).await {
                Ok(Next::Go) => {}
                Ok(Next::End(why)) => return why,
                Err(end) => return end.why(),
            }
        }
    }

    async fn step(&mut self, wire: &mut Wire, line: &str, user: &str) -> Result<Next, End> {
        let command = Command::parse(line);
        let name = command.word.to_ascii_uppercase();
        let rest = command.rest;
        let answer = match name.as_str() {
            "QUIT" => return Ok(self.quit(wire, user).await),
            "RETR" => return self.retrieve(wire, rest, false, user).await,
            "TOP" => return self.retrieve(wire, rest, true, user).await,
            "STAT" => self.stat(),
            "LIST" => self.list(wire, rest),
            "UIDL" => self.uidl(wire, rest),
            "DELE" => self.delete(rest),
            "RSET" => self.reset(),
            "LAST" if self.last_known => Ok(format!("+OK {}", self.last)),
            "NOOP" => Ok("+OK".to_owned()),
            "CAPA" => {
                let lines = CAPABILITIES.join("\r\n");
                Ok(format!("+OK\r\n{lines}\r\n."))
            }
            "LANG" => {
                language(wire, rest);
                return Ok(Next::Go);
            }
            _ => return Ok(self.unknown(wire, &name)),
        };
        match answer {
            Ok(line) => wire.say(&line),
            Err(why) => wire.say(&format!("-ERR {why}")),
        }
        Ok(Next::Go)
    }

    fn unknown(&mut self, wire: &mut Wire, name: &str) -> Next {
        self.mistakes += 1;
        if self.mistakes > MISTAKES {
            wire.say("-ERR Too many bad commands.");
            return Next::End("Too many bad commands.");
        }
        match name {
            "" => wire.say("-ERR Unknown command."),
            name => wire.say(&format!("-ERR Unknown command: {}", mail::logline::printable(name))),
        }
        Next::Go
    }

    fn drop(&self) -> Result<&Maildrop, Refused> {
        self.held
            .as_ref()
            .map(|held| &held.drop)
            .ok_or_else(|| "[SYS/TEMP] Internal error occurred.".to_owned())
    }

    fn drop_mut(&mut self) -> Result<&mut Maildrop, Refused> {
        let held = self.held.as_mut().map(|held| &mut held.drop);
        held.ok_or_else(|| "[SYS/TEMP] Internal error occurred.".to_owned())
    }

    fn stat(&self) -> Result<String, Refused> {
        let (count, bytes) = self.drop()?.count();
        Ok(format!("+OK {count} {bytes}"))
    }

    /// Index of the message that a number names, and what follows the number.
    fn message<'t>(&self, text: &'t str) -> Result<(usize, &'t str), Refused> {
        let (number, rest) = command::number(text, "message number")?;
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        let found = index.and_then(|index| Some((index, self.drop().ok()?.messages.get(index)?)));
        match found {
            None => Err(format!("There's no message {number}.")),
            Some((_, message)) if message.deleted => Err("Message is deleted.".to_owned()),
            Some((index, _)) => Ok((index, rest)),
        }
    }

    fn only(&self, text: &str) -> Result<usize, Refused> {
        // What is wrong with the number is said before what follows it.
        let (_, rest) = command::number(text, "message number")?;
        command::end(rest, "message number")?;
        Ok(self.message(text)?.0)
    }

    fn list(&self, wire: &mut Wire, rest: &str) -> Result<String, Refused> {
        let drop = self.drop()?;
        if !rest.is_empty() {
            let index = self.only(rest)?;
            return Ok(format!("+OK {} {}", index + 1, drop.messages[index].size));
        }
        wire.say(&format!("+OK {} messages:", drop.count().0));
        for (number, message) in (1..).zip(&drop.messages).filter(|(_, message)| !message.deleted) {
            wire.say(&format!("{number} {}", message.size));
        }
        Ok(".".to_owned())
    }

    fn uidl(&self, wire: &mut Wire, rest: &str) -> Result<String, Refused> {
        let drop = self.drop()?;
        if !rest.is_empty() {
            let index = self.only(rest)?;
            return Ok(format!("+OK {} {}", index + 1, drop.uidl(index)));
        }
        wire.say("+OK");
        for (index, _) in drop.messages.iter().enumerate().filter(|(_, message)| !message.deleted) {
            wire.say(&format!("{} {}", index + 1, drop.uidl(index)));
        }
        Ok(".".to_owned())
    }

    fn delete(&mut self, rest: &str) -> Result<String, Refused> {
        let index = self.only(rest)?;
        self.drop_mut()?.messages[index].deleted = true;
        self.last = self.last.max(index + 1);
        Ok("+OK Marked to be deleted.".to_owned())
    }

    fn reset(&mut self) -> Result<String, Refused> {
        self.last = 0;
        for message in &mut self.drop_mut()?.messages {
            message.deleted = false;
            message.seen = false;
        }
        Ok("+OK".to_owned())
    }

    /// RETR, and TOP.
    async fn retrieve(&mut self, wire: &mut Wire, rest: &str, top: bool, user: &str) -> Result<Next, End> {
        let (index, lines) = match self.wanted(rest, top) {
            Ok(wanted) => wanted,
            Err(why) => {
                wire.say(&format!("-ERR {why}"));
                return Ok(Next::Go);
            }
        };
        let content = self.elsewhere(move |drop| drop.content(index, lines)).await;
        match content {
            Some(Ok((content, bytes))) => {
                let count = if top { &mut self.counts.top } else { &mut self.counts.retrieved };
                let line = if top { "+OK".to_owned() } else { format!("+OK {bytes} octets") };
                count.0 += 1;
                // As Dovecot counts: with the line before, without the dot behind.
                count.1 += (line.len() + 2 + content.len() - 3) as u64;
                if !top {
                    self.last = self.last.max(index + 1);
                }
                wire.say(&line);
                wire.give(&content).await?;
                Ok(Next::Go)
            }
            Some(Err(store::Error::NoMessage | store::Error::Gone)) => {
                wire.say("-ERR [SYS/TEMP] Message is no longer there.");
                Ok(Next::Go)
            }
            Some(Err(error)) => {
                log::error!(target: "=dovecot", "pop3({user}): {error}");
                wire.say(
                    "-ERR [SYS/TEMP] Internal error occurred. Refer to server log for more information.",
                );
                Ok(Next::Go)
            }
            None => Ok(Next::End("Internal error")),
        }
    }

    fn wanted(&self, rest: &str, top: bool) -> Result<(usize, Option<u64>), Refused> {
        if !top {
            return Ok((self.only(rest)?, None));
        }
        let (index, rest) = self.message(rest)?;
        if rest.is_empty() {
            return Err("Noise after message number: ".to_owned());
        }
        let (lines, rest) = command::number(rest, "size")?;
        command::end(rest, "size")?;
        Ok((index, Some(lines)))
    }

    /// The update: what was deleted goes. Only QUIT leads here.
    async fn quit(&mut self, wire: &mut Wire, user: &str) -> Next {
        match self.elsewhere(|drop| drop.finish()).await {
            Some(Ok(0)) => wire.say("+OK Logging out."),
            Some(Ok(count)) => {
                self.counts.deleted = count;
                wire.say("+OK Logging out, messages deleted.");
            }
            Some(Err(error)) => {
                log::error!(target: "=dovecot", "pop3({user}): messages could not be deleted: {error}");
                wire.say("-ERR [SYS/TEMP] Logging out, some messages could not be deleted.");
            }
            None => return Next::End("Internal error"),
        }
        Next::End("Logged out")
    }

    /// Works on the maildrop, on a thread that may wait for a disk. `None` when that thread broke.
    async fn elsewhere<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Maildrop) -> T + Send + 'static,
    ) -> Option<T> {
        let mut held = self.held.take()?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&mut held.drop);
            (held, result)
        });
        let (held, result) = done.await.ok()?;
        self.held = Some(held);
        Some(result)
    }
}

/// LANG (RFC 6856 section 3): texts are in English.
pub fn language(wire: &mut Wire, rest: &str) {
    match rest.trim() {
        "" => {
            wire.say("+OK Language listing follows:");
            wire.say("en English");
            wire.say(".");
        }
        "*" => wire.say("+OK en Using default language"),
        tag if tag.eq_ignore_ascii_case("en") || tag.to_ascii_lowercase().starts_with("en-") => {
            wire.say("+OK en Using English");
        }
        _ => wire.say("-ERR This language is not supported"),
    }
}
