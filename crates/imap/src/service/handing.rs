//! A session changes its process once somebody has logged in, where a keeper has the rights to his mail and this has not.

use std::sync::Arc;

use mail::logline::printable;
use master::Identity;
use net::{Stream, clock};
use people::Account;

use super::Service;
use super::connection::Connection;
use super::login::{Attempts, Counted};
use super::wire::Wire;
use crate::handover::{self, Handed, Refused, Taken};
use crate::session::{Fail, Link, Session, User};

impl Connection {
    /// Has the keeper of the user's mailboxes go on; true when the session has ended there.
    pub(super) async fn hand_over(&mut self, who: Identity, account: Account, counted: Counted) -> bool {
        let (Some(keepers), Some((tag, input))) =
            (&self.service.desk.keepers, self.session.as_ref().and_then(|session| session.handed()))
        else {
            return true;
        };
        let handed = Handed {
            line: self.service.line.clone(),
            account,
            facts: (*self.facts).clone(),
            id: self.id.clone(),
            method: self.attempts.method.clone(),
            tag,
            input,
            tcp: false,
        };
        let stream = std::mem::replace(&mut self.wire.stream, Stream::Gone);
        match handover::give(keepers, who, handed, stream).await {
            Ok(gone) => {
                self.session = None;
                self.handed = true;
                gone.end((self.place.take(), counted)).await;
                true
            }
            Err((stream, refused)) => {
                self.wire.stream = stream;
                if let Some(session) = &mut self.session {
                    session.login_decided(Err(not_taken(&refused, &self.attempts.user)));
                }
                false
            }
        }
    }
}

/// Goes on with a session that another process has begun, until the client is gone.
pub async fn go_on(service: Arc<Service>, taken: Taken) {
    let (account, accounts) = (taken.handed.account.clone(), service.desk.accounts.clone());
    let opened = tokio::task::spawn_blocking(move || accounts.open(&account)).await;
    let account = match opened.unwrap_or(Err(store::Error::Gone)) {
        Ok(account) => account,
        Err(error) => {
            log::error!(target: "=dovecot", "imap({}): {error}", printable(&taken.handed.account.user));
            return taken.refuse("Internal error occurred. Refer to server log for more information.");
        }
    };
    // Until it is dropped, the other process knows that the session goes on.
    let Ok((handed, stream, _lane)) = taken.accept() else { return };
    let user = User { name: handed.account.user.clone(), account };
    let mut attempts = Box::<Attempts>::default();
    attempts.user.clone_from(&user.name);
    attempts.method = handed.method;
    let mut connection = Connection {
        wire: Wire::new(stream),
        session: Some(Session::new(service.settings.clone(), Link::default())),
        facts: Box::new(handed.facts),
        attempts,
        id: handed.id,
        since: clock::now(),
        counted: None,
        place: None,
        handed: false,
        service,
    };
    let link = connection.link();
    if let Some(session) = &mut connection.session {
        session.link = link;
        session.go_on(handed.tag, user, &handed.input);
    }
    connection.log_login();
    connection.talk().await;
    connection.log_end();
}

/// What is said when a keeper did not take a session.
fn not_taken(refused: &Refused, user: &str) -> Fail {
    match refused {
        Refused::Busy => Fail::no("UNAVAILABLE", "Too many users read their mail at once, try again later."),
        Refused::Said(why) => Fail::no("SERVERBUG", why.clone()),
        Refused::Trouble(error) => {
            log::error!(target: "=dovecot", "imap({}): ask the keeper of mailboxes: {error}", printable(user));
            Fail::no("UNAVAILABLE", "Internal error occurred. Refer to server log for more information.")
        }
    }
}
