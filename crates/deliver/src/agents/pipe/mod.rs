//! pipe(8): mail into external programs.

mod attributes;
mod macros;
mod size;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use conf::params::{Paths, Process, Site};
use conf::{Severity, View};
use jiff::{Timestamp, tz::TimeZone};
use mail::{Address, Blame, Class, Detail, Outcome, Refusal};
use net::clock;
use nix::unistd::{Group, User};

use self::attributes::Attributes;
use super::open::Opener;
use super::status_filter::StatusFilter;
use super::{AgentKind, Built, Setup, log_name};
use crate::child::ChildJob;
use crate::command::{self, CommandJob};
use crate::environment;
use crate::looping;
use crate::mailbox::crew::Crew;
use crate::mailbox::frame::{Dress, Head};
use crate::params::PipeAgent;
use crate::privilege::Rights;
use crate::{Agent, Boxed, Delivered, Purpose, Report, Request};

/// The line of the list.
pub const AGENT: AgentKind = AgentKind {
    command: "pipe",
    doc: "Runs the program that a service's line in master.cf names on each message, as the user named there.",
    build,
};

struct Pipe {
    program: Arc<str>,
    name: String,
    file: PathBuf,
    /// The words of master.cf, or what is wrong with them: then mail waits.
    attributes: Result<Attributes, String>,
    delimiter: String,
    time_limit: Duration,
    environment: Vec<(String, String)>,
    /// `enable_original_recipient`: `O` adds X-Original-To.
    shows_original: bool,
    queue_directory: PathBuf,
    mail_owner: String,
    crew: Crew,
    zone: TimeZone,
    filter: StatusFilter,
}

fn build(setup: &Setup) -> Built {
    let mut open = Opener::new(&setup.view, &setup.tables);
    let params: PipeAgent = open.block();
    let site: Site = open.block();
    let paths: Paths = open.block();
    let process: Process = open.block();
    let service = &setup.service;
    let program = log_name(setup, "pipe");
    let filter = open.maps("pipe_delivery_status_filter", &params.pipe_delivery_status_filter);
    let attributes = Attributes::parse(&service.args);
    if let Err(text) = &attributes {
        let place = Some((service.file.as_path(), service.line));
        open.note(Severity::Warning, place, format!("service {}: {text}; its mail waits", service.name));
    }
    let agent = Pipe {
        name: service.name.clone(),
        file: service.file.clone(),
        attributes,
        delimiter: site.recipient_delimiter,
        time_limit: time_limit(&setup.view, &service.name).unwrap_or(params.command_time_limit),
        environment: environment::exported(&process, &setup.view),
        shows_original: setup.view.get("enable_original_recipient") != "no",
        queue_directory: paths.queue_directory,
        mail_owner: process.mail_owner,
        crew: setup.crew.clone(),
        zone: setup.zone.clone(),
        filter: StatusFilter::new(filter, Arc::clone(&program)),
        program,
    };
    open.into_result(agent)
}

/// `<transport>_time_limit`.
pub(crate) fn time_limit(view: &View, name: &str) -> Option<Duration> {
    conf::parse_time(
        &view.family(&format!("{name}_time_limit"), "command_time_limit"),
        conf::TimeUnit::of('s')?,
    )
}

impl Agent for Pipe {
    fn deliver(&self, request: Request) -> Boxed<'_, Report> {
        Box::pin(async move {
            let began = clock::now();
            let outcome = self.run(&request).await.unwrap_or_else(Outcome::from);
            let seconds = (clock::now() - began).as_secs_f64();
            let delivered = request.targets.iter().map(|target| {
                let mut one = Delivered::new(target.index, outcome.clone(), &self.name);
                one.delays.1 = seconds;
                one.relayed = !self.attributes.as_ref().is_ok_and(|attributes| attributes.has('X'));
                one
            });
            let report = Report { delivered: delivered.collect(), ..Report::default() };
            self.filter.apply(report).await
        })
    }
}

