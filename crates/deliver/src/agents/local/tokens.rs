//! The right-hand side of an alias, or a line of a `.forward` file: addresses, `|command`, `/file`, `~/file`,
//! `:include:/file`.

use std::sync::Arc;

use mail::addresses::{mailboxes, parse};
use mail::{Address, Blame, Detail, Refusal, Trail, header};
use route::Context;

use super::walk::{At, Step, Walk};

impl Walk<'_> {
    /// Visits everything in a list next; gives how many there are.
    pub fn tokens(&mut self, at: &Arc<At>, text: &[u8]) -> usize {
        let tokens = parse(text, 0);
        let entries: Vec<Step> =
            mailboxes(&tokens).map(|entry| Step::Token(Arc::clone(at), entry.internal().to_vec())).collect();
        let count = entries.len();
        self.todo.extend(entries.into_iter().rev());
        count
    }

    /// Visits the next line of a file; `#` at the start of a line is a comment.
    pub fn line(&mut self, at: Arc<At>, text: Vec<u8>, from: usize) {
        let line = header::next_line(&text[from..]);
        let next = from + line.len();
        let line = line.to_vec();
        if next < text.len() {
            self.todo.push(Step::Lines(Arc::clone(&at), text, next));
        }
        if !line.starts_with(b"#") {
            self.tokens(&at, &line);
        }
    }

    /// Delivers to one entry of a list.
    pub async fn token(&mut self, mut at: At, token: &[u8]) {
        at.level += 1;
        let text = String::from_utf8_lossy(token).into_owned();
        match text.as_bytes().first() {
            Some(b'/') => self.file(&at, &text).await,
            Some(b'~') => self.home_file(&at, &text).await,
            Some(b'|') => {
                let allowed = &self.rules.params.allow_mail_to_commands;
                if !allowed.iter().any(|word| word == at.list.word()) {
                    return self.settle(&at, restricted("mail to command is restricted"));
                }
                self.command(&at, text[1..].trim_start()).await;
            }
            _ if text.get(..9).is_some_and(|head| head.eq_ignore_ascii_case(":include:")) => {
                self.include(&at, &text[9..]).await;
            }
            _ => self.address(at, &text).await,
        }
    }

    /// `~/file` is below the home of whoever's rights count.
    async fn home_file(&mut self, at: &At, text: &str) {
        let refusal = |detail, text| Refusal::never(50, detail, Blame::Policy, text);
        let Some(rest) = text.strip_prefix("~/") else {
            let text = format!("bad home directory syntax for: {text}");
            return self.settle(at, refusal(Detail(1, 3), text));
        };
        match at.account.as_ref().map(|account| &account.home) {
            None => self.misconfigured(at, mail::Class::Never),
            Some(home) if !home.is_absolute() => {
                self.settle(at, refusal(Detail(3, 0), format!("bad home directory for: {text}")));
            }
            Some(home) => {
                let path = format!("{}/{rest}", home.display());
                self.file(at, &path).await;
            }
        }
    }

    /// An address: ours is delivered here, any other leaves by a new message.
    pub async fn address(&mut self, mut at: At, text: &str) {
        let mut address = self.rules.router.rewrite(Context::Local, &Address::from(text));
        let resolved = self.rules.router.resolve(&at.sender, &address, &mut Trail::off()).await;
        let stop = match resolved {
            Ok(stop) => stop,
            Err(refusal) => {
                log::warn!(target: &self.rules.program, "{}: {}", self.request.id, refusal.log_text());
                let text = "address resolver failure";
                return self.settle(&at, Refusal::later(51, Detail(3, 0), Blame::Ourselves, text));
            }
        };
        if let Some(unmatched) = &at.unmatched {
            let (local, domain) = address.split();
            let extended = format!("{local}{unmatched}");
            address = domain.map_or(extended.clone(), |domain| format!("{extended}@{domain}")).into();
        }
        at.recipient.address = address;
        if stop.transport == self.rules.service {
            self.recipient(at).await;
        } else {
            self.indirect(&at);
        }
    }
}

/// 5.7.1
pub fn restricted(text: &str) -> Refusal {
    Refusal::never(50, Detail(7, 1), Blame::Policy, text)
}
