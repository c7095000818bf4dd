//! `saslauthd[:/socket]`: the daemon of Cyrus SASL. Four strings with their lengths go there, one comes back.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mail::Trouble;

use super::{Checked, Kind, Opening, PassDb, Password, Request, elsewhere};
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

/// For one step.
const PATIENCE: Duration = Duration::from_secs(15);

/// The daemon.
pub struct Saslauthd {
    /// Where it may listen; the first that is there is asked.
    sockets: Vec<PathBuf>,
    /// The realm of names without one.
    realm: String,
}

impl Saslauthd {
    /// The daemon that listens at one of these places.
    pub fn of(sockets: Vec<PathBuf>) -> Saslauthd {
        Saslauthd { sockets, realm: String::new() }
    }

    fn socket(&self) -> PathBuf {
        let there = self.sockets.iter().find(|socket| socket.exists());
        there.or(self.sockets.last()).cloned().unwrap_or_else(|| PathBuf::from(SOCKET))
    }
}

fn open(opening: &Opening<'_>) -> Result<Arc<dyn PassDb>, String> {
    opening.only(&["realm"])?;
    let socket = if opening.argument.is_empty() { PathBuf::from(SOCKET) } else { opening.path()? };
    Ok(Arc::new(Saslauthd { sockets: vec![socket], realm: opening.option("realm", "") }))
}

impl PassDb for Saslauthd {
    fn check<'a>(
        &'a self,
        request: &'a Request<'a>,
        password: &'a Password,
    ) -> Boxed<'a, Result<Checked, Trouble>> {
        // As the library does: what follows the last @ goes apart; the daemon may put it back (`saslauthd -r`).
        let (user, realm) = request.user.rsplit_once('@').unwrap_or((request.user, &self.realm));
        let fields = [user, password.text(), &request.facts.service, realm].map(str::to_owned);
        let socket = self.socket();
        Box::pin(elsewhere(move || {
            let answer = ask(&socket, &fields)
                .map_err(|error| Trouble::from_error(format!("saslauthd {}", socket.display()), error))?;
            Ok(if answer.starts_with(b"OK") { Checked::Right(Fields::default()) } else { Checked::Wrong })
        }))
    }
}

fn ask(socket: &Path, fields: &[String]) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut packet = Vec::new();
    for field in fields {
        let length = u16::try_from(field.len()).map_err(io::Error::other)?;
        packet.extend_from_slice(&length.to_be_bytes());
        packet.extend_from_slice(field.as_bytes());
    }
    stream.write_all(&packet)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Facts;
    use std::os::unix::net::UnixListener;

    #[tokio::test]
    async fn a_daemon_is_asked_and_a_dead_one_is_trouble() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("mux");
        let listener = UnixListener::bind(&socket).unwrap();
        let daemon = std::thread::spawn(move || {
            for answer in [&b"\x00\x02OK"[..], b"\x00\x08NO wrong", b"\x00\x09O"] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 19];
                stream.read_exact(&mut asked).unwrap();
                assert_eq!(&asked, b"\x00\x03joe\x00\x04word\x00\x04imap\x00\x00");
                stream.write_all(answer).unwrap();
            }
        });
        let database = Saslauthd::of(vec![folder.path().join("none"), socket]);
        let (facts, fields) = (Facts::of("imap"), Fields::default());
        let request = Request {
            user: "joe",
            original: "joe",
            login: None,
            facts: &facts,
            mechanism: "PLAIN",
            password: None,
            fields: &fields,
        };
        let password = Password::new("word").unwrap();
        assert_eq!(database.check(&request, &password).await.unwrap(), Checked::Right(Fields::default()));
        assert_eq!(database.check(&request, &password).await.unwrap(), Checked::Wrong);
        assert!(database.check(&request, &password).await.is_err(), "half an answer is none");
        daemon.join().unwrap();
        assert!(database.check(&request, &password).await.is_err());
    }
}
