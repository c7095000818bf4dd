//! XCLIENT: an authorised client says who it stands for, and is judged as that.

use std::net::IpAddr;

use filter::{NameLookup, Stage, Verdict};
use proto::smtp::{Command, Reply, path};
use proto::xclient::{BadAttribute, Value, attribute};

use super::said::Said;
use super::session::{Session, facts};

/// Reads one attribute, or gives Postfix's reply to a bad one.
pub(super) fn read(word: &str, what: &str, known: &[&str]) -> Result<(String, Value), Reply> {
    let bad = |text: String| Reply::new(501, (5, 4), text);
    let name = word.split_once('=').map_or("", |(name, _)| name).to_ascii_uppercase();
    let (name, value) = match attribute(word) {
        Ok((_, Value::Known(value))) if value.is_empty() => {
            return Err(bad("Error: attribute=value expected".to_owned()));
        }
        Ok(read) => read,
        Err(BadAttribute::NotAnAttribute) => {
            return Err(bad("Error: attribute=value expected".to_owned()));
        }
        Err(BadAttribute::BadValue(value)) => return Err(bad(format!("Bad {name} syntax: {value}"))),
    };
    if !known.contains(&name.as_str()) {
        return Err(bad(format!(
            "Bad {what} attribute name: {}",
            word.split('=').next().unwrap_or_default()
        )));
    }
    Ok((name, value))
}

/// An address as XCLIENT and XFORWARD write it: `192.0.2.1`, `IPV6:2001:db8::1`.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    match text.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPV6:") => {
            text[5..].parse::<std::net::Ipv6Addr>().ok().map(IpAddr::from)
        }
        _ => text.parse::<std::net::Ipv4Addr>().ok().map(IpAddr::from),
    }
}

const NAMES: [&str; 9] =
    ["NAME", "REVERSE_NAME", "ADDR", "PORT", "HELO", "PROTO", "LOGIN", "DESTADDR", "DESTPORT"];

impl Session {
    /// XCLIENT.
    pub(super) async fn xclient(&mut self, command: &Command<'_>) -> Said {
        if self.transaction.is_some() {
            return Said::error(Reply::new(503, (5, 1), "Error: MAIL transaction in progress"));
        }
        if command.args().is_empty() {
            return Said::error(Reply::new(501, (5, 4), "Syntax: XCLIENT attribute=value..."));
        }
        if !self.may_xclient {
            return Said::error(Reply::new(550, (7, 0), "Error: insufficient authorization"));
        }
        let (mut helo, mut protocol) = (false, false);
        for token in command.args() {
            let set = read(token.text(), "XCLIENT", &NAMES).and_then(|(name, value)| {
                helo |= name == "HELO";
                protocol |= name == "PROTO";
                self.stand_for(&name, value)
            });
            if let Err(reply) = set {
                return Said::error(reply);
            }
        }
        if !helo {
            self.peer.client.helo.clear();
        }
        if !protocol {
            self.peer.client.protocol = "SMTP".to_owned();
        }
        // From here on the client is the one it stands for: it cannot take that back.
        self.forward = None;
        self.standing.reset_client();
        self.improper_pipelining = false;
        self.recheck_lists().await;
        // Without milters nothing is told, and nobody answers.
        if let Some(reply) = self.meet_milters().await.filter(|reply| reply.code >= 500 || reply.code == 421)
        {
            let reply = if reply.code == 421 { reply } else { self.not_accepting() };
            let mut said = Said::ok(reply);
            said.uncounted = true;
            return said;
        }
        let verdict = {
            let mut trail = self.trail();
            let facts = facts(&self.peer, None, "CONNECT", false);
            self.service.judge.judge(Stage::Client, &facts, &mut self.standing, &mut trail).await
        };
        let mut said = match verdict {
            Verdict::Pass => Said::ok(self.banner()),
            Verdict::Refuse(refusal) => {
                let mut said = self.refused(&refusal, &facts(&self.peer, None, "CONNECT", false));
                self.denied = said.reply_mut().map(|reply| Box::new(reply.clone()));
                said
            }
        };
        said.uncounted = true;
        said
    }

