//! Tests of our own kind of store.

mod crash;
mod deliveries;
mod disk;
mod mailboxes;
mod messages;
mod room;
mod upkeep;

use std::path::Path;
use std::sync::Arc;

use super::account::FacteurAccount;
use super::disk::{Disk, RealDisk};
use crate::{
    Account, Delivered, Delivery, FlagChange, Flags, Limits, Mailbox, Mode, Name, NewMessage, Owner,
    Settings, SpecialUse, UidSet,
};

/// An account in a directory of its own, opened anew each time.
fn account(root: &Path) -> Arc<FacteurAccount> {
    account_on(root, Arc::new(RealDisk))
}

fn account_on(root: &Path, disk: Arc<dyn Disk>) -> Arc<FacteurAccount> {
    let mut settings = Settings::plain(|| 1_700_000_000);
    settings.special = vec![(name("Sent"), SpecialUse::Sent)];
    settings.create_special = true;
    FacteurAccount::new(&Arc::new(settings), root, &Owner::named("joe"), disk)
}

fn limited(root: &Path, limits: Limits) -> Arc<FacteurAccount> {
    let owner = Owner { limits: Some(limits), ..Owner::named("joe") };
    FacteurAccount::new(&Arc::new(Settings::plain(|| 0)), root, &owner, Arc::new(RealDisk))
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn text(subject: &str) -> String {
    format!("From: a@x.test\r\nSubject: {subject}\r\nMessage-ID: <{subject}@x>\r\n\r\nbody of {subject}\r\n")
}

fn message(subject: &str) -> NewMessage {
    NewMessage { content: text(subject).into(), flags: Flags::NONE, keywords: Vec::new(), received: 5 }
}

fn deliver(account: &FacteurAccount, subject: &str, id: Option<&str>) -> crate::Result<Delivered> {
    let content = text(subject);
    account.deliver(&Delivery {
        mailbox: &Name::inbox(),
        create: false,
        id,
        content: &[content.as_bytes()],
        received: 9,
        flags: Flags::NONE,
        keywords: &[],
    })
}

fn inbox(account: &FacteurAccount) -> Arc<dyn Mailbox> {
    account.open(&Name::inbox()).unwrap()
}

fn uids(mailbox: &dyn Mailbox) -> Vec<u32> {
    mailbox.refresh().unwrap().iter().map(|entry| entry.uid).collect()
}

fn set(uids: &[u32]) -> UidSet {
    uids.iter().copied().collect()
}

/// The subjects in a mailbox, by UID.
fn subjects(mailbox: &dyn Mailbox) -> Vec<String> {
    let all = uids(mailbox);
    all.iter().map(|uid| subject(&mailbox.body(*uid).unwrap())).collect()
}

fn subject(body: &[u8]) -> String {
    let body = std::str::from_utf8(body).unwrap();
    body.split("Subject: ").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap().to_owned()
}

fn flag(mailbox: &dyn Mailbox, uids: &[u32], mode: Mode, flags: Flags) {
    mailbox.store(&set(uids), &FlagChange::new(mode, flags)).unwrap();
}