impl Pipe {
    async fn run(&self, request: &Request) -> Result<Outcome, Refusal> {
        let attributes = self.attributes.as_ref().map_err(|text| self.misconfigured(text))?;
        // The header that these flags add names one recipient.
        for flag in ['D', 'O'] {
            if attributes.has(flag) && request.targets.len() > 1 {
                let limit = format!("{}_destination_recipient_limit", self.name);
                return Err(self.misconfigured(&format!("pipe flag `{flag}' requires {limit} = 1")));
            }
        }
        let rights = self.rights(attributes).await?;
        let counts = attributes.size > 0 || attributes.argv.iter().any(|word| word.contains("size"));
        let size = if counts { size::of(&request.content, &self.crew).await? } else { 0 };
        let argv = macros::expand(attributes, request, &self.delimiter, size)
            .map_err(|name| self.misconfigured(&format!("unknown macro name: \"{name}\"")))?;
        let shown = argv[0].clone();
        if attributes.size > 0 && size > attributes.size {
            return Err(Refusal::new(Class::Never, 52, Detail(2, 3), Blame::Policy, "message too large"));
        }
        if attributes.has('D')
            && let Some(target) = request.targets.first()
            && looping::was_delivered_to(&request.content, target.recipient.address.as_str()).await?
        {
            return Err(looping::refusal(&target.recipient.address));
        }
        if request.purpose != Purpose::Deliver {
            return Ok(sent(format!("delivers to command: {shown}")));
        }
        let job = CommandJob {
            child: ChildJob {
                rights,
                argv,
                environment: self.environment.clone(),
                directory: match (&attributes.directory, &attributes.chroot) {
                    (Some(directory), _) => directory.into(),
                    (None, Some(_)) => "/".into(),
                    (None, None) => self.queue_directory.clone(),
                },
                chroot: attributes.chroot.as_ref().map(PathBuf::from),
                file_limit: 0,
            },
            shown,
            agent: "pipe",
            head: self.head(attributes, request),
            dress: Dress {
                quote_from: attributes.has('>'),
                stuff_dots: attributes.has('.'),
                eol: attributes.eol.clone(),
                blank: attributes.has('B'),
            },
            time_limit: self.time_limit,
        };
        let output = command::run(&job, &request.content).await?;
        let output: String = output.trim_end().chars().take(100).collect();
        let remark = if output.is_empty() { String::new() } else { format!(" ({output})") };
        Ok(sent(format!("delivered via {} service{remark}", self.name)))
    }

    fn head(&self, attributes: &Attributes, request: &Request) -> Vec<u8> {
        let now = Timestamp::try_from(clock::wall()).unwrap_or(request.arrival);
        let replacement = Address::from(attributes.null_sender.as_str());
        let sender = if request.sender.is_null() { &replacement } else { &request.sender };
        let recipient = request.targets.first().map(|target| &target.recipient);
        let delivered = recipient.map(|recipient| recipient.address.external());
        Head {
            from_line: attributes.has('F').then_some((now, &self.zone)),
            sender: Some(sender),
            return_path: attributes.has('R'),
            original: recipient
                .map(|recipient| &recipient.original)
                .filter(|_| attributes.has('O') && self.shows_original),
            delivered: delivered.as_deref().filter(|_| attributes.has('D')),
        }
        .lines()
    }

    /// The user and the group: neither root's nor the mail system's.
    async fn rights(&self, attributes: &Attributes) -> Result<Rights, Refusal> {
        let (user, group, owner) =
            (attributes.user.clone(), attributes.group.clone(), self.mail_owner.clone());
        let found = self.crew.run(move || find_rights(&user, group.as_deref(), &owner)).await;
        found
            .unwrap_or_else(|| Err("the user look-up died".to_owned()))
            .map_err(|text| self.misconfigured(&text))
    }

    fn misconfigured(&self, text: &str) -> Refusal {
        log::warn!(target: &self.program, "file {}: service {}: {}", self.file.display(), self.name,
            mail::logline::printable(text));
        Refusal::later(51, Detail(3, 5), Blame::Admin, "mail system configuration error")
    }
}

/// The rights and the command of a pipe service, unless something is wrong with its line.
pub(crate) fn command_of(service: &conf::Service, mail_owner: &str) -> Option<(Rights, Vec<String>)> {
    let attributes = Attributes::parse(&service.args).ok()?;
    let rights = find_rights(&attributes.user, attributes.group.as_deref(), mail_owner).ok()?;
    Some((rights, attributes.argv))
}

/// `chroot=` of a pipe service.
pub(crate) fn root_of(service: &conf::Service) -> Option<PathBuf> {
    Attributes::parse(&service.args).ok()?.chroot.map(PathBuf::from)
}

/// A user and a group for programs: neither root's nor the mail system's.
pub(crate) fn find_rights(user: &str, group: Option<&str>, mail_owner: &str) -> Result<Rights, String> {
    let find = |name: &str| User::from_name(name).map_err(|error| format!("user {name}: {}", error.desc()));
    let found = find(user)?.ok_or_else(|| format!("unknown user name: {user}"))?;
    let gid = match group {
        None => found.gid,
        Some(name) => {
            let group = Group::from_name(name).map_err(|error| format!("group {name}: {}", error.desc()))?;
            group.ok_or_else(|| format!("unknown group name: {name}"))?.gid
        }
    };
    if found.uid.is_root() {
        return Err("user= command-line attribute specifies root privileges".to_owned());
    }
    if gid.as_raw() == 0 {
        return Err("user= command-line attribute specifies privileged group id 0".to_owned());
    }
    if let Some(owner) = find(mail_owner)?.filter(|_| crate::privilege::serves_others()) {
        if owner.uid == found.uid {
            return Err(format!("user= command-line attribute specifies mail system owner {mail_owner}"));
        }
        if owner.gid == gid {
            return Err(format!(
                "user= command-line attribute specifies mail system owner {mail_owner} group id"
            ));
        }
    }
    Ok(Rights { uid: found.uid.as_raw(), gid: gid.as_raw() })
}

fn sent(text: String) -> Outcome {
    Outcome::Delivered { detail: Detail(0, 0), text, relayed_dsn: false }
}
