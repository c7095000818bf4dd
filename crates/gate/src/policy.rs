//! Requests of the policy protocol (SMTPD_POLICY_README), as a server hears them: `name=value` lines and an empty one.

use std::net::IpAddr;

/// Longest request, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// Longest value that is used: Postfix sends addresses, names and numbers.
const VALUE: usize = 2048;

/// A request. What was not said is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The client's address.
    pub client_address: Option<IpAddr>,
    /// Its verified name, or `unknown`.
    pub client_name: String,
    /// HELO or EHLO.
    pub helo_name: String,
    /// MAIL FROM.
    pub sender: String,
    /// RCPT TO.
    pub recipient: String,
    /// A name of the message.
    pub instance: String,
    /// Its queue id.
    pub queue_id: String,
    /// Who logged in.
    pub sasl_username: String,
    /// `RCPT`, `END-OF-MESSAGE`…
    pub protocol_state: String,
    /// How many recipients were accepted, in DATA and END-OF-MESSAGE.
    pub recipient_count: u32,
}

/// Where the first request in these bytes ends: the place behind its empty line.
pub fn end(bytes: &[u8]) -> Option<usize> {
    if bytes.first() == Some(&b'\n') {
        return Some(1);
    }
    bytes.windows(2).position(|pair| pair == b"\n\n").map(|at| at + 2)
}

impl Request {
    /// Reads one request. Attributes that are not known, and lines that are none, are passed over.
    ///
    /// # Errors
    /// It is no request of this protocol.
    pub fn parse(bytes: &[u8]) -> Result<Request, &'static str> {
        let text = String::from_utf8_lossy(bytes);
        let mut request = Request::default();
        let mut kind = "";
        for (name, value) in text.lines().filter_map(|line| line.trim_end_matches('\r').split_once('=')) {
            if value.len() > VALUE {
                return Err("an attribute is too long");
            }
            let field = match name {
                "request" => {
                    kind = value;
                    continue;
                }
                "client_address" => {
                    request.client_address = value.parse().ok();
                    continue;
                }
                "recipient_count" => {
                    request.recipient_count = value.parse().unwrap_or(0);
                    continue;
                }
                "client_name" => &mut request.client_name,
                "helo_name" => &mut request.helo_name,
                "sender" => &mut request.sender,
                "recipient" => &mut request.recipient,
                "instance" => &mut request.instance,
                "queue_id" => &mut request.queue_id,
                "sasl_username" => &mut request.sasl_username,
                "protocol_state" => &mut request.protocol_state,
                _ => continue,
            };
            value.clone_into(field);
        }
        match kind {
            "smtpd_access_policy" => Ok(request),
            _ => Err("it is no request=smtpd_access_policy"),
        }
    }
}

/// An answer: one action, whatever is in its text.
pub fn answer(action: &str) -> String {
    let line: String = action.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("action={line}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_of_postfix() {
        let text = b"request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=2001:db8::1\nclient_name=mx.test\n\
            helo_name=x=y\nsender=\nrecipient=joe@here.test\nrecipient_count=0\ninstance=1.2.3\nstress=\n\nrequest=";
        let at = end(text).unwrap();
        let request = Request::parse(&text[..at]).unwrap();
        assert_eq!(request.client_address, Some("2001:db8::1".parse().unwrap()));
        assert_eq!((request.helo_name.as_str(), request.sender.as_str()), ("x=y", ""));
        assert_eq!((request.recipient.as_str(), request.instance.as_str()), ("joe@here.test", "1.2.3"));
        assert_eq!(&text[at..], b"request=");
        assert!(end(b"request=smtpd").is_none());
        assert!(Request::parse(b"request=junk\n\n").is_err() && Request::parse(b"\n").is_err());
    }

    #[test]
    fn an_answer_is_one_line_whatever_is_in_it() {
        assert_eq!(answer("REJECT a\r\n\naction=OK"), "action=REJECT a   action=OK\n\n");
    }

    proptest! {
        #[test]
        fn nothing_makes_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = end(&bytes);
            let _ = Request::parse(&bytes);
        }
    }
}
