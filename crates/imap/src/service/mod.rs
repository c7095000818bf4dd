//! The IMAP service: `imapd` in master.cf.

mod connection;
mod handing;
mod login;
mod wait;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use conf::{Block, Mistake, Severity, View};
use gate::bans::Watch;
use net::Accepted;
use net::tls::ServerTls;
use people::People;

pub use connection::session_id;
pub use login::{Attempts, Counted, Counts, Desk, Step, watched};
pub use wire::Wire;

use crate::accounts::Accounts;
use crate::handover::{Share, Taken};
use crate::params::{Access, Imap as Params};
use crate::quirks::{self, Quirks};
use crate::settings::Settings;
use crate::tls;

/// What a service is made of besides its parameters.
pub struct Parts<'a> {
    /// Parameters, with the line's own.
    pub view: &'a View,
    /// Who may log in.
    pub people: People,
    /// Sessions by user; they outlive configurations.
    pub counts: Arc<Counts>,
    /// Who is turned away, and where failed logins are reported.
    pub watch: Arc<dyn Watch>,
    /// Which sessions go on in other processes.
    pub share: Share,
}

/// An IMAP service.
#[derive(Clone)]
pub struct Imapd(Arc<Service>);

/// Everything its sessions share.
struct Service {
    settings: Arc<Settings>,
    desk: Desk,
    tls: Option<ServerTls>,
    /// Sessions start with the handshake.
    wrapper: bool,
    /// `ssl = required`: no login without TLS, from whatever address.
    tls_required: bool,
    line: String,
    /// How often an idle session looks for changes by other programs; `None` where there can be none.
    look: Option<Duration>,
}

/// Seconds since 1970.
fn clock() -> i64 {
    let since = net::clock::wall().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Reports what is wrong with a service's parameters.
pub fn check(view: &View, mistakes: &mut Vec<Mistake>) {
    read(view, mistakes);
}

struct Read {
    settings: Settings,
    accounts: Accounts,
    tls: Option<ServerTls>,
    access: Access,
    params: Params,
}

fn read(view: &View, mistakes: &mut Vec<Mistake>) -> Read {
    let params = Params::read(view, mistakes);
    let mut access = Access::read(view, mistakes);
    access.ssl_wrappermode = params.imapd_tls_wrappermode;
    let tls = tls::read(view, &access, mistakes);
    let accounts = Accounts::read(view, clock, mistakes);
    let workarounds = params.imap_client_workarounds.iter().map(String::as_str);
    let quirks = Quirks::named(workarounds).unwrap_or_else(|unknown| {
        let text = format!("imap_client_workarounds: unknown workaround {unknown}; known: {}", quirks::NAMES);
        let place = view.place("imap_client_workarounds");
        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
        mistakes.push(Mistake::new(Severity::Error, place, text));
        Quirks::default()
    });
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let settings = Settings {
        greeting: access.login_greeting.clone(),
        tls: tls.is_some(),
        max_line: size(params.imap_max_line_length).max(1024),
        append_limit: size(params.imap_append_limit),
        idle_notify: params.imap_idle_notify_interval,
        capability: params.imap_capability.clone(),
        id: id(&params.imap_id_send),
        quirks,
        no_logins: false,
        training: scan::Training::read(view, &mut Vec::new()),
        clock,
    };
    Read { settings, accounts, tls, access, params }
}

/// `name * version 1`: names and values.
fn id(text: &str) -> Vec<(String, String)> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    words
        .chunks_exact(2)
        .map(|pair| {
            let value = match (pair[0], pair[1]) {
                ("version", "*") => env!("CARGO_PKG_VERSION"),
                (_, "*") => "Facteur",
                (_, value) => value,
            };
            (pair[0].to_owned(), value.to_owned())
        })
        .collect()
}

impl Imapd {
    /// Builds a service. What is wrong was told by [`check`]; defaults stand in its place.
    pub fn new(parts: Parts<'_>) -> Imapd {
        let Read { settings, accounts, tls, access, params } = read(parts.view, &mut Vec::new());
        // Nobody else writes into our own kind of store.
        let shared = !parts.view.get("mail_location").starts_with("facteur:");
        let settings = Settings { no_logins: parts.share.no_logins, ..settings };
        let most = usize::try_from(access.mail_max_userip_connections).unwrap_or(usize::MAX);
        Imapd(Arc::new(Service {
            settings: Arc::new(settings),
            desk: Desk {
                accounts: accounts.with_people(parts.people.clone()),
                people: parts.people,
                keepers: parts.share.keepers,
                counts: parts.counts,
                most,
                watch: parts.watch,
            },
            tls,
            wrapper: access.ssl_wrappermode,
            tls_required: access.ssl == "required",
            line: parts.share.line,
            look: shared.then_some(params.mailbox_idle_check_interval),
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
