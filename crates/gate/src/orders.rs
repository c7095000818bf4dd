//! What the administrator's commands ask of the memories: `facteur greylist`, `facteur ban`, `facteur
//! outbound`.
//!
//! An order is a line of words; the answer is any number of lines, or why not. Over the local socket [`SOCKET`] they go
//! as they are, the words divided by tabs; what is in them is escaped as in a [`crate::ledger`].

use crate::ledger::{escape, unescape};
use crate::{Gate, bans};

/// The socket, below `queue_directory`.
pub const SOCKET: &str = "public/gate";

/// Longest order, in bytes.
pub const LONGEST: usize = 65_536;

/// Words as a line, without its line end.
pub fn line(words: &[String]) -> String {
    words.iter().map(|word| escape(word)).collect::<Vec<_>>().join("\t")
}

/// The words of a line. `None` when it is none of ours.
pub fn words(line: &str) -> Option<Vec<String>> {
    line.split('\t').map(unescape).collect()
}

/// The reply to an order: `ok` and its lines, or `no` and why not.
pub fn reply(answer: &Result<Vec<String>, String>) -> String {
    match answer {
        Ok(lines) => {
            let lines: String = lines.iter().map(|line| format!("{}\n", line.replace('\n', "?"))).collect();
            format!("ok\n{lines}")
        }
        Err(why) => format!("no {}\n", why.replace('\n', " ")),
    }
}

/// What a reply says; one that was cut off is none.
///
/// # Errors
/// Why the order was not done.
pub fn heard(reply: &str) -> Result<Vec<String>, String> {
    if let Some(why) = reply.strip_prefix("no ") {
        return Err(why.trim_end().to_owned());
    }
    match reply.strip_prefix("ok\n") {
        Some(lines) => Ok(lines.lines().map(str::to_owned).collect()),
        None => Err("the program broke off".to_owned()),
    }
}

impl Gate {
    /// Does what the words say.
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub fn perform(&self, words: &[String]) -> Result<Vec<String>, String> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["greylist", "list"] => Ok(self.greylist.list("")),
            ["greylist", "list", part] => Ok(self.greylist.list(part)),
            ["greylist", "pass", client] => self.greylist.let_pass(client).map(|()| Vec::new()),
            ["greylist", "forget", part] => Ok(vec![format!("{} forgotten", self.greylist.forget(part))]),
            ["greylist", "take", ref records @ ..] => Ok(vec![self.greylist.take_over(records).to_string()]),
            ["outbound", "list"] => Ok(self.outbound.list()),
            ["ban", "list"] => Ok(self.bans.list()),
            ["ban", "nft"] => Ok(bans::script(&self.bans.networks()).lines().map(str::to_owned).collect()),
            ["ban", "add", address] => self.bans.add(address, None).map(|said| vec![said]),
            ["ban", "add", address, time] => {
                let time = conf::parse_time(time, conf::TimeUnit::of_default("1s"));
                let time = time.ok_or("expected a time such as 600s, 2h or 7d")?;
                let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
                self.bans.add(address, Some(seconds)).map(|said| vec![said])
            }
            ["ban", "remove", address] => {
                self.bans.remove(address).map(|count| vec![format!("{count} bans lifted")])
            }
            _ => Err("there is no such order".to_owned()),
        }
    }
}
