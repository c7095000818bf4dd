//! What a configuration says of spam, and how a verdict is come by.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use conf::{Block, Mistake, Severity, View};
use mail::Trouble;
use net::Stream;
use net::dns::Resolver;
use tables::{AddressSearch, Maps, Parents, Tables};

use crate::endpoint::Endpoint;
use crate::params::Spam;
use crate::spam::{
    Class, Finding, Limits, Rules, Sample, Standing, Statistics, Verdict, points, rspamd, spamd,
};
use crate::{OnFailure, Training};

/// Points that decide alone.
const DECISIVE: f64 = 100.0;

/// What a sender sent is remembered where its score is this far from what is required.
const CLEARLY: f64 = 2.0;

/// Scores from which on something happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// It is marked.
    pub required: f64,
    /// It is held.
    pub quarantine: Option<f64>,
    /// It is refused.
    pub reject: Option<f64>,
}

/// What is known of a message beside its content.
#[derive(Clone, Debug, Default)]
pub struct Letter {
    /// Its queue id.
    pub id: String,
    /// The client's address, when it has one.
    pub client: Option<IpAddr>,
    /// The client's verified name, or `unknown`.
    pub name: String,
    /// HELO.
    pub helo: String,
    /// The reverse-path in internal form; empty for notices.
    pub sender: String,
    /// Recipients in internal form.
    pub recipients: Vec<String>,
    /// Names under which the one recipient may have statistics of its own; empty when there are several.
    pub owners: Vec<String>,
    /// The sending domain that is proven.
    pub proven: Option<String>,
}

/// What the exceptions say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// It is not checked at all.
    pub skip: bool,
    /// A recipient wants all mail: it is marked, and no more.
    pub lenient: bool,
    /// Points for and against it.
    pub findings: Vec<Finding>,
}

/// Who says whether a message is spam.
#[derive(Debug)]
pub enum Judge {
    /// We do.
    Own(Box<Own>),
    /// A spamd.
    Spamd(Remote),
    /// An rspamd.
    Rspamd(Remote),
}

/// Our own judge.
#[derive(Debug)]
pub struct Own {
    rules: Rules,
    database: PathBuf,
    limits: Limits,
    least: u32,
    open: Mutex<Option<Arc<Statistics>>>,
}

/// A judge somewhere else.
#[derive(Debug)]
pub struct Remote {
    endpoint: Endpoint,
    resolver: Resolver,
    connect: Duration,
    answer: Duration,
}

/// All that one configuration says of spam.
pub struct SpamCheck {
    /// Who judges.
    pub judge: Judge,
    /// Scores from which on something happens.
    pub thresholds: Thresholds,
    /// What becomes of a message when nobody can say.
    pub on_failure: OnFailure,
    /// How much of a message is looked at, in bytes.
    pub size_limit: usize,
    /// `spam_client_lists`, a word each.
    pub client_lists: Vec<String>,
    /// `spam_link_lists`, a word each.
    pub link_lists: Vec<String>,
    /// What people do with their mail teaches the site, too.
    pub site_learns: bool,
    /// Where they leave what is to be learned.
    pub training: Option<Training>,
    /// How long lists are waited for.
    pub lists_timeout: Duration,
    clients: Maps,
    senders: Maps,
    recipients: Maps,
    delimiter: String,
}

