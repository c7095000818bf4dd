//! The keeper's side: a thread for each lane, on which messages come several at a time, and wait for the disk together.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use master::Lanes;
use tokio::runtime::Handle;

use super::job::{PARCELS, PIECE, with_length};
use super::serve::{number, packet};
use crate::cellar::{Cellar, Parcel, Shelf};

/// Most parcels that are taken at a time.
const MOST: u64 = 1024;

/// Takes mail for mailboxes as long as lanes come. Blocks.
pub fn keep(lanes: &Lanes, cellar: &Arc<Cellar>, runtime: &Handle) {
    while let Some((lane, open)) = lanes.next() {
        keep_lane(lane, open, cellar, runtime);
    }
}

/// Takes mail on one lane as long as it comes, on a thread of its own; `open` is dropped at its end.
pub fn keep_lane(lane: UnixStream, open: Arc<()>, cellar: &Arc<Cellar>, runtime: &Handle) {
    let (cellar, runtime) = (cellar.clone(), runtime.clone());
    let worked = std::thread::Builder::new().name("lane".to_owned()).spawn(move || {
        // The other side sees the end of the lane, and what it means.
        let _ = work(&lane, &cellar, &runtime);
        drop(open);
    });
    if let Err(error) = worked {
        log::error!(target: "store", "cannot start a thread: {error}");
    }
}

fn work(mut lane: &UnixStream, cellar: &Cellar, runtime: &Handle) -> io::Result<()> {
    let mut from = BufReader::with_capacity(PIECE, lane);
    let mut content = Vec::new();
    loop {
        let mut first = [0];
        from.read_exact(&mut first)?;
        if first != [PARCELS] {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut shelf = Shelf::default();
        for _ in 0..number(&mut from)?.min(MOST) {
            let parcel = Parcel::decode(&packet(&mut from)?)?;
            let length = number(&mut from)?;
            content.clear();
            // It grows with what comes, whatever was promised. What is cut off ends the lane, and nothing is said of the
            // parcels before it: they are sent again, under the same names.
            (&mut from).take(length).read_to_end(&mut content)?;
            if content.len() as u64 != length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            cellar.put(&mut shelf, &parcel, &content, runtime);
        }
        content.shrink_to(PIECE);
        let answers: Vec<u8> = shelf.settle().iter().flat_map(|put| with_length(&put.encode())).collect();
        lane.write_all(&answers)?;
        shelf.announce();
    }
}
