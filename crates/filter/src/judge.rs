//! The judge of one SMTP service.

use conf::{Mistake, Severity, View};
use mail::{Because, Refusal, Trail};
use tables::Tables;

use crate::case::{Case, Subject, class};
use crate::compile::{Compiler, Shelf, asked_too_early};
use crate::restriction::{Decision, Restriction, Rule, What};
use crate::restrictions::greylisted::{self, Greylisting};
use crate::restrictions::{access, unlisted};
use crate::settings::Settings;
use crate::{Facts, Outside, Stage, Standing};

/// What the judge says at a stage.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Go on.
    Pass,
    /// Say this. Codes 421 and 521 also end the session.
    Refuse(Box<Refusal>),
}

/// One list, with the parameter it comes from.
struct List {
    parameter: &'static str,
    rules: Vec<Rule>,
    default_access: Option<&'static Restriction>,
}

/// The restrictions of one service, compiled.
pub struct Judge {
    pub(crate) program: String,
    pub(crate) settings: Settings,
    pub(crate) outside: Outside,
    pub(crate) greylisting: Greylisting,
    pub(crate) shelf: Shelf,
    client: List,
    helo: List,
    sender: List,
    relay: List,
    recipient: List,
    data: List,
    end_of_data: List,
    etrn: List,
    open_relay: Option<String>,
}

impl Judge {
    /// Compiles every list of a service. `program` is its name in the log (`smtpd`, `postfix/submission/smtpd`).
    ///
    /// What is wrong goes to `mistakes` with file and line: unknown restrictions (which answer 451 4.3.5),
    /// and lists that would relay for everybody (such a service greets nobody: [`Judge::open_relay`]).
    pub fn new(
        view: &View,
        tables: &Tables,
        outside: Outside,
        program: &str,
        mistakes: &mut Vec<Mistake>,
    ) -> Judge {
        let settings = Settings::read(view, tables, mistakes);
        let mut compiler = Compiler { view, tables, program, mistakes, shelf: Shelf::default() };
        compiler.classes(&settings.restrictions.smtpd_restriction_classes);
        let mut list = |parameter: &'static str, default_access: Option<&'static Restriction>| {
            let rules = compiler.list(parameter, &view.get(parameter), default_access);
            List { parameter, rules, default_access }
        };
        let client = list("smtpd_client_restrictions", Some(&access::CLIENT));
        let helo = list("smtpd_helo_restrictions", Some(&access::HELO));
        let sender = list("smtpd_sender_restrictions", Some(&access::SENDER));
        let relay = list("smtpd_relay_restrictions", Some(&access::RECIPIENT));
        let recipient = list("smtpd_recipient_restrictions", Some(&access::RECIPIENT));
        let data = list("smtpd_data_restrictions", None);
        let end_of_data = list("smtpd_end_of_data_restrictions", None);
        let etrn = list("smtpd_etrn_restrictions", Some(&access::ETRN));
        let late = settings.restrictions.smtpd_delay_reject;
        for (list, knows) in [
            (&client, if late { Stage::Recipient } else { Stage::Client }),
            (&helo, if late { Stage::Recipient } else { Stage::Helo }),
            (&sender, if late { Stage::Recipient } else { Stage::Sender }),
            (&etrn, Stage::Helo),
        ] {
            let etrn = list.parameter == "smtpd_etrn_restrictions";
            let knows = |since: Stage| if since == Stage::Etrn { etrn } else { since <= knows };
            let early: Vec<String> = asked_too_early(&list.rules, &compiler.shelf, knows)
                .into_iter()
                .map(|name| {
                    format!(
                        "{}: {name} looks at something that is not known here, and does nothing",
                        list.parameter
                    )
                })
                .collect();
            for text in early {
                compiler.mistake(list.parameter, Severity::Warning, text);
            }
        }
        let shelf = std::mem::take(&mut compiler.shelf);
        let lists = [&client, &helo, &sender, &relay, &recipient, &data, &end_of_data, &etrn];
        let asked = lists.iter().any(|list| shelf.asks(&list.rules, &greylisted::RULE));
        let greylisting = Greylisting::new(view, asked, compiler.mistakes);
        let mut judge = Judge {
            program: program.to_owned(),
            settings,
            outside,
            greylisting,
            shelf,
            client,
            helo,
            sender,
            relay,
            recipient,
            data,
            end_of_data,
            etrn,
            open_relay: None,
        };
        judge.guard_relaying(view, mistakes);
        judge
    }

