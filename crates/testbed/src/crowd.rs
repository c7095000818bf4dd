//! Many clients, each from an address of its own, cheap enough that the server is what is measured.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
};

use crate::{Address, wait};

/// One line to be said, and what the last line of the reply to it begins with.
pub type Exchange = (String, &'static str);

/// Clients of 127.128.0.0/9.
pub struct Crowd {
    /// The server.
    pub to: Address,
    /// The number of the first client: each number is an address.
    pub first: u32,
    /// How many clients come.
    pub count: u32,
    /// How many begin in a second; 0: as fast as places are free.
    pub rate: u32,
    /// Sessions under way at a time.
    pub places: u32,
}

impl Crowd {
    /// Each client says `script` of its number, after the greeting; how long all of it took.
    ///
    /// Panics when a reply is not the one that is expected.
    pub fn play(&self, script: impl Fn(u32) -> Vec<Exchange> + Sync) -> Duration {
        let began = wait::now();
        let next = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.places.min(self.count) {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= self.count {
                            return;
                        }
                        if let Some(due) = (Duration::from_secs(1) * number).checked_div(self.rate) {
                            std::thread::sleep((began + due).saturating_duration_since(wait::now()));
                        }
                        let number = self.first + number;
                        if let Err(error) = self.client(number, script(number)) {
                            panic!("client {number}: {error}");
                        }
                    }
                });
            }
        });
        began.elapsed()
    }

    fn client(&self, number: u32, script: Vec<Exchange>) -> io::Result<()> {
        let [_, a, b, c] = (number + 1).to_be_bytes();
        let from = Ipv4Addr::new(127, a | 128, b, c);
        let mut stream = BufReader::with_capacity(512, connect_from(from, self.to)?);
        let mut line = String::new();
        stream.read_line(&mut line)?;
        for (said, expected) in script {
            stream.get_mut().write_all(format!("{said}\r\n").as_bytes())?;
            loop {
                line.clear();
                if stream.read_line(&mut line)? == 0 {
                    return Err(io::Error::other(format!("{said}: hung up")));
                }
                if line.as_bytes().get(3) == Some(&b' ') {
                    break;
                }
            }
            if !line.starts_with(expected) {
                return Err(io::Error::other(format!("{said}: {line}")));
            }
        }
        Ok(())
    }
}

/// A connection from this address of the machine.
///
/// # Errors
/// Nobody listens.
pub fn connect_from(from: Ipv4Addr, to: Address) -> io::Result<TcpStream> {
    let made: OwnedFd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&made, sockopt::ReuseAddr, &true)?;
    bind(made.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(from, 0)))?;
    let std::net::IpAddr::V4(ip) = to.ip() else {
        return Err(io::Error::other("tests are at IPv4 addresses"));
    };
    connect(made.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(ip, to.port())))?;
    let stream = TcpStream::from(made);
    stream.set_read_timeout(Some(wait::LIMIT))?;
    Ok(stream)
}
