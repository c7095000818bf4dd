//! Sessions of those who read their mail, for `doveadm who` and `kick`. Where another process than the worker has them, it
//! keeps a connection to the worker's socket, on which the worker passes orders on.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use gate::orders;
use imap::live;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

/// The other process may take so long to answer.
const ANSWER: Duration = Duration::from_secs(20);
/// After which it looks for the worker again, which may have been started anew.
const AGAIN: Duration = Duration::from_secs(1);
/// Orders that wait at a time.
const WAITING: usize = 16;

type Order = (Vec<String>, oneshot::Sender<Result<Vec<String>, String>>);

/// Does what an order says with the sessions of this process.
///
/// # Errors
/// It is none that is known.
fn perform(words: &[String]) -> Result<Vec<String>, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["sessions", "list"] => Ok(live::list().into_iter().map(|listed| line(&listed)).collect()),
        ["sessions", "end", ref ids @ ..] => {
            let ended = ids.iter().filter(|id| id.parse().is_ok_and(live::end));
            Ok(ended.map(|id| (*id).to_owned()).collect())
        }
        _ => Err("there is no such order".to_owned()),
    }
}

fn line(listed: &live::Listed) -> String {
    let remote = listed.remote.map(|address| address.to_string()).unwrap_or_default();
    orders::line(&[
        listed.id.to_string(),
        listed.user.clone(),
        listed.service.clone(),
        listed.process.to_string(),
        remote,
    ])
}

/// Where the sessions are, as the worker sees it.
pub enum Sessions {
    /// In this process.
    Here,
    /// In one that has connected, or will.
    Elsewhere(Mutex<Option<mpsc::Sender<Order>>>),
}

impl Sessions {
    /// In another process, which is not there yet.
    pub fn elsewhere() -> Sessions {
        Sessions::Elsewhere(Mutex::default())
    }

    /// Has an order done where the sessions are.
    ///
    /// # Errors
    /// Why it was not.
    pub async fn perform(&self, words: Vec<String>) -> Result<Vec<String>, String> {
        let Sessions::Elsewhere(way) = self else { return perform(&words) };
        let gone = || "the process of the readers is gone".to_owned();
        // Where nobody reads mail there are no sessions to list or to end.
        let Some(way) = way.lock().map_err(|_| gone())?.clone() else { return Ok(Vec::new()) };
        let (answer, answered) = oneshot::channel();
        let asked = async {
            way.send((words, answer)).await.map_err(|_| gone())?;
            answered.await.map_err(|_| gone())?
        };
        tokio::time::timeout(ANSWER, asked).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    /// The process that has the sessions is there: passes orders on until it is gone.
    pub async fn attached(&self, mut stream: BufReader<UnixStream>) {
        let Sessions::Elsewhere(way) = self else { return };
        let (sender, mut waiting) = mpsc::channel::<Order>(WAITING);
        if let Ok(mut way) = way.lock() {
            *way = Some(sender);
        }
        let mut nothing = [0];
        loop {
            let order = tokio::select! {
                order = waiting.recv() => order,
                // It says nothing unless it is asked: this is its end.
                _ = stream.read(&mut nothing) => return,
            };
            // Another connection has taken this one's place.
            let Some((words, answer)) = order else { return };
            let said = tokio::time::timeout(ANSWER, pass_on(&mut stream, &words)).await;
            let Ok(Ok(reply)) = said else { return };
            // Whoever asked may have gone.
            let _ = answer.send(orders::heard(&reply));
        }
    }
}

/// Sends an order; the reply, which ends with an empty line.
async fn pass_on(stream: &mut BufReader<UnixStream>, words: &[String]) -> std::io::Result<String> {
    stream.write_all(format!("{}\n", orders::line(words)).as_bytes()).await?;
    let mut reply = String::new();
    loop {
        let start = reply.len();
        if stream.read_line(&mut reply).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if &reply[start..] == "\n" {
            reply.truncate(start);
            return Ok(reply);
        }
    }
}

/// The word by which a process says that it has the sessions.
pub const ATTACH: [&str; 2] = ["sessions", "attach"];

/// Takes orders about the sessions of this process from the worker, for ever.
pub async fn take_orders(socket: PathBuf) {
    loop {
        // Where the worker is away, it comes back.
        let _ = take_some(&socket).await;
        tokio::time::sleep(AGAIN).await;
    }
}

async fn take_some(socket: &std::path::Path) -> std::io::Result<()> {
    let mut stream = BufReader::new(UnixStream::connect(socket).await?);
    stream.write_all(format!("{}\n", orders::line(&ATTACH.map(str::to_owned))).as_bytes()).await?;
    let mut order = String::new();
    while stream.read_line(&mut order).await? > 0 {
        let words = orders::words(order.trim_end_matches('\n'));
        let done =
            words.map_or_else(|| Err("the order is not understood".to_owned()), |words| perform(&words));
        stream.write_all(format!("{}\n", orders::reply(&done)).as_bytes()).await?;
        order.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn orders_reach_the_process_that_has_the_sessions() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("gate");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let sessions = Arc::new(Sessions::elsewhere());
        let none = sessions.perform(vec!["sessions".into(), "list".into()]).await;
        assert_eq!(none, Ok(Vec::new()), "nobody reads mail yet");
        tokio::spawn(take_orders(socket));
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut first = String::new();
        stream.read_line(&mut first).await.unwrap();
        assert_eq!(orders::words(first.trim_end()).unwrap(), ATTACH);
        let worker = sessions.clone();
        tokio::spawn(async move { worker.attached(stream).await });
        let entry = live::Entry::new("sessions-test", "imap", None);
        let list = async || {
            let answer = loop {
                match sessions.perform(vec!["sessions".into(), "list".into()]).await {
                    Ok(answer) => break answer,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            answer.iter().filter_map(|line| orders::words(line)).find(|words| words[1] == "sessions-test")
        };
        let listed = loop {
            // Before the other process is attached there is nothing to list.
            match list().await {
                Some(listed) => break listed,
                None => tokio::task::yield_now().await,
            }
        };
        let end = vec!["sessions".to_owned(), "end".to_owned(), listed[0].clone()];
        assert_eq!(sessions.perform(end).await.unwrap(), [listed[0].clone()]);
        entry.ending().comes().await;
        drop(entry);
        assert!(list().await.is_none());
    }
}
