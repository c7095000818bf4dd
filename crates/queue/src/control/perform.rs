//! Does what a request asks.

use std::io;

use super::{Alteration, Answer, Reason, Request, Shown};
use crate::{Fate, Flush, Kind, Queue, maildrop};

/// What a user may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// List the queue (`authorized_mailq_users`).
    List,
    /// Ask for deliveries (`authorized_flush_users`).
    Flush,
    /// Look into messages, and change or delete them: for root and the owner of the queue.
    Administer,
}

/// The rules of the site.
pub trait Policy {
    /// May this user do that?
    fn may(&self, uid: u32, right: Right) -> bool;
    /// Has the site a part in the fast flush service (`fast_flush_domains`)?
    fn is_flushed(&self, site: &str) -> bool;
}

/// The rules for a tool that has opened the queue itself: whoever can do that may do all.
#[derive(Clone, Copy, Debug)]
pub struct AsRoot;

impl Policy for AsRoot {
    fn may(&self, _uid: u32, _right: Right) -> bool {
        true
    }

    fn is_flushed(&self, _site: &str) -> bool {
        true
    }
}

/// How many messages are listed at a time: the queue is not locked meanwhile.
const PAGE: usize = 500;

/// Does what a request of user `uid` asks, answer by answer. Blocks.
///
/// # Errors
/// What `tell` says.
pub fn perform(
    queue: &Queue,
    policy: &dyn Policy,
    uid: u32,
    request: Request,
    tell: &mut dyn FnMut(Answer) -> io::Result<()>,
) -> io::Result<()> {
    let right = match &request {
        Request::List => Right::List,
        Request::Flush(_) => Right::Flush,
        Request::Show(_) | Request::Alter(..) => Right::Administer,
    };
    if !policy.may(uid, right) {
        return tell(Answer::Refused(Reason::Denied, "permission denied".to_owned()));
    }
    match request {
        Request::List => list(queue, tell)?,
        Request::Flush(Flush::Site(site)) if !policy.is_flushed(&site) => {
            return tell(Answer::Refused(Reason::NotFlushed, site));
        }
        Request::Flush(what) => queue.flush(what),
        Request::Alter(alteration, selection) => {
            let commit = match alteration {
                Alteration::Delete => queue.delete(&selection),
                Alteration::Hold => queue.hold(&selection),
                Alteration::Release => queue.release(&selection),
                Alteration::Requeue => queue.requeue(&selection),
                Alteration::Expire => queue.expire(&selection),
            };
            match commit.wait() {
                Ok(ids) => tell(Answer::Altered(ids))?,
                Err(failure) => return tell(Answer::Refused(Reason::Failed, failure.to_string())),
            }
        }
        Request::Show(id) => {
            let stored = match queue.load(&id) {
                Ok(stored) => stored,
                Err(failure) => {
                    let not_found = failure.kind == Kind::NotFound;
                    let reason = if not_found { Reason::NotFound } else { Reason::Failed };
                    return tell(Answer::Refused(reason, failure.to_string()));
                }
            };
            let shown = Shown {
                id,
                state: stored.state,
                arrival: stored.arrival,
                size: stored.body.len(),
                envelope: (*stored.envelope).clone(),
                done: stored.fates.iter().map(|fate| *fate == Fate::Done).collect(),
            };
            tell(Answer::Message(Box::new(shown)))?;
            for chunk in stored.body.chunks() {
                match chunk {
                    Ok(chunk) => tell(Answer::Content(chunk))?,
                    Err(failure) => return tell(Answer::Refused(Reason::Failed, failure.to_string())),
                }
            }
        }
    }
    tell(Answer::Done)
}

fn list(queue: &Queue, tell: &mut dyn FnMut(Answer) -> io::Result<()>) -> io::Result<()> {
    for dropped in maildrop::list(&queue.shared().layout.maildrop()) {
        tell(Answer::Dropped(dropped))?;
    }
    let mut after = None;
    loop {
        let page = queue.list(after.as_ref(), PAGE);
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.brief.id.clone());
        for summary in page {
            tell(Answer::Summary(summary))?;
        }
    }
}
