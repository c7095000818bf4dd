//! Reports logins from the process that readers come to, to the one that remembers strangers.
//!
//! Nearly everybody is welcome, nearly always: who was found to be stays so without asking until somebody is banned, which
//! the other process tells at once over a connection that is kept for it. While that is away, each is asked about.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use conf::View;
use gate::bans::{Boxed, Watch};
use gate::orders;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// The other process may take so long.
const ANSWER: Duration = Duration::from_secs(5);
/// Before the connection for news is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// Most pairs of address and account that are known to be welcome.
const MOST: usize = 10_000;

/// Reports logins. While the other process is away nobody is turned away.
pub struct Reporter {
    socket: PathBuf,
    known: Arc<Mutex<Known>>,
}

/// Who is welcome.
#[derive(Default)]
struct Known {
    /// It would be heard if somebody were banned.
    hears: bool,
    /// Changes when something is forgotten.
    round: u64,
    /// Addresses, and addresses with the accounts they may log in to.
    welcome: HashSet<(IpAddr, Option<String>)>,
}

impl Known {
    fn forget(&mut self, forgotten: impl Fn(&(IpAddr, Option<String>)) -> bool) {
        self.round += 1;
        self.welcome.retain(|pair| !forgotten(pair));
    }
}

impl Reporter {
    /// To the worker of this configuration.
    pub fn new(view: &View) -> Reporter {
        let socket = Path::new(&view.get("queue_directory")).join(orders::SOCKET);
        let known = Arc::default();
        tokio::spawn(listen(socket.clone(), Arc::clone(&known)));
        Reporter { socket, known }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }

    /// Asks, unless the answer is known to be yes.
    async fn is_welcome(&self, address: IpAddr, account: Option<&str>) -> bool {
        let pair = (address, account.map(str::to_owned));
        let round = {
            let known = self.known();
            if known.hears && known.welcome.contains(&pair) {
                return true;
            }
            known.round
        };
        let client = address.to_string();
        let answer = match account {
            None => self.ask(&["login", "welcome", &client]).await,
            Some(account) => self.ask(&["login", "right", &client, account]).await,
        };
        let mut known = self.known();
        // What was said before somebody was banned may be wrong by now.
        if answer == Some(true) && known.hears && known.round == round {
            if known.welcome.len() >= MOST {
                known.welcome.clear();
            }
            known.welcome.insert(pair);
        }
        answer.unwrap_or(true)
    }

    /// Yes, no, or no answer.
    async fn ask(&self, words: &[&str]) -> Option<bool> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let asked = tokio::time::timeout(ANSWER, async {
            let mut stream = UnixStream::connect(&self.socket).await?;
            stream.write_all(format!("{}\n", orders::line(&words)).as_bytes()).await?;
            let mut reply = String::new();
            stream.read_to_string(&mut reply).await?;
            io::Result::Ok(reply)
        });
        let heard = match asked.await {
            Ok(Ok(reply)) => orders::heard(&reply),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer".to_owned()),
        };
        match heard.as_deref() {
            Ok([word]) => Some(word == "yes"),
            Ok(_) => None,
            Err(what) => {
                log::warn!(target: "master", "logins cannot be reported: {}: {what}", self.socket.display());
                None
            }
        }
    }
}

impl Watch for Reporter {
    fn welcomes(&self, address: IpAddr) -> Boxed<'_, bool> {
        Box::pin(self.is_welcome(address, None))
    }

    fn tried<'a>(&'a self, address: IpAddr, account: &'a str, right: bool) -> Boxed<'a, bool> {
        Box::pin(async move {
            if right {
                return self.is_welcome(address, Some(account)).await;
            }
            self.ask(&["login", "wrong", &address.to_string(), account]).await;
            // It may be banned for this; the news of that need not be here before its next connection.
            self.known().forget(|pair| pair.0 == address);
            false
        })
    }
}

/// Hears of bans, for ever.
async fn listen(socket: PathBuf, known: Arc<Mutex<Known>>) {
    loop {
        // What goes wrong shows where somebody is asked about.
        let _ = hear(&socket, &known).await;
        {
            let mut known = lock(&known);
            known.hears = false;
            known.forget(|_| true);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn hear(socket: &Path, known: &Mutex<Known>) -> io::Result<()> {
    let mut stream = BufReader::new(UnixStream::connect(socket).await?);
    stream
        .write_all(format!("{}\n", orders::line(&["login".to_owned(), "watch".to_owned()])).as_bytes())
        .await?;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let mut known = lock(known);
        match line.as_str() {
            "ok\n" => known.hears = true,
            "banned\n" => known.forget(|_| true),
            _ => return Ok(()),
        }
        line.clear();
    }
    Ok(())
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
