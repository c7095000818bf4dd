//! From the wish for a certificate to the file with it. RFC 8555 7.4.

use std::pin::Pin;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use mail::Trouble;
use net::clock;
use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair};
use serde_json::{Value, json};

use crate::client::{self, Answer, Client, text};
use crate::jws::{Key, encode};
use crate::settings::{Challenge, Settings};
use crate::storage::Storage;

/// How long the authority may take to look.
const PATIENCE: Duration = Duration::from_secs(300);

/// The longest pause between two questions.
const PAUSE: u64 = 15;

/// Calls the program that changes DNS with these words: `add` or `remove`, the name of a TXT record, its value.
pub type Hook = dyn Fn([String; 3]) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync;

/// Asks for a certificate if it is due, or in any case; tells whether there is a new one.
///
/// # Errors
/// What the authority says, or what failed; the old certificate stays.
pub async fn renew(settings: &Settings, hook: &Hook, anyway: bool) -> Result<bool, Trouble> {
    let storage = Storage::new(&settings.folder);
    let due = storage.standing().is_due(&settings.domains, settings.renew_before, clock::wall());
    if !due && !anyway {
        return Ok(false);
    }
    let key = Key::new(&storage.account()?.serialize_der())?;
    let mut client = Client::open(settings, key).await?;
    let names: Vec<Value> =
        settings.domains.iter().map(|name| json!({ "type": "dns", "value": name })).collect();
    let url = client.offered("newOrder")?;
    let order = client.post(&url, Some(&json!({ "identifiers": names }))).await?;
    let place = order.location.clone().ok_or_else(|| Trouble::new("the order has no URL"))?;
    let order = order.json()?;
    for authorization in order["authorizations"].as_array().into_iter().flatten() {
        let url = authorization.as_str().unwrap_or_default();
        prove(&mut client, (settings, hook), &storage, url).await?;
    }
    let (key, request) = request(&settings.domains)
        .map_err(|error| Trouble::from_error("request for a certificate", error))?;
    client.post(&text(&order, "finalize")?, Some(&json!({ "csr": encode(request) }))).await?;
    let done = until(&mut client, &place, &["valid"]).await?;
    let chain = client.post(&done.text("certificate")?, None).await?;
    let chain = String::from_utf8(chain.body).map_err(|_| Trouble::new("the certificate is no PEM text"))?;
    storage.replace(&format!("{}{chain}", key.serialize_pem()))?;
    Ok(true)
}

/// Shows the authority that a name is ours.
async fn prove(
    client: &mut Client<'_>,
    (settings, hook): (&Settings, &Hook),
    storage: &Storage,
    url: &str,
) -> Result<(), Trouble> {
    let authorization = client.post(url, None).await?.json()?;
    if authorization["status"] == "valid" {
        return Ok(());
    }
    let name = text(&authorization["identifier"], "value")?;
    let kind = settings.challenge.as_str();
    let mut challenges = authorization["challenges"].as_array().into_iter().flatten();
    let challenge = challenges.find(|challenge| challenge["type"] == kind).ok_or_else(|| {
        Trouble::new(format!("{name}: the authority does not offer {kind}: set acme_challenge_type"))
    })?;
    let (token, question) = (text(challenge, "token")?, text(challenge, "url")?);
    let proof = Proof::new(&name, &token, &client.key.thumbprint());
    proof.put(settings.challenge, hook, storage).await?;
    let answered = async {
        client.post(&question, Some(&json!({}))).await?;
        until(client, url, &["valid"]).await
    };
    let answered = answered.await;
    proof.remove(settings.challenge, hook, storage).await;
    answered.map(drop).map_err(|trouble| Trouble::new(format!("{name}: {trouble}")))
}

/// What an answer is made of.
struct Proof {
    name: String,
    token: String,
    authorization: String,
}

impl Proof {
    fn new(name: &str, token: &str, thumbprint: &str) -> Proof {
        let authorization = format!("{token}.{thumbprint}");
        Proof { name: name.to_owned(), token: token.to_owned(), authorization }
    }

    fn digest(&self) -> Vec<u8> {
        digest(&SHA256, self.authorization.as_bytes()).as_ref().to_vec()
    }

    fn record(&self, word: &str) -> [String; 3] {
        [word.to_owned(), format!("_acme-challenge.{}", self.name), encode(self.digest())]
    }

    async fn put(&self, challenge: Challenge, hook: &Hook, storage: &Storage) -> Result<(), Trouble> {
        match challenge {
            Challenge::Http => storage.put_answer(&self.token, &self.authorization),
            Challenge::TlsAlpn => {
                let pem = self
                    .certificate()
                    .map_err(|error| Trouble::from_error("certificate for tls-alpn-01", error))?;
                storage.put_answer(&self.name, &pem)
            }
            Challenge::Dns => hook(self.record("add")).await.map_err(Trouble::new),
        }
    }

    async fn remove(&self, challenge: Challenge, hook: &Hook, storage: &Storage) {
        match challenge {
            Challenge::Http => storage.remove_answer(&self.token),
            Challenge::TlsAlpn => storage.remove_answer(&self.name),
            Challenge::Dns => {
                if let Err(what) = hook(self.record("remove")).await {
                    log::warn!(target: "acme", "{what}");
                }
            }
        }
    }

    /// The certificate that is shown to the authority. RFC 8737 3.
    fn certificate(&self) -> Result<String, rcgen::Error> {
        let mut params = CertificateParams::new([self.name.clone()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(&self.digest())];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(format!("{}{}", key.serialize_pem(), certificate.pem()))
    }
}

/// Asks until the status is one of these.
async fn until(client: &mut Client<'_>, url: &str, wanted: &[&str]) -> Result<Answer, Trouble> {
    let begun = clock::now();
    loop {
        let answer = client.post(url, None).await?;
        let told = answer.json()?;
        let status = text(&told, "status")?;
        if wanted.contains(&status.as_str()) {
            return Ok(answer);
        }
        if !["pending", "processing", "ready"].contains(&status.as_str()) {
            let mut challenges = told["challenges"].as_array().into_iter().flatten();
            let error = challenges.find_map(|challenge| challenge.get("error")).unwrap_or(&told["error"]);
            return Err(Trouble::new(format!("{status}: {}", client::problem(error, 200))));
        }
        let pause = Duration::from_secs(answer.later.unwrap_or(1).clamp(1, PAUSE));
        if clock::now().duration_since(begun) + pause > PATIENCE {
            return Err(Trouble::new(format!("still {status} after {} s", PATIENCE.as_secs())));
        }
        tokio::time::sleep(pause).await;
    }
}

/// A new key, and the request for its certificate (RFC 2986).
fn request(domains: &[String]) -> Result<(KeyPair, Vec<u8>), rcgen::Error> {
    let mut params = CertificateParams::new(domains)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(name) = domains.first() {
        params.distinguished_name.push(DnType::CommonName, name.as_str());
    }
    let key = KeyPair::generate()?;
    let request = params.serialize_request(&key)?;
    Ok((key, request.der().to_vec()))
}
