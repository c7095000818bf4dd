//! A message shown to clamd: INSTREAM of clamd(8).

use std::time::Duration;

use mail::Trouble;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// What clamd found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// This, by its name.
    Virus(String),
}

/// Most bytes of one piece.
const PIECE_MAX: usize = 1 << 20;

/// Longest answer; more of it is somebody else's protocol.
const ANSWER_MAX: usize = 4096;

/// One message under way.
#[derive(Debug)]
pub(crate) struct Conversation<S> {
    stream: S,
    limit: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    /// Says what comes; `limit` is for each piece, and for the answer.
    pub(crate) async fn begin(stream: S, limit: Duration) -> Result<Conversation<S>, Trouble> {
        let mut conversation = Conversation { stream, limit };
        conversation.write(b"zINSTREAM\0").await?;
        Ok(conversation)
    }

    /// Shows a piece.
    pub async fn feed(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        for piece in bytes.chunks(PIECE_MAX) {
            let len = u32::try_from(piece.len()).expect("a piece is not that long");
            self.write(&len.to_be_bytes()).await?;
            self.write(piece).await?;
        }
        Ok(())
    }

    /// There is no more: what is it?
    pub async fn finish(mut self) -> Result<Found, Trouble> {
        self.write(&[0; 4]).await?;
        let answer = self.answer().await?;
        let said = answer.strip_prefix("stream: ").unwrap_or(&answer);
        match said.strip_suffix(" FOUND") {
            Some(name) if !name.is_empty() => Ok(Found::Virus(name.to_owned())),
            None if said == "OK" => Ok(Found::Nothing),
            _ => Err(Trouble::new(format!("clamd says: {}", mail::logline::printable(&answer)))),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let written = timeout(self.limit, self.stream.write_all(bytes)).await;
        match written {
            Ok(Ok(())) => Ok(()),
            Err(_) => Err(Trouble::new("clamd does not read what it is shown")),
            // It may have said why it went away.
            Ok(Err(error)) => match self.answer().await {
                Ok(answer) if !answer.is_empty() => {
                    Err(Trouble::new(format!("clamd says: {}", mail::logline::printable(&answer))))
                }
                _ => Err(Trouble::new(format!("clamd: {error}"))),
            },
        }
    }

    /// Its answer, up to the zero byte or the end.
    async fn answer(&mut self) -> Result<String, Trouble> {
        let mut answer = Vec::new();
        let reading = async {
            let mut piece = [0; 512];
            loop {
                let len = self.stream.read(&mut piece).await?;
                answer.extend_from_slice(&piece[..len]);
                if len == 0 || answer.contains(&0) || answer.len() > ANSWER_MAX {
                    return Ok::<(), std::io::Error>(());
                }
            }
        };
        match timeout(self.limit, reading).await {
            Err(_) => Err(Trouble::new("clamd does not answer")),
            Ok(Err(error)) => Err(Trouble::new(format!("clamd: {error}"))),
            Ok(Ok(())) => {
                let Some(end) = answer.iter().position(|byte| *byte == 0) else {
                    let what = if answer.is_empty() { "nothing" } else { "half an answer" };
                    return Err(Trouble::new(format!("clamd says {what}, and goes")));
                };
                Ok(String::from_utf8_lossy(&answer[..end]).trim_end().to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// Shows `body` to a scanner that reads all of it, and says `answer`.
    async fn shown(body: &[u8], answer: &'static [u8]) -> (Result<Found, Trouble>, Vec<u8>) {
        let (ours, mut theirs) = duplex(1 << 16);
        let far = tokio::spawn(async move {
            let mut command = [0; 10];
            theirs.read_exact(&mut command).await.unwrap();
            assert_eq!(&command, b"zINSTREAM\0");
            let mut seen = Vec::new();
            loop {
                let len = theirs.read_u32().await.unwrap() as usize;
                if len == 0 {
                    break;
                }
                let mut piece = vec![0; len];
                theirs.read_exact(&mut piece).await.unwrap();
                seen.extend(piece);
            }
            theirs.write_all(answer).await.unwrap();
            seen
        });
        let mut conversation = Conversation::begin(ours, Duration::from_secs(5)).await.unwrap();
        for piece in body.chunks(1000) {
            conversation.feed(piece).await.unwrap();
        }
        let found = conversation.finish().await;
        (found, far.await.unwrap())
    }

    #[tokio::test]
    async fn verdicts() {
        let body = vec![b'x'; 3_000_000];
        let (found, seen) = shown(&body, b"stream: OK\0").await;
        assert_eq!((found.unwrap(), seen.len()), (Found::Nothing, body.len()));
        let (found, _) = shown(b"abc", b"stream: Win.Test.EICAR_HDB-1 FOUND\0").await;
        assert_eq!(found.unwrap(), Found::Virus("Win.Test.EICAR_HDB-1".to_owned()));
    }

    #[tokio::test]
    async fn answers_that_are_none() {
        for answer in [
            b"".as_slice(),
            b"stream: OK",
            b"stream:  FOUND\0",
            b"INSTREAM size limit exceeded. ERROR\0",
            b"OK FOUND OK\0",
            b"HTTP/1.1 200 OK\r\n\r\n\0",
            b"stream: OKAY\0",
        ] {
            assert!(shown(b"abc", answer).await.0.is_err(), "{:?}", String::from_utf8_lossy(answer));
        }
        let endless: &'static [u8] = vec![b'a'; 1 << 15].leak();
        assert!(shown(b"abc", endless).await.0.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_scanner_that_falls_silent_costs_its_time_and_no_more() {
        let (ours, theirs) = duplex(16);
        let mut conversation = Conversation::begin(ours, Duration::from_secs(5)).await.unwrap();
        let wrong = conversation.feed(&[0; 1000]).await.unwrap_err();
        assert!(wrong.to_string().contains("does not read"), "{wrong}");
        drop(theirs);
        let (ours, theirs) = duplex(64);
        let conversation = Conversation::begin(ours, Duration::from_secs(5)).await.unwrap();
        let wrong = conversation.finish().await.unwrap_err();
        assert!(wrong.to_string().contains("does not answer"), "{wrong}");
        drop(theirs);
    }

    #[tokio::test]
    async fn a_scanner_that_goes_away_says_why() {
        let (ours, mut theirs) = duplex(1 << 12);
        let mut conversation = Conversation::begin(ours, Duration::from_secs(5)).await.unwrap();
        theirs.write_all(b"INSTREAM size limit exceeded. ERROR\0").await.unwrap();
        drop(theirs);
        let wrong = conversation.feed(&[0; 100_000]).await.unwrap_err();
        assert!(wrong.to_string().contains("size limit exceeded"), "{wrong}");
    }
}
