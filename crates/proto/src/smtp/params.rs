//! ESMTP parameters of MAIL FROM and RCPT TO. RFC 1870, 3461, 4954, 6152, 6531.

use mail::{BodyType, Notify, Ret};

use super::Reply;
use super::command::Token;
use super::xtext;

/// What may follow the path of MAIL FROM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailParams {
    /// `SIZE=` in bytes; `None` when not said. Saturates.
    pub size: Option<u64>,
    /// `BODY=`.
    pub body: BodyType,
    /// `SMTPUTF8`.
    pub smtputf8: bool,
    /// `RET=`.
    pub ret: Option<Ret>,
    /// `ENVID=`, decoded.
    pub envid: Option<String>,
    /// `AUTH=`, as it came; `<>` gives an empty string.
    pub auth: Option<String>,
    /// `XVERP` (delimiters, empty for the default).
    pub verp: Option<String>,
}

/// What may follow the path of RCPT TO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RcptParams {
    /// `NOTIFY=`.
    pub notify: Notify,
    /// `ORCPT=`: `type;address`, decoded.
    pub orcpt: Option<String>,
}

/// Which parameters this session takes (`smtpd_discard_ehlo_keywords` and logins decide).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepts {
    /// `RET`, `ENVID`, `NOTIFY`, `ORCPT`.
    pub dsn: bool,
    /// `SMTPUTF8`.
    pub smtputf8: bool,
    /// `AUTH`.
    pub auth: bool,
    /// `XVERP`.
    pub verp: bool,
}

impl Default for Accepts {
    fn default() -> Self {
        Accepts { dsn: true, smtputf8: true, auth: true, verp: false }
    }
}

impl MailParams {
    /// Reads the words after the path. The error is the reply Postfix gives.
    pub fn parse(tokens: &[Token<'_>], accepts: Accepts) -> Result<MailParams, Reply> {
        let mut params = MailParams::default();
        for token in tokens {
            let text = token.text();
            let (name, value) =
                text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
            match (name.to_ascii_uppercase().as_str(), value) {
                ("BODY", Some(value)) if value.eq_ignore_ascii_case("8BITMIME") => {
                    params.body = BodyType::EightBitMime
                }
                ("BODY", Some(value)) if value.eq_ignore_ascii_case("7BIT") => {
                    params.body = BodyType::SevenBit
                }
                ("SIZE", Some(value)) => params.size = Some(size(value)?),
                ("SMTPUTF8", None) if accepts.smtputf8 => params.smtputf8 = true,
                ("RET", Some(value)) if accepts.dsn => match ret(value) {
                    Some(ret) if params.ret.is_none() => params.ret = Some(ret),
                    _ => return Err(bad("Bad RET parameter syntax")),
                },
                ("ENVID", Some(value)) if accepts.dsn => match xtext::decode(value) {
                    Some(envid) if params.envid.is_none() && !envid.is_empty() && is_printable(&envid) => {
                        params.envid = Some(envid);
                    }
                    _ => return Err(bad("Bad ENVID parameter syntax")),
                },
                ("RET" | "ENVID", _) if !accepts.dsn => return Err(dsn_disabled()),
                ("AUTH", Some(value)) if accepts.auth => {
                    if params.auth.as_deref().is_some_and(|auth| !auth.is_empty()) {
                        return Err(Reply::new(503, (5, 4), "Error: multiple AUTH= options"));
                    }
                    params.auth = Some(auth(value));
                }
                ("XVERP", value) if accepts.verp => params.verp = Some(value.unwrap_or_default().to_owned()),
                _ => return Err(unsupported(text)),
            }
        }
        Ok(params)
    }
}

impl RcptParams {
    /// Reads the words after the path. The error is the reply Postfix gives.
    pub fn parse(tokens: &[Token<'_>], accepts: Accepts) -> Result<RcptParams, Reply> {
        let mut params = RcptParams::default();
        for token in tokens {
            let text = token.text();
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            match name.to_ascii_uppercase().as_str() {
                "NOTIFY" if accepts.dsn && text.contains('=') => match notify(value) {
                    Some(notify) if !params.notify.is_set() => params.notify = notify,
                    _ => return Err(bad("Error: Bad NOTIFY parameter syntax")),
                },
                "ORCPT" if accepts.dsn && text.contains('=') => match orcpt(value) {
                    Some(orcpt) if params.orcpt.is_none() => params.orcpt = Some(orcpt),
                    _ => return Err(bad("Error: Bad ORCPT parameter syntax")),
                },
                "NOTIFY" | "ORCPT" if !accepts.dsn => return Err(dsn_disabled()),
                _ => return Err(unsupported(text)),
            }
        }
        Ok(params)
    }
}

fn dsn_disabled() -> Reply {
    Reply::new(501, (7, 1), "DSN support is disabled")
}

fn bad(text: &'static str) -> Reply {
    Reply::new(501, (5, 4), text)
}

fn unsupported(text: &str) -> Reply {
    Reply::new(555, (5, 4), format!("Unsupported option: {text}"))
}

fn size(value: &str) -> Result<u64, Reply> {
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad("Bad message size syntax"));
    }
    Ok(value.parse().unwrap_or(u64::MAX))
}

