//! `oauth2:/etc/dovecot/dovecot-oauth2.conf.ext`: tokens instead of passwords, by a file as Dovecot reads it: the
//! issuer is asked about each (`introspection_url`, `tokeninfo_url`), or signed tokens are checked here.
//!
//! Besides Dovecot's settings there are `jwks_url` and `jwks_file` for the keys of `introspection_mode = local`, and
//! `audience`.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mail::Trouble;
use serde_json::{Map, Value};
use tables::http::{self, Limits, Response, Url, escape};
use tables::sql::Tls;

use super::{Checked, Clock, Kind, Opening, PassDb, Password, Request, dovecot_conf};
use crate::expand::{Vars, check, expand};
use crate::oauth2::jwt::{self, Expected};
use crate::oauth2::keys::Keys;
use crate::{Boxed, Fields};

/// The kind.
pub const KIND: Kind = Kind {
    name: "oauth2",
    doc: "Tokens of OAUTHBEARER and XOAUTH2, by a dovecot-oauth2.conf.ext as Dovecot reads it.",
    passdb: Some(|opening| Ok(Arc::new(open(opening)?))),
    userdb: None,
};

const SETTINGS: &[&str] = &[
    "tokeninfo_url",
    "introspection_url",
    "introspection_mode",
    "force_introspection",
    "client_id",
    "client_secret",
    "scope",
    "username_attribute",
    "username_format",
    "active_attribute",
    "active_value",
    "issuers",
    "timeout_msecs",
    "tls_ca_cert_file",
    "tls_ca_cert_dir",
    "tls_cert_file",
    "tls_key_file",
    "tls_allow_invalid_cert",
    "jwks_url",
    "jwks_file",
    "audience",
    // Without effect: every question has a connection of its own, and no log shows tokens.
    "max_idle_time_msecs",
    "max_parallel_connections",
    "max_pipelined_requests",
    "rawlog_dir",
    "debug",
];

/// Bytes of an answer.
const LARGEST: usize = 256 * 1024;

/// Keys are fetched again after this time, seconds; for a key that is not known after the shorter one.
const KEYS_LAST: u64 = 3600;
const KEYS_REST: u64 = 60;

struct Oauth2 {
    file: String,
    ways: Vec<Way>,
    force: bool,
    scope: Vec<String>,
    attribute: String,
    format: String,
    active: Option<(String, Option<String>)>,
    issuers: Vec<String>,
    audience: Option<String>,
    timeout: Duration,
    tls: Tls,
    keys: Mutex<Option<Fetched>>,
    clock: Clock,
}

/// How something is learnt about a token.
enum Way {
    /// It is appended to this.
    Appended(String),
    /// It is sent as if we used it.
    Bearer(Url),
    /// RFC 7662; with the `Authorization` of a client.
    Posted(Url, Option<String>),
    /// It is signed, and the keys are here.
    SignedFile(PathBuf),
    /// The keys are there.
    SignedUrl(Url),
}

struct Fetched {
    keys: Arc<Keys>,
    at: u64,
}

