//! `non_smtpd_milters`: mail that comes in any other way than SMTP is played to them as if localhost had sent it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use filter::milter::{Chain, Outcome, Values};
use mail::logline::printable;
use mail::{Address, Blame, Detail, Refusal};
use proto::milter::{Event, Peer, connect, strings};

use super::{Filtering, refusal};
use crate::cleanup::{Clean, Cleaner};
use crate::house::House;

/// The client that there is not.
const NAME: &str = "localhost";
const ADDRESS: &str = "127.0.0.1";

/// Shows the message, envelope first, and does what the milters ask for.
pub async fn pass(
    house: &House,
    cleaner: &Arc<Cleaner>,
    clean: &mut Clean<queue::Draft>,
) -> Result<(), Refusal> {
    let Some(milters) = &cleaner.milters else { return Ok(()) };
    let Some(mut chain) = milters.open(None).await else { return Ok(()) };
    let passed = converse(house, cleaner, clean, &mut chain).await;
    chain.quit().await;
    passed
}

async fn converse(
    house: &House,
    cleaner: &Arc<Cleaner>,
    clean: &mut Clean<queue::Draft>,
    chain: &mut Chain,
) -> Result<(), Refusal> {
    let mut values = values(clean);
    if envelope(chain, clean, &mut values).await? == Goes::On {
        let filtering = Filtering { chain, values, origin: format!("{NAME}[{ADDRESS}]") };
        super::pass(house, cleaner, clean, filtering).await?;
    }
    Ok(())
}

/// Whether there is more to show.
#[derive(PartialEq, Eq)]
enum Goes {
    On,
    NoFurther,
}

/// Everything before the content.
async fn envelope(
    chain: &mut Chain,
    clean: &mut Clean<queue::Draft>,
    values: &mut Values,
) -> Result<Goes, Refusal> {
    let address = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let data = connect(Peer { name: NAME, address, port: 0 });
    let outcome = chain.event(Event::Connect, &data, values).await;
    if obey(clean, "CONNECT", None, outcome)? == Goes::NoFurther {
        return Ok(Goes::NoFurther);
    }
    let outcome = chain.event(Event::Helo, &strings([NAME.as_bytes()]), values).await;
    if obey(clean, "EHLO", None, outcome)? == Goes::NoFurther {
        return Ok(Goes::NoFurther);
    }
    let sender = clean.envelope.sender.external().to_string();
    values.insert("mail_addr", sender.clone());
    let outcome = chain.event(Event::Mail, &strings([sender.as_bytes()]), values).await;
    if obey(clean, "MAIL", None, outcome)? == Goes::NoFurther {
        return Ok(Goes::NoFurther);
    }
    let recipients = std::mem::take(&mut clean.given);
    for recipient in &recipients {
        let text = recipient.external().to_string();
        values.insert("rcpt_addr", text.clone());
        let outcome = chain.event(Event::Rcpt, &strings([text.as_bytes()]), values).await;
        match obey(clean, "RCPT", Some(recipient), outcome) {
            Ok(Goes::On) => {}
            Ok(Goes::NoFurther) => return Ok(Goes::NoFurther),
            Err(_) => {
                // Nobody is there to be told about one recipient among others.
                let id = &clean.id;
                log::warn!(
                    target: "cleanup",
                    "{id}: milter configuration error: can't reject recipient in non-smtpd(8) submission"
                );
                log::warn!(target: "cleanup", "{id}: message not accepted, try again later");
                return Err(Refusal::later(51, Detail(3, 5), Blame::Admin, "Server configuration error"));
            }
        }
    }
    let outcome = chain.event(Event::Data, b"", values).await;
    obey(clean, "DATA", recipients.last(), outcome)
}

fn obey(
    clean: &mut Clean<queue::Draft>,
    event: &str,
    recipient: Option<&Address>,
    outcome: Outcome,
) -> Result<Goes, Refusal> {
    if outcome == Outcome::Hold && clean.hold {
        return Ok(Goes::On);
    }
    let (what, text) = match &outcome {
        Outcome::Continue => return Ok(Goes::On),
        Outcome::Hold => ("milter-hold", "milter triggers HOLD action"),
        Outcome::Discard => ("milter-discard", "milter triggers DISCARD action"),
        Outcome::Close => ("milter-reject", "4.7.0 Error: closing connection"),
        Outcome::Reply(text) => ("milter-reject", text.get(4..).unwrap_or_default()),
    };
    let mut line = format!(
        "{what}: {event} from {NAME}[{ADDRESS}]: {text}; from=<{}>",
        clean.envelope.sender.external()
    );
    if let Some(recipient) = recipient {
        line.push_str(&format!(" to=<{}>", recipient.external()));
    }
    log::info!(target: "cleanup", "{}: {}", clean.id, printable(&line));
    match outcome {
        Outcome::Discard => {
            clean.discard = true;
            Ok(Goes::NoFurther)
        }
        Outcome::Close => Err(Refusal::later(21, Detail(7, 0), Blame::Policy, &text[6..])),
        Outcome::Reply(text) => Err(refusal(&text)),
        Outcome::Hold | Outcome::Continue => {
            clean.hold = true;
            Ok(Goes::On)
        }
    }
}

fn values(clean: &Clean<queue::Draft>) -> Values {
    Values::from([
        ("_", format!("{NAME} [{ADDRESS}]")),
        ("i", clean.id.to_string()),
        ("client_addr", ADDRESS.to_owned()),
        ("client_name", NAME.to_owned()),
        ("client_ptr", NAME.to_owned()),
        ("client_port", "0".to_owned()),
        ("daemon_addr", ADDRESS.to_owned()),
        ("daemon_port", "0".to_owned()),
    ])
}
