//! pickup(8): mail from this machine's users, by the local socket or from the maildrop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use mail::{Address, Blame, Class, Client, Detail, Envelope, QueueId, Recipient, Refusal};
use nix::unistd::{Uid, User};
use queue::{Body, Stored, Submission, maildrop};
use route::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::bounce::post;
use crate::cleanup::{Skip, received};
use crate::house::{House, Setup};
use crate::login_senders::LoginSenders;
use crate::road::{Message, Orders, accept};

/// A submitter that falls silent for so long is left alone (as `ipc_timeout` would).
const SILENCE: Duration = Duration::from_secs(300);

/// The maildrop is looked at this often, as master.cf wakes pickup up.
const INTERVAL: Duration = Duration::from_secs(60);

/// Most bytes of one submission where `message_size_limit` sets no limit.
const SIZE_MAX: u64 = 1 << 30;

/// Room for the envelope, beside the content.
const ENVELOPE_MAX: u64 = 16 << 20;

/// Takes one submission by the user `uid` through the counter.
///
/// What is refused for its content goes back to its sender with a notice, as the user may long be gone; the error
/// tells of what has to wait, or is nobody's mail.
pub async fn take(
    house: &Arc<House>,
    setup: &Arc<Setup>,
    submission: Submission,
    uid: u32,
    arrival: Timestamp,
) -> Result<QueueId, Refusal> {
    let user = user(uid);
    let login = user.as_ref().map(|user| user.name.as_str());
    authorized(setup, uid, login).await?;
    let submission = fill(submission, user.as_ref(), uid)
        .map_err(|text| Refusal::never(54, Detail(1, 7), Blame::Policy, text))?;
    may_send_as(setup, uid, login, &submission.envelope.sender).await?;
    let Submission { mut envelope, content, .. } = submission;
    let id = house.queue.new_id(house.now());
    log::info!(
        target: "pickup",
        "{id}: uid={uid} from=<{}>",
        mail::logline::printable(envelope.sender.as_str())
    );
    // Whatever a submitter says of these, it was not a network client, and no filter was chosen for it.
    envelope.client = Client::default();
    envelope.content_filter = setup.pickup.content_filter.clone();
    envelope.origin = "pickup".to_owned();
    let date = mail::date::rfc5322(house.now(), &setup.zone);
    let prepend = received::local(&setup.myhostname, &setup.mail_name, Some(uid), &id, &date);
    let returned = returned(setup, &id, &envelope, &content, arrival);
    let message = Message {
        id,
        envelope,
        orders: Orders::default(),
        origin: "local".to_owned(),
        skip: setup.pickup.skip,
        arrival,
        stranger: None,
        prepend,
        size_hint: content.len() as u64,
    };
    match accept(house, setup, message, std::iter::once(Ok(content))).await {
        Ok(queued) => Ok(queued.id().clone()),
        // Without recipients it is no mail yet.
        Err(refusal) if refusal.class() == Class::Never && refusal.detail != Detail(1, 0) => {
            post::refused(house, returned, &refusal).await
        }
        Err(refusal) => Err(refusal),
    }
}

/// The message as it goes back when it is refused.
fn returned(setup: &Setup, id: &QueueId, envelope: &Envelope, content: &Bytes, arrival: Timestamp) -> Stored {
    let mut envelope = envelope.clone();
    if envelope.recipients.is_empty() {
        envelope.recipients.push(Recipient::new("unknown"));
    }
    for recipient in &mut envelope.recipients {
        recipient.address = setup.router.rewrite(Context::Local, &recipient.address);
        let address = &recipient.address;
        recipient.orcpt.get_or_insert_with(|| format!("rfc822;{}", address.external()));
    }
    envelope.sender = setup.router.rewrite(Context::Local, &envelope.sender);
    Stored::fresh(id.clone(), envelope, Body::from(content.clone()), arrival)
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
    /// `local_login_sender_maps`.
    pub senders: LoginSenders,
}

/// A user of this machine.
fn user(uid: u32) -> Option<User> {
    User::from_uid(Uid::from_raw(uid)).ok().flatten()
}

/// The login name of a user of this machine.
pub(crate) fn login(uid: u32) -> Option<String> {
    user(uid).map(|user| user.name)
}

/// The sender of who names none: his login name.
///
/// # Errors
/// He has none.
pub fn login_sender(user: Option<&User>, uid: u32) -> Result<Address, String> {
    let user = user.ok_or_else(|| format!("no login name found for user ID {uid}"))?;
    Ok(Address::from(user.name.as_str()))
}

/// Fills in what a submission leaves open about the user who submits.
///
/// # Errors
/// There is no such user, and he named no sender.
pub fn fill(mut submission: Submission, user: Option<&User>, uid: u32) -> Result<Submission, String> {
    let open = std::mem::take(&mut submission.open);
    if open.sender {
        submission.envelope.sender = login_sender(user, uid)?;
    }
    if open.full_name {
        submission.envelope.full_name = user.and_then(full_name);
    }
    Ok(submission)
}

/// The first field of a user's GECOS entry.
fn full_name(user: &User) -> Option<String> {
    let gecos = user.gecos.to_string_lossy();
    let name = gecos.split([',', ';', '%']).next().unwrap_or_default();
    // A `&` stands for the login name with a capital.
    let mut login = user.name.chars();
    let capital: String = login.next().map(|c| c.to_uppercase().chain(login).collect()).unwrap_or_default();
    let name = name.replace('&', &capital);
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// `local_login_sender_maps`: may this user send as that?
async fn may_send_as(setup: &Setup, uid: u32, login: Option<&str>, sender: &Address) -> Result<(), Refusal> {
    let login = login.map_or_else(|| format!("uid:{uid}"), str::to_owned);
    if setup.pickup.senders.allow(&login, sender).await? {
        return Ok(());
    }
    let text = format!("not authorized to use sender='{}'", sender.external());
    Err(Refusal::never(54, Detail(7, 1), Blame::Policy, text))
}

/// `authorized_submit_users`: may this user submit mail?
pub(crate) async fn authorized(setup: &Setup, uid: u32, login: Option<&str>) -> Result<(), Refusal> {
    let name = login.unwrap_or("unknown");
    if setup.pickup.users.matches(name).await? {
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
            Ok(id) => format!("+{id}\n"),
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
            Err(refusal) if refusal.class() == Class::Later => {
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
