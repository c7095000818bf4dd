//! The local sockets: where this machine's users submit mail and the queue tools ask.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gate::Gate;
use mta::house::House;
use mta::pickup;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::rights::Rights;
use super::sessions::Sessions;
use crate::commands::sendmail;

/// Conversations at a time on one socket; further ones wait in the backlog.
const AT_A_TIME: usize = 20;

/// Opens the sockets and sweeps the maildrop.
pub fn open(
    queue_directory: &Path,
    house: &Arc<House>,
    rights: Rights,
    (gate, keeper): (&Gate, Option<u32>),
) -> io::Result<()> {
    let submit = house.clone();
    serve(&queue_directory.join(sendmail::SOCKET), "pickup", move |stream| {
        pickup::session(submit.clone(), stream)
    })?;
    let rights = Arc::new(rights);
    let (may, remembered) = (rights.clone(), (house.clone(), gate.clone()));
    // Those who read mail come to the front, where there is one.
    let sessions = Arc::new(if keeper.is_some() { Sessions::elsewhere() } else { Sessions::Here });
    let queue = house.queue.clone();
    serve(&queue_directory.join(queue::control::SOCKET), "showq", move |stream| {
        tools(queue.clone(), rights.clone(), stream)
    })?;
    serve(&queue_directory.join(gate::orders::SOCKET), "master", move |stream| {
        super::gate::session(remembered.clone(), sessions.clone(), may.clone(), keeper, stream)
    })?;
    tokio::spawn(pickup::sweep(house.clone(), queue_directory.join("maildrop")));
    Ok(())
}

/// One queue tool's requests, on a thread of their own: they read the disk.
async fn tools(queue: queue::Queue, rights: Arc<Rights>, stream: UnixStream) {
    let Ok(stream) = stream.into_std() else { return };
    let served = tokio::task::spawn_blocking(move || queue::control::serve(&queue, &*rights, stream)).await;
    if let Ok(Err(error)) = served {
        log::info!(target: "showq", "a tool's conversation broke off: {error}");
    }
}

/// Listens for anybody on this machine; the kernel tells who it is.
fn serve<F>(
    path: &Path,
    program: &'static str,
    talk: impl Fn(UnixStream) -> F + Send + 'static,
) -> io::Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    // What a former run left is in the way; the queue's lock says that nobody else runs here.
    let _ = fs::remove_file(path);
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(AT_A_TIME));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let talk = talk(stream);
                    tokio::spawn(async move {
                        talk.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    log::warn!(target: program, "accept: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    });
    Ok(())
}
