//! Mail from strangers judged: is it spam, and what becomes of it?

use std::time::Duration;

use conf::{Mistake, Severity, View};
use filter::reversed;
use mail::logline::printable;
use mail::{Blame, Detail, Refusal, Trouble};
use net::dns::Resolver;
use nix::unistd::User;
use scan::spam::{Finding, Sample, Verdict};
use scan::{Judge, SpamCheck};
use tables::Tables;

use super::lists::{self, List};
use super::{PIECE, failed, hold, log, replace};
use crate::cleanup::Clean;
use crate::house::House;
use crate::milters::edit::Letter;
use crate::vouching::Stranger;

/// How long all of it may keep a message.
const WHOLE: Duration = Duration::from_secs(300);

/// What one configuration says of spam, with the lists and who answers for them.
pub(crate) struct SpamGate {
    check: std::sync::Arc<SpamCheck>,
    clients: Vec<List>,
    links: Vec<List>,
    resolver: Resolver,
    /// Domains of users who log in with their local part alone.
    home: Vec<String>,
    /// Who keeps everybody's mailboxes (`mail_uid`).
    pub(crate) keeper: Option<u32>,
}

impl SpamGate {
    /// Reads the parameters. `None`: nobody is asked.
    pub(crate) fn read(
        view: &View,
        tables: &Tables,
        resolver: &Resolver,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<SpamGate> {
        let check = SpamCheck::read(view, tables, resolver, mistakes)?;
        let mut parse = |parameter: &str, words: &[String]| -> Vec<List> {
            let mut lists = Vec::new();
            for word in words {
                match List::parse(word) {
                    Ok(list) => lists.push(list),
                    Err(what) => {
                        let place = view.place(parameter);
                        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
                        let text = format!("{parameter}: {what}; this list is not asked");
                        mistakes.push(Mistake::new(Severity::Error, place, text));
                    }
                }
            }
            lists
        };
        Some(SpamGate {
            clients: parse("spam_client_lists", &check.client_lists),
            links: parse("spam_link_lists", &check.link_lists),
            check: check.into(),
            resolver: resolver.clone(),
            keeper: number_of(&view.get("mail_uid")),
            home: ["myorigin", "mydomain", "myhostname"]
                .iter()
                .map(|name| view.get(name).to_lowercase())
                .collect(),
        })
    }

    /// Learns what was left to be learned by those who `may` teach for a user; gives how many messages. Blocks.
    pub(crate) fn learn(
        &self,
        today: i64,
        may: impl Fn(&str, u32) -> Result<bool, Trouble>,
    ) -> Result<usize, Trouble> {
        match (&self.check.judge, &self.check.training) {
            (Judge::Own(own), Some(training)) => training.collect(own, self.check.site_learns, today, may),
            _ => Ok(0),
        }
    }

    /// Names under which the recipient, when there is but one, may have statistics.
    fn owners(&self, recipients: &[String]) -> Vec<String> {
        let [only] = recipients else { return Vec::new() };
        let only = only.to_lowercase();
        let local = only.rsplit_once('@').filter(|(_, domain)| self.home.iter().any(|home| home == domain));
        let local = local.map(|(local, _)| local.to_owned());
        std::iter::once(only.clone()).chain(local).collect()
    }
}

/// The number of a user by number or name.
fn number_of(user: &str) -> Option<u32> {
    let named = || User::from_name(user).ok().flatten().map(|user| user.uid.as_raw());
    user.parse().ok().or_else(named)
}

/// Judges a message, marks it, and has it refused or held where the configuration says so.
pub(crate) async fn check(
    house: &House,
    gate: &SpamGate,
    clean: &mut Clean<queue::Draft>,
    stranger: &Stranger,
    proven: Option<String>,
) -> Result<(), Refusal> {
    let recipients: Vec<String> =
        clean.envelope.recipients.iter().map(|one| one.address.as_str().to_owned()).collect();
    let about = scan::Letter {
        id: clean.id.to_string(),
        client: Some(stranger.address),
        name: clean.envelope.client.name.clone(),
        helo: stranger.helo.clone(),
        sender: stranger.sender.as_str().to_owned(),
        owners: gate.owners(&recipients),
        recipients,
        proven,
    };
    let mut letter = Letter::open(clean.content.body()?)?;
    // Only we may say this.
    letter
        .remove(|raw| mail::header::Field::parse(raw).is_some_and(|field| scan::spam::is_ours(field.name())));
    let asked = match gate.check.exceptions(&about).await {
        Ok(asked) => asked,
        Err(trouble) => return failed(house, scan::OnFailure::TempFail, clean, &trouble),
    };
    if asked.skip {
        log::info!(target: "cleanup", "{}: spam check: not checked, by an exception", clean.id);
        return replace(house, clean, &letter);
    }
    let judging = judge(gate, clean, &about, asked.findings, house.now().as_second() / 86_400);
    let judged = tokio::time::timeout(WHOLE, judging).await;
    let verdict = match judged.unwrap_or_else(|_| Err(Trouble::new("the spam check takes too long"))) {
        Ok(Some(verdict)) => verdict,
        Ok(None) => {
            log::info!(target: "cleanup", "{}: spam check: larger than spam_size_limit", clean.id);
            return replace(house, clean, &letter);
        }
        Err(trouble) => {
            replace(house, clean, &letter)?;
            return failed(house, gate.check.on_failure, clean, &trouble);
        }
    };
    log::info!(target: "cleanup", "{}: spam check: {}", clean.id, printable(&verdict.line()));
    let score = verdict.score();
    let reached = |limit: Option<f64>| !asked.lenient && limit.is_some_and(|limit| score >= limit);
    if reached(gate.check.thresholds.reject) {
        let text = "message looks like spam";
        log(clean, "reject", &format!("5.7.1 {text} (score {score:.1})"));
        return Err(Refusal::never(50, Detail(7, 1), Blame::Policy, text));
    }
    // Behind our own Received, which comes first.
    for (at, field) in verdict.fields().into_iter().enumerate() {
        letter.insert(1 + at, field);
    }
    if reached(gate.check.thresholds.quarantine) {
        hold(clean, &mut letter, &format!("spam (score {score:.1})"));
    }
    replace(house, clean, &letter)
}

/// `None`: it is too large to be shown to a judge somewhere else.
async fn judge(
    gate: &SpamGate,
    clean: &mut Clean<queue::Draft>,
    about: &scan::Letter,
    mut findings: Vec<Finding>,
    today: i64,
) -> Result<Option<Verdict>, Trouble> {
    let check = &gate.check;
    let required = check.thresholds.required;
    let body = clean.content.body().map_err(Trouble::from)?;
    let showing = match &check.judge {
        Judge::Own(_) => None,
        _ if body.len() > check.size_limit as u64 => return Ok(None),
        Judge::Spamd(remote) => Some(remote.spamd(about, body.len()).await?),
        Judge::Rspamd(remote) => Some(remote.rspamd(about, body.len()).await?),
    };
    if let Some(mut showing) = showing {
        let mut at = 0;
        loop {
            let piece = body.read_at(at, PIECE).map_err(Trouble::from)?;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            showing.feed(&piece).await?;
        }
        let mut verdict = showing.finish(required).await?;
        let ours: f64 = findings.iter().map(|finding| finding.points).sum();
        verdict.given = verdict.given.map(|score| score + ours);
        verdict.findings.splice(0..0, findings);
        return Ok(Some(verdict));
    }
    let most = check.size_limit;
    let sample = blocking(move || Ok(Sample::read(&body.read_at(0, most).map_err(Trouble::from)?))).await?;
    if let Some(client) = about.client.filter(|_| !gate.clients.is_empty()) {
        let subject = [(reversed(client), client.to_string())];
        let asking =
            lists::ask(&gate.clients, &subject, "LISTED_CLIENT", &gate.resolver, check.lists_timeout);
        findings.extend(asking.await);
    }
    if !gate.links.is_empty() {
        let subjects: Vec<(String, String)> =
            sample.sites().map(|site| (site.to_owned(), site.to_owned())).collect();
        let asking = lists::ask(&gate.links, &subjects, "LISTED_LINK", &gate.resolver, check.lists_timeout);
        findings.extend(asking.await);
    }
    let (check, about) = (check.clone(), about.clone());
    blocking(move || {
        let Judge::Own(own) = &check.judge else { return Ok(None) };
        let verdict = own.judge(&sample, findings, &about, required)?;
        // What is remembered of a sender is no part of the verdict: when that fails, the verdict holds.
        if let Err(trouble) = own.remember(&verdict, today) {
            log::warn!(target: "cleanup", "{trouble}");
        }
        Ok(Some(verdict))
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Trouble::new("the spam check failed")))
}