impl SpamCheck {
    /// Reads the parameters. `None`: nobody is asked.
    pub fn read(
        view: &View,
        tables: &Tables,
        resolver: &Resolver,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<SpamCheck> {
        let read = Spam::read(view, mistakes);
        let text = read.spam_check.trim();
        if text.is_empty() {
            return None;
        }
        let mut wrong = |parameter: &str, text: String| {
            let place = view.place(parameter);
            let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
            mistakes.push(Mistake::new(Severity::Error, place, format!("{parameter}: {text}")));
        };
        let remote = |rest: &str| {
            let endpoint = Endpoint::parse(rest, Path::new(&view.get("queue_directory")))?;
            let resolver = resolver.clone();
            Some(Remote { endpoint, resolver, connect: read.spam_connect_timeout, answer: read.spam_timeout })
        };
        let judge = match text.split_once(':') {
            None if text == "facteur" => Some(Judge::Own(Box::new(Own::new(&read)))),
            Some(("spamd", rest)) => remote(rest).map(Judge::Spamd),
            Some(("rspamd", rest)) => remote(rest).map(Judge::Rspamd),
            _ => None,
        };
        let Some(mut judge) = judge else {
            let forms = "facteur, spamd:inet:host:port, spamd:unix:path or rspamd:inet:host:port";
            wrong("spam_check", format!("\"{text}\" is not {forms}; no message is checked"));
            return None;
        };
        let mut score = |parameter: &str, text: &str| -> Option<f64> {
            let text = text.trim();
            let number = text.parse().ok().filter(|number: &f64| number.abs() <= 1000.0);
            if number.is_none() && !text.is_empty() {
                wrong(parameter, format!("\"{text}\" is no number of points"));
            }
            number
        };
        let thresholds = Thresholds {
            required: score("spam_required_score", &read.spam_required_score).unwrap_or(5.0),
            quarantine: score("spam_quarantine_score", &read.spam_quarantine_score),
            reject: score("spam_reject_score", &read.spam_reject_score),
        };
        let mut maps = |parameter: &str, text: &str| {
            tables.maps(parameter, text).unwrap_or_else(|fault| {
                wrong(parameter, fault.to_string());
                tables.maps(parameter, "").expect("no table at all can always be opened")
            })
        };
        let (clients, senders, recipients) = (
            maps("spam_client_access_maps", &read.spam_client_access_maps),
            maps("spam_sender_access_maps", &read.spam_sender_access_maps),
            maps("spam_recipient_access_maps", &read.spam_recipient_access_maps),
        );
        if let Judge::Own(own) = &mut judge {
            own.rules = Own::rules(view, &read, mistakes);
        }
        Some(SpamCheck {
            judge,
            thresholds,
            on_failure: OnFailure::parse(&read.spam_default_action),
            size_limit: usize::try_from(read.spam_size_limit).unwrap_or(usize::MAX).max(1024),
            client_lists: read.spam_client_lists,
            link_lists: read.spam_link_lists,
            site_learns: read.spam_learn_from_junk == "site",
            training: Training::read(view, &mut Vec::new()),
            lists_timeout: read.spam_lists_timeout,
            clients,
            senders,
            recipients,
            delimiter: view.get("recipient_delimiter"),
        })
    }

    /// What the exceptions say of a message.
    ///
    /// # Errors
    /// A table failed.
    pub async fn exceptions(&self, letter: &Letter) -> Result<Asked, Trouble> {
        let mut asked = Asked::default();
        let search = AddressSearch::access(&self.delimiter, Parents::Match);
        let mut found = None;
        if !self.clients.is_empty() {
            if !letter.name.is_empty() && letter.name != "unknown" {
                found = self.clients.find_domain(&letter.name, Parents::Match).await?;
            }
            if let (None, Some(address)) = (&found, letter.client) {
                found = self.clients.find_network(address).await?;
            }
        }
        asked.take(found, "client", letter);
        if !self.senders.is_empty() {
            let sender = if letter.sender.is_empty() { "<>" } else { &letter.sender };
            asked.take(self.senders.find_address(sender, search).await?, "sender", letter);
        }
        if self.recipients.is_empty() {
            return Ok(asked);
        }
        let mut free = 0;
        for recipient in &letter.recipients {
            let mut own = Asked::default();
            own.take(self.recipients.find_address(recipient, search).await?, "recipient", letter);
            free += usize::from(own.skip);
            // Of several recipients the points of the first that has some count: they do not add up.
            if asked.findings.iter().all(|finding| finding.name != "RECIPIENT_EXCEPTION") {
                asked.findings.append(&mut own.findings);
            }
        }
        asked.lenient = free > 0;
        asked.skip |= free > 0 && free == letter.recipients.len();
        Ok(asked)
    }
}

impl Asked {
    fn take(&mut self, found: Option<tables::Found>, what: &str, letter: &Letter) {
        let Some(found) = found else { return };
        let value = found.value.trim();
        let points = match value.to_ascii_uppercase().as_str() {
            "OK" => return self.skip = true,
            "AUTH" => {
                self.skip |= letter.proven.is_some();
                return;
            }
            "DUNNO" | "" => return,
            "SPAM" => DECISIVE,
            _ => match value.parse::<f64>() {
                Ok(points) if points.abs() <= 1000.0 => points,
                _ => {
                    let (value, table) = (mail::logline::printable(value), &found.table);
                    log::warn!(
                        target: "cleanup",
                        "{table}: \"{value}\" is no exception (OK, AUTH, SPAM, DUNNO, points); it is passed over"
                    );
                    return;
                }
            },
        };
        let name = format!("{}_EXCEPTION", what.to_ascii_uppercase());
        self.findings.push(Finding::new(
            &name,
            points,
            &format!("The table of exceptions has {}", found.key),
        ));
    }
}

impl Own {
    /// With the built-in rules alone.
    fn new(read: &Spam) -> Own {
        let limits = Limits {
            site_tokens: read.spam_site_words,
            user_tokens: read.spam_user_words,
            lifetime: i64::try_from(read.spam_word_lifetime.as_secs() / 86_400).unwrap_or(i64::MAX),
            ..Limits::default()
        };
        Own {
            rules: Rules::built_in(),
            database: read.spam_database.clone(),
            limits,
            least: u32::try_from(read.spam_learn_minimum).unwrap_or(u32::MAX),
            open: Mutex::default(),
        }
    }

