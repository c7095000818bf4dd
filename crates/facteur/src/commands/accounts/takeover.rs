//! `facteur domain takeover` and `giveback`: mail for a domain whose own server is down goes to the backup mailboxes,
//! and what came meanwhile goes to that server when it is back.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use conf::View;
use jiff::Timestamp;
use mail::Trail;
use mail::logline::printable;
use queue::Selection;
use queue::control::{Alteration, Answer, Request};
use route::takeover::{self, Takeover, Way};
use route::{DomainClass, Router};

use super::arrived::Arrived;
use super::options::Options;
use crate::commands::reach;
use crate::config::Config;

const NOTHING_DONE: &str = "Nothing was done. The same command with --yes does it.";

/// The list of what is taken over, and its file.
struct Kept {
    file: PathBuf,
    all: Vec<Takeover>,
}

impl Kept {
    fn read(view: &View) -> Result<Kept, String> {
        let file = PathBuf::from(view.get("domain_takeover_file"));
        let all = takeover::read(&file)?;
        Ok(Kept { file, all })
    }

    fn position(&self, domain: &str) -> Option<usize> {
        self.all.iter().position(|takeover| takeover.domain == domain)
    }

    /// Replaces the file in one step. Everybody may read it.
    fn write(&self) -> Result<(), String> {
        let write = || {
            if let Some(folder) = self.file.parent() {
                fs::create_dir_all(folder)?;
            }
            let new = self.file.with_extension(format!("{}.new", std::process::id()));
            let mut file = File::create(&new)?;
            file.set_permissions(fs::Permissions::from_mode(0o644))?;
            file.write_all(takeover::text(&self.all).as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &self.file)
        };
        write().map_err(|error: std::io::Error| format!("write {}: {error}", self.file.display()))
    }
}

/// `facteur domain takeover`
pub(super) fn take(options: &Options) -> Result<(), String> {
    let config = options.config();
    let mut kept = Kept::read(&config.view)?;
    if options.words.is_empty() {
        for Takeover { domain, way, since } in &kept.all {
            println!("{domain}\t{way}\tsince {since}");
        }
        return Ok(());
    }
    let [domain] = options.exactly()?;
    let domain = named(domain)?;
    if let Some(at) = kept.position(&domain) {
        return Err(format!("{domain} is taken over since {}", kept.all[at].since));
    }
    let way = match (options.value("to"), options.value("via")) {
        (Some(backup), None) => Way::To(named(backup)?),
        (None, Some(via)) if via.contains(':') && !via.contains(char::is_whitespace) => {
            Way::Via(via.to_owned())
        }
        (None, Some(via)) => {
            return Err(format!("--via {via}: TRANSPORT:NEXTHOP is expected, such as smtp:[192.0.2.1]"));
        }
        _ => {
            return Err(
                "either --to BACKUP_DOMAIN, whose mailboxes are here, or --via TRANSPORT:NEXTHOP, to the \
                 server that has them, is expected"
                    .to_owned(),
            );
        }
    };
    if let Way::To(backup) = &way {
        check_backup(&config.view, &domain, backup)?;
    }
    let waiting = waiting(&config, &domain);
    println!("{domain} is to be taken over:");
    match &way {
        Way::To(backup) => println!(
            "  mail for NAME@{domain} goes to NAME@{backup}; a NAME that has no mailbox there is refused"
        ),
        Way::Via(via) => println!("  mail for {domain} goes to {via}"),
    }
    println!("  {}", about_waiting(waiting.as_deref(), &way, options.has("queued")));
    if !options.has("yes") {
        println!("{NOTHING_DONE}");
        return Ok(());
    }
    let since = Timestamp::try_from(net::clock::wall()).unwrap_or_default();
    kept.all.push(Takeover { domain: domain.clone(), way, since: format!("{since:.0}") });
    kept.write()?;
    println!("{domain} is taken over.");
    if options.has("queued") {
        requeue(&config, waiting.unwrap_or_default())?;
    }
    Ok(())
}

