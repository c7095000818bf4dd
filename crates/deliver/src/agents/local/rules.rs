//! What the configuration says about local delivery, with its tables open.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use conf::Mistake;
use conf::params::{Paths, Process, Site};
use jiff::tz::TimeZone;
use nix::unistd::{Group, User};
use route::{Extension, Router};
use tables::{Keys, Maps};

use crate::agents::open::Opener;
use crate::agents::status_filter::StatusFilter;
use crate::agents::{Setup, log_name};
use crate::environment;
use crate::mailbox::Locking;
use crate::mailbox::crew::Crew;
use crate::params::{Agents, LocalAgent, Mailbox, PipeAgent};
use crate::privilege::Rights;
use crate::{Pass, Reinject};

/// The settings of one local service.
pub struct Rules {
    /// The logged program.
    pub program: Arc<str>,
    /// Name of the service: `relay=`, and the transport that means "ourselves".
    pub service: String,
    /// The parameters.
    pub params: LocalAgent,
    /// `recipient_delimiter`.
    pub delimiter: String,
    /// `owner_request_special`.
    pub owner_special: bool,
    /// `soft_bounce`: what is refused is tried again, and so is the whole list it stands in.
    pub soft_bounce: bool,
    /// `alias_maps`.
    pub aliases: Maps,
    /// `mailbox_command_maps`.
    pub mailbox_commands: Maps,
    /// `mailbox_transport_maps`.
    pub mailbox_transports: Maps,
    /// `fallback_transport_maps`.
    pub fallback_transports: Maps,
    /// `mailbox_delivery_lock`.
    pub locking: Locking,
    /// `strict_mailbox_ownership`.
    pub strict_owner: bool,
    /// `default_privs`.
    pub default_rights: Rights,
    /// `command_time_limit`.
    pub time_limit: Duration,
    /// `export_environment`.
    pub environment: Vec<(String, String)>,
    /// Where programs start.
    pub queue_directory: PathBuf,
    /// The machine's name in Maildir file names.
    pub host: String,
    /// `duplicate_filter_limit`.
    pub duplicates: usize,
    /// `enable_original_recipient`: mailboxes get X-Original-To.
    pub shows_original: bool,
    /// Rewrites and resolves.
    pub router: Arc<Router>,
    /// Blocking work.
    pub crew: Crew,
    /// Into the queue.
    pub reinject: Arc<dyn Reinject>,
    /// To other agents.
    pub pass: Arc<dyn Pass>,
    /// `local_delivery_status_filter`.
    pub filter: StatusFilter,
    /// For `From ` lines.
    pub zone: TimeZone,
}

impl Rules {
    /// Reads the settings; all mistakes are collected.
    pub fn new(setup: &Setup) -> Result<Rules, Vec<Mistake>> {
        let mut open = Opener::new(&setup.view, &setup.tables);
        let params: LocalAgent = open.block();
        let agents: Agents = open.block();
        let pipe: PipeAgent = open.block();
        let mailbox: Mailbox = open.block();
        let site: Site = open.block();
        let paths: Paths = open.block();
        let process: Process = open.block();
        let rewrite: route::params::Rewrite = open.block();
        let program = log_name(setup, "local");
        let filter = open.maps("local_delivery_status_filter", &params.local_delivery_status_filter);
        // The key of an alias is a stranger's, and the value may be a command.
        let aliases = open.maps_with("alias_maps", &params.alias_maps, Keys::LITERAL);
        let default_rights = default_rights(&agents.default_privs).unwrap_or_else(|text| {
            open.complain("default_privs", text);
            Rights::own()
        });
        let rules = Rules {
            service: setup.service.name.clone(),
            delimiter: site.recipient_delimiter,
            owner_special: rewrite.owner_request_special,
            soft_bounce: site.soft_bounce,
            aliases,
            mailbox_commands: open.maps("mailbox_command_maps", &params.mailbox_command_maps),
            mailbox_transports: open.maps("mailbox_transport_maps", &params.mailbox_transport_maps),
            fallback_transports: open.maps("fallback_transport_maps", &params.fallback_transport_maps),
            locking: Locking::read(
                &mut open,
                "mailbox_delivery_lock",
                &mailbox.mailbox_delivery_lock,
                &mailbox,
            ),
            strict_owner: mailbox.strict_mailbox_ownership,
            default_rights,
            time_limit: pipe.command_time_limit,
            environment: environment::exported(&process, &setup.view),
            queue_directory: paths.queue_directory,
            host: setup.view.facts().host_name.clone(),
            shows_original: setup.view.get("enable_original_recipient") != "no",
            duplicates: setup.view.get("duplicate_filter_limit").parse().unwrap_or(1000),
            router: Arc::clone(&setup.router),
            crew: setup.crew.clone(),
            reinject: Arc::clone(&setup.reinject),
            pass: Arc::clone(&setup.pass),
            filter: StatusFilter::new(filter, Arc::clone(&program)),
            zone: setup.zone.clone(),
            program,
            params,
        };
        let mistakes = open.finish();
        if mistakes.iter().any(|mistake| mistake.severity != conf::Severity::Warning) {
            return Err(mistakes);
        }
        Ok(rules)
    }

    /// Is an extension that no key matched carried over into what a kind of expansion yields?
    pub fn propagates(&self, kind: &str) -> bool {
        self.router.extension(kind) == Extension::Propagated
    }
}

/// `user` or `user:group`; neither is root.
pub(crate) fn default_rights(text: &str) -> Result<Rights, String> {
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    if !crate::privilege::serves_others() {
        return Ok(Rights::own());
    }
    let found = User::from_name(user).map_err(|error| format!("{user}: {}", error.desc()))?;
    let found =
        found.ok_or_else(|| format!("unknown user name {user:?}: name an existing unprivileged user"))?;
    let gid = match group {
        None => found.gid,
        Some(name) => {
            let group = Group::from_name(name).map_err(|error| format!("{name}: {}", error.desc()))?;
            group.ok_or_else(|| format!("unknown group name {name:?}"))?.gid
        }
    };
    if found.uid.is_root() || gid.as_raw() == 0 {
        return Err(format!("default_privs {text:?} is privileged: name an unprivileged user"));
    }
    Ok(Rights { uid: found.uid.as_raw(), gid: gid.as_raw() })
}
