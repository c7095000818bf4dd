//! One question put to the judge, while it is being answered.

use mail::{Address, Because, Blame, Detail, Refusal, Trail};
use route::Stop;

use crate::judge::Judge;
use crate::restriction::{Decision, Restriction, Rule, Step, What};
use crate::{Boxed, Facts, Standing};

/// What is being judged: it opens every refusal, `<name>: class rejected: …`.
#[derive(Clone, Debug)]
pub struct Subject {
    /// `user@example.org`, `host[192.0.2.1]`, `DATA`.
    pub name: String,
    /// `Recipient address`, `Client host`.
    pub class: &'static str,
}

/// The words for what is judged.
pub mod class {
    /// The client's name and address.
    pub const CLIENT: &str = "Client host";
    /// The name its address has, true or not.
    pub const REVERSE: &str = "Unverified Client host";
    /// Its certificate.
    pub const CERTIFICATE: &str = "Client certificate";
    /// Its login.
    pub const LOGIN: &str = "SASL login name";
    /// HELO or EHLO.
    pub const HELO: &str = "Helo command";
    /// MAIL FROM.
    pub const SENDER: &str = "Sender address";
    /// RCPT TO.
    pub const RECIPIENT: &str = "Recipient address";
    /// ETRN.
    pub const ETRN: &str = "Etrn command";
    /// DATA.
    pub const DATA: &str = "Data command";
    /// The end of the message.
    pub const END_OF_DATA: &str = "End-of-data";
}

/// How deep classes and table results may lead to one another.
const DEPTH: u8 = 100;

/// A question under way: who asks, what is known, and what was put off so far.
pub struct Case<'c> {
    /// The judge.
    pub judge: &'c Judge,
    /// What the session knows.
    pub facts: &'c Facts<'c>,
    /// What it keeps from stage to stage.
    pub standing: &'c mut Standing,
    /// Where reasons are noted.
    pub trail: &'c mut Trail,
    /// What is being judged now.
    pub subject: Subject,
    /// The parameter whose list is being gone through.
    pub parameter: &'static str,
    /// The `check_*_access` that a bare `type:table` in this list stands for.
    pub default_access: Option<&'static Restriction>,
    /// The recipient was looked up by reject_unlisted_recipient.
    pub(crate) recipient_listed: bool,
    /// What to say if nothing refuses for good, and if something does.
    pub(crate) if_permit: Option<Box<Refusal>>,
    pub(crate) if_reject: Option<Box<Refusal>>,
    /// Addresses resolved so far: an answer lasts as long as the question.
    pub(crate) stops: Vec<(Address, Stop)>,
    warn: bool,
    depth: u8,
}