fn open(opening: &Opening<'_>) -> Result<Oauth2, String> {
    opening.only(&[])?;
    let path = opening.path()?;
    let settings = dovecot_conf::read(&path, SETTINGS)?;
    let setting = |name: &str| settings.get(name).filter(|value| !value.is_empty());
    let words = |name: &str| -> Vec<String> {
        setting(name).unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect()
    };
    let yes = |name: &str| setting(name).is_some_and(|value| value == "yes");
    let url = |name: &str, value: &str| Url::parse(value).map_err(|wrong| format!("{name}: {wrong}"));
    let mut ways = Vec::new();
    if let Some(given) = setting("tokeninfo_url") {
        url("tokeninfo_url", given)?;
        ways.push(Way::Appended(given.to_owned()));
    }
    let mode = setting("introspection_mode").unwrap_or("auth");
    match (mode, setting("introspection_url")) {
        ("local", _) => ways.push(match (setting("jwks_file"), setting("jwks_url")) {
            (Some(file), None) => Way::SignedFile(file.into()),
            (None, Some(given)) => Way::SignedUrl(url("jwks_url", given)?),
            _ => return Err("introspection_mode = local needs jwks_file or jwks_url".to_owned()),
        }),
        (_, None) => {}
        ("auth", Some(given)) => ways.push(Way::Bearer(url("introspection_url", given)?)),
        ("get", Some(given)) => {
            url("introspection_url", given)?;
            ways.push(Way::Appended(given.to_owned()));
        }
        ("post", Some(given)) => {
            let client = setting("client_id").map(|id| {
                let pair = format!("{}:{}", escape(id), escape(setting("client_secret").unwrap_or_default()));
                format!("Basic {}", BASE64_STANDARD.encode(pair))
            });
            ways.push(Way::Posted(url("introspection_url", given)?, client));
        }
        (other, _) => {
            return Err(format!("introspection_mode = {other}: auth, get, post or local is expected"));
        }
    }
    if ways.is_empty() {
        return Err("tokeninfo_url, introspection_url or introspection_mode = local is expected".to_owned());
    }
    let format = setting("username_format").unwrap_or("%Lu").to_owned();
    check(&format).map_err(|wrong| format!("username_format: {wrong}"))?;
    let timeout = match setting("timeout_msecs") {
        None => Duration::from_secs(30),
        Some(text) => {
            let number = text.parse().map_err(|_| format!("timeout_msecs = {text}: a number is expected"))?;
            Duration::from_millis(number)
        }
    };
    let valid = !yes("tls_allow_invalid_cert");
    let file = |name: &str| setting(name).map(PathBuf::from);
    Ok(Oauth2 {
        file: path.display().to_string(),
        ways,
        force: yes("force_introspection"),
        scope: words("scope"),
        attribute: setting("username_attribute").unwrap_or("email").to_owned(),
        format,
        active: setting("active_attribute")
            .map(|name| (name.to_owned(), setting("active_value").map(str::to_owned))),
        issuers: words("issuers"),
        audience: setting("audience").map(str::to_owned),
        timeout,
        tls: Tls {
            ca_file: file("tls_ca_cert_file"),
            ca_path: file("tls_ca_cert_dir"),
            cert_file: file("tls_cert_file"),
            key_file: file("tls_key_file"),
            verify_chain: valid,
            verify_name: valid,
            ..Tls::default()
        },
        keys: Mutex::default(),
        clock: opening.clock.clone(),
    })
}

impl Oauth2 {
    /// What is known of a token, from the first that knows whose it is; `None`: it is not right.
    async fn claims(&self, token: &str) -> Result<Option<Map<String, Value>>, Trouble> {
        let mut known = Map::new();
        for way in &self.ways {
            let found = match way {
                Way::SignedFile(_) | Way::SignedUrl(_) => self.signed(way, token).await?,
                way => self.asked(way, token).await?,
            };
            let Some(found) = found else { return Ok(None) };
            known.extend(found);
            if !self.force && known.contains_key(&self.attribute) {
                break;
            }
        }
        Ok(Some(known))
    }

    /// Asks the issuer. 4xx says that the token is not right.
    async fn asked(&self, way: &Way, token: &str) -> Result<Option<Map<String, Value>>, Trouble> {
        let response = match way {
            Way::Appended(prefix) => {
                let url = Url::parse(&format!("{prefix}{}", escape(token)))
                    .map_err(|wrong| self.trouble(&wrong))?;
                self.fetch("GET", &url, &[], b"").await?
            }
            Way::Bearer(url) => {
                self.fetch("GET", url, &[("Authorization", &format!("Bearer {token}"))], b"").await?
            }
            Way::Posted(url, client) => {
                let mut headers = vec![("Content-Type", "application/x-www-form-urlencoded")];
                headers.extend(client.as_deref().map(|client| ("Authorization", client)));
                self.fetch("POST", url, &headers, format!("token={}", escape(token)).as_bytes()).await?
            }
            Way::SignedFile(_) | Way::SignedUrl(_) => return Ok(None),
        };
        match response.status {
            200 => match serde_json::from_slice(&response.body) {
                Ok(Value::Object(claims)) if claims.get("active") != Some(&Value::Bool(false)) => {
                    Ok(Some(claims))
                }
                Ok(Value::Object(_)) => Ok(None),
                _ => Err(self.trouble("the answer about a token is no JSON object")),
            },
            400 | 401 | 403 | 404 => Ok(None),
            status => Err(self.trouble(&format!("the answer about a token has status {status}"))),
        }
    }

