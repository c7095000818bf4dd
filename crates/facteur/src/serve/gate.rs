//! What is remembered of strangers, in the running program: opened at start, and asked by the administrator's commands.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use conf::View;
use gate::bans::{Memory, Watch};
use gate::{Gate, orders};
use jiff::tz::TimeZone;
use mta::house::House;
use queue::control::{Policy, Right};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::rights::Rights;
use super::sessions::{ATTACH, Sessions};

/// How long a command may take to say what it wants, and to hear the answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The clock that memories go by.
pub fn clock() -> gate::Clock {
    Arc::new(|| super::now().as_second())
}

/// Opens the memories in `data_directory`. Mail goes on without their files.
pub fn open(view: &View) -> Gate {
    let directory = view.get("data_directory");
    Gate::open(Path::new(&directory), &clock(), &TimeZone::system()).unwrap_or_else(|what| {
        log::error!(target: "master", "{what}; what is remembered of clients is lost when the program ends");
        Gate::forgetful(&clock())
    })
}

/// One command: its order, and what comes of it.
///
/// `keeper` is the user of the keeper of mailboxes, who reports logins and may do nothing else.
pub async fn session(
    (house, gate): (Arc<House>, Gate),
    sessions: Arc<Sessions>,
    rights: Arc<Rights>,
    keeper: Option<u32>,
    stream: UnixStream,
) {
    let uid = stream.peer_cred().map(|peer| peer.uid()).ok();
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let limit = u64::try_from(orders::LONGEST).unwrap_or(u64::MAX);
    let read = tokio::time::timeout(PATIENCE, (&mut stream).take(limit).read_line(&mut line)).await;
    if !matches!(read, Ok(Ok(count)) if count > 0) {
        return;
    }
    let words = orders::words(line.trim_end_matches('\n'));
    let answer = match (uid, words) {
        (Some(uid), Some(words)) if words.first().is_some_and(|word| word == "login") => {
            if may_report(&rights, keeper, uid) {
                if words[1..] == ["watch"] {
                    return tell_of_bans(&gate.bans, stream.into_inner()).await;
                }
                report(&gate.bans, &words).await
            } else {
                Err("only the keeper of the mailboxes may report logins".to_owned())
            }
        }
        (Some(uid), Some(words)) if words == ATTACH && may_report(&rights, keeper, uid) => {
            return sessions.attached(stream).await;
        }
        (Some(uid), Some(words)) if words.first().is_some_and(|word| word == "sessions") => {
            if rights.may(uid, Right::Administer) {
                sessions.perform(words).await
            } else {
                Err("only root and mail_owner may do this".to_owned())
            }
        }
        (Some(uid), Some(words)) => {
            let done = tokio::task::spawn_blocking(move || {
                if !rights.may(uid, Right::Administer) {
                    return Err("only root and mail_owner may do this".to_owned());
                }
                mail_of(&house, &gate, &words).unwrap_or_else(|| gate.perform(&words))
            });
            done.await.unwrap_or_else(|died| Err(died.to_string()))
        }
        _ => Err("the order is not understood".to_owned()),
    };
    // Whoever went away does not want to know.
    let _ = tokio::time::timeout(PATIENCE, stream.write_all(orders::reply(&answer).as_bytes())).await;
}

/// Orders about an account's mail, which is in the queue.
fn mail_of(house: &House, gate: &Gate, words: &[String]) -> Option<Result<Vec<String>, String>> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let said = match words[..] {
        ["outbound", "release", account] => {
            let held = gate.outbound.release(account);
            let count = mta::outbound::release(house, account);
            let account = if held { "it may send again" } else { "it was not held" };
            format!("{count} messages released; {account}")
        }
        ["outbound", "drop", account] => {
            format!("{} messages deleted", mta::outbound::delete(house, account))
        }
        _ => return None,
    };
    Some(Ok(vec![said]))
}

/// `login watch`: `ok`, then a line whenever somebody was banned, as long as whoever asks is there.
async fn tell_of_bans(bans: &Memory, mut stream: UnixStream) {
    let mut news = bans.news();
    let mut said = stream.write_all(b"ok\n").await;
    while said.is_ok() {
        said = tokio::select! {
            changed = news.changed() => match changed {
                Ok(()) => stream.write_all(b"banned\n").await,
                Err(_) => return,
            },
            // It says nothing more: this is its end.
            _ = stream.read_u8() => return,
        };
    }
}

fn may_report(rights: &Rights, keeper: Option<u32>, uid: u32) -> bool {
    keeper == Some(uid) || rights.may(uid, Right::Administer)
}

/// `login welcome ADDRESS`, `login right ADDRESS ACCOUNT`, `login wrong ADDRESS ACCOUNT`: `yes` or `no`.
async fn report(bans: &Memory, words: &[String]) -> Result<Vec<String>, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let address = |text: &str| text.parse::<IpAddr>().map_err(|_| format!("{text}: no address"));
    let good = match words[..] {
        ["login", "welcome", client] => bans.welcomes(address(client)?).await,
        ["login", "right", client, account] => bans.tried(address(client)?, account, true).await,
        ["login", "wrong", client, account] => bans.tried(address(client)?, account, false).await,
        _ => return Err("the report is not understood".to_owned()),
    };
    Ok(vec![if good { "yes" } else { "no" }.to_owned()])
}
