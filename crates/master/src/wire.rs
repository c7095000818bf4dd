//! Length-prefixed fields, and packets that carry descriptors. Nothing here is parsed but lengths.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, sendmsg};

use crate::sys;

/// Largest packet between two processes of ours, in bytes.
const PACKET: usize = 16 << 10;
/// Most descriptors with one packet.
const DESCRIPTORS: usize = 2;

/// Collects fields.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Adds a text or any bytes.
    pub fn bytes(&mut self, field: &[u8]) -> &mut Writer {
        let length = u32::try_from(field.len()).expect("a field of ours is shorter than 4 GB");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(field);
        self
    }

    /// Adds a number.
    pub fn number(&mut self, field: u64) -> &mut Writer {
        self.0.extend_from_slice(&field.to_be_bytes());
        self
    }

    /// All of it.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Takes fields out again, in the same order.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Starts at the first field.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    /// The next field of bytes; `InvalidData` when there is none.
    pub fn bytes(&mut self) -> io::Result<&'a [u8]> {
        let length = u32::from_be_bytes(*self.take()?) as usize;
        let (field, rest) = self.0.split_at_checked(length).ok_or_else(short)?;
        self.0 = rest;
        Ok(field)
    }

    /// The next field, which is a text.
    pub fn text(&mut self) -> io::Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(io::Error::other)
    }

    /// The next number.
    pub fn number(&mut self) -> io::Result<u64> {
        Ok(u64::from_be_bytes(*self.take()?))
    }

    /// The next number, where it is one of 32 bits.
    pub fn small(&mut self) -> io::Result<u32> {
        u32::try_from(self.number()?).map_err(io::Error::other)
    }

    /// Nothing follows.
    pub fn end(self) -> io::Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(short()) }
    }

    fn take<const N: usize>(&mut self) -> io::Result<&'a [u8; N]> {
        let (head, rest) = self.0.split_first_chunk().ok_or_else(short)?;
        self.0 = rest;
        Ok(head)
    }
}

fn short() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a request has not the form it should have")
}

/// Sends one packet with descriptors.
pub fn send(socket: impl AsFd, packet: &[u8], descriptors: &[RawFd]) -> io::Result<()> {
    let rights = [ControlMessage::ScmRights(descriptors)];
    let rights = if descriptors.is_empty() { &rights[..0] } else { &rights[..] };
    loop {
        let fd = socket.as_fd().as_raw_fd();
        match sendmsg::<UnixAddr>(fd, &[IoSlice::new(packet)], rights, MsgFlags::MSG_NOSIGNAL, None) {
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
            Ok(length) if length == packet.len() => return Ok(()),
            Ok(_) => return Err(io::ErrorKind::WriteZero.into()),
        }
    }
}

/// Receives one packet whole; `None` when the other side is gone.
pub fn receive(socket: impl AsFd) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    receive_some(socket, PACKET)
}

/// Receives up to `most` bytes of a stream, with the descriptors that came with them; `None` at its end.
pub fn receive_some(socket: impl AsFd, most: usize) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let mut buffer = vec![0; most];
    let mut space = cmsg_space!([RawFd; DESCRIPTORS]);
    let mut descriptors = Vec::new();
    let (length, cut) = loop {
        let mut pieces = [IoSliceMut::new(&mut buffer)];
        let fd = socket.as_fd().as_raw_fd();
        match recvmsg::<UnixAddr>(fd, &mut pieces, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC) {
            Err(Errno::EINTR) => {}
            Err(Errno::ECONNRESET) => return Ok(None),
            Err(error) => return Err(error.into()),
            Ok(message) => {
                for control in message.cmsgs()? {
                    if let ControlMessageOwned::ScmRights(received) = control {
                        descriptors.extend(sys::adopt(&received));
                    }
                }
                let cut = message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC);
                break (message.bytes, cut);
            }
        }
    };
    if cut {
        return Err(short());
    }
    buffer.truncate(length);
    Ok((length > 0).then_some((buffer, descriptors)))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn fields_come_back_and_cut_ones_do_not() {
        let mut writer = Writer::default();
        writer.bytes(b"one").number(7).bytes(b"");
        let packet = writer.finish();
        let mut reader = Reader::new(&packet);
        assert_eq!(reader.text().unwrap(), "one");
        assert_eq!(reader.number().unwrap(), 7);
        assert_eq!(reader.bytes().unwrap(), b"");
        reader.end().unwrap();
        for length in 0..packet.len() {
            let mut cut = Reader::new(&packet[..length]);
            let read = cut.bytes().and_then(|_| cut.number()).and_then(|_| cut.bytes().map(|_| ()));
            assert!(read.is_err(), "{length}");
        }
        let huge = [0xff; 8];
        assert!(Reader::new(&huge).bytes().is_err());
    }

    #[test]
    fn descriptors_travel_with_packets() {
        let (a, b) = UnixStream::pair().unwrap();
        let (mut kept, sent) = UnixStream::pair().unwrap();
        send(&a, b"x", &[sent.as_raw_fd()]).unwrap();
        drop((a, sent));
        let (packet, mut descriptors) = receive(&b).unwrap().expect("a packet");
        assert_eq!((packet.as_slice(), descriptors.len()), (&b"x"[..], 1));
        let mut received = UnixStream::from(descriptors.remove(0));
        kept.write_all(b"hello").unwrap();
        drop(kept);
        let mut text = String::new();
        received.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        assert!(receive(&b).unwrap().is_none(), "the other side is gone");
    }
}
