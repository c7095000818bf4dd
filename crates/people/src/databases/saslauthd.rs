//! `saslauthd[:/socket]`: the daemon of Cyrus SASL. Four strings with their lengths go there, one comes back.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mail::Trouble;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Checked, Kind, Opening, PassDb, Password, Request};
use crate::{Boxed, Fields};

/// The kind.
pub const KIND: Kind = Kind {
    name: "saslauthd",
    doc: "Cyrus SASL's saslauthd, by its socket.",
    passdb: Some(open),
    userdb: None,
};

/// Where the daemon listens.
pub const SOCKET: &str = "/var/run/saslauthd/mux";

/// For the whole of a question: what stands behind the daemon may be slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// The daemon.
pub struct Saslauthd {
    /// Where it may listen; the first that is there is asked.
    sockets: Vec<PathBuf>,
    /// The realm of names without one.
    realm: String,
    patience: Duration,
}

impl Saslauthd {
    /// The daemon that listens at one of these places.
    pub fn of(sockets: Vec<PathBuf>) -> Saslauthd {
        Saslauthd { sockets, realm: String::new(), patience: PATIENCE }
    }

    fn socket(&self) -> PathBuf {
        let there = self.sockets.iter().find(|socket| socket.exists());
        there.or(self.sockets.last()).cloned().unwrap_or_else(|| PathBuf::from(SOCKET))
    }
}

fn open(opening: &Opening<'_>) -> Result<Arc<dyn PassDb>, String> {
    opening.only(&["realm"])?;
    let socket = if opening.argument.is_empty() { PathBuf::from(SOCKET) } else { opening.path()? };
    let realm = opening.option("realm", "");
    Ok(Arc::new(Saslauthd { sockets: vec![socket], realm, patience: PATIENCE }))
}

impl PassDb for Saslauthd {
    fn check<'a>(
        &'a self,
        request: &'a Request<'a>,
        password: &'a Password,
    ) -> Boxed<'a, Result<Checked, Trouble>> {
        Box::pin(async move {
            // As the library does: what follows the last @ goes apart; the daemon may put it back (`saslauthd -r`).
            let (user, realm) = request.user.rsplit_once('@').unwrap_or((request.user, &self.realm));
            let fields = [user, password.text(), &request.facts.service, realm];
            let socket = self.socket();
            let asked = timeout(self.patience, ask(&socket, fields)).await;
            let answer = asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            let answer = answer
                .map_err(|error| Trouble::from_error(format!("saslauthd {}", socket.display()), error))?;
            // Whoever says neither has said nothing.
            match answer.get(..2) {
                Some(b"OK") => Ok(Checked::Right(Fields::default())),
                Some(b"NO") => Ok(Checked::Wrong),
                _ => Err(Trouble::new(format!("saslauthd {}: malformed answer", socket.display()))),
            }
        })
    }
}

async fn ask(socket: &Path, fields: [&str; 4]) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket).await?;
    let mut packet = Vec::new();
    for field in fields {
        let length = u16::try_from(field.len()).map_err(io::Error::other)?;
        packet.extend_from_slice(&length.to_be_bytes());
        packet.extend_from_slice(field.as_bytes());
    }
    stream.write_all(&packet).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::Facts;

    #[tokio::test]
    async fn a_daemon_is_asked_and_a_dead_one_is_trouble() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("mux");
        let listener = UnixListener::bind(&socket).unwrap();
        let daemon = std::thread::spawn(move || {
            for answer in [
                &b"\x00\x02OK"[..],
                b"\x00\x08NO wrong",
                b"\x00\x09O",
                b"\0\0",
                b"\xff\xff",
                b"\x00\x01O",
                b"",
            ] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 19];
                stream.read_exact(&mut asked).unwrap();
                assert_eq!(&asked, b"\x00\x03joe\x00\x04word\x00\x04imap\x00\x00");
                stream.write_all(answer).unwrap();
            }
        });
        let database = Saslauthd::of(vec![folder.path().join("none"), socket]);
        let (facts, fields) = (Facts::of("imap"), Fields::default());
        let request = Request::plain("joe", &facts, &fields);
        let password = Password::new("word").unwrap();
        assert_eq!(database.check(&request, &password).await.unwrap(), Checked::Right(Fields::default()));
        assert_eq!(database.check(&request, &password).await.unwrap(), Checked::Wrong);
        for _ in 0..5 {
            assert!(database.check(&request, &password).await.is_err(), "half an answer is none");
        }
        daemon.join().unwrap();
        assert!(database.check(&request, &password).await.is_err());
    }

    #[tokio::test]
    async fn a_daemon_that_never_comes_to_an_end_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("mux");
        let listener = UnixListener::bind(&socket).unwrap();
        // Silent, and then a byte now and then of a long answer.
        std::thread::spawn(move || {
            for (mut stream, drips) in listener.incoming().flatten().zip([false, true]) {
                std::thread::spawn(move || {
                    let _ = stream.read(&mut [0; 99]);
                    while drips && stream.write_all(b"\xff").is_ok() {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    let _ = stream.read(&mut [0; 99]);
                });
            }
        });
        let patience = Duration::from_millis(300);
        let database = Saslauthd { sockets: vec![socket], realm: String::new(), patience };
        let (facts, fields) = (Facts::of("imap"), Fields::default());
        let request = Request::plain("joe", &facts, &fields);
        let password = Password::new("hush").unwrap();
        for _ in 0..2 {
            let trouble = database.check(&request, &password).await.unwrap_err().to_string();
            assert!(trouble.contains("timed out") && !trouble.contains("hush"), "{trouble}");
        }
    }
}