    /// Our own judge as a configuration has it, whether or not `spam_check` asks it.
    pub fn read(view: &View, mistakes: &mut Vec<Mistake>) -> Own {
        let read = Spam::read(view, mistakes);
        Own { rules: Own::rules(view, &read, mistakes), ..Own::new(&read) }
    }

    /// With nothing but a file of what was learned.
    #[cfg(test)]
    pub(crate) fn at(database: &Path) -> Own {
        Own {
            rules: Rules::default(),
            database: database.to_owned(),
            limits: Limits::default(),
            least: 1,
            open: Mutex::default(),
        }
    }

    fn rules(view: &View, read: &Spam, mistakes: &mut Vec<Mistake>) -> Rules {
        let mut rules = Rules::built_in();
        let file = &read.spam_rules_file;
        if file.as_os_str().is_empty() {
            return rules;
        }
        match std::fs::read_to_string(file) {
            Ok(text) => rules.read(&text, file, mistakes),
            Err(error) => {
                let place = view.place("spam_rules_file");
                let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
                let text =
                    format!("spam_rules_file: {}: {error}; only the built-in rules count", file.display());
                mistakes.push(Mistake::new(Severity::Error, place, text));
            }
        }
        rules
    }

    /// What was learned. Blocks.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn statistics(&self) -> Result<Arc<Statistics>, Trouble> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statistics) = &*open {
            return Ok(statistics.clone());
        }
        let statistics = Arc::new(Statistics::open(&self.database, self.limits)?);
        *open = Some(statistics.clone());
        Ok(statistics)
    }

    /// Judges a sample; `others` are findings of exceptions and lists. Blocks.
    ///
    /// # Errors
    /// The statistics failed.
    pub fn judge(
        &self,
        sample: &Sample,
        others: Vec<Finding>,
        letter: &Letter,
        required: f64,
    ) -> Result<Verdict, Trouble> {
        let statistics = self.statistics()?;
        let mut findings = others;
        for odd in &sample.odd {
            findings.push(Finding::new("ODD_HEADER", 0.7, &format!("The header has {odd}")));
        }
        findings.extend(self.rules.findings(sample));
        let known = statistics.owners_of(&letter.owners)?;
        if let Some(chance) = statistics.chance(known.as_deref(), sample, self.least)? {
            let telling: Vec<String> = chance
                .strongest
                .iter()
                .take(5)
                .map(|(token, spam)| format!("{token} {:.0}", spam * 100.0))
                .collect();
            let whose = if known.is_some() { "user and site" } else { "site" };
            let text = format!(
                "{:.1} % like spam by what the {whose} learned ({})",
                chance.spam * 100.0,
                telling.join(", ")
            );
            findings.push(Finding::new("LEARNED", points(chance.spam), &text));
        }
        if let Some(sender) = &letter.proven {
            let standing = Standing { sender: sender.clone(), past: statistics.reputation(sender)? };
            if let Some(points) = standing.points() {
                let past = standing.past;
                let text =
                    format!("{sender}, which is proven, sent {} spam of {}", past.spam, past.spam + past.ham);
                findings.push(Finding::new("REPUTATION", points, &text));
            }
        }
        Ok(Verdict::new(findings, required, letter.proven.clone()))
    }

    /// Remembers of a proven sender what it sent, where that is clear. Blocks.
    ///
    /// # Errors
    /// The statistics failed.
    pub fn remember(&self, verdict: &Verdict, today: i64) -> Result<(), Trouble> {
        let Some(sender) = &verdict.sender else { return Ok(()) };
        let class = match verdict.score() {
            score if score >= verdict.required + CLEARLY => Class::Spam,
            score if score <= verdict.required - CLEARLY => Class::Ham,
            _ => return Ok(()),
        };
        self.statistics()?.remember(sender, class, today)
    }
}

