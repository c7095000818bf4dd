//! One authority, as our account sees it: requests with nonces, and what it answers.

use std::time::Duration;

use mail::Trouble;
use serde_json::{Value, json};
use tables::http::{Limits, Request, Response, Url, ask};

use crate::Settings;
use crate::jws::Key;

const LIMITS: Limits = Limits { time: Duration::from_secs(60), bytes: 1 << 20 };

/// How often a request is sent again because its nonce was not accepted.
const NONCES: usize = 5;

/// The account, and what is needed to ask for something in its name.
pub struct Client<'a> {
    settings: &'a Settings,
    pub key: Key,
    directory: Value,
    account: Option<String>,
    nonce: Option<String>,
}

/// What came back: where it is, and what it is.
pub struct Answer {
    /// `Location:`
    pub location: Option<String>,
    /// `Retry-After:`, in seconds.
    pub later: Option<u64>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body.
    pub fn json(&self) -> Result<Value, Trouble> {
        serde_json::from_slice(&self.body).map_err(|_| Trouble::new("the authority's answer is no JSON"))
    }

    /// A member of the body that is a text.
    pub fn text(&self, name: &str) -> Result<String, Trouble> {
        text(&self.json()?, name)
    }
}

/// A member that is a text.
pub fn text(value: &Value, name: &str) -> Result<String, Trouble> {
    let found = value[name].as_str().map(str::to_owned);
    found.ok_or_else(|| Trouble::new(format!("the authority's answer has no \"{name}\"")))
}

impl<'a> Client<'a> {
    /// Asks what the authority offers, and sees to it that the account is there.
    pub async fn open(settings: &'a Settings, key: Key) -> Result<Client<'a>, Trouble> {
        let mut client = Client { settings, key, directory: Value::Null, account: None, nonce: None };
        let response = client.send("GET", &settings.directory, &[], &[]).await?;
        client.directory = serde_json::from_slice(&response.body)
            .map_err(|_| Trouble::new(format!("{}: no ACME directory", settings.directory.host)))?;
        let mut account = json!({ "termsOfServiceAgreed": true });
        if let Some(contact) = &settings.contact {
            account["contact"] = json!([contact]);
        }
        let url = client.offered("newAccount")?;
        let answer = client.post(&url, Some(&account)).await?;
        client.account = Some(answer.location.ok_or_else(|| Trouble::new("the account has no URL"))?);
        Ok(client)
    }

    /// The URL of a thing the authority offers.
    pub fn offered(&self, name: &str) -> Result<String, Trouble> {
        text(&self.directory, name)
    }

    /// Sends something, or only asks where there is no payload.
    pub async fn post(&mut self, url: &str, payload: Option<&Value>) -> Result<Answer, Trouble> {
        let place = Url::parse(url).map_err(Trouble::new)?;
        for _ in 0..NONCES {
            let nonce = self.nonce().await?;
            let body = self.key.sign(url, &nonce, self.account.as_deref(), payload);
            let headers = [("Content-Type", "application/jose+json")];
            let response = self.send("POST", &place, &headers, body.as_bytes()).await?;
            self.nonce = response.header("replay-nonce").map(str::to_owned);
            let (location, later) = (response.header("location"), response.header("retry-after"));
            if (200..300).contains(&response.status) {
                let later = later.and_then(|seconds| seconds.parse().ok());
                return Ok(Answer { location: location.map(str::to_owned), later, body: response.body });
            }
            let problem: Value = serde_json::from_slice(&response.body).unwrap_or_default();
            if problem["type"] != "urn:ietf:params:acme:error:badNonce" {
                return Err(Trouble::new(format!(
                    "{}: {}",
                    place.host,
                    self::problem(&problem, response.status)
                )));
            }
        }
        Err(Trouble::new(format!("{}: takes none of its own nonces", place.host)))
    }

    async fn nonce(&mut self) -> Result<String, Trouble> {
        if let Some(nonce) = self.nonce.take() {
            return Ok(nonce);
        }
        let url = Url::parse(&self.offered("newNonce")?).map_err(Trouble::new)?;
        let response = self.send("GET", &url, &[], &[]).await?;
        let nonce = response.header("replay-nonce").map(str::to_owned);
        nonce.ok_or_else(|| Trouble::new(format!("{}: gives no nonce", url.host)))
    }

    async fn send(
        &self,
        method: &str,
        url: &Url,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Response, Trouble> {
        let headers = [headers, &[("User-Agent", concat!("facteur/", env!("CARGO_PKG_VERSION")))]].concat();
        let request = Request { method, url, headers: &headers, body };
        ask(&request, &self.settings.tls, LIMITS)
            .await
            .map_err(|error| Trouble::from_error(format!("{}:{}", url.host, url.port), error))
    }
}

/// A problem document (RFC 7807) as a sentence.
pub fn problem(problem: &Value, status: u16) -> String {
    let kind = problem["type"].as_str().unwrap_or_default();
    let kind = kind.strip_prefix("urn:ietf:params:acme:error:").unwrap_or(kind);
    let words = [kind, problem["detail"].as_str().unwrap_or_default()].join(": ");
    match words.as_str() {
        ": " => format!("status {status}"),
        words => mail::logline::printable(words.trim_matches([':', ' '])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_sentences() {
        let told = json!({ "type": "urn:ietf:params:acme:error:dns", "detail": "no such\nname" });
        assert_eq!(problem(&told, 400), "dns: no such?name");
        assert_eq!(problem(&Value::Null, 500), "status 500");
        assert_eq!(problem(&json!({ "detail": "x" }), 500), "x");
    }
}