    /// Why this service must not run: it would relay for everybody.
    pub fn open_relay(&self) -> Option<&str> {
        self.open_relay.as_deref()
    }

    /// The settings of the service.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Judges a session at one stage. What `smtpd_delay_reject` puts off passes until the recipient.
    ///
    /// Refusals are logged here (`NOQUEUE: reject: …`), and every step is noted on the trail.
    pub async fn judge(
        &self,
        stage: Stage,
        facts: &Facts<'_>,
        standing: &mut Standing,
        trail: &mut Trail,
    ) -> Verdict {
        let delayed = self.settings.restrictions.smtpd_delay_reject;
        if delayed && matches!(stage, Stage::Client | Stage::Helo | Stage::Sender) {
            return Verdict::Pass;
        }
        let mut shown = facts.clone();
        if matches!(stage, Stage::Data | Stage::EndOfData) && facts.recipients > 1 {
            // What applies to all recipients alike must not look as if it were about one.
            shown.recipient = None;
        }
        let mut case = Case::new(self, &shown, standing, trail);
        let refusal = match stage {
            Stage::Client => self.client(&mut case).await,
            Stage::Helo => self.helo(&mut case).await,
            Stage::Sender => self.sender(&mut case).await,
            Stage::Recipient => self.recipient(&mut case, delayed).await,
            Stage::Data => self.content(&mut case, &self.data, "DATA", class::DATA).await,
            Stage::EndOfData => {
                self.content(&mut case, &self.end_of_data, "END-OF-MESSAGE", class::END_OF_DATA).await
            }
            Stage::Etrn => self.etrn(&mut case, delayed).await,
        };
        refusal.map_or(Verdict::Pass, Verdict::Refuse)
    }

    /// Judges a connection now, though `smtpd_delay_reject` puts it off (`permit_*` look at it before).
    async fn client(&self, case: &mut Case<'_>) -> Option<Box<Refusal>> {
        if case.facts.peer.client.name.is_empty() {
            return None;
        }
        case.if_permit = None;
        let subject = case.client_subject();
        let refusal = self.list(case, &self.client, subject).await;
        case.standing.client = case.if_permit.clone();
        refusal
    }

    async fn helo(&self, case: &mut Case<'_>) -> Option<Box<Refusal>> {
        let helo = case.facts.helo?;
        case.if_permit = case.standing.client.clone();
        let subject = Subject { name: helo.to_owned(), class: class::HELO };
        let refusal = self.list(case, &self.helo, subject).await;
        case.standing.helo = case.if_permit.clone();
        refusal
    }

    async fn sender(&self, case: &mut Case<'_>) -> Option<Box<Refusal>> {
        let sender = case.facts.sender?;
        case.if_permit = case.standing.helo.clone().or_else(|| case.standing.client.clone());
        case.standing.sender_listed = false;
        let subject = Subject { name: sender.as_str().to_owned(), class: class::SENDER };
        let refusal = self.list(case, &self.sender, subject).await;
        case.standing.sender = case.if_permit.clone();
        if refusal.is_some()
            || !self.settings.restrictions.smtpd_reject_unlisted_sender
            || case.standing.sender_listed
            || sender.is_null()
        {
            return refusal;
        }
        case.parameter = "smtpd_reject_unlisted_sender";
        refused(unlisted::sender(case).await)
    }

    async fn recipient(&self, case: &mut Case<'_>, delayed: bool) -> Option<Box<Refusal>> {
        let recipient = case.facts.recipient?;
        if delayed {
            if let Some(refusal) = self.client(case).await {
                return Some(refusal);
            }
            if let Some(refusal) = self.helo(case).await {
                return Some(refusal);
            }
            if let Some(refusal) = self.sender(case).await {
                return Some(refusal);
            }
        }
        let standing = &*case.standing;
        let earlier =
            standing.sender.as_ref().or(standing.helo.as_ref()).or(standing.client.as_ref()).cloned();
        case.if_permit = earlier;
        let (first, second) = if self.settings.restrictions.smtpd_relay_before_recipient_restrictions {
            (&self.relay, &self.recipient)
        } else {
            (&self.recipient, &self.relay)
        };
        for list in [first, second] {
            let subject = Subject { name: recipient.as_str().to_owned(), class: class::RECIPIENT };
            if let Some(refusal) = self.list(case, list, subject).await {
                return Some(refusal);
            }
        }
        if let Some(refusal) = self.put_off(case) {
            return Some(refusal);
        }
        if !self.settings.restrictions.smtpd_reject_unlisted_recipient
            || case.recipient_listed
            || case.standing.orders.discard
        {
            return None;
        }
        case.parameter = "smtpd_reject_unlisted_recipient";
        refused(unlisted::recipient(case).await)
    }

