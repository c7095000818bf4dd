//! One question to one server: by UDP, and by TCP when the answer does not fit.

use std::io;
use std::net::SocketAddr;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::Name;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::answer::{belongs, record_type};
use super::lines::{Lines, opened_with};
use super::{Kind, salvage};

/// What we tell servers we take by UDP: it fits every path (DNS flag day 2020).
const UDP_PAYLOAD: u16 = 1232;

/// Why a server gave no answer that can be read.
#[derive(Debug)]
pub(super) enum Failure {
    /// It could not be reached, or broke off.
    Io(io::Error),
    /// It answered our question with something that is no DNS message.
    Malformed,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

/// Asks one server. Whoever calls this sets the time limit.
pub(super) async fn ask(
    lines: &Lines,
    server: SocketAddr,
    name: &Name,
    kind: Kind,
    tcp: bool,
) -> Result<Message, Failure> {
    let message = ask_once(lines, server, name, kind, tcp, true).await?;
    if matches!(message.metadata.response_code, ResponseCode::FormErr | ResponseCode::NotImp) {
        // A server from before EDNS. RFC 6891 7.
        return ask_once(lines, server, name, kind, tcp, false).await;
    }
    Ok(message)
}

async fn ask_once(
    lines: &Lines,
    server: SocketAddr,
    name: &Name,
    kind: Kind,
    tcp: bool,
    edns: bool,
) -> Result<Message, Failure> {
    let id = random_id();
    let question = question(id, name, kind, edns);
    if !tcp && let Some(message) = by_udp(lines, server, id, &question, name, kind).await? {
        return Ok(message);
    }
    by_tcp(server, id, &question, name, kind).await
}

fn random_id() -> u16 {
    let mut bytes = [0; 2];
    // Without randomness the source port still has to be guessed.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u16::from_ne_bytes(bytes)
}

/// The question as it goes out. RFC 1035 4.1, RFC 6891 6.1.2.
fn question(id: u16, name: &Name, kind: Kind, edns: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(288);
    out.extend(id.to_be_bytes());
    // Recursion desired; and AD asks a validating server to say whether it has proof (RFC 6840 5.7).
    out.extend([0x01, 0x20, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)]);
    for label in name.iter() {
        out.push(u8::try_from(label.len()).expect("a label of a name has at most 63 bytes"));
        out.extend(label);
    }
    out.push(0);
    out.extend(u16::from(record_type(kind)).to_be_bytes());
    out.extend([0, 1]);
    if edns {
        let wants_proof = if kind == Kind::Tlsa { 0x80 } else { 0 };
        out.extend([0, 0, 41]);
        out.extend(UDP_PAYLOAD.to_be_bytes());
        out.extend([0, 0, wants_proof, 0, 0, 0]);
    }
    out
}

/// The message, when it is for us.
fn read(bytes: &[u8], id: u16, name: &Name, kind: Kind) -> Option<Result<Message, Failure>> {
    if bytes.get(..2) != Some(&id.to_be_bytes()) {
        return None;
    }
    match Message::from_vec(bytes).ok().or_else(|| salvage::read(bytes)) {
        Some(message) => belongs(&message, id, name, kind).then_some(Ok(message)),
        None => Some(Err(Failure::Malformed)),
    }
}

/// Does the message say that it was cut off? Then what is left of it need not make sense.
fn is_truncated(bytes: &[u8], id: u16) -> bool {
    bytes.get(..2) == Some(&id.to_be_bytes()) && bytes.get(2).is_some_and(|flags| flags & 0x82 == 0x82)
}

/// `None` when the answer did not fit.
async fn by_udp(
    lines: &Lines,
    server: SocketAddr,
    id: u16,
    question: &[u8],
    name: &Name,
    kind: Kind,
) -> Result<Option<Message>, Failure> {
    let line = match lines.take(server) {
        Some(line) => {
            line.get_ref().send(question)?;
            line
        }
        None => opened_with(server, question)?,
    };
    let mut buffer = vec![0; 4096];
    loop {
        let mut ready = line.readable().await?;
        // All that is there: an answer that came too late may stand before ours.
        loop {
            let len = match line.get_ref().recv(&mut buffer) {
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready.clear_ready();
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            if is_truncated(&buffer[..len], id) {
                return Ok(None);
            }
            if let Some(answer) = read(&buffer[..len], id, name, kind) {
                let answer = answer?;
                ready.clear_ready();
                drop(ready);
                lines.put_back(server, line);
                return Ok(Some(answer));
            }
        }
    }
}

async fn by_tcp(
    server: SocketAddr,
    id: u16,
    question: &[u8],
    name: &Name,
    kind: Kind,
) -> Result<Message, Failure> {
    let mut stream = TcpStream::connect(server).await?;
    let len = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&[&len.to_be_bytes(), question].concat()).await?;
    loop {
        let mut len = [0; 2];
        stream.read_exact(&mut len).await?;
        let mut buffer = vec![0; usize::from(u16::from_be_bytes(len))];
        stream.read_exact(&mut buffer).await?;
        if let Some(answer) = read(&buffer, id, name, kind) {
            return answer;
        }
    }
}
