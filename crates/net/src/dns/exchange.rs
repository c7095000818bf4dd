//! One question to one server: by UDP, and by TCP when the answer does not fit.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::Name;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::answer::{belongs, record_type};
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
pub(super) async fn ask(server: SocketAddr, name: &Name, kind: Kind, tcp: bool) -> Result<Message, Failure> {
    let message = ask_once(server, name, kind, tcp, true).await?;
    if matches!(message.metadata.response_code, ResponseCode::FormErr | ResponseCode::NotImp) {
        // A server from before EDNS. RFC 6891 7.
        return ask_once(server, name, kind, tcp, false).await;
    }
    Ok(message)
}

async fn ask_once(
    server: SocketAddr,
    name: &Name,
    kind: Kind,
    tcp: bool,
    edns: bool,
) -> Result<Message, Failure> {
    let id = random_id();
    let question = question(id, name, kind, edns)?;
    if !tcp && let Some(message) = by_udp(server, id, &question, name, kind).await? {
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

fn question(id: u16, name: &Name, kind: Kind, edns: bool) -> io::Result<Vec<u8>> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    // Asks a validating server to say whether it has proof (RFC 6840 5.7).
    message.metadata.authentic_data = true;
    message.add_query(Query::query(name.clone(), record_type(kind)));
    if edns {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_PAYLOAD).set_version(0);
        edns.set_dnssec_ok(kind == Kind::Tlsa);
        message.set_edns(edns);
    }
    message.to_vec().map_err(io::Error::other)
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
    server: SocketAddr,
    id: u16,
    question: &[u8],
    name: &Name,
    kind: Kind,
) -> Result<Option<Message>, Failure> {
    let any =
        if server.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    // A socket for each question: the system picks a port nobody can foresee.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = vec![0; 4096];
    loop {
        let len = socket.recv(&mut buffer).await?;
        if is_truncated(&buffer[..len], id) {
            return Ok(None);
        }
        if let Some(answer) = read(&buffer[..len], id, name, kind) {
            return answer.map(Some);
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
