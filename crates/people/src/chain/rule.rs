//! What the chain's own options say: `skip`, `result_success`, `default_fields`, …

use mail::Trouble;

use crate::Fields;
use crate::databases::Request;
use crate::expand::{check, expand};

/// When a database is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Never.
    Never,
    /// When an earlier one said yes.
    Authenticated,
    /// When none said yes so far.
    Unauthenticated,
}

/// What follows from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The end; yes if there was a yes before.
    Return,
    /// The end: yes.
    ReturnOk,
    /// The end: no.
    ReturnFail,
    /// The next one; nothing changes.
    Continue,
    /// The next one; so far it is yes.
    ContinueOk,
    /// The next one; so far it is no.
    ContinueFail,
}

impl Action {
    fn parse(text: &str) -> Option<Action> {
        Some(match text {
            "return" => Action::Return,
            "return-ok" => Action::ReturnOk,
            "return-fail" => Action::ReturnFail,
            "continue" => Action::Continue,
            "continue-ok" => Action::ContinueOk,
            "continue-fail" => Action::ContinueFail,
            _ => return None,
        })
    }

    /// What it makes of "yes so far", and whether the next database is asked.
    pub fn apply(self, yes: &mut bool) -> bool {
        match self {
            Action::ReturnOk | Action::ContinueOk => *yes = true,
            Action::ReturnFail | Action::ContinueFail => *yes = false,
            Action::Return | Action::Continue => {}
        }
        matches!(self, Action::Continue | Action::ContinueOk | Action::ContinueFail)
    }
}

/// The options of one place in a chain.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `type:argument`, for the log.
    pub name: String,
    /// `skip`.
    pub skip: Skip,
    /// `result_success`.
    pub success: Action,
    /// `result_failure`.
    pub failure: Action,
    /// `result_internalfail`.
    pub trouble: Action,
    /// `deny`: whoever is found here may not log in.
    pub deny: bool,
    /// `master`: only for the logins of master users.
    pub master: bool,
    /// `pass` of a master database: the user a master wants to be must be found in the others.
    pub then_user: bool,
    /// `mechanisms`: only for these.
    mechanisms: Vec<String>,
    /// `username_filter`: only for names that fit.
    filter: Vec<String>,
    defaults: Vec<(String, String)>,
    overrides: Vec<(String, String)>,
}

impl Rule {
    /// Takes the chain's options out of `options`; what stays is the database's.
    ///
    /// # Errors
    /// A value that makes no sense, as a sentence.
    pub fn take(name: String, options: &mut Fields) -> Result<Rule, String> {
        let yes = |options: &mut Fields, name: &str| match options.remove(name).as_deref() {
            None | Some("no") => Ok(false),
            Some("yes") => Ok(true),
            Some(other) => Err(format!("{name}={other}: yes or no is expected")),
        };
        let (pass, deny, master) = (yes(options, "pass")?, yes(options, "deny")?, yes(options, "master")?);
        options.remove("auth_verbose");
        let mut action = |name: &str, default: Action| {
            match options.remove(name) {
            None => Ok(default),
            Some(text) => Action::parse(&text).ok_or_else(|| {
                format!("{name}={text}: return, return-ok, return-fail, continue, continue-ok or continue-fail is expected")
            }),
        }
        };
        // The chain of master users ends with them; what follows is asked for the user they want to be.
        let otherwise = if pass && !master { Action::Continue } else { Action::ReturnOk };
        let success = action("result_success", otherwise)?;
        let failure = action("result_failure", Action::Continue)?;
        let trouble = action("result_internalfail", Action::Continue)?;
        let skip = match options.remove("skip").as_deref() {
            None | Some("never") => Skip::Never,
            Some("authenticated" | "found") => Skip::Authenticated,
            Some("unauthenticated" | "notfound") => Skip::Unauthenticated,
            Some(other) => {
                return Err(format!("skip={other}: never, authenticated or unauthenticated is expected"));
            }
        };
        let words = |text: Option<String>| -> Vec<String> {
            text.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect()
        };
        let fields = |text: Option<String>| -> Result<Vec<(String, String)>, String> {
            let mut fields = Vec::new();
            for word in words(text) {
                let (name, value) = word.split_once('=').unwrap_or((&word, "yes"));
                check(value).map_err(|wrong| format!("{name}: {wrong}"))?;
                fields.push((name.to_owned(), value.to_owned()));
            }
            Ok(fields)
        };
        Ok(Rule {
            name,
            skip,
            success,
            failure,
            trouble,
            deny,
            master,
            then_user: pass && master,
            mechanisms: words(options.remove("mechanisms")),
            filter: words(options.remove("username_filter")),
            defaults: fields(options.remove("default_fields"))?,
            overrides: fields(options.remove("override_fields"))?,
        })
    }

    /// Is the database asked for this request, with this answer so far?
    pub fn applies(&self, request: &Request<'_>, yes: bool) -> bool {
        let skipped = match self.skip {
            Skip::Never => false,
            Skip::Authenticated => yes,
            Skip::Unauthenticated => !yes,
        };
        let mechanism = self.mechanisms.is_empty()
            || self.mechanisms.iter().any(|known| {
                known.eq_ignore_ascii_case(request.mechanism)
                    || known == "none" && request.mechanism.is_empty()
            });
        !skipped && mechanism && self.fits(request.user)
    }

    /// `username_filter`: one pattern must fit, and none behind a `!`.
    fn fits(&self, user: &str) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        let negated = |pattern: &&String| pattern.starts_with('!');
        let mut wanted = self.filter.iter().filter(|pattern| !negated(pattern)).peekable();
        let any = wanted.peek().is_none() || wanted.any(|pattern| crate::expand::like(pattern, user));
        any && !self.filter.iter().filter(negated).any(|pattern| crate::expand::like(&pattern[1..], user))
    }

    /// Puts `default_fields` below and `override_fields` over what a database said.
    ///
    /// # Errors
    /// A variable could not be filled in.
    pub fn complete(&self, request: &Request<'_>, fields: &mut Fields) -> Result<(), Trouble> {
        let vars = request.vars();
        let fill = |(name, value): &(String, String)| {
            let value = expand(value, &vars, &str::to_owned)
                .map_err(|wrong| Trouble::new(format!("{}: {name}: {wrong}", self.name)))?;
            Ok::<_, Trouble>((name.clone(), value))
        };
        for field in &self.defaults {
            let (name, value) = fill(field)?;
            fields.set_default(&name, value);
        }
        for field in &self.overrides {
            let (name, value) = fill(field)?;
            fields.set(&name, value);
        }
        Ok(())
    }
}
