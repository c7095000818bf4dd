//! A message shown to an ICAP server (RFC 3507): RESPMOD, as if the message were a file that somebody fetches.
//!
//! 204 means that nothing was found. Whatever else a server makes of a message is no reason to let it pass.

use std::time::Duration;

use mail::Trouble;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::answer::Head;
use crate::clamd::Found;

/// Most bytes of one chunk.
const CHUNK: usize = 64 << 10;

/// Bytes of an answer's body that are looked at: the head of the page that the server shows instead.
const PAGE: usize = 16 << 10;

/// Fields in which servers name what they found.
const NAMES: [&str; 3] = ["x-infection-found", "x-virus-id", "x-virus-name"];

/// One message under way.
#[derive(Debug)]
pub(crate) struct Conversation<S> {
    stream: S,
    limit: Duration,
    /// What the server has said before it was shown everything. It has seen enough then.
    said: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    /// Says what comes; `at` is `host:port`, `path` the service there. `limit` is for each piece, and for the answer.
    pub(crate) async fn begin(
        stream: S,
        at: &str,
        path: &str,
        limit: Duration,
    ) -> Result<Conversation<S>, Trouble> {
        let mut conversation = Conversation { stream, limit, said: Vec::new() };
        let request = format!("GET /message.eml HTTP/1.1\r\nHost: {at}\r\n\r\n");
        let response = "HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\n\r\n";
        let head = format!(
            "RESPMOD icap://{at}/{path} ICAP/1.0\r\nHost: {at}\r\nUser-Agent: Facteur\r\nAllow: 204\r\n\
             Connection: close\r\nEncapsulated: req-hdr=0, res-hdr={}, res-body={}\r\n\r\n{request}{response}",
            request.len(),
            request.len() + response.len()
        );
        conversation.write(head.as_bytes()).await?;
        Ok(conversation)
    }

    /// Shows a piece.
    pub async fn feed(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        for piece in bytes.chunks(CHUNK) {
            let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
            self.write(&chunk).await?;
        }
        Ok(())
    }

    /// There is no more: what is it?
    pub async fn finish(mut self) -> Result<Found, Trouble> {
        self.write(b"0\r\n\r\n").await?;
        let mut rest = self.said.as_slice().chain(&mut self.stream);
        let head = Head::read(&mut rest, "the ICAP server", self.limit).await?;
        match code(head.status(), "ICAP/1.") {
            Some(204) => Ok(Found::Nothing),
            Some(200 | 206) => {
                if let Some(name) = NAMES.iter().find_map(|name| head.field(name)) {
                    return Ok(Found::Virus(threat(name)));
                }
                if head.field("x-violations-found").is_some() {
                    return Ok(Found::Virus("what the ICAP server does not allow".to_owned()));
                }
                let page = head.some_body(&mut rest, "the ICAP server", self.limit, PAGE).await?;
                let status = page.split(|byte| *byte == b'\n').next().unwrap_or_default();
                match code(&String::from_utf8_lossy(status), "HTTP/1.") {
                    Some(400..) => Ok(Found::Virus("blocked by the ICAP server".to_owned())),
                    _ => Err(Trouble::new("the ICAP server changes the message, and does not say why")),
                }
            }
            _ => {
                let said = mail::logline::printable(head.status());
                Err(Trouble::new(format!("the ICAP server says: {said}")))
            }
        }
    }

    /// Writes, unless the server says something meanwhile.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let Conversation { stream, said, limit } = self;
        let mut left = bytes;
        let writing = async {
            let (mut reader, mut writer) = tokio::io::split(stream);
            let mut piece = [0; 512];
            while !left.is_empty() && said.is_empty() {
                tokio::select! {
                    biased;
                    read = reader.read(&mut piece) => match read? {
                        0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                        len => said.extend_from_slice(&piece[..len]),
                    },
                    written = writer.write(left) => left = &left[written?..],
                }
            }
            writer.flush().await
        };
        match timeout(*limit, writing).await {
            Ok(Ok(())) => Ok(()),
            // It may have said why it went away.
            Ok(Err(error)) => {
                let mut piece = [0; 512];
                match timeout(self.limit, self.stream.read(&mut piece)).await {
                    Ok(Ok(len)) if len > 0 => self.said.extend_from_slice(&piece[..len]),
                    _ if self.said.is_empty() => {
                        return Err(Trouble::new(format!("the ICAP server: {error}")));
                    }
                    _ => {}
                }
                Ok(())
            }
            Err(_) => Err(Trouble::new("the ICAP server does not read what it is shown")),
        }
    }
}

