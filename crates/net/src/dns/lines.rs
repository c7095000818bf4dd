//! Sockets to name servers.
//!
//! A question to a server elsewhere has a socket of its own: the system picks a port that nobody can foresee, and an answer
//! is hard to forge (RFC 5452). Nobody elsewhere can send from 127.0.0.0/8 or ::1, and nobody here from port 53 who is not
//! root: for a server on this machine a socket serves one question after the other, which saves most of what a question
//! costs.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Mutex;

use socket2::{Domain, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Most sockets that are kept.
const MOST: usize = 32;

/// A connected socket that does not block.
pub(super) type Line = AsyncFd<UdpSocket>;

/// Sockets that wait for the next question.
#[derive(Debug, Default)]
pub(super) struct Lines(Mutex<Vec<(SocketAddr, Line)>>);

impl Lines {
    /// One to this server that is free.
    pub(super) fn take(&self, server: SocketAddr) -> Option<Line> {
        let mut free = self.0.lock().expect("nobody panics while holding it");
        let at = free.iter().rposition(|(of, _)| *of == server)?;
        Some(free.swap_remove(at).1)
    }

    /// Keeps one whose question is answered, where that is safe.
    pub(super) fn put_back(&self, server: SocketAddr, line: Line) {
        if !server.ip().is_loopback() {
            return;
        }
        let mut free = self.0.lock().expect("nobody panics while holding it");
        if free.len() >= MOST {
            // Perhaps of a server that resolv.conf no longer names.
            free.swap_remove(0);
        }
        free.push((server, line));
    }
}

/// A new one, over which the first question is sent before the driver knows of it: there is nothing to wait for yet.
pub(super) fn opened_with(server: SocketAddr, question: &[u8]) -> io::Result<Line> {
    let socket = Socket::new(Domain::for_address(server), Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&server.into())?;
    socket.send(question)?;
    // Readable only: each question that goes out would wake the driver else, to say that another one may.
    // SAFETY: the descriptor is the socket's own, which moves in here and which nothing replaces or closes.
    Ok(unsafe { AsyncFd::register_with_interest(socket.into(), Interest::READABLE) }?)
}
