//! From the wish for a certificate to the file with it. RFC 8555 7.4.

use std::pin::Pin;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, Error, Identifier, Key, KeyAuthorization, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use mail::Trouble;
use net::clock;
use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::authority::Authority;
use crate::settings::{Challenge, Settings};
use crate::storage::Storage;

/// How long the authority may take to look, and how often it is asked whether it has.
const PATIENCE: RetryPolicy = RetryPolicy::new().backoff(1.5).timeout(Duration::from_secs(300));

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
    let account = account(settings, &storage).await?;
    let names: Vec<Identifier> = settings.domains.iter().cloned().map(Identifier::Dns).collect();
    let mut order = account.new_order(&NewOrder::new(&names)).await.map_err(told)?;
    let mut proofs = Vec::new();
    let proved = prove(&mut order, settings, hook, &storage, &mut proofs).await;
    for proof in proofs {
        proof.remove(settings.challenge, hook, &storage).await;
    }
    proved?;
    let (key, request) = request(&settings.domains)
        .map_err(|error| Trouble::from_error("request for a certificate", error))?;
    order.finalize_csr(&request).await.map_err(told)?;
    let chain = order.poll_certificate(&PATIENCE).await.map_err(told)?;
    storage.replace(&format!("{}{chain}", key.serialize_pem()))?;
    Ok(true)
}

/// The account of our key, which is made where there is none.
async fn account(settings: &Settings, storage: &Storage) -> Result<Account, Trouble> {
    let der = storage.account()?.serialize_der();
    let opened = async {
        let key = Key::from_pkcs8_der(PrivatePkcs8KeyDer::from(der.as_slice()))?;
        let http = Box::new(Authority(settings.tls.clone()));
        let pair = (key, PrivatePkcs8KeyDer::from(der.clone()).into());
        let opening = Account::builder_with_http(http).create_from_key(pair, settings.directory_url.clone());
        let (account, _) = opening.await?;
        if let Some(contact) = &settings.contact {
            account.update_contacts(&[contact]).await?;
        }
        Ok(account)
    };
    opened.await.map_err(|error: Error| {
        let (host, port) = (&settings.directory.host, settings.directory.port);
        Trouble::new(format!("{host}:{port}: {}", told(error)))
    })
}

/// Shows the authority that the names are ours. What it is shown is in `proofs`, and has to be taken away again.
async fn prove(
    order: &mut Order,
    settings: &Settings,
    hook: &Hook,
    storage: &Storage,
    proofs: &mut Vec<Proof>,
) -> Result<(), Trouble> {
    let mut authorizations = order.authorizations();
    while let Some(next) = authorizations.next().await {
        let mut authorization = next.map_err(told)?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let Identifier::Dns(name) = authorization.identifier().identifier.clone() else {
            return Err(Trouble::new("the authority asks about what is no name"));
        };
        let kind = settings.challenge.as_str();
        let mut challenge = authorization.challenge(settings.challenge.kind()).ok_or_else(|| {
            Trouble::new(format!("{name}: the authority does not offer {kind}: set acme_challenge_type"))
        })?;
        let (token, authorization) = (challenge.token.clone(), challenge.key_authorization());
        let proof = Proof { name, token, authorization };
        let put = proof.put(settings.challenge, hook, storage).await;
        proofs.push(proof);
        put?;
        challenge.set_ready().await.map_err(told)?;
    }
    match order.poll_ready(&PATIENCE).await {
        Ok(OrderStatus::Ready) => Ok(()),
        Ok(_) | Err(Error::Api(_)) => Err(refusal(order).await),
        Err(error) => Err(told(error)),
    }
}

/// Which name the authority is not content with, and why.
async fn refusal(order: &mut Order) -> Trouble {
    let mut authorizations = order.authorizations();
    while let Some(next) = authorizations.next().await {
        let Ok(mut authorization) = next else { continue };
        let name = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else { continue };
        if let Some(error) = state.challenges.iter().find_map(|challenge| challenge.error.as_ref()) {
            return Trouble::new(format!("{name}: {}", mail::logline::printable(&error.to_string())));
        }
    }
    Trouble::new("the authority is not content, and does not say why")
}

fn told(error: Error) -> Trouble {
    Trouble::new(mail::logline::printable(&error.to_string()))
}

/// What an answer is made of.
struct Proof {
    name: String,
    token: String,
    authorization: KeyAuthorization,
}

impl Proof {
    fn record(&self, word: &str) -> [String; 3] {
        [word.to_owned(), format!("_acme-challenge.{}", self.name), self.authorization.dns_value()]
    }

    async fn put(&self, challenge: Challenge, hook: &Hook, storage: &Storage) -> Result<(), Trouble> {
        match challenge {
            Challenge::Http => storage.put_answer(&self.token, self.authorization.as_str()),
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
        params.custom_extensions =
            vec![CustomExtension::new_acme_identifier(self.authorization.digest().as_ref())];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(format!("{}{}", key.serialize_pem(), certificate.pem()))
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
