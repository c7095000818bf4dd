//! What is said in a session, for those who want to read it: the log, of the clients of `debug_peer_list`, and the
//! postmaster.

use mail::logline::printable;
use proto::smtp::Reply;

use super::session::Session;

impl Session {
    /// Does the log get every line of this session?
    pub(super) async fn decide_to_watch(&mut self) {
        let service = self.service.clone();
        let listed = &service.lists.debug;
        self.watched = match self.peer.ip {
            Some(ip) => listed.matches_host(&self.peer.client.name, ip).await.unwrap_or(false),
            None => false,
        };
    }

    /// The client said this; of logins nothing that is secret.
    pub(super) fn heard(&mut self, line: &[u8]) {
        if self.watched {
            let text = String::from_utf8_lossy(line);
            log::info!(target: self.program(), "< {}: {}", self.peer.label(), printable(text.trim_end()));
        }
        if let Some(transcript) = &mut self.transcript {
            transcript.came(line);
        }
    }

    /// We say this.
    pub(super) fn told(&mut self, reply: &Reply) {
        if self.watched {
            let mut text = Vec::new();
            reply.write(&mut text);
            for line in String::from_utf8_lossy(&text).lines() {
                log::info!(target: self.program(), "> {}: {}", self.peer.label(), printable(line));
            }
        }
        if let Some(transcript) = &mut self.transcript {
            transcript.went(reply);
        }
    }
}