/// `facteur domain giveback`
pub(super) fn give_back(options: &Options) -> Result<(), String> {
    let [domain] = options.exactly()?;
    let domain = named(domain)?;
    let config = options.config();
    let mut kept = Kept::read(&config.view)?;
    let at = kept.position(&domain).ok_or_else(|| format!("{domain} is not taken over"))?;
    let Takeover { way, since, .. } = kept.all[at].clone();
    let arrived = match &way {
        Way::To(backup) => Arrived::find(&config.view, &domain, backup, &since)?,
        Way::Via(_) => Arrived::default(),
    };
    println!("{domain} is to be given back, taken over {way} since {since}:");
    println!("  mail for it takes the way of the configuration again");
    arrived.tell(&domain);
    if !options.has("yes") {
        println!("{NOTHING_DONE}");
        return Ok(());
    }
    kept.all.remove(at);
    kept.write()?;
    println!("{domain} is given back.");
    arrived.send(&config)
}

fn named(text: &str) -> Result<String, String> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || "/@#".contains(c);
    if text.is_empty() || text.contains(bad) || text.starts_with('.') || text.len() > 255 {
        return Err(format!("\"{}\": no domain", printable(text)));
    }
    Ok(text.to_ascii_lowercase())
}

/// The backup domain must have mailboxes here, or mail would come back.
fn check_backup(view: &View, domain: &str, backup: &str) -> Result<(), String> {
    if backup == domain {
        return Err(format!("--to {backup}: another domain is expected"));
    }
    let mut mistakes = Vec::new();
    let tables = crate::serve::tables(view, &mut mistakes);
    let own = crate::interfaces::own(view, &mut mistakes);
    let router = Router::new(view, &tables, own, &mut mistakes);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start the runtime: {error}"))?;
    match runtime.block_on(router.class(backup, &mut Trail::off())) {
        Ok(DomainClass::Local | DomainClass::VirtualMailbox) => Ok(()),
        Ok(_) => Err(format!(
            "--to {backup}: it is neither in virtual_mailbox_domains nor in mydestination: it has no mailboxes here"
        )),
        Err(trouble) => Err(format!("--to {backup}: {trouble}")),
    }
}

/// The messages in the queue with a recipient in the domain; `None` when the queue cannot be read.
fn waiting(config: &Config, domain: &str) -> Option<Vec<mail::QueueId>> {
    let directory = reach::queue_directory(config);
    let mut reach =
        reach::connect(&directory).ok().or_else(|| reach::open(&directory, reach::Intent::Look).ok())?;
    let mut found = Vec::new();
    let asked = reach.ask(Request::List, &mut |answer| {
        if let Answer::Summary(summary) = answer {
            let of =
                |address: &mail::Address| address.domain().is_some_and(|it| it.eq_ignore_ascii_case(domain));
            if summary.recipients.iter().any(|waiting| of(&waiting.address)) {
                found.push(summary.brief.id);
            }
        }
        Ok(())
    });
    asked.ok().map(|()| found)
}

fn about_waiting(waiting: Option<&[mail::QueueId]>, way: &Way, queued: bool) -> String {
    let Some(waiting) = waiting else {
        return "the queue cannot be read: what waits in it stays there".to_owned();
    };
    let count = waiting.len();
    match (count, way, queued) {
        (0, ..) => "nothing waits in the queue for it".to_owned(),
        (_, Way::To(_), true) => format!("{count} messages that wait in the queue for it go there, too"),
        (_, Way::To(_), false) => format!(
            "{count} messages wait in the queue for it, and stay there for its own server; --queued sends them to the \
             backup mailboxes"
        ),
        (_, Way::Via(_), true) => format!("{count} messages that wait in the queue for it go there now"),
        (_, Way::Via(_), false) => {
            format!("{count} messages that wait in the queue for it go there at their next attempt")
        }
    }
}

fn requeue(config: &Config, ids: Vec<mail::QueueId>) -> Result<(), String> {
    if ids.is_empty() {
        return Ok(());
    }
    let directory = reach::queue_directory(config);
    let mut reach = match reach::connect(&directory) {
        Ok(reach) => reach,
        Err(_) => reach::open(&directory, reach::Intent::Change)?,
    };
    let (mut changed, mut refused) = (0, None);
    let selection = Selection::These(ids, queue::State::ALL.to_vec());
    let asked = reach.ask(Request::Alter(Alteration::Requeue, selection), &mut |answer| {
        match answer {
            Answer::Altered(ids) => changed += ids.len(),
            Answer::Refused(_, text) => refused = Some(text),
            _ => {}
        }
        Ok(())
    });
    asked.map_err(|error| error.to_string())?;
    println!("Requeued: {changed} messages");
    refused.map_or(Ok(()), Err)
}
