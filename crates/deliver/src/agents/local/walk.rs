//! One queued recipient on its way through aliases and `.forward` files.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use mail::address::{split_any_extension, split_extension};
use mail::{Address, Blame, Class, Detail, Envelope, Notify, Outcome, Recipient, Refusal};
use net::clock;

use super::rules::Rules;
use super::user::Account;
use crate::{Delivered, Letter, Purpose, Request, looping};

/// Deepest nesting of aliases and files, each of which is two levels: the entry and the recipient that it becomes.
const LEVELS: u32 = 50;

/// What list an address stands in: decides whether commands and files are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// An alias, or none at all.
    Alias,
    /// A `.forward` file.
    Forward,
    /// An `:include:` file.
    Include,
}

impl List {
    /// The word of `allow_mail_to_commands` and `allow_mail_to_files`.
    pub fn word(self) -> &'static str {
        match self {
            List::Alias => "alias",
            List::Forward => "forward",
            List::Include => "include",
        }
    }
}

/// Where a walk is: copied for every address that is visited.
#[derive(Clone, Debug)]
pub struct At {
    /// How deep.
    pub level: u32,
    /// Who is delivered to now.
    pub recipient: Recipient,
    /// Reverse-path: the queued one, or an owner- alias.
    pub sender: Address,
    /// Who is responsible for the list: then other users get their mail by a new message.
    pub owner: Option<String>,
    /// The recipient named in `Delivered-To:`.
    pub delivered: Option<Address>,
    /// Local part, folded.
    pub local: String,
    /// Local part without extension.
    pub user: String,
    /// Domain, folded.
    pub domain: Option<String>,
    /// Extension.
    pub extension: Option<String>,
    /// The extension that results get, with the delimiter it came with.
    pub unmatched: Option<String>,
    /// The list it stands in.
    pub list: List,
    /// The name whose list that is: within its own list a name means the user.
    pub expanded_from: Option<String>,
    /// Whose rights; `None` is nobody's, so those of `default_privs`.
    pub account: Option<Account>,
}

impl At {
    /// The queued recipient.
    pub fn start(sender: &Address, recipient: &Recipient) -> At {
        At {
            level: 0,
            recipient: recipient.clone(),
            sender: sender.clone(),
            owner: None,
            delivered: None,
            local: String::new(),
            user: String::new(),
            domain: None,
            extension: None,
            unmatched: None,
            list: List::Alias,
            expanded_from: None,
            account: None,
        }
    }

    /// The extension with its delimiter.
    fn tail(&self) -> Option<String> {
        self.extension.as_ref()?;
        self.local.get(self.user.len()..).map(str::to_owned)
    }
}

/// What is still to be visited. A list is not followed by calls within calls: nobody's aliases exhaust our stack.
pub enum Step {
    /// One entry of a list.
    Token(Arc<At>, Vec<u8>),
    /// An address, and nothing else.
    Address(Arc<At>, Vec<u8>),
    /// The lines of a file, from this offset.
    Lines(Arc<At>, Vec<u8>, usize),
    /// The `.forward` file of this name is done with.
    ForwardDone(String),
}

/// A message to be queued: one for each sender and `Delivered-To:`.
struct Batch {
    sender: Address,
    delivered: Option<Address>,
    recipients: Vec<Recipient>,
}

/// The way of one queued recipient.
pub struct Walk<'a> {
    /// The settings.
    pub rules: &'a Rules,
    /// The request.
    pub request: &'a Request,
    index: usize,
    seen: HashSet<String>,
    /// What is left to visit, the next one last.
    pub todo: Vec<Step>,
    loops: Vec<String>,
    batches: Vec<Batch>,
    delivered: Vec<Delivered>,
    began: Instant,
}

