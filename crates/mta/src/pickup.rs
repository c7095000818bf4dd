//! pickup(8): mail from this machine's users, by the local socket or from the maildrop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use jiff::Timestamp;
use mail::{Blame, Client, Detail, Refusal};
use queue::{Submission, maildrop};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::cleanup::{Extract, Skip, received};
use crate::house::{House, Setup};
use crate::road::{Message, Orders, Queued, accept};

/// A submitter that falls silent for so long is left alone (as `ipc_timeout` would).
const SILENCE: Duration = Duration::from_secs(300);

/// The maildrop is looked at this often, as master.cf wakes pickup up.
const INTERVAL: Duration = Duration::from_secs(60);

/// Most bytes of one submission where `message_size_limit` sets no limit.
const SIZE_MAX: u64 = 1 << 30;

/// Room for the envelope, beside the content.
const ENVELOPE_MAX: u64 = 16 << 20;

/// Takes one submission by the user `uid` through the counter.
pub async fn take(
    house: &Arc<House>,
    setup: &Setup,
    submission: Submission,
    uid: u32,
    arrival: Timestamp,
) -> Result<Queued, Refusal> {
    authorized(setup, uid).await?;
    let Submission { mut envelope, extract_recipients, content } = submission;
    let id = house.queue.new_id(house.now());
    log::info!(
        target: "pickup",
        "{id}: uid={uid} from=<{}>",
        mail::logline::printable(envelope.sender.as_str())
    );
    // Whatever a submitter says of these, it was not a network client, and no filter was chosen for it.
    envelope.client = Client::default();
    envelope.content_filter = setup.pickup.content_filter.clone();
    envelope.rewrite_local = true;
    envelope.origin = "pickup".to_owned();
    let date = mail::date::rfc5322(house.now(), &setup.zone);
    let prepend = received::local(&setup.myhostname, &setup.mail_name, Some(uid), &id, &date);
    let message = Message {
        id,
        envelope,
        orders: Orders::default(),
        origin: "local".to_owned(),
        skip: setup.pickup.skip,
        extract: if extract_recipients { Extract::FromHeaders } else { Extract::No },
        arrival,
        prepend,
        size_hint: content.len() as u64,
    };
    accept(house, setup, message, std::iter::once(Ok(content))).await
}

/// pickup's part of a configuration.
#[derive(Clone)]
pub struct Settings {
    /// `content_filter` of the pickup service.
    pub content_filter: Option<String>,
    /// `receive_override_options` of the pickup service.
    pub skip: Skip,
    /// `authorized_submit_users`.
    pub users: tables::List,
}

/// `authorized_submit_users`: may this user submit mail?
pub(crate) async fn authorized(setup: &Setup, uid: u32) -> Result<(), Refusal> {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
    let name = user.map_or_else(|| "unknown".to_owned(), |user| user.name);
    if setup.pickup.users.matches(&name).await? {
        return Ok(());
    }
    let text = format!("User {name}({uid}) is not allowed to submit mail");
    Err(Refusal::never(54, Detail(7, 1), Blame::Policy, text))
}

/// One submission over the local socket: the bytes of a [`Submission`], then the end; the answer is one line,
/// `+` and the queue id, or `-` and a sentence.
pub async fn session(house: Arc<House>, mut stream: UnixStream) {
    let setup = house.setup();
    let uid = match stream.peer_cred() {
        Ok(peer) => peer.uid(),
        Err(error) => {
            log::warn!(target: "pickup", "cannot tell who submits: {error}");
            return;
        }
    };
    let answer = match receive(&mut stream, limit(&setup)).await {
        Ok(submission) => match take(&house, &setup, submission, uid, house.now()).await {
            Ok(queued) => format!("+{}\n", queued.id()),
            Err(refusal) => {
                log::warn!(target: "pickup", "uid={uid}: {} {}", refusal.status(), refusal.log_text());
                format!("-{} {}\n", refusal.status(), mail::logline::printable(&refusal.say))
            }
        },
        Err(what) => {
            log::warn!(target: "pickup", "uid={uid}: {what}");
            format!("-4.3.0 {what}\n")
        }
    };
    // A submitter that went away does not hear the answer; the message is safe or refused all the same.
    let _ = stream.write_all(answer.as_bytes()).await;
}

/// Most bytes of a submission.
fn limit(setup: &Setup) -> u64 {
    let content = if setup.message_size_limit > 0 { setup.message_size_limit } else { SIZE_MAX };
    content.saturating_add(ENVELOPE_MAX)
}

async fn receive(stream: &mut UnixStream, limit: u64) -> Result<Submission, &'static str> {
    let mut bytes = BytesMut::with_capacity(16 << 10);
    let mut rest = stream.take(limit.saturating_add(1));
    loop {
        match tokio::time::timeout(SILENCE, rest.read_buf(&mut bytes)).await {
            Err(_) => return Err("the submission did not end in time"),
            Ok(Err(_)) => return Err("the submission broke off"),
            Ok(Ok(0)) => break,
            Ok(Ok(_)) if bytes.len() as u64 > limit => return Err("message file too big"),
            Ok(Ok(_)) => {}
        }
    }
    Submission::decode(&bytes.freeze()).ok_or("that is no submission")
}

/// Takes what was left in the maildrop, now and every minute.
pub async fn sweep(house: Arc<House>, directory: PathBuf) {
    loop {
        sweep_once(&house, &directory).await;
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn sweep_once(house: &Arc<House>, directory: &Path) {
    let files = match maildrop::scan(directory) {
        Ok(files) => files,
        Err(failure) => return log::warn!(target: "pickup", "{failure}"),
    };
    for path in files {
        let setup = house.setup();
        let dropped = match maildrop::read(&path, limit(&setup)) {
            Ok(dropped) => dropped,
            Err(failure) => {
                log::warn!(target: "pickup", "{failure}; it stays where it is");
                continue;
            }
        };
        match take(house, &setup, dropped.submission, dropped.uid, dropped.arrival).await {
            Ok(_) => {
                if let Err(error) = std::fs::remove_file(&path) {
                    log::error!(target: "pickup", "cannot remove {}: {error}; it would be taken again", path.display());
                }
            }
            Err(refusal) if refusal.class() == mail::Class::Later => {
                log::warn!(target: "pickup", "{}: {}; it stays there", path.display(), refusal.log_text());
            }
            Err(refusal) => {
                let aside = path.with_file_name(format!("new.refused.{}", file_name(&path)));
                log::warn!(target: "pickup", "{}: {}; kept as {}", path.display(), refusal.log_text(), aside.display());
                let _ = std::fs::rename(&path, aside);
            }
        }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
