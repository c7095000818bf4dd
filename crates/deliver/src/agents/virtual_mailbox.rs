//! virtual(8): mailboxes of people who are no system users, named by tables.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use mail::{Blame, Detail, Outcome, Refusal};
use net::clock;
use tables::{AddressSearch, Keys, Maps};

use super::open::Opener;
use super::status_filter::StatusFilter;
use super::{AgentKind, Built, Setup, log_name};
use crate::mailbox::crew::Crew;
use crate::mailbox::frame::Head;
use crate::mailbox::{Locking, MailboxJob, MaildirPlace, MboxPlace, OpenAs, Place, Unexplained};
use crate::params::{Mailbox, VirtualAgent};
use crate::privilege::Rights;
use crate::{Agent, Boxed, Delivered, Purpose, Report, Request, Target};

/// The line of the list.
pub const AGENT: AgentKind = AgentKind {
    command: "virtual",
    doc: "Delivers to Maildirs and mbox files below virtual_mailbox_base, each with its owner's rights.",
    build,
};

struct Virtual {
    program: Arc<str>,
    relay: String,
    params: VirtualAgent,
    mailboxes: Maps,
    uids: Maps,
    gids: Maps,
    delimiter: String,
    locking: Locking,
    strict_owner: bool,
    host: String,
    crew: Crew,
    zone: TimeZone,
    filter: StatusFilter,
}

fn build(setup: &Setup) -> Built {
    let mut open = Opener::new(&setup.view, &setup.tables);
    let params: VirtualAgent = open.block();
    let mailbox: Mailbox = open.block();
    let site: conf::params::Site = open.block();
    let classes: route::params::Classes = open.block();
    let program = log_name(setup, "virtual");
    let locking = Locking::read(&mut open, "virtual_mailbox_lock", &params.virtual_mailbox_lock, &mailbox);
    let filter = open.maps("virtual_delivery_status_filter", &params.virtual_delivery_status_filter);
    let transport = setup.view.get("virtual_transport");
    let asked = transport.split(':').next() == Some(setup.service.name.as_str());
    if asked && params.virtual_mailbox_base.as_os_str().is_empty() && !classes.virtual_mailbox_maps.is_empty()
    {
        open.complain(
            "virtual_mailbox_base",
            "virtual_mailbox_base is empty: set it to the directory of the mailboxes",
        );
    }
    let agent = Virtual {
        relay: setup.service.name.clone(),
        mailboxes: open.maps_with("virtual_mailbox_maps", &classes.virtual_mailbox_maps, Keys::LITERAL),
        uids: open.maps_with("virtual_uid_maps", &params.virtual_uid_maps, Keys::LITERAL),
        gids: open.maps_with("virtual_gid_maps", &params.virtual_gid_maps, Keys::LITERAL),
        delimiter: site.recipient_delimiter,
        locking,
        strict_owner: mailbox.strict_mailbox_ownership,
        host: setup.view.facts().host_name.clone(),
        crew: setup.crew.clone(),
        zone: setup.zone.clone(),
        filter: StatusFilter::new(filter, Arc::clone(&program)),
        program,
        params,
    };
    open.into_result(agent)
}

impl Agent for Virtual {
    fn deliver(&self, request: Request) -> Boxed<'_, Report> {
        Box::pin(async move {
            let mut delivered = Vec::with_capacity(request.targets.len());
            for target in &request.targets {
                let began = clock::now();
                let outcome = self.one(&request, target).await.unwrap_or_else(Outcome::from);
                let mut one = Delivered::new(target.index, outcome, &self.relay);
                one.delays.1 = (clock::now() - began).as_secs_f64();
                delivered.push(one);
            }
            self.filter.apply(Report { delivered, ..Report::default() }).await
        })
    }
}

