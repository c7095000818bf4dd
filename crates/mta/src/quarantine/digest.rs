//! The digest: each recipient is mailed a list of what is held for him.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use mail::logline::printable;

use super::Held;

/// Messages that one digest lists.
const LISTED: usize = 200;

/// The words of a digest.
struct Words {
    subject: &'static str,
    before: &'static str,
    after: &'static str,
    more: &'static str,
    because: &'static str,
}

const ENGLISH: Words = Words {
    subject: "Mail that is held for you",
    before: "These messages for you were not delivered: they look like spam, or hold something dangerous.",
    after: "If you miss one of them, ask the postmaster for it and give its number.",
    more: "There are others.",
    because: "because",
};

const FRENCH: Words = Words {
    subject: "Courrier retenu pour vous",
    before: "Ces messages pour vous n'ont pas été remis : ils ressemblent à du spam, ou contiennent un danger.",
    after: "S'il vous en manque un, demandez-le au postmaster en donnant son numéro.",
    more: "Il y en a d'autres.",
    because: "motif :",
};

/// The text of one recipient's digest, header and all.
pub fn text(recipient: &str, held: &[&Held], sender: &str, french: bool, zone: &TimeZone) -> String {
    let words = if french { FRENCH } else { ENGLISH };
    let language = if french { "fr" } else { "en" };
    let mut text = format!(
        "From: {sender}\nTo: <{recipient}>\nSubject: {}\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\nContent-Language: {language}\n\n{}\n",
        words.subject, words.before
    );
    for held in held.iter().take(LISTED) {
        // What a stranger wrote stays one line, and no link of it can be followed by a click.
        let clean = |text: &str| printable(text).replace("://", ": //").chars().take(200).collect::<String>();
        text.push_str(&format!(
            "\n{}  {}\n  {}\n  <{}>\n  {} {}\n",
            held.id,
            mail::date::rfc5322(held.arrival, zone),
            clean(&held.subject),
            clean(&held.sender),
            words.because,
            clean(&held.reason)
        ));
    }
    if held.len() > LISTED {
        text.push_str(&format!("\n{}\n", words.more));
    }
    text.push_str(&format!("\n{}\n", words.after));
    text
}

/// What is held for each recipient.
pub fn by_recipient(held: &[Held]) -> BTreeMap<&str, Vec<&Held>> {
    let mut boxes: BTreeMap<&str, Vec<&Held>> = BTreeMap::new();
    for held in held {
        for recipient in &held.recipients {
            boxes.entry(recipient).or_default().push(held);
        }
    }
    boxes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_in_both_languages() {
        let held = Held {
            id: mail::QueueId::parse("ABC123").unwrap(),
            arrival: "2024-01-09T17:02:58Z".parse().unwrap(),
            size: 10,
            reason: "spam (score 9.1)".into(),
            sender: "joe@far.test".into(),
            recipients: vec!["ann@box.test".into()],
            subject: "Look: http://far.test/\nBcc: x".into(),
        };
        for (french, language) in [(false, "en"), (true, "fr")] {
            let text = text("ann@box.test", &[&held], "postmaster@box.test", french, &TimeZone::UTC);
            let (head, body) = text.split_once("\n\n").unwrap();
            assert!(head.contains(&format!("Content-Language: {language}")) && head.is_ascii(), "{head}");
            assert!(body.contains("ABC123  Tue,") && body.contains("2024 17:02:58 +0000"), "{body}");
            assert!(
                body.contains("Look: http: //far.test/?Bcc: x\n") && body.contains("spam (score 9.1)"),
                "{body}"
            );
        }
    }
}