    /// Checks a signature by the keys known; new ones are fetched for a key that is not.
    async fn signed(&self, way: &Way, token: &str) -> Result<Option<Map<String, Value>>, Trouble> {
        let now = (self.clock)();
        let Some(token) = jwt::parse(token) else { return Ok(None) };
        let keys = self.keys(way, token.key.as_deref(), now).await?;
        let expected = Expected { issuers: &self.issuers, audience: self.audience.as_deref(), now };
        match token.claims(&keys, expected) {
            Ok(claims) => Ok(Some(claims)),
            Err(why) => {
                log::info!(target: "auth", "oauth2:{}: {why}", self.file);
                Ok(None)
            }
        }
    }

    async fn keys(&self, way: &Way, id: Option<&str>, now: u64) -> Result<Arc<Keys>, Trouble> {
        let kept = {
            let kept = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            kept.as_ref().map(|kept| (kept.keys.clone(), now.saturating_sub(kept.at)))
        };
        if let Some((keys, age)) = &kept {
            let fresh = if keys.has(id) { KEYS_LAST } else { KEYS_REST };
            if *age < fresh {
                return Ok(keys.clone());
            }
        }
        let (text, secrets) = match way {
            Way::SignedFile(path) => {
                let read = conf::secrets::read(path);
                (read.map_err(|error| self.trouble(&format!("open {}: {error}", path.display())))?, true)
            }
            Way::SignedUrl(url) => match self.fetch("GET", url, &[], b"").await {
                Ok(Response { status: 200, body, .. }) => (body, false),
                // The keys we have are better than none.
                answer => match (kept, answer) {
                    (Some((keys, _)), _) if keys.has(id) => return Ok(keys),
                    (_, Err(trouble)) => return Err(trouble),
                    (_, Ok(answer)) => {
                        return Err(self.trouble(&format!("jwks_url answers with status {}", answer.status)));
                    }
                },
            },
            _ => return Err(self.trouble("there are no keys")),
        };
        let keys = Keys::parse(&text, secrets).map_err(|wrong| self.trouble(&format!("keys: {wrong}")))?;
        let keys = Arc::new(keys);
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Fetched { keys: keys.clone(), at: now });
        Ok(keys)
    }

    async fn fetch(
        &self,
        method: &str,
        url: &Url,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Response, Trouble> {
        let request = http::Request { method, url, headers, body };
        let limits = Limits { time: self.timeout, bytes: LARGEST };
        let answer = http::ask(&request, &self.tls, limits).await;
        answer.map_err(|error| self.trouble(&format!("{}:{}: {error}", url.host, url.port)))
    }

    /// Is the token this user's, in force, and good for mail?
    fn judge(&self, claims: &Map<String, Value>, user: &str) -> Result<bool, Trouble> {
        let text = |name: &str| claims.get(name).map(plain);
        if let Some((name, wanted)) = &self.active {
            let value = text(name);
            let fits = wanted.as_ref().map_or(value.is_some(), |wanted| value.as_ref() == Some(wanted));
            if !fits {
                return Ok(false);
            }
        }
        let granted = text("scope").unwrap_or_default();
        let granted: Vec<&str> = granted.split_ascii_whitespace().collect();
        if !self.scope.iter().all(|wanted| granted.contains(&wanted.as_str())) {
            return Ok(false);
        }
        let Some(owner) = text(&self.attribute) else { return Ok(false) };
        let form = |name: &str| {
            expand(&self.format, &Vars::of_user(name), &str::to_owned).map_err(|wrong| self.trouble(&wrong))
        };
        Ok(!owner.is_empty() && form(&owner)? == form(user)?)
    }

    fn trouble(&self, what: &str) -> Trouble {
        Trouble::new(format!("oauth2:{}: {what}", self.file))
    }
}

/// A value as text; a list as words.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(" "),
        Value::Null | Value::Object(_) => String::new(),
        other => other.to_string(),
    }
}

impl PassDb for Oauth2 {
    fn check<'a>(
        &'a self,
        request: &'a Request<'a>,
        password: &'a Password,
    ) -> Boxed<'a, Result<Checked, Trouble>> {
        Box::pin(async move {
            let Some(claims) = self.claims(password.text()).await? else { return Ok(Checked::Wrong) };
            let right = self.judge(&claims, request.user)?;
            Ok(if right { Checked::Right(Fields::default()) } else { Checked::Wrong })
        })
    }

    fn takes_tokens(&self) -> bool {
        true
    }
}

#[cfg(test)]
#[path = "oauth2_tests.rs"]
mod tests;