/// The code of a status line of this protocol.
fn code(line: &str, protocol: &str) -> Option<u16> {
    let rest = line.strip_prefix(protocol)?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// `Type=0; Resolution=2; Threat=Name;`, or a name alone.
fn threat(field: &str) -> String {
    let named = field.split(';').find_map(|part| part.trim().strip_prefix("Threat="));
    let name: String = named.unwrap_or(field).trim().chars().take(200).collect();
    if name.is_empty() { "without a name".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    /// Shows `body` to a server that reads all of it, and says `answer`. Gives what it has read, too.
    async fn shown(body: &[u8], answer: &'static [u8]) -> (Result<Found, Trouble>, Vec<u8>) {
        let (ours, mut theirs) = duplex(1 << 16);
        let far = tokio::spawn(async move {
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n0\r\n\r\n") {
                let len = theirs.read_buf(&mut seen).await.unwrap();
                assert_ne!(len, 0);
            }
            theirs.write_all(answer).await.unwrap();
            seen
        });
        let mut conversation = Conversation::begin(ours, "127.0.0.1:1344", "avscan", LIMIT).await.unwrap();
        for piece in body.chunks(1000) {
            conversation.feed(piece).await.unwrap();
        }
        let found = conversation.finish().await;
        (found, far.await.unwrap())
    }

    #[tokio::test]
    async fn what_is_said_and_answered() {
        let (found, seen) = shown(b"Subject: x\n\ny\n", b"ICAP/1.0 204 Unmodified\r\n\r\n").await;
        assert_eq!(found.unwrap(), Found::Nothing);
        let seen = String::from_utf8(seen).unwrap();
        let (head, rest) = seen.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("RESPMOD icap://127.0.0.1:1344/avscan ICAP/1.0\r\nHost: 127.0.0.1:1344\r\n")
        );
        // The offsets tell where the parts begin.
        assert!(head.ends_with("Encapsulated: req-hdr=0, res-hdr=51, res-body=100"), "{head}");
        assert!(rest[51..].starts_with("HTTP/1.1 200 OK\r\n"), "{rest}");
        assert_eq!(&rest[100..], "e\r\nSubject: x\n\ny\n\r\n0\r\n\r\n");
        for (answer, name) in [
            (
                b"ICAP/1.0 200 OK\r\nX-Infection-Found: Type=0; Resolution=2; Threat=Own.Eicar;\r\n\r\n".as_slice(),
                "Own.Eicar",
            ),
            (b"ICAP/1.0 200 OK\r\nX-Virus-ID: Eicar-Test\r\nEncapsulated: res-hdr=0, null-body=9\r\n\r\n", "Eicar-Test"),
            (
                b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=26\r\n\r\nHTTP/1.1 403 Forbidden\r\n\r\n4\r\nno!\n\r\n0\r\n\r\n",
                "blocked by the ICAP server",
            ),
        ] {
            assert_eq!(shown(b"x", answer).await.0.unwrap(), Found::Virus(name.to_owned()));
        }
    }

    #[tokio::test]
    async fn answers_that_are_none() {
        for answer in [
            b"".as_slice(),
            b"ICAP/1.0 204",
            b"ICAP/1.0 404 Service not found\r\n\r\n",
            b"ICAP/1.0 100 Continue\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            b"ICAP/1.0 200 OK\r\n\r\n",
        ] {
            assert!(shown(b"abc", answer).await.0.is_err(), "{:?}", String::from_utf8_lossy(answer));
        }
        let endless: &'static [u8] = vec![b'a'; 1 << 15].leak();
        assert!(shown(b"abc", endless).await.0.is_err());
    }

    #[tokio::test]
    async fn a_server_that_has_seen_enough_is_shown_no_more() {
        let (ours, mut theirs) = duplex(1 << 10);
        theirs.write_all(b"ICAP/1.0 200 OK\r\nX-Virus-ID: early\r\n\r\n").await.unwrap();
        let mut conversation = Conversation::begin(ours, "h:1", "s", LIMIT).await.unwrap();
        conversation.feed(&[b'x'; 1 << 20]).await.unwrap();
        assert_eq!(conversation.finish().await.unwrap(), Found::Virus("early".to_owned()));
        drop(theirs);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_falls_silent_costs_its_time_and_no_more() {
        let (ours, theirs) = duplex(1 << 10);
        let mut conversation = Conversation::begin(ours, "h:1", "s", LIMIT).await.unwrap();
        let wrong = conversation.feed(&[0; 10_000]).await.unwrap_err();
        assert!(wrong.to_string().contains("does not read"), "{wrong}");
        drop(theirs);
        let (ours, theirs) = duplex(1 << 10);
        let conversation = Conversation::begin(ours, "h:1", "s", LIMIT).await.unwrap();
        let wrong = conversation.finish().await.unwrap_err();
        assert!(wrong.to_string().contains("does not answer"), "{wrong}");
        drop(theirs);
    }
}