    async fn content(
        &self,
        case: &mut Case<'_>,
        list: &List,
        name: &str,
        class: &'static str,
    ) -> Option<Box<Refusal>> {
        case.if_permit = None;
        let subject = Subject { name: name.to_owned(), class };
        match self.list(case, list, subject).await {
            Some(refusal) => Some(refusal),
            None => self.put_off(case),
        }
    }

    async fn etrn(&self, case: &mut Case<'_>, delayed: bool) -> Option<Box<Refusal>> {
        let site = case.facts.etrn?;
        if delayed {
            if let Some(refusal) = self.client(case).await {
                return Some(refusal);
            }
            if let Some(refusal) = self.helo(case).await {
                return Some(refusal);
            }
        }
        case.if_permit = case.standing.helo.clone().or_else(|| case.standing.client.clone());
        let subject = Subject { name: site.to_owned(), class: class::ETRN };
        match self.list(case, &self.etrn, subject).await {
            Some(refusal) => Some(refusal),
            None => self.put_off(case),
        }
    }

    /// Asks one list.
    async fn list(&self, case: &mut Case<'_>, list: &List, subject: Subject) -> Option<Box<Refusal>> {
        case.if_reject = None;
        case.subject = subject;
        case.parameter = list.parameter;
        case.default_access = list.default_access;
        if list.rules.is_empty() {
            case.trail.note(|| Because {
                parameter: list.parameter.to_owned(),
                found: "empty: no opinion".to_owned(),
                ..Because::default()
            });
            return None;
        }
        refused(case.go_through(&list.rules).await)
    }

    /// Nothing refused for good: what was put off for this case is said now.
    fn put_off(&self, case: &mut Case<'_>) -> Option<Box<Refusal>> {
        let refusal = case.if_permit.take()?;
        refused(case.refuse(*refusal))
    }

    /// The rules of a class.
    pub(crate) fn class(&self, index: usize) -> &[Rule] {
        self.shelf.classes.get(index).map_or(&[], |(_, rules)| rules)
    }

    /// Postfix does not start without one of these in the relay or recipient restrictions.
    fn guard_relaying(&mut self, view: &View, mistakes: &mut Vec<Mistake>) {
        const GUARDS: [&str; 6] = [
            "reject_unauth_destination",
            "defer_unauth_destination",
            "reject",
            "defer",
            "defer_if_permit",
            "check_relay_domains",
        ];
        let guarded =
            [&self.relay, &self.recipient].iter().any(|list| self.has_one_of(&list.rules, &GUARDS, 0));
        if guarded {
            return;
        }
        let text = format!(
            "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working \
             instance of: {} or {}",
            GUARDS[..5].join(", "),
            GUARDS[5]
        );
        let place =
            view.place("smtpd_relay_restrictions").or_else(|| view.place("smtpd_recipient_restrictions"));
        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
        mistakes.push(Mistake::new(Severity::Error, place, text.clone()));
        self.open_relay = Some(text);
    }

    fn has_one_of(&self, rules: &[Rule], names: &[&str], depth: usize) -> bool {
        for rule in rules {
            let found = match &rule.what {
                _ if rule.warn => false,
                What::Restriction(restriction, _) if restriction.name == "permit" => return false,
                What::Restriction(restriction, _) => names.contains(&restriction.name),
                What::Class(index) => depth < 10 && self.has_one_of(self.class(*index), names, depth + 1),
                What::Broken(_) | What::Ignored(_) => false,
            };
            if found {
                return true;
            }
        }
        false
    }
}

fn refused(decision: Decision) -> Option<Box<Refusal>> {
    match decision {
        Decision::Refuse(refusal) => Some(refusal),
        Decision::Dunno | Decision::Permit => None,
    }
}