impl Virtual {
    async fn one(&self, request: &Request, target: &Target) -> Result<Outcome, Refusal> {
        let address = &target.recipient.address;
        let user = address.as_str().to_lowercase();
        let Some(mailbox) = self.look_up(&self.mailboxes, &user).await? else {
            let text = format!("unknown user: \"{user}\"");
            return Err(Refusal::never(50, Detail(1, 1), Blame::Policy, text));
        };
        let uid = self.id(&self.uids, &user, self.params.virtual_minimum_uid).await?;
        let gid = self.id(&self.gids, &user, 1).await?;
        let maildir = mailbox.ends_with('/');
        if request.purpose != Purpose::Deliver {
            return Ok(sent(if maildir { "delivers to maildir" } else { "delivers to mailbox" }));
        }
        // The base is put before the value even when that begins with a slash.
        let mut path = self.params.virtual_mailbox_base.as_os_str().to_owned();
        path.push("/");
        path.push(&mailbox);
        let job = self.job(request, target, PathBuf::from(path), maildir, Rights { uid, gid });
        match self.crew.carry_out(job.clone(), request.content.clone()).await {
            Ok(()) => Ok(sent(if maildir { "delivered to maildir" } else { "delivered to mailbox" })),
            Err(failure) if maildir => {
                if failure.denied {
                    log::warn!(target: &self.program, "maildir access problem for UID/GID={uid}/{gid}: {}", failure.text);
                    log::warn!(target: &self.program, "perhaps you need to create the maildirs in advance");
                }
                Err(failure.refusal("maildir delivery failed: "))
            }
            Err(failure) => {
                let path = format!("{}/{mailbox}", self.params.virtual_mailbox_base.display());
                Err(failure.refusal(&format!("delivery failed to mailbox {path}: ")))
            }
        }
    }

    /// Full address, without extension, `@domain`.
    async fn look_up(&self, maps: &Maps, user: &str) -> Result<Option<String>, Refusal> {
        let search = AddressSearch { user: false, ..AddressSearch::standard(&self.delimiter, false) };
        match maps.find_address(user, search).await {
            Ok(found) => Ok(found.map(|found| found.value)),
            Err(trouble) => {
                log::warn!(target: &self.program, "{trouble}");
                Err(misconfigured())
            }
        }
    }

    async fn id(&self, maps: &Maps, user: &str, least: i64) -> Result<u32, Refusal> {
        let shown = mail::logline::printable(user);
        let Some(value) = self.look_up(maps, user).await? else {
            log::warn!(target: &self.program, "recipient {shown}: not found in {}", maps.parameter());
            return Err(misconfigured());
        };
        let id = value.trim().parse::<u32>().ok().filter(|id| i64::from(*id) >= least && *id != u32::MAX);
        id.ok_or_else(|| {
            let kind = if maps.parameter().contains("gid") { "gid" } else { "uid" };
            log::warn!(target: &self.program, "recipient {shown}: bad {kind} {value} in {}", maps.parameter());
            misconfigured()
        })
    }

    fn job(
        &self,
        request: &Request,
        target: &Target,
        path: PathBuf,
        maildir: bool,
        rights: Rights,
    ) -> MailboxJob {
        let now = Timestamp::try_from(clock::wall()).unwrap_or(request.arrival);
        let head = Head {
            from_line: (!maildir).then_some((now, &self.zone)),
            sender: Some(&request.sender),
            return_path: true,
            original: Some(&target.recipient.original),
            delivered: Some(&target.recipient.address.external()),
        };
        let place = if maildir {
            let micros = u32::try_from(now.subsec_microsecond()).unwrap_or(0);
            Place::Maildir(MaildirPlace {
                directory: path,
                stamp: (now.as_second(), micros),
                token: request.token(target.index),
                host: self.host.clone(),
                again: request.again,
            })
        } else {
            Place::Mbox(MboxPlace {
                path,
                locking: self.locking.clone(),
                open_as: OpenAs::User,
                strict_owner: self.strict_owner,
                special: false,
                unexplained: Unexplained::LATER,
            })
        };
        MailboxJob { rights, place, head: head.lines(), limit: self.params.virtual_mailbox_limit }
    }
}

fn sent(text: &str) -> Outcome {
    Outcome::Delivered { detail: Detail(0, 0), text: text.to_owned(), relayed_dsn: false }
}

fn misconfigured() -> Refusal {
    Refusal::later(51, Detail(3, 5), Blame::Admin, "mail system configuration error")
}
