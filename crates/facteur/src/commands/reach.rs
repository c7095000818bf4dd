//! The queue as its tools reach it: through the running program, or on disk when the program is down.

use std::io;
use std::path::{Path, PathBuf};

use queue::control::{Answer, AsRoot, Client, Request, perform};
use queue::{Queue, Settings};

/// What a tool is going to do with the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Read it.
    Look,
    /// Change it.
    Change,
}

/// A queue within reach.
pub enum Reach {
    /// The program runs.
    Running(Client),
    /// It does not; the queue is open here.
    Down(Queue),
}

/// Connects to the running program. The error is why it cannot be reached.
pub fn connect(queue_directory: &Path) -> io::Result<Reach> {
    Client::connect(queue_directory).map(Reach::Running)
}

/// Opens the queue on disk, for when the program is down.
///
/// # Errors
/// A sentence: somebody has it open, or it cannot be read.
pub fn open(queue_directory: &Path, intent: Intent) -> Result<Reach, String> {
    let settings = Settings::new(queue_directory);
    let now = jiff::Timestamp::try_from(net::clock::wall()).unwrap_or_default();
    let opened = match intent {
        Intent::Look => Queue::look(settings, now),
        Intent::Change => Queue::open(settings, now),
    };
    opened.map(|(queue, _)| Reach::Down(queue)).map_err(|failure| failure.to_string())
}

impl Reach {
    /// Asks, and hands every answer to `hear`.
    ///
    /// # Errors
    /// What the connection or `hear` says.
    pub fn ask(
        &mut self,
        request: Request,
        hear: &mut dyn FnMut(Answer) -> io::Result<()>,
    ) -> io::Result<()> {
        match self {
            Reach::Running(client) => client.ask(&request, hear),
            Reach::Down(queue) => perform(queue, &AsRoot, 0, request, hear),
        }
    }

    /// Asks, and hands every answer to `hear` but refusals.
    ///
    /// # Errors
    /// What the connection says, or why something was refused.
    pub fn request(&mut self, request: Request, hear: &mut dyn FnMut(Answer)) -> Result<(), String> {
        let mut refused = None;
        let asked = self.ask(request, &mut |answer| {
            match answer {
                Answer::Refused(_, text) => refused = Some(text),
                answer => hear(answer),
            }
            Ok(())
        });
        asked.map_err(|error| error.to_string())?;
        refused.map_or(Ok(()), Err)
    }
}

/// `queue_directory` of a configuration.
pub fn queue_directory(config: &crate::config::Config) -> PathBuf {
    PathBuf::from(config.view.get("queue_directory"))
}
