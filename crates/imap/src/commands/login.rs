//! STARTTLS, LOGIN, AUTHENTICATE (with SASL-IR, RFC 4959), UNAUTHENTICATE (RFC 8437).

use super::Call;
use crate::grammar::Bad;
use crate::login::Login;
use crate::session::{Answer, Done, Fail, Session, Tell};

impl Session {
    fn may_send_passwords(&self) -> Result<(), Fail> {
        if self.link.passwords {
            return Ok(());
        }
        let text = "Cleartext authentication disallowed on non-secure (SSL/TLS) connections.";
        Err(Fail::no("PRIVACYREQUIRED", text))
    }
}

/// STARTTLS.
pub fn starttls(session: &mut Session, call: &mut Call<'_>) -> Answer {
    call.args.end()?;
    if session.link.tls {
        return Err(Fail::Refused("TLS is already active."));
    }
    if !session.settings.tls {
        return Err(Fail::Refused("TLS support isn't enabled."));
    }
    Ok(Done::StartTls)
}

/// LOGIN.
pub fn login(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let user = call.args.text()?.into_owned();
    call.args.space()?;
    let password = call.args.text()?.into_owned();
    call.args.end()?;
    session.may_send_passwords()?;
    Ok(Done::Login(Login::Password { user, password }))
}

/// AUTHENTICATE.
pub fn authenticate(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let mechanism = call.args.atom()?.to_ascii_uppercase();
    let mut initial = None;
    if !call.args.is_at_end() {
        call.args.space()?;
        let response = call.args.take_while(|byte| byte != b' ');
        if response.is_empty() {
            return Err(Bad("empty initial response").into());
        }
        initial = Some(response.to_vec());
    }
    call.args.end()?;
    if !session.link.mechanisms.contains(&mechanism.as_str()) {
        return Err(Fail::no("", "Unsupported authentication mechanism."));
    }
    Ok(Done::Login(Login::Sasl { mechanism, initial }))
}

/// UNAUTHENTICATE.
pub fn unauthenticate(session: &mut Session, call: &mut Call<'_>) -> Answer {
    call.args.end()?;
    if session.settings.no_logins {
        return Err(Fail::Refused("Error in IMAP command: Unknown command."));
    }
    session.log_out();
    Ok(Done::ok("Unauthenticate completed.", Tell::Nothing))
}
