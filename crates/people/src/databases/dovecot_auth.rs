//! `dovecot-auth:/socket`: a Dovecot that goes on checking passwords, by its authentication protocol.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mail::Trouble;
use proto::dovecot::{Event, Machine, Request as Login};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Checked, Kind, Opening, PassDb, Password, Request};
use crate::{Boxed, Fields};

/// The kind.
pub const KIND: Kind = Kind {
    name: "dovecot-auth",
    doc: "A running Dovecot, by the socket of its authentication protocol.",
    passdb: Some(open),
    userdb: None,
};

/// For a whole login: a failed one waits there, too.
const PATIENCE: Duration = Duration::from_secs(30);

struct DovecotAuth {
    socket: PathBuf,
    patience: Duration,
}

fn open(opening: &Opening<'_>) -> Result<Arc<dyn PassDb>, String> {
    opening.only(&[])?;
    Ok(Arc::new(DovecotAuth { socket: opening.path()?, patience: PATIENCE }))
}

impl PassDb for DovecotAuth {
    fn check<'a>(
        &'a self,
        request: &'a Request<'a>,
        password: &'a Password,
    ) -> Boxed<'a, Result<Checked, Trouble>> {
        Box::pin(async move {
            let trouble =
                |what: String| Trouble::new(format!("dovecot-auth:{}: {what}", self.socket.display()));
            match timeout(self.patience, self.ask(request, password)).await {
                Ok(answer) => answer.map_err(trouble),
                Err(_) => Err(trouble("no answer in time".to_owned())),
            }
        })
    }
}

impl DovecotAuth {
    async fn ask(&self, request: &Request<'_>, password: &Password) -> Result<Checked, String> {
        let text = |error: std::io::Error| error.to_string();
        let mut stream = UnixStream::connect(&self.socket).await.map_err(text)?;
        let mut machine = Machine::new();
        stream.write_all(&machine.hello(std::process::id())).await.map_err(text)?;
        let mut buffer = [0; 4096];
        loop {
            let Some(event) = machine.advance().map_err(|broken| broken.to_string())? else {
                let length = stream.read(&mut buffer).await.map_err(text)?;
                if length == 0 {
                    return Err("connection closed".to_owned());
                }
                machine.feed(&buffer[..length]);
                continue;
            };
            match event {
                Event::Ready => {
                    let address =
                        |ip: Option<std::net::IpAddr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
                    let message = format!("\0{}\0{}", request.user, password.text());
                    let login = Login {
                        mechanism: "PLAIN",
                        service: &request.facts.service,
                        local: &address(request.facts.local),
                        remote: &address(request.facts.remote),
                        secured: request.facts.is_secured(),
                        initial: Some(&BASE64_STANDARD.encode(message)),
                    };
                    stream.write_all(&machine.begin(&login)).await.map_err(text)?;
                }
                Event::Accepted { user } => {
                    let fields: Fields = user.map(|user| ("user", user)).into_iter().collect();
                    return Ok(Checked::Right(fields));
                }
                Event::Refused { temporary: true, .. } => return Err("temporary failure there".to_owned()),
                Event::Refused { .. } => return Ok(Checked::Wrong),
                Event::Ask(_) => return Err("it asks further in PLAIN".to_owned()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::Facts;

    /// What a server says over and over, or once where that is all.
    const SAID: &[(&[u8], bool)] = &[
        (b"", false),
        (b"x", true),
        (b"\0\xff\n", true),
        (b"VERSION\t1\t1\n", true),
        (b"VERSION\t9\t9\nDONE\n", false),
        (b"VERSION\t1\t1\nMECH\tPLAIN\nSPID\t1\nCUID\t1\nDONE\n", false),
        (b"VERSION\t1\t1\nMECH\tPLAIN\nSPID\t1\nCUID\t1\nDONE\nOK\t99\tuser=root\n", false),
        (b"VERSION\t1\t1\nMECH\tPLAIN\nSPID\t1\nCUID\t1\nDONE\nOK\n", false),
        (b"OK\t1\tuser=root\n", true),
    ];

    #[tokio::test]
    async fn what_is_no_dovecot_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("auth");
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || {
            for (mut stream, (said, again)) in listener.incoming().flatten().zip(SAID) {
                std::thread::spawn(move || {
                    let _ = stream.write_all(said);
                    while *again && stream.write_all(said).is_ok() {}
                    let _ = stream.read_to_end(&mut Vec::new());
                });
            }
        });
        let database = DovecotAuth { socket, patience: Duration::from_millis(300) };
        let (facts, fields) = (Facts::of("imap"), Fields::default());
        let request = Request::plain("joe", &facts, &fields);
        let password = Password::new("hush").unwrap();
        for (said, _) in SAID {
            let said = String::from_utf8_lossy(said);
            let trouble = database.check(&request, &password).await.expect_err(&said).to_string();
            assert!(!trouble.contains("hush"), "{trouble}");
        }
    }
}
