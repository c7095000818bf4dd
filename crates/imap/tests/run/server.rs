//! Our own server, on a port of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use conf::{Block, Facts, MainCf, Registry, View};
use net::{Endpoint, Listener};
use tempfile::TempDir;

/// A server; it ends when dropped.
pub struct Server {
    pub address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
    _home: TempDir,
}

impl Server {
    /// Everybody may log in with the password `pw`, and has mail of this kind.
    pub fn start(kind: &str) -> Server {
        Server::with(kind, "")
    }

    /// The same with further lines of main.cf.
    pub fn with(kind: &str, more: &str) -> Server {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().display();
        let location = match kind {
            // Dovecot's dialogues have slashes between levels.
            "maildir" => format!("maildir:{place}/%u\nmailbox_separator = /"),
            kind => format!("{kind}:{place}/%u"),
        };
        let text = format!(
            "compatibility_level = 3.6\nmail_location = {location}\nmailbox_special_use_create = no\nmailbox_special_use = Sent=Sent\n\
             passdb = static:password=pw\nuserdb = static:home={place}/%u\nauth_failure_delay = 0\n\
             imap_append_limit = 1000000\n{more}"
        );
        let (main, mistakes) = MainCf::parse(&text, Path::new("main.cf"));
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let registry = Registry::new(&[
            people::params::Logins::DECLARATIONS,
            store::params::Mailboxes::DECLARATIONS,
            imap::params::Access::DECLARATIONS,
            imap::params::Imap::DECLARATIONS,
            net::params::ServerTls::DECLARATIONS,
            net::params::Tls::DECLARATIONS,
            conf::params::Paths::DECLARATIONS,
            conf::params::Process::DECLARATIONS,
        ]);
        let view = View::new(registry, main, Facts::default());
        let mut mistakes = Vec::new();
        imap::check(&view, &mut mistakes);
        let people = people::People::read(&view, people::Parts { clock: Arc::new(|| 0) }, &mut mistakes);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let parts = imap::service::Parts {
            view: &view,
            people,
            counts: Arc::default(),
            watch: Arc::new(gate::bans::Nobody),
            share: imap::handover::Share::default(),
        };
        let imapd = imap::Imapd::new(parts);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = {
            let _inside = runtime.enter();
            Listener::bind(&[Endpoint::Tcp("127.0.0.1:0".parse().unwrap())], 0).unwrap()
        };
        let Some(Endpoint::Tcp(address)) = listener.endpoints().next().cloned() else { panic!("a port") };
        runtime.spawn(async move {
            loop {
                let accepted = listener.accept().await;
                let imapd = imapd.clone();
                tokio::spawn(async move { imapd.session(accepted).await });
            }
        });
        Server { address, _runtime: runtime, _home: home }
    }
}
