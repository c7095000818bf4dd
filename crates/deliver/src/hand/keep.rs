//! The keeper's side: a thread for each lane, on which messages come one after the other.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use master::Lanes;
use tokio::runtime::Handle;

use super::job::{PARCEL, PIECE, with_length};
use super::serve::{number, packet};
use crate::cellar::{Cellar, Parcel, Put};

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
    loop {
        let mut first = [0];
        from.read_exact(&mut first)?;
        if first != [PARCEL] {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let parcel = Parcel::decode(&packet(&mut from)?)?;
        let length = number(&mut from)?;
        let mut content = Vec::new();
        // It grows with what comes, whatever was promised.
        (&mut from).take(length).read_to_end(&mut content)?;
        let whole = content.len() as u64 == length;
        let put =
            if whole { cellar.put(&parcel, &content, runtime) } else { Put::Trouble("cut off".to_owned()) };
        lane.write_all(&with_length(&put.encode()))?;
    }
}
