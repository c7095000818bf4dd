//! Our own mailboxes: mail goes straight into the account of its recipient, whatever the kind of its store.

use std::sync::Arc;

use conf::Block;
use imap::accounts::{owner_of_all, rights};
use mail::{Blame, Detail, Outcome, Refusal};
use master::Identity;
use net::clock;
use tokio::task::JoinSet;

use super::open::Opener;
use super::{AgentKind, Built, Setup, log_name};
use crate::cellar::{Parcel, Put, Stores, died};
use crate::hand::{self, Whose};
use crate::mailbox::crew::Crew;
use crate::mailbox::frame::Head;
use crate::params::StoreAgent;
use crate::porters::{Load, Porters};
use crate::{Agent, Boxed, Delivered, Purpose, Report, Request, Target};

/// The line of the list.
pub const AGENT: AgentKind = AgentKind {
    command: "store",
    doc: "Delivers to the mailboxes that mail_location names, of users that the userdb knows.",
    build,
};

/// Bytes of a message in which its header is looked for.
const HEAD: usize = 64 << 10;

struct Store(Arc<Inner>);

struct Inner {
    program: Arc<str>,
    relay: String,
    /// All mailboxes have this owner, but for those whose account names another.
    owner: Option<Identity>,
    stores: Arc<Stores>,
    porters: Porters,
    crew: Crew,
    /// `spam_mailbox`
    spam_mailbox: Option<String>,
}

fn build(setup: &Setup) -> Built {
    let open = Opener::new(&setup.view, &setup.tables);
    let mut mistakes = Vec::new();
    let stores = Arc::new(Stores::read(&setup.view, setup.crew.clock(), &mut mistakes));
    let spam_mailbox = StoreAgent::read(&setup.view, &mut mistakes).spam_mailbox.trim().to_owned();
    let inner = Inner {
        program: log_name(setup, "store"),
        relay: setup.service.name.clone(),
        // What is wrong with it was told; the parent left mailboxes without their owner to mail_owner then.
        owner: owner_of_all(&setup.view).ok().flatten(),
        porters: Porters::new(setup.crew.clone(), stores.clone()),
        crew: setup.crew.clone(),
        stores,
        spam_mailbox: Some(spam_mailbox).filter(|name| !name.is_empty()),
    };
    match mistakes.is_empty() {
        true => open.into_result(Store(Arc::new(inner))),
        false => Err(mistakes),
    }
}

impl Agent for Store {
    fn deliver(&self, request: Request) -> Boxed<'_, Report> {
        Box::pin(async move {
            let request = Arc::new(request);
            // Side by side, so that all of them wait for the disk once.
            let mut work = JoinSet::new();
            for at in 0..request.targets.len() {
                let (inner, request) = (Arc::clone(&self.0), Arc::clone(&request));
                work.spawn(async move { (at, inner.timed(&request, &request.targets[at]).await) });
            }
            let mut done: Vec<_> = work.join_all().await;
            done.sort_unstable_by_key(|(at, _)| *at);
            Report { delivered: done.into_iter().map(|(_, one)| one).collect(), ..Report::default() }
        })
    }
}

impl Inner {
    async fn timed(&self, request: &Request, target: &Target) -> Delivered {
        let began = clock::now();
        let outcome = self.one(request, target).await.unwrap_or_else(Outcome::from);
        let mut one = Delivered::new(target.index, outcome, &self.relay);
        one.delays.1 = (clock::now() - began).as_secs_f64();
        one
    }

