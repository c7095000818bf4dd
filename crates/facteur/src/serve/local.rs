//! The local sockets: where this machine's users submit mail.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use mta::house::House;
use mta::pickup;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;

use crate::commands::sendmail::SOCKET;

/// Submissions taken at a time; further ones wait in the backlog.
const AT_A_TIME: usize = 20;

/// Opens the sockets and sweeps the maildrop.
pub fn open(queue_directory: &Path, house: &Arc<House>) -> io::Result<()> {
    let path = queue_directory.join(SOCKET);
    // What a former run left is in the way; the queue's lock says that nobody else runs here.
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    // Anybody may submit; the kernel tells us who it is.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
    let house = house.clone();
    tokio::spawn(pickup::sweep(house.clone(), queue_directory.join("maildrop")));
    tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(AT_A_TIME));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let house = house.clone();
                    tokio::spawn(async move {
                        pickup::session(house, stream).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    log::warn!(target: "pickup", "accept: {error}");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
        }
    });
    Ok(())
}