impl<'c> Case<'c> {
    pub(crate) fn new(
        judge: &'c Judge,
        facts: &'c Facts<'c>,
        standing: &'c mut Standing,
        trail: &'c mut Trail,
    ) -> Case<'c> {
        Case {
            judge,
            facts,
            standing,
            trail,
            subject: Subject { name: String::new(), class: "" },
            parameter: "",
            default_access: None,
            recipient_listed: false,
            if_permit: None,
            if_reject: None,
            stops: Vec::new(),
            warn: false,
            depth: 0,
        }
    }

    /// Goes through a list until an entry decides.
    pub(crate) fn go_through<'a>(&'a mut self, rules: &'a [Rule]) -> Boxed<'a, Decision> {
        Box::pin(async move {
            if self.depth >= DEPTH {
                self.warning(&format!("unreasonable nesting of restrictions in {}", self.parameter));
                return self.misconfigured();
            }
            self.depth += 1;
            let decision = self.entries(rules).await;
            self.depth -= 1;
            decision
        })
    }

    async fn entries(&mut self, rules: &[Rule]) -> Decision {
        for (at, rule) in rules.iter().enumerate() {
            if self.standing.orders.discard {
                break;
            }
            let warned_before = self.warn;
            self.warn |= rule.warn;
            let mut decision = self.ask(rule).await;
            self.warn = warned_before;
            self.note_decision(rule, &decision);
            if let Decision::Refuse(refusal) = &mut decision {
                refusal.because = self.trail.steps().to_vec();
            }
            if !decision.is_dunno() {
                self.complain_of_rest(rule, rules.get(at + 1));
                return decision;
            }
            if self.if_permit.is_some() && self.if_reject.is_some() {
                break;
            }
        }
        Decision::Dunno
    }

    async fn ask(&mut self, rule: &Rule) -> Decision {
        match &rule.what {
            What::Restriction(restriction, _) => match (restriction.run)(self, rule) {
                Step::Ready(decision) => decision,
                Step::Later(decision) => decision.await,
            },
            What::Class(index) => {
                let judge = self.judge;
                self.go_through(judge.class(*index)).await
            }
            What::Broken(text) => {
                self.warning(text);
                self.misconfigured()
            }
            What::Ignored(text) => {
                self.warning(text);
                Decision::Dunno
            }
        }
    }

    /// `permit`, `reject` and `defer` decide always: what follows them is never asked.
    fn complain_of_rest(&self, rule: &Rule, next: Option<&Rule>) {
        if let Some(next) = next
            && matches!(rule.name.to_ascii_lowercase().as_str(), "permit" | "reject" | "defer")
        {
            self.warning(&format!("restriction `{}' after `{}' is ignored", next.name, rule.name));
        }
    }

    fn note_decision(&mut self, rule: &Rule, decision: &Decision) {
        let parameter = self.parameter;
        self.trail.note(|| Because {
            parameter: parameter.to_owned(),
            source: Some(rule.name.clone()),
            found: match decision {
                Decision::Dunno => "no opinion".to_owned(),
                Decision::Permit => "permit".to_owned(),
                Decision::Refuse(refusal) => {
                    format!("{} {} {}", refusal.smtp_code(), refusal.status(), refusal.say)
                }
            },
            ..Because::default()
        });
    }

    /// Notes an answer of a table or a server.
    pub(crate) fn note(&mut self, source: &str, key: &str, place: Option<&str>, found: &str) {
        let parameter = self.parameter;
        self.trail.note(|| Because {
            parameter: parameter.to_owned(),
            source: Some(source.to_owned()),
            key: Some(key.to_owned()),
            place: place.map(str::to_owned),
            found: found.to_owned(),
        });
    }

    /// `<name>: class rejected: text`.
    pub(crate) fn rejected(&self, text: &str) -> String {
        format!("<{}>: {} rejected: {text}", self.subject.name, self.subject.class)
    }

    /// A refusal of the site's policy with a code from the configuration.
    pub(crate) fn refusal(&self, code: i64, detail: (u16, u16), say: impl Into<String>) -> Refusal {
        let say = say.into();
        let detail = Detail(detail.0, detail.1);
        let refusal = Refusal::later(50, detail, Blame::Policy, say);
        match u16::try_from(code).ok().and_then(|code| refusal.clone().with_smtp_code(code)) {
            Some(refusal) => refusal,
            None => {
                self.warning(&format!(
                    "response code configuration error: {code} {}.{}.{} {}",
                    code / 100,
                    detail.0,
                    detail.1,
                    refusal.say
                ));
                Refusal::later(50, Detail(7, 1), Blame::Policy, "Service unavailable")
            }
        }
    }

    /// Refuses, unless `warn_if_reject` turns it into a warning or an earlier defer_if_reject makes it temporary.
    pub(crate) fn refuse(&mut self, mut refusal: Refusal) -> Decision {
        let ours = matches!(refusal.blame, Blame::Ourselves | Blame::Admin);
        if self.judge.settings.soft_bounce {
            refusal = refusal.soften();
        }
        refusal.say = clean(&refusal.say);
        if self.warn && !ours {
            self.log_refusal("reject_warning", &refusal);
            return Decision::Dunno;
        }
        if refusal.class() == mail::Class::Never
            && let Some(earlier) = self.if_reject.take()
        {
            self.warn = false;
            return self.refuse(*earlier);
        }
        self.log_refusal("reject", &refusal);
        refusal.because = self.trail.steps().to_vec();
        Decision::Refuse(Box::new(refusal))
    }

    /// Shorthand for the commonest refusal.
    pub(crate) fn reject(&mut self, code: i64, detail: (u16, u16), text: &str) -> Decision {
        let refusal = self.refusal(code, detail, self.rejected(text));
        self.refuse(refusal)
    }

    /// Refuses for now if nothing else refuses for good. The first such reason is kept.
    pub(crate) fn defer_if_permit(&mut self, refusal: Refusal) -> Decision {
        if self.warn {
            return self.refuse(refusal);
        }
        self.if_permit.get_or_insert_with(|| Box::new(refusal));
        Decision::Dunno
    }

    /// Turns a later refusal for good into one for now. The first such reason is kept.
    pub(crate) fn defer_if_reject(&mut self, refusal: Refusal) -> Decision {
        self.if_reject.get_or_insert_with(|| Box::new(refusal));
        Decision::Dunno
    }

    /// What a `*_tempfail_action` asks for: `defer` at once, or `defer_if_permit`.
    pub(crate) fn tempfail(&mut self, action: &str, refusal: Refusal) -> Decision {
        if action.eq_ignore_ascii_case("defer") {
            self.refuse(refusal)
        } else {
            self.defer_if_permit(refusal)
        }
    }

    /// `451 4.3.5 Server configuration error`: what is wrong stands in the log, not in the reply.
    pub(crate) fn misconfigured(&mut self) -> Decision {
        self.refuse(Refusal::later(51, Detail(3, 5), Blame::Admin, "Server configuration error"))
    }

    /// `451 4.3.0 <name>: Temporary lookup failure`.
    pub(crate) fn lookup_failed(&mut self, name: &str) -> Decision {
        let say = format!("<{name}>: Temporary lookup failure");
        self.refuse(Refusal::later(51, Detail(3, 0), Blame::Ourselves, say))
    }

    /// Says yes, and logs it where `smtpd_log_access_permit_actions` asks for that.
    pub(crate) async fn permit(&mut self, action: &str, subject: &Subject, from: &str) -> Decision {
        if self.if_permit.is_none() && !self.judge.settings.log_permit.is_empty() {
            let logged = self.judge.settings.log_permit.matches(action).await.unwrap_or_else(|trouble| {
                self.warning(&trouble.to_string());
                false
            });
            if logged {
                self.log("permit", &format!("action={action} for {}={} {from}", subject.class, subject.name));
            }
        }
        Decision::Permit
    }

    /// The client as what is judged.
    pub(crate) fn client_subject(&self) -> Subject {
        Subject { name: self.facts.peer.label(), class: class::CLIENT }
    }

    /// Judges something else than what this list is about; gives back the former subject, to return to.
    pub(crate) fn turn_to(&mut self, subject: Subject) -> Subject {
        std::mem::replace(&mut self.subject, subject)
    }

    /// A decision that must not be a yes: names and name servers are the client's own to choose.
    pub(crate) fn forbid_permit(&mut self, rule: &Rule, target: &str, decision: Decision) -> Decision {
        if !matches!(decision, Decision::Permit) {
            return decision;
        }
        self.warning(&format!("restriction {} returns OK for {target}", rule.name));
        self.warning("this is not allowed for security reasons");
        self.warning("use DUNNO instead of OK if you want to make an exception");
        self.misconfigured()
    }

    /// The next stop of an address, in its full form; asked once a question.
    pub(crate) async fn resolve(&mut self, address: &Address) -> Result<Stop, Decision> {
        if let Some((_, stop)) = self.stops.iter().find(|(known, _)| known == address) {
            return Ok(stop.clone());
        }
        let null = Address::null();
        let sender = self.facts.sender.unwrap_or(&null);
        let addresses = &self.judge.outside.addresses;
        let full = addresses.rewrite(address);
        match addresses.resolve(sender, &full, self.trail).await {
            Ok(stop) => {
                self.stops.push((address.clone(), stop.clone()));
                Ok(stop)
            }
            Err(refusal) => {
                self.warning(refusal.log_text());
                Err(self.lookup_failed(address.as_str()))
            }
        }
    }

    /// Is what is asked now only a warning?
    pub(crate) fn warns(&self) -> bool {
        self.warn
    }

    /// A warning in the log.
    pub(crate) fn warning(&self, text: &str) {
        if !self.standing.silent {
            log::warn!(target: self.judge.program.as_str(), "{}", mail::logline::printable(text));
        }
    }

    /// A refusal in the log.
    fn log_refusal(&self, what: &str, refusal: &Refusal) {
        self.log(what, &format!("{} {} {}", refusal.smtp_code(), refusal.status(), refusal.log_text()));
    }

    /// `NOQUEUE: reject: RCPT from client[…]: text; from=<…> to=<…> proto=… helo=<…>`.
    pub(crate) fn log(&self, what: &str, text: &str) {
        if !self.standing.silent {
            let line = self.facts.log_line(what, text);
            log::info!(target: self.judge.program.as_str(), "{}", mail::logline::printable(&line));
        }
    }
}

/// Control characters become blanks: no text of a table or a client makes reply lines of its own.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