    async fn one(&self, request: &Request, target: &Target) -> Result<Outcome, Refusal> {
        let address = &target.recipient.address;
        let user = address.as_str().to_lowercase();
        if request.purpose != Purpose::Deliver {
            let found = self.stores.look_up(&user).await;
            return match found.map_err(|trouble| Put::Trouble(trouble.to_string())) {
                Ok(Some(_)) => Ok(sent("delivers to mailbox")),
                Ok(None) => Err(self.refusal(&user, Put::Unknown)),
                Err(put) => Err(self.refusal(&user, put)),
            };
        }
        let head = Head {
            from_line: None,
            sender: Some(&request.sender),
            return_path: true,
            original: Some(&target.recipient.original),
            delivered: Some(&address.external()),
        };
        let spam_mailbox = self.spam_mailbox.as_ref().filter(|_| is_marked(&request.content));
        let parcel = Parcel {
            mailbox: spam_mailbox.map(|name| (name.clone(), true)),
            keywords: spam_mailbox.map(|_| "$Junk".to_owned()).into_iter().collect(),
            user: user.clone(),
            head: head.lines(),
            // A queue id may be used again, but not for a message that came at the same moment.
            id: format!("{} {} {}", request.id, request.arrival.as_microsecond(), address.as_str()),
            ..Parcel::default()
        };
        match self.put(parcel, request).await {
            Put::Stored | Put::StoredIn(_) => Ok(sent("delivered to mailbox")),
            put => Err(self.refusal(&user, put)),
        }
    }

    async fn put(&self, mut parcel: Parcel, request: &Request) -> Put {
        let content = request.content.clone();
        if hand::hired().is_some() && self.owner.is_some() {
            let load = Load { parcel: parcel.clone(), content: content.clone(), account: None };
            match self.porters.carry(load).await {
                Put::Elsewhere => {}
                put => return put,
            }
        }
        let account = match self.stores.look_up(&parcel.user).await {
            Ok(Some(account)) => account,
            Ok(None) => return Put::Unknown,
            Err(trouble) => return Put::Trouble(trouble.to_string()),
        };
        let Some(hand) = hand::hired() else {
            return self.porters.carry(Load { parcel, content, account: Some(account) }).await;
        };
        let usual = self.owner.unwrap_or_else(hand::own);
        let put = move || {
            let who = Whose::User(rights(&account, usual));
            parcel.account = Some(account);
            hand.keep(&parcel, &content, who)
        };
        self.crew.run(put).await.unwrap_or_else(died)
    }

    /// A full mailbox is the recipient's matter; everything else passes.
    fn refusal(&self, user: &str, put: Put) -> Refusal {
        let user = mail::logline::printable(user);
        match put {
            Put::Stored | Put::StoredIn(_) | Put::Unknown => {
                Refusal::never(50, Detail(1, 1), Blame::Policy, format!("unknown user: \"{user}\""))
            }
            Put::Full => {
                Refusal::never(52, Detail(2, 2), Blame::Policy, format!("mailbox of {user} is full"))
            }
            put => {
                let why = match put {
                    Put::Trouble(why) => why,
                    _ => "the keepers of mailboxes do not agree on who has this one".to_owned(),
                };
                log::warn!(target: &self.program, "{user}: {why}");
                Refusal::later(51, Detail(2, 0), Blame::Ourselves, "mailbox not available").logged(why)
            }
        }
    }
}

/// Has somebody marked the message as spam?
fn is_marked(content: &queue::Body) -> bool {
    let Ok(head) = content.read_at(0, HEAD) else { return false };
    let mut fields = mail::header::fields(&head[..mail::header::header_len(&head)]);
    fields.any(|field| field.is("x-spam-flag") && field.value().trim_ascii().eq_ignore_ascii_case(b"yes"))
}

