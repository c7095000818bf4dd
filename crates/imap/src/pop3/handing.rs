//! A session changes its process once somebody has logged in, where a keeper has the rights to his mail and this has not.

use std::sync::Arc;

use mail::logline::printable;
use master::Identity;
use net::{Stream, clock};
use people::Account;

use super::Service;
use super::connection::Connection;
use super::login::{self, Entered};
use super::wire::Wire;
use crate::handover::{self, Gone, Handed, Keepers, Refused, Taken};
use crate::live::Ending;

/// Has the keeper of the user's mailboxes go on; the answer to the client when it does not.
pub(super) async fn hand_over(
    connection: &mut Connection,
    keepers: &Arc<dyn Keepers>,
    who: Identity,
    account: Account,
    method: String,
) -> Result<Gone, String> {
    let user = account.user.clone();
    // What was said before the login goes out before what comes after it. Where the client is gone, its session ends.
    let _ = connection.wire.flush().await;
    let handed = Handed {
        line: connection.service.share.line.clone(),
        account,
        facts: connection.facts.clone(),
        id: connection.id.clone(),
        method,
        tag: Vec::new(),
        input: connection.wire.waiting().to_vec(),
        tcp: false,
    };
    let stream = std::mem::replace(&mut connection.wire.stream, Stream::Gone);
    handover::give(keepers, who, handed, stream).await.map_err(|(stream, refused)| {
        connection.wire.stream = stream;
        match refused {
            Refused::Busy => {
                "-ERR [SYS/TEMP] Too many users read their mail at once, try again later.".to_owned()
            }
            Refused::Said(line) => line,
            Refused::Trouble(error) => {
                let user = printable(&user);
                log::error!(target: "=dovecot", "pop3({user}): ask the keeper of mailboxes: {error}");
                "-ERR [SYS/TEMP] Internal error occurred. Refer to server log for more information."
                    .to_owned()
            }
        }
    })
}

/// Goes on with a session that another process has begun, until the client is gone.
pub async fn go_on(service: Arc<Service>, taken: Taken) {
    let drop = match login::open(&service, &taken.handed.account, None).await {
        Ok(drop) => drop,
        Err(line) => return taken.refuse(&line),
    };
    // Until it is dropped, the other process knows that the session goes on.
    let Ok((handed, stream, _lane)) = taken.accept() else { return };
    let Handed { account, facts, id, method, input, .. } = handed;
    let wire = Wire::go_on(stream, input);
    let mut connection = Connection { service, wire, facts, id, since: clock::now() };
    connection.wire.say("+OK Logged in.");
    // Listed by the process that it comes from, which cuts the connection.
    let ending = Ending::default();
    connection.serve(Entered { user: account.user, method, drop, ending }).await;
    // In vain where the client is gone.
    let _ = connection.wire.flush().await;
}
