//! POP3 (RFC 1939), with CAPA, STLS, AUTH, PIPELINING, RESP-CODES, AUTH-RESP-CODE, UTF8 and LANG: `pop3d` in master.cf.
//!
//! A session has two halves: [`login`] until somebody has proved who he is, then [`mail`] over a [`drop::Maildrop`], which
//! is the INBOX as it was then. Words and log lines are Dovecot's.

mod command;
mod connection;
mod drop;
mod handing;
mod lock;
mod login;
mod mail;
mod said;
mod uidl;
mod wire;

use std::sync::Arc;

use conf::{Block, Mistake, Severity, View};
use gate::bans::Watch;
use net::Accepted;
use net::tls::ServerTls;
use people::People;

use crate::accounts::Accounts;
use crate::handover::{Share, Taken};
use crate::params::{Access, Pop3 as Params};
use crate::tls;

/// What a service is made of besides its parameters.
pub struct Parts<'a> {
    /// Parameters, with the line's own.
    pub view: &'a View,
    /// Who may log in.
    pub people: People,
    /// Where the mail is.
    pub accounts: Accounts,
    /// Who is turned away, and where failed logins are reported.
    pub watch: Arc<dyn Watch>,
    /// Which sessions go on in other processes.
    pub share: Share,
}

/// A POP3 service.
#[derive(Clone)]
pub struct Pop3d(Arc<Service>);

/// Everything its sessions share.
struct Service {
    access: Access,
    rules: Arc<drop::Rules>,
    lock: bool,
    last: bool,
    logout_format: String,
    people: People,
    accounts: Accounts,
    watch: Arc<dyn Watch>,
    tls: Option<ServerTls>,
    share: Share,
}

/// Reports what is wrong with a service's parameters.
pub fn check(view: &View, mistakes: &mut Vec<Mistake>) {
    let access = Access::read(view, mistakes);
    tls::read(view, &access, mistakes);
    let params = Params::read(view, mistakes);
    let told = |parameter: &str, text: String| {
        let place = view.place(parameter);
        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
        mistakes.push(Mistake::new(Severity::Error, place, text));
    };
    rules(&params, told);
}

fn rules(params: &Params, mut told: impl FnMut(&str, String)) -> drop::Rules {
    let format = uidl::Format::parse(&params.pop3_uidl_format).unwrap_or_else(|wrong| {
        told("pop3_uidl_format", format!("pop3_uidl_format: {wrong}"));
        uidl::Format::usual()
    });
    let known = ["outlook-no-nuls", "oe-ns-eoh"];
    for word in params.pop3_client_workarounds.iter().filter(|word| !known.contains(&word.as_str())) {
        let text = format!("pop3_client_workarounds: unknown workaround {word}; known: {}", known.join(" "));
        told("pop3_client_workarounds", text);
    }
    let bears = |name: &str| params.pop3_client_workarounds.iter().any(|word| word == name);
    let hidden = Some(params.pop3_deleted_flag.trim().to_owned()).filter(|flag| !flag.is_empty());
    let hide = match params.pop3_delete_type.as_str() {
        "expunge" => false,
        kind => {
            if kind == "flag" && hidden.is_none() {
                told("pop3_delete_type", "pop3_delete_type = flag needs pop3_deleted_flag".to_owned());
            }
            hidden.is_some()
        }
    };
    drop::Rules {
        format,
        mark_seen: !params.pop3_no_flag_updates,
        hidden,
        hide,
        no_nuls: bears("outlook-no-nuls"),
        end_of_header: bears("oe-ns-eoh"),
    }
}

impl Pop3d {
    /// Builds a service. What is wrong was told by [`check`]; defaults stand in its place.
    pub fn new(parts: Parts<'_>) -> Pop3d {
        let told = &mut Vec::new();
        let access = Access::read(parts.view, told);
        let params = Params::read(parts.view, told);
        Pop3d(Arc::new(Service {
            tls: tls::read(parts.view, &access, told),
            rules: Arc::new(rules(&params, |_, _| {})),
            lock: params.pop3_lock_session,
            last: params.pop3_enable_last,
            logout_format: params.pop3_logout_format,
            people: parts.people,
            accounts: parts.accounts,
            watch: parts.watch,
            share: parts.share,
            access,
        }))
    }

    /// Talks to one client until it is gone.
    pub async fn session(&self, accepted: Accepted) {
        connection::run(self.0.clone(), accepted).await;
    }

    /// Goes on with a session that another process has begun.
    pub async fn go_on(&self, taken: Taken) {
        handing::go_on(self.0.clone(), taken).await;
    }
}

#[cfg(test)]
mod tests;