fn ret(value: &str) -> Option<Ret> {
    match value {
        value if value.eq_ignore_ascii_case("FULL") => Some(Ret::Full),
        value if value.eq_ignore_ascii_case("HDRS") => Some(Ret::Headers),
        _ => None,
    }
}

/// As it came, without a look at its coding: it is for the log and for policy servers, and nothing depends on it.
fn auth(value: &str) -> String {
    if value == "<>" { String::new() } else { mail::logline::printable(value) }
}

fn is_printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

fn notify(value: &str) -> Option<Notify> {
    let mut notify = Notify::default();
    for word in value.split(',') {
        let flag = match word.to_ascii_uppercase().as_str() {
            "NEVER" => &mut notify.never,
            "SUCCESS" => &mut notify.success,
            "FAILURE" => &mut notify.failure,
            "DELAY" => &mut notify.delay,
            _ => return None,
        };
        if std::mem::replace(flag, true) {
            return None;
        }
    }
    let others = notify.success || notify.failure || notify.delay;
    (!(notify.never && others)).then_some(notify)
}

/// `type;xtext` with a non-empty type and address.
fn orcpt(value: &str) -> Option<String> {
    let (kind, address) = value.split_once(';')?;
    let address = xtext::decode(address).filter(|address| !address.is_empty() && is_printable(address))?;
    let atom = |b: u8| b.is_ascii_graphic() && !b"()<>@,;:\\\".[]".contains(&b);
    (!kind.is_empty() && kind.bytes().all(atom)).then(|| format!("{kind};{address}"))
}

#[cfg(test)]
mod tests {
    use super::super::Command;
    use super::*;

    fn mail_params(line: &str) -> Result<MailParams, String> {
        let command = Command::parse(line);
        MailParams::parse(command.args(), Accepts::default()).map_err(|reply| reply.text.into_owned())
    }

    fn rcpt_params(line: &str) -> Result<RcptParams, String> {
        let command = Command::parse(line);
        RcptParams::parse(command.args(), Accepts::default()).map_err(|reply| reply.text.into_owned())
    }

    #[test]
    fn reads_mail_parameters() {
        let params = mail_params("X BODY=8bitmime SIZE=10 RET=FULL ENVID=abc+2B1 AUTH=<> SMTPUTF8").unwrap();
        assert_eq!((params.size, params.body), (Some(10), BodyType::EightBitMime));
        assert_eq!((params.envid.as_deref(), params.auth.as_deref()), (Some("abc+1"), Some("")));
        assert!(params.smtputf8);
        assert_eq!(mail_params("X AUTH=bad+ZZ").unwrap().auth.as_deref(), Some("bad+ZZ"));
        assert_eq!(mail_params("X AUTH=").unwrap().auth.as_deref(), Some(""));
        for (line, text) in [
            ("X BODY=BINARYMIME", "Unsupported option: BODY=BINARYMIME"),
            ("X garbage", "Unsupported option: garbage"),
            ("X AUTH=a@b AUTH=c@d", "Error: multiple AUTH= options"),
            ("X RET=HDRS RET=FULL", "Bad RET parameter syntax"),
            ("X ENVID=bad+xx", "Bad ENVID parameter syntax"),
            ("X SIZE=", "Bad message size syntax"),
            ("X SIZE=-1", "Bad message size syntax"),
        ] {
            assert_eq!(mail_params(line), Err(text.to_owned()), "{line}");
        }
        assert_eq!(mail_params("X SIZE=99999999999999999999999").unwrap().size, Some(u64::MAX));
    }

    #[test]
    fn reads_rcpt_parameters() {
        let params = rcpt_params("X NOTIFY=SUCCESS,failure ORCPT=rfc822;a+2Bb@y").unwrap();
        assert!(params.notify.success && params.notify.failure && !params.notify.delay);
        assert_eq!(params.orcpt.as_deref(), Some("rfc822;a+b@y"));
        for bad in
            ["NOTIFY=NEVER,SUCCESS", "NOTIFY=SOMETIMES", "NOTIFY=", "ORCPT=rfc822", "ORCPT=;x", "ORCPT=a;"]
        {
            assert!(rcpt_params(&format!("X {bad}")).unwrap_err().starts_with("Error: Bad "), "{bad}");
        }
    }
}