    /// What the client may do is asked anew, for whom it stands for now.
    async fn recheck_lists(&mut self) {
        let service = self.service.clone();
        let Some(ip) = self.peer.ip else {
            (self.may_xclient, self.may_xforward, self.unlimited) = (false, false, false);
            return;
        };
        let name = self.peer.client.name.clone();
        let listed = async |list: &tables::List| list.matches_host(&name, ip).await.unwrap_or(false);
        self.may_xclient = listed(&service.lists.xclient).await;
        self.may_xforward = listed(&service.lists.xforward).await;
        self.unlimited = listed(&service.lists.unlimited).await;
    }

    fn stand_for(&mut self, name: &str, value: Value) -> Result<(), Reply> {
        let bad = |name: &str, value: &str| Reply::new(501, (5, 4), format!("Bad {name} syntax: {value}"));
        let unknown = || "unknown".to_owned();
        let client = &mut self.peer.client;
        match (name, value) {
            ("NAME", Value::Known(value)) if path::is_hostname(&value) => {
                client.name = value;
                self.peer.name_lookup = NameLookup::Found;
            }
            ("NAME", Value::Unavailable) => {
                client.name = unknown();
                self.peer.name_lookup = NameLookup::Never;
            }
            ("NAME", Value::TempUnavail) => {
                client.name = unknown();
                self.peer.name_lookup = NameLookup::Later;
            }
            ("REVERSE_NAME", Value::Known(value)) if path::is_hostname(&value) => {
                client.reverse_name = value;
                self.peer.reverse_lookup = NameLookup::Found;
            }
            ("REVERSE_NAME", Value::Unavailable) => {
                client.reverse_name = unknown();
                self.peer.reverse_lookup = NameLookup::Never;
            }
            ("REVERSE_NAME", Value::TempUnavail) => {
                client.reverse_name = unknown();
                self.peer.reverse_lookup = NameLookup::Later;
            }
            ("ADDR", Value::Known(value)) => {
                let ip = address(&value).ok_or_else(|| bad(name, &value))?;
                client.address = ip.to_string();
                self.peer.ip = Some(ip);
            }
            ("ADDR", _) => {
                client.address = unknown();
                self.peer.ip = None;
            }
            ("PORT", Value::Known(value)) => {
                client.port = Some(value.parse().map_err(|_| bad(name, &value))?);
            }
            ("PORT", _) => client.port = None,
            ("HELO", Value::Known(value)) if value.len() <= 255 => {
                client.helo = super::hello::harmless(&value);
            }
            ("HELO", Value::Unavailable | Value::TempUnavail) => client.helo.clear(),
            ("PROTO", Value::Known(value)) => match value.to_ascii_uppercase().as_str() {
                "SMTP" | "ESMTP" => client.protocol = value.to_ascii_uppercase(),
                _ => return Err(bad(name, &value)),
            },
            ("LOGIN", Value::Known(value)) => {
                client.sasl_username = value;
                client.sasl_method = "XCLIENT".to_owned();
            }
            ("LOGIN", _) => {
                client.sasl_username.clear();
                client.sasl_method.clear();
            }
            ("DESTADDR", Value::Known(value)) => {
                let ip = address(&value).ok_or_else(|| bad(name, &value))?;
                self.peer.server_address = ip.to_string();
            }
            ("DESTADDR", _) => self.peer.server_address = unknown(),
            ("DESTPORT", Value::Known(value)) => {
                self.peer.server_port = value.parse().map_err(|_| bad(name, &value))?;
            }
            ("DESTPORT", _) => self.peer.server_port = 0,
            (_, Value::Known(value)) => return Err(bad(name, &value)),
            (_, Value::Unavailable | Value::TempUnavail) => return Err(bad(name, "[UNAVAILABLE]")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_tag_or_dots() {
        assert!(address("10.1.2.3").is_some() && address("IPV6:2001:db8::1").is_some());
        assert!(address("2001:db8::1").is_none() && address("notanip").is_none());
    }

    #[test]
    fn bad_attributes_are_named() {
        let text = |word: &str| read(word, "XCLIENT", &NAMES).unwrap_err().text.into_owned();
        assert_eq!(text("FOO=bar"), "Bad XCLIENT attribute name: FOO");
        assert_eq!(text("NAME"), "Error: attribute=value expected");
        assert_eq!(text("NAME=+zz"), "Bad NAME syntax: +zz");
    }
}