fn sent(text: &str) -> Outcome {
    Outcome::Delivered { detail: Detail(0, 0), text: text.to_owned(), relayed_dsn: false }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use store::{Location, Name, Owner, Settings, open_account};

    use super::*;
    use crate::testing;

    fn agent(directory: &Path, users: &str) -> Arc<dyn Agent> {
        let passwd = directory.join("passwd");
        std::fs::write(&passwd, users).unwrap();
        let main = format!(
            "userdb = passwd-file:{}\nmail_location = facteur:{}/%n\nrecipient_delimiter = +\nspam_mailbox = Junk\n",
            passwd.display(),
            directory.display()
        );
        testing::agent(&main, "store unix - n n - - store\n").0
    }

    fn inbox(directory: &Path, user: &str) -> Arc<dyn store::Mailbox> {
        mailbox(directory, user, "INBOX")
    }

    fn mailbox(directory: &Path, user: &str, name: &str) -> Arc<dyn store::Mailbox> {
        let location = Location::parse(&format!("facteur:{}/%n", directory.display())).unwrap();
        let account = open_account(&Arc::new(Settings::plain(|| 0)), &location, &Owner::named(user)).unwrap();
        account.open(&Name::with_separator(name, account.separator()).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn mail_comes_to_users_and_to_nobody_else() {
        let directory = tempfile::tempdir().unwrap();
        let users =
            "joe@site.test:x:1000:1000::/h::\nann@site.test:x:1000:1000::/h::userdb_quota_rule=*:bytes=10\n";
        let agent = agent(directory.path(), users);
        let to = ["joe@site.test", "Joe+lists@site.test", "ann@site.test", "bob@site.test"];
        let request = testing::request("sender@far.test", &to, b"Subject: s\n\nhello\n");
        let said = testing::words(&agent.deliver(request.clone()).await);
        assert_eq!(said[0], "0 store 2.0.0 delivered to mailbox");
        assert_eq!(said[1], "1 store 2.0.0 delivered to mailbox");
        assert!(said[2].contains("5.2.2 mailbox of ann@site.test is full"), "{said:?}");
        assert!(said[3].contains("5.1.1 unknown user: \"bob@site.test\""), "{said:?}");
        // The queue may ask twice.
        agent.deliver(request).await;
        let inbox = inbox(directory.path(), "joe@site.test");
        assert_eq!(inbox.view().len(), 2);
        let body = inbox.body(1).unwrap();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(text.starts_with("Return-Path: <sender@far.test>\r\n"), "{text}");
        assert!(
            text.contains("\r\nDelivered-To: ") && text.ends_with("Subject: s\r\n\r\nhello\r\n"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn marked_mail_goes_to_the_junk_mailbox() {
        let directory = tempfile::tempdir().unwrap();
        let agent = agent(directory.path(), "joe@site.test:x:1000:1000::/h::\n");
        let contents = [&b"X-Spam-Flag: YES\nSubject: s\n\nx\n"[..], b"Subject: X\n\nX-Spam-Flag: YES\n"];
        for (second, content) in (0..).zip(contents) {
            let mut request = testing::request("sender@far.test", &["joe@site.test"], content);
            request.arrival = jiff::Timestamp::from_second(second).unwrap();
            assert_eq!(testing::words(&agent.deliver(request).await), ["0 store 2.0.0 delivered to mailbox"]);
        }
        assert_eq!(inbox(directory.path(), "joe@site.test").view().len(), 1);
        let junk = mailbox(directory.path(), "joe@site.test", "Junk");
        assert_eq!(junk.view().len(), 1);
        assert!(junk.body(1).unwrap().windows(16).any(|text| text == b"X-Spam-Flag: YES"));
    }

    #[tokio::test]
    async fn many_messages_at_a_time_come_whole_and_once() {
        let directory = tempfile::tempdir().unwrap();
        let users: String = (0..5).map(|n| format!("u{n}@site.test:x:1000:1000::/h::\n")).collect();
        let agent = agent(directory.path(), &users);
        let mut work = JoinSet::new();
        for n in 0..100 {
            let agent = Arc::clone(&agent);
            let to = format!("u{}@site.test", n % 5);
            let mut request = testing::request("sender@far.test", &[&to], b"Subject: s\n\nhello\n");
            request.arrival = jiff::Timestamp::from_second(n).unwrap();
            work.spawn(async move { testing::words(&agent.deliver(request).await) });
        }
        for said in work.join_all().await {
            assert_eq!(said, ["0 store 2.0.0 delivered to mailbox"]);
        }
        for n in 0..5 {
            let inbox = inbox(directory.path(), &format!("u{n}@site.test"));
            assert_eq!(inbox.view().len(), 20);
        }
    }
}