impl<'a> Walk<'a> {
    /// Nothing visited yet.
    pub fn new(rules: &'a Rules, request: &'a Request, index: usize) -> Walk<'a> {
        Walk {
            rules,
            request,
            index,
            seen: HashSet::new(),
            todo: Vec::new(),
            loops: Vec::new(),
            batches: Vec::new(),
            delivered: Vec::new(),
            began: clock::now(),
        }
    }

    /// Reads the message's `Delivered-To:` headers.
    pub async fn look_for_loops(&mut self) -> Result<(), Refusal> {
        self.loops = looping::delivered_to(&self.request.content).await?;
        Ok(())
    }

    /// Names the delivery of the queued recipient.
    pub fn name(&self) -> String {
        self.request.token(self.index)
    }

    /// Was this done before on this walk? Remembered up to `duplicate_filter_limit`.
    pub fn been_here(&mut self, what: String) -> bool {
        let what = what.to_lowercase();
        if self.rules.duplicates > 0 && self.seen.len() >= self.rules.duplicates {
            return self.seen.contains(&what);
        }
        !self.seen.insert(what)
    }

    /// Was this done, without remembering the question?
    pub fn has_been(&self, what: &str) -> bool {
        self.seen.contains(&what.to_lowercase())
    }

    /// Is nothing to be delivered, only said?
    pub fn is_probe(&self) -> bool {
        self.request.purpose != Purpose::Deliver
    }

    /// Reports an outcome for the address that is visited.
    pub fn settle(&mut self, at: &At, outcome: impl Into<Outcome>) {
        let mut one = Delivered::new(self.index, outcome, &self.rules.service);
        one.recipient = Some(at.recipient.clone());
        one.delays.1 = (clock::now() - self.began).as_secs_f64();
        self.delivered.push(one);
    }

    /// Reports success.
    pub fn sent(&mut self, at: &At, text: impl Into<String>) {
        self.settle(at, Outcome::Delivered { detail: Detail(0, 0), text: text.into(), relayed_dsn: false });
    }

    /// A configuration that cannot be followed.
    pub fn misconfigured(&mut self, at: &At, class: Class) {
        let refusal = Refusal::new(class, 51, Detail(3, 5), Blame::Admin, "mail system configuration error");
        self.settle(at, refusal);
    }

    /// Somebody else delivered: `mailbox_transport` and its like.
    pub async fn pass(&mut self, at: &At, to: &str) {
        let (transport, nexthop) = to.split_once(':').unwrap_or((to, ""));
        let shown = mail::logline::printable(at.recipient.address.as_str());
        log::info!(target: &self.rules.program, "{}: passing <{shown}> to transport={transport}", self.request.id);
        let mut request = self.request.clone();
        let target = crate::Target { index: self.index, recipient: at.recipient.clone() };
        request.targets = vec![target];
        request.sender = at.sender.clone();
        request.transport = transport.to_owned();
        if !nexthop.is_empty() {
            request.nexthop = nexthop.to_owned();
        }
        let report = self.rules.pass.pass(request).await;
        self.delivered.extend(report.delivered.into_iter().map(|mut one| {
            one.recipient.get_or_insert_with(|| at.recipient.clone());
            one
        }));
    }

    /// Delivers to the queued recipient and to all that it leads to.
    pub async fn run(&mut self, at: At) {
        self.recipient(at).await;
        while let Some(step) = self.todo.pop() {
            match step {
                Step::Token(at, text) => self.token(At::clone(&at), &text).await,
                Step::Address(at, text) => {
                    self.address(At::clone(&at), &String::from_utf8_lossy(&text)).await;
                }
                Step::Lines(at, text, from) => self.line(at, text, from),
                Step::ForwardDone(path) => {
                    self.been_here(format!("forward-done {path}"));
                }
            }
        }
    }

    /// One recipient: loops and duplicates, then the ways of delivery in their order.
    pub async fn recipient(&mut self, mut at: At) {
        at.level += 1;
        let address = at.recipient.address.clone();
        if self.been_here(format!("recipient {} {address}", at.level)) {
            return;
        }
        if self.loops.iter().any(|known| known.eq_ignore_ascii_case(address.as_str())) {
            return self.settle(&at, looping::refusal(&address));
        }
        at.delivered.get_or_insert_with(|| address.clone());
        let (local, domain) = address.split();
        at.local = local.to_lowercase();
        at.domain = domain.map(str::to_lowercase);
        let divided = match self.rules.owner_special {
            true => split_extension(&at.local, &self.rules.delimiter),
            false => split_any_extension(&at.local, &self.rules.delimiter),
        };
        (at.user, at.extension) = match divided {
            Some((user, _, extension)) => (user.to_owned(), Some(extension.to_owned())),
            None => (at.local.clone(), None),
        };
        if at.extension.as_ref().is_some_and(|extension| extension.contains('/')) {
            let shown = mail::logline::printable(address.as_str());
            log::warn!(target: &self.rules.program, "{shown}: address with illegal extension");
            at.extension = None;
        }
        at.unmatched = at.tail();
        if at.user.is_empty() {
            let text = format!("null username in \"{address}\"");
            return self.settle(&at, Refusal::never(50, Detail(1, 3), Blame::Policy, text));
        }
        self.switch(at).await;
    }

    async fn switch(&mut self, mut at: At) {
        if let Some(bare) = at.local.strip_prefix('\\').map(str::to_owned) {
            // `\user` in a list: the mailbox itself.
            at.user = at.user.trim_start_matches('\\').to_owned();
            at.local = bare;
            return self.mailbox_or_unknown(at).await;
        }
        at.unmatched = None;
        if at.level > LEVELS {
            let shown = mail::logline::printable(&at.local);
            let text = format!("alias database loop for {shown}");
            log::warn!(target: &self.rules.program, "{text}");
            let refusal = Refusal::never(54, Detail(4, 6), Blame::Admin, text);
            return self.settle(&at, refusal);
        }
        let local = at.local.clone();
        if self.alias(&at, &local).await {
            return;
        }
        if at.extension.is_some() {
            let mut bare = at.clone();
            bare.unmatched = at.tail().filter(|_| self.rules.propagates("alias"));
            let user = at.user.clone();
            if self.alias(&bare, &user).await {
                return;
            }
            at.unmatched = at.tail();
        }
        // Users named in somebody's list get a message of their own, so that each has its own fate.
        let foreign = at.owner.as_ref().is_some_and(|owner| !owner.eq_ignore_ascii_case(&at.user));
        if foreign || at.list == List::Include {
            return self.indirect(&at);
        }
        if !self.forward_file(&at).await {
            self.mailbox_or_unknown(at).await;
        }
    }

    async fn mailbox_or_unknown(&mut self, at: At) {
        if !self.mailbox(&at).await {
            self.unknown(&at).await;
        }
    }

    /// `inner` takes the place of `at`. Success is told of here; what follows is no business of the sender's any more.
    pub fn expanded(&mut self, at: &At, inner: &mut At, delivered: bool) {
        if inner.recipient.notify.success && !self.is_probe() {
            self.settle(at, Outcome::Expanded { delivered });
            inner.recipient.notify = settled(inner.recipient.notify);
        }
    }

    /// Leaves by a new message.
    pub fn indirect(&mut self, at: &At) {
        if self.been_here(format!("indirect {}", at.recipient.address)) {
            return;
        }
        if self.is_probe() {
            return self.sent(at, format!("forwards to {}", at.recipient.address));
        }
        let recipient = at.recipient.clone();
        let known = self.batches.iter_mut().find(|b| b.sender == at.sender && b.delivered == at.delivered);
        match known {
            Some(batch) => batch.recipients.push(recipient),
            None => self.batches.push(Batch {
                sender: at.sender.clone(),
                delivered: at.delivered.clone(),
                recipients: vec![recipient],
            }),
        }
    }

    /// Queues what leaves, unless something here has to be tried again; gives the entries of the report.
    pub async fn finish(mut self, queued: &Recipient) -> Vec<Delivered> {
        let again = |outcome: &Outcome| match outcome {
            Outcome::Later(_) => true,
            Outcome::Never(_) => self.rules.soft_bounce,
            _ => false,
        };
        let pending = self.delivered.iter().any(|one| again(&one.outcome));
        let mut at = At::start(&self.request.sender, queued);
        at.recipient.notify = settled(queued.notify);
        if !pending {
            for batch in std::mem::take(&mut self.batches) {
                match self.rules.reinject.resubmit(self.letter(batch)).await {
                    Ok(id) => {
                        self.sent(&at, format!("forwarded as {id}"));
                        self.delivered.last_mut().into_iter().for_each(|one| one.relayed = true);
                    }
                    Err(trouble) => {
                        log::warn!(target: &self.rules.program, "{}: {trouble}", self.request.id);
                        let text = "unable to forward message";
                        self.settle(&at, Refusal::later(51, Detail(3, 0), Blame::Ourselves, text));
                    }
                }
            }
        }
        if self.delivered.is_empty() {
            // An empty list, or nothing but duplicates: there is nothing to tell, and the recipient is done with.
            self.settle(&at, Outcome::Expanded { delivered: false });
        }
        self.delivered
    }

    fn letter(&self, batch: Batch) -> Letter {
        let request = self.request;
        let wanted = self.rules.params.prepend_delivered_header.iter().any(|word| word == "forward");
        let header = batch.delivered.filter(|_| wanted).map(|address| {
            // Bare, unlike in mailbox files, as Postfix does it.
            format!("Delivered-To: {}\n", mail::logline::printable(&address.as_str().to_lowercase()))
        });
        let mut client = request.client.clone();
        client.ident = if client.ident.is_empty() { request.id.to_string() } else { client.ident };
        Letter {
            envelope: Envelope {
                sender: batch.sender,
                recipients: batch.recipients,
                body_type: request.body_type,
                smtputf8: request.smtputf8,
                envid: request.envid.clone(),
                ret: request.ret,
                client,
                rewrite_local: request.rewrite_local,
                origin: "local".to_owned(),
                ..Envelope::default()
            },
            from: request.id.clone(),
            prepend: header.unwrap_or_default().into_bytes(),
            content: request.content.clone(),
        }
    }
}

/// What is left of NOTIFY when success has been told of.
fn settled(notify: Notify) -> Notify {
    let rest = Notify { success: false, ..notify };
    if notify.success && !rest.is_set() { Notify { never: true, ..rest } } else { rest }
}
