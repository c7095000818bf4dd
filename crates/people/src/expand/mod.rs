//! Dovecot's `%` variables: `%u`, `%5.1n`, `%Ld`, `%{sha256:user}`, `%{if;%s;eq;imap;a;b}`.

mod function;
mod modifier;

use crate::{Facts, Fields};
pub(crate) use function::like;
use modifier::Format;
pub(crate) use modifier::hex;

/// What variables stand for.
#[derive(Clone, Debug, Default)]
pub struct Vars<'a> {
    /// `%u`, `%n`, `%d`.
    pub user: &'a str,
    /// The name as the client sent it: `%{orig_user}`.
    pub original: &'a str,
    /// The user whose mail a master user asks for: `%{login_user}`.
    pub login: Option<&'a str>,
    /// `%w`.
    pub password: Option<&'a str>,
    /// `%m`: the mechanism.
    pub mechanism: &'a str,
    /// `%s`, `%r`, `%l`, …
    pub facts: Option<&'a Facts>,
    /// `%h`.
    pub home: Option<&'a str>,
    /// `%{passdb:name}`.
    pub passdb: Option<&'a Fields>,
    /// `%{userdb:name}`.
    pub userdb: Option<&'a Fields>,
}

impl<'a> Vars<'a> {
    /// A name and nothing else.
    pub fn of_user(user: &'a str) -> Vars<'a> {
        Vars { user, original: user, ..Vars::default() }
    }

    /// The value of a variable; the error names one that does not exist.
    fn value(&self, name: &str) -> Result<String, String> {
        let facts = self.facts;
        let text = |value: Option<String>| Ok(value.unwrap_or_default());
        let local = |user: &str| user.split_once('@').map_or(user, |(local, _)| local).to_owned();
        let domain = |user: &str| user.split_once('@').map_or("", |(_, domain)| domain).to_owned();
        match name {
            "u" | "user" => Ok(self.user.to_owned()),
            "n" | "username" => Ok(local(self.user)),
            "d" | "domain" => Ok(domain(self.user)),
            "domain_first" => Ok(domain(self.user).split('@').next().unwrap_or_default().to_owned()),
            "domain_last" => Ok(domain(self.user).rsplit('@').next().unwrap_or_default().to_owned()),
            "s" | "service" => text(facts.map(|facts| facts.service.clone())),
            "l" | "lip" | "real_lip" => text(facts.and_then(|facts| Some(facts.local?.to_string()))),
            "r" | "rip" | "real_rip" => text(facts.and_then(|facts| Some(facts.remote?.to_string()))),
            "a" | "lport" | "real_lport" => text(facts.and_then(|facts| Some(facts.local_port?.to_string()))),
            "b" | "rport" | "real_rport" => {
                text(facts.and_then(|facts| Some(facts.remote_port?.to_string())))
            }
            "c" | "secured" => {
                Ok(if facts.is_some_and(Facts::is_secured) { "secured" } else { "" }.to_owned())
            }
            "k" | "cert" => {
                let valid = facts.is_some_and(|facts| facts.certificate_name.is_some());
                Ok(if valid { "valid" } else { "" }.to_owned())
            }
            "m" | "mech" => Ok(self.mechanism.to_owned()),
            "w" | "password" => text(self.password.map(str::to_owned)),
            "h" | "home" => text(self.home.map(str::to_owned)),
            "p" | "pid" => Ok(std::process::id().to_string()),
            "orig_user" => Ok(self.original.to_owned()),
            "orig_username" => Ok(local(self.original)),
            "orig_domain" => Ok(domain(self.original)),
            "auth_user" => Ok(self.user.to_owned()),
            "auth_username" => Ok(local(self.user)),
            "auth_domain" => Ok(domain(self.user)),
            "login_user" => Ok(self.login.unwrap_or_default().to_owned()),
            "login_username" => Ok(local(self.login.unwrap_or_default())),
            "login_domain" => Ok(domain(self.login.unwrap_or_default())),
            "!" | "session_pid" | "session" | "client_id" | "local_name" => Ok(String::new()),
            "hostname" => {
                let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
                text(name)
            }
            _ => self.named(name),
        }
    }

    /// `%{passdb:name}` and its kin, and functions.
    fn named(&self, name: &str) -> Result<String, String> {
        let field = |fields: Option<&Fields>, name: &str| {
            // What stands behind a second colon is taken where the field is missing.
            let (name, otherwise) = name.split_once(':').unwrap_or((name, ""));
            let value = fields.and_then(|fields| fields.get(name)).unwrap_or(otherwise);
            Ok(value.to_owned())
        };
        if let Some(condition) = name.strip_prefix("if;") {
            return function::condition(condition, self);
        }
        match name.split_once(':') {
            Some(("passdb", name)) => field(self.passdb, name),
            Some(("userdb", name)) => field(self.userdb, name),
            Some(("env", name)) => Ok(std::env::var(name).unwrap_or_default()),
            Some((function, of)) => function::call(function, &self.value(of)?),
            None => Err(format!("unknown variable %{{{name}}}")),
        }
    }
}

/// A piece of a filled template.
pub enum Piece<'t> {
    /// As the administrator wrote it.
    Text(&'t str),
    /// What a variable stood for.
    Value(String),
}

/// Fills a template, and tells text from values.
///
/// # Errors
/// A variable or function that does not exist, as a sentence.
pub fn pieces<'t>(template: &'t str, vars: &Vars<'_>) -> Result<Vec<Piece<'t>>, String> {
    let mut out = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('%') {
        if !before.is_empty() {
            out.push(Piece::Text(before));
        }
        if let Some(behind) = after.strip_prefix('%') {
            out.push(Piece::Text("%"));
            rest = behind;
            continue;
        }
        let (format, after) = Format::parse(after);
        let (name, after) = name(after)?;
        if name.is_empty() {
            return Err("a % without a variable behind it".to_owned());
        }
        out.push(Piece::Value(format.apply(vars.value(name)?)));
        rest = after;
    }
    if !rest.is_empty() {
        out.push(Piece::Text(rest));
    }
    Ok(out)
}

/// Fills a template; each value passes through `escape` before it is put in.
///
/// # Errors
/// As [`pieces`].
pub fn expand(template: &str, vars: &Vars<'_>, escape: &dyn Fn(&str) -> String) -> Result<String, String> {
    let mut out = String::with_capacity(template.len());
    for piece in pieces(template, vars)? {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Value(value) => out.push_str(&escape(&value)),
        }
    }
    Ok(out)
}

/// Checks a template without values.
///
/// # Errors
/// As [`expand`].
pub fn check(template: &str) -> Result<(), String> {
    expand(template, &Vars::of_user("user@example.org"), &str::to_owned).map(drop)
}

/// A letter, or what stands in braces.
fn name(text: &str) -> Result<(&str, &str), String> {
    if !text.starts_with('{') {
        let end = text.chars().next().map_or(0, char::len_utf8);
        return Ok(text.split_at(end));
    }
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok((&text[1..at], &text[at + 1..]));
        }
    }
    Err(format!("missing '}}' in \"%{text}\""))
}

#[cfg(test)]
mod tests;
