//! postscreen(8): who may talk to smtpd at all.
//!
//! A new client waits for its greeting and is looked up in DNS lists meanwhile; robots that cannot wait, or that are
//! listed, never reach smtpd. Whoever passed is remembered for a while and goes straight through.
//!
//! A [`Postscreen`] is one line of master.cf under one configuration. The early tests look at the connection without
//! taking anything from it, so that a client who passed them can be handed over in the middle of its greeting; from
//! the first reply of our own [`dialogue`] on, a client can no longer be handed over and is asked to come back.

mod access;
mod dialogue;
mod lists;
mod memory;
mod session;
mod settings;

use std::sync::Arc;

use conf::{Service as Line, View};
use net::Accepted;
use net::dns::Resolver;
use tables::Tables;

use crate::smtpd::Smtpd;
use settings::Settings;

pub use memory::Memory;
pub use settings::check;

/// What a service is made of besides its parameters.
pub struct Parts<'a> {
    /// Parameters, with the line's own.
    pub view: &'a View,
    /// The line of master.cf.
    pub line: &'a Line,
    /// Opens tables.
    pub tables: &'a Tables,
    /// DNS.
    pub resolver: Resolver,
    /// Who passed before.
    pub memory: Arc<Memory>,
    /// `smtpd_service_name`: where clients go that passed.
    pub next: Option<Smtpd>,
}

/// A postscreen service.
pub struct Postscreen(Arc<Screen>);

/// Everything its sessions share.
struct Screen {
    settings: Settings,
    resolver: Resolver,
    memory: Arc<Memory>,
    next: Option<Smtpd>,
    /// `postscreen_pre_queue_limit`: clients under test.
    places: Arc<tokio::sync::Semaphore>,
}

impl Postscreen {
    /// Builds a service. What is wrong was told by [`check`]; defaults stand in its place.
    pub fn new(parts: Parts<'_>) -> Postscreen {
        let Parts { view, line, tables, resolver, memory, next } = parts;
        let settings = Settings::read(view, line, tables, &mut Vec::new());
        let places = usize::try_from(settings.params.postscreen_pre_queue_limit).unwrap_or(usize::MAX >> 4);
        let places = Arc::new(tokio::sync::Semaphore::new(places));
        Postscreen(Arc::new(Screen { settings, resolver, memory, next, places }))
    }

    /// Tests one client, and hands it over or sends it away.
    pub async fn session(&self, accepted: Accepted) {
        session::run(self.0.clone(), accepted).await;
    }
}
