//! Logging in to a server: PLAIN, LOGIN, CRAM-MD5. RFC 4954, RFC 4616, RFC 2195.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mail::{Class, Refusal};
use net::clock;
use net::tls::Trust;
use proto::smtp::client::Stage;
use proto::smtp::reply::Received;

use super::complaint::{self, ours};
use super::md5;
use super::service::Service;
use super::session::{Session, Wish};

/// Name and password of `smtp_sasl_password_maps`.
struct Secret {
    user: String,
    password: String,
}

/// A mechanism we speak, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanism {
    CramMd5,
    Plain,
    Login,
}

const MECHANISMS: [(Mechanism, &str); 3] =
    [(Mechanism::CramMd5, "CRAM-MD5"), (Mechanism::Plain, "PLAIN"), (Mechanism::Login, "LOGIN")];

/// Logs in when the configuration has a password for this server and the server wants one.
pub async fn log_in(session: &mut Session, service: &Service, wish: &Wish<'_>) -> Result<(), Refusal> {
    if !service.sasl.smtp_sasl_auth_enable || session.extensions.auth.is_empty() {
        return Ok(());
    }
    let Some(secret) = find(service, wish).await? else { return Ok(()) };
    let offered = offered(session, service).await?;
    let name = session.name.clone();
    if offered.is_empty() {
        let list = session.extensions.auth.join(" ");
        log::warn!(target: &service.program, "{} offered no supported AUTH mechanisms: '{list}'", session.relay);
        return Err(failed(format!(
            "SASL authentication failed: server {name} offered no compatible authentication mechanisms for this type of connection security"
        )));
    }
    let plaintext = allows_plaintext(session, service);
    let usable = |(mechanism, word): &&(Mechanism, &str)| {
        offered.iter().any(|offer| offer == word) && (plaintext || *mechanism == Mechanism::CramMd5)
    };
    let Some((mechanism, word)) = MECHANISMS.iter().find(usable) else {
        log::warn!(target: &service.program, "SASL authentication failure: No worthy mechs found");
        return Err(failed(format!(
            "SASL authentication failed; cannot authenticate to server {name}: no mechanism available"
        )));
    };
    let (now, remembers) = (clock::now(), !service.sasl.smtp_sasl_auth_cache_name.is_empty());
    let login = [wish.place.host.clone(), secret.user.clone(), secret.password.clone()];
    let keep = service.sasl.smtp_sasl_auth_cache_time;
    let known = remembers.then(|| service.refused_logins.find(&login, keep, now)).flatten();
    let cached = if known.is_some() { " [CACHED]" } else { "" };
    let reply = match known {
        Some(reply) => reply,
        None => exchange(session, service, *mechanism, word, &secret).await?,
    };
    if reply.is_ok() {
        return Ok(());
    }
    if remembers && cached.is_empty() && reply.is_never() {
        service.refused_logins.remember(login, reply.clone(), now);
    }
    let text = format!("SASL{cached} authentication failed; server {name} said: {}", reply.text());
    let refusal = complaint::replied(&name, &reply, text);
    Err(if service.sasl.smtp_sasl_auth_soft_bounce { refusal.soften() } else { refusal })
}

fn failed(text: String) -> Refusal {
    ours(Class::Later, (7, 0), text)
}

/// By sender, by next hop, by host.
async fn find(service: &Service, wish: &Wish<'_>) -> Result<Option<Secret>, Refusal> {
    let by_sender = service.sasl.smtp_sender_dependent_authentication && !wish.sender.is_empty();
    let keys = [by_sender.then_some(wish.sender), Some(wish.nexthop), Some(wish.place.host.as_str())];
    for key in keys.into_iter().flatten() {
        let found = service.passwords.find(key).await.map_err(|trouble| {
            log::warn!(target: &service.program, "{trouble}");
            failed("SASL authentication failed: password lookup error".to_owned())
        })?;
        if let Some(found) = found {
            let (user, password) = found.value.split_once(':').unwrap_or((&found.value, ""));
            // An entry without a name says: do not log in there.
            let secret = Secret { user: user.to_owned(), password: password.to_owned() };
            return Ok((!secret.user.is_empty()).then_some(secret));
        }
    }
    Ok(None)
}

/// The server's mechanisms that `smtp_sasl_mechanism_filter` lets through.
async fn offered(session: &Session, service: &Service) -> Result<Vec<String>, Refusal> {
    let Some(filter) = &service.mechanism_filter else { return Ok(session.extensions.auth.clone()) };
    let mut left = Vec::new();
    for mechanism in &session.extensions.auth {
        if filter.matches(&mechanism.to_ascii_lowercase()).await? {
            left.push(mechanism.clone());
        }
    }
    Ok(left)
}

fn allows_plaintext(session: &Session, service: &Service) -> bool {
    let options = match &session.trust {
        None => &service.sasl.smtp_sasl_security_options,
        Some(Trust::Verified) => &service.sasl.smtp_sasl_tls_verified_security_options,
        Some(_) => &service.sasl.smtp_sasl_tls_security_options,
    };
    !options.iter().any(|option| option.eq_ignore_ascii_case("noplaintext"))
}

async fn exchange(
    session: &mut Session,
    service: &Service,
    mechanism: Mechanism,
    word: &str,
    secret: &Secret,
) -> Result<Received, Refusal> {
    let encode = |text: &str| BASE64.encode(text);
    if mechanism == Mechanism::Plain {
        let initial = encode(&format!("\0{}\0{}", secret.user, secret.password));
        return session.ask(service, Stage::Auth, &format!("AUTH {word} {initial}")).await;
    }
    let mut reply = session.ask(service, Stage::Auth, &format!("AUTH {word}")).await?;
    let mut answers: Vec<String> = match mechanism {
        Mechanism::Login => vec![secret.password.clone(), secret.user.clone()],
        _ => Vec::new(),
    };
    if mechanism == Mechanism::CramMd5 && reply.code == 334 {
        let challenge = reply.lines.first().and_then(|line| line.get(4..)).unwrap_or_default();
        let challenge = BASE64.decode(challenge.trim()).unwrap_or_default();
        let digest = md5::hmac(secret.password.as_bytes(), &challenge);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        answers.push(format!("{} {digest}", secret.user));
    }
    while reply.code == 334 {
        // A server that wants more than the mechanism has to say gets the answer that ends it.
        let answer = answers.pop().map_or_else(|| "*".to_owned(), |answer| encode(&answer));
        let over = answer == "*";
        reply = session.ask(service, Stage::Auth, &answer).await?;
        if over && reply.code == 334 {
            return Err(failed(format!(
                "SASL authentication failed; {} does not end the dialogue",
                session.name
            )));
        }
    }
    Ok(reply)
}