/// A message that a judge somewhere else is shown.
pub enum Showing<'a> {
    /// To a spamd.
    Spamd(Stream, &'a Remote),
    /// To an rspamd.
    Rspamd(Stream, &'a Remote),
}

impl Remote {
    async fn open(&self, who: &str) -> Result<Stream, Trouble> {
        self.endpoint.connect(who, &self.resolver, self.connect).await
    }

    /// Begins to show a message of `size` bytes to a spamd.
    ///
    /// # Errors
    /// It does not listen.
    pub async fn spamd(&self, letter: &Letter, size: u64) -> Result<Showing<'_>, Trouble> {
        let mut stream = self.open("spamd").await?;
        let ask = spamd::Ask { user: letter.owners.first().map(String::as_str), size };
        spamd::begin(&mut stream, ask, self.answer).await?;
        Ok(Showing::Spamd(stream, self))
    }

    /// Begins to show a message of `size` bytes to an rspamd.
    ///
    /// # Errors
    /// It does not listen.
    pub async fn rspamd(&self, letter: &Letter, size: u64) -> Result<Showing<'_>, Trouble> {
        let mut stream = self.open("rspamd").await?;
        let mut fields = vec![
            ("Queue-Id", letter.id.clone()),
            ("From", letter.sender.clone()),
            ("Helo", letter.helo.clone()),
            ("Hostname", letter.name.clone()),
            ("IP", letter.client.map(|address| address.to_string()).unwrap_or_default()),
        ];
        fields.extend(letter.recipients.iter().take(100).map(|recipient| ("Rcpt", recipient.clone())));
        rspamd::begin(&mut stream, &rspamd::Ask { size, fields }, self.answer).await?;
        Ok(Showing::Rspamd(stream, self))
    }
}

impl Showing<'_> {
    /// Shows a piece.
    ///
    /// # Errors
    /// It went away, or does not read.
    pub async fn feed(&mut self, piece: &[u8]) -> Result<(), Trouble> {
        match self {
            Showing::Spamd(stream, remote) => spamd::write(stream, piece, "spamd", remote.answer).await,
            Showing::Rspamd(stream, remote) => spamd::write(stream, piece, "rspamd", remote.answer).await,
        }
    }

    /// There is no more: what does it say?
    ///
    /// # Errors
    /// It went away, does not answer, or answers something else.
    pub async fn finish(self, required: f64) -> Result<Verdict, Trouble> {
        match self {
            Showing::Spamd(mut stream, remote) => spamd::finish(&mut stream, remote.answer, required).await,
            Showing::Rspamd(mut stream, remote) => rspamd::finish(&mut stream, remote.answer, required).await,
        }
    }
}
