//! How a session is shown to the postmaster (`notify_classes`).

use std::sync::Arc;

use deliver::Transcript;
use mail::logline::printable;

use super::{Class, post};
use crate::house::{House, Setup};

/// Columns of a report.
const WIDTH: usize = 78;

/// What the other side said.
pub const IN: &str = "In:  ";

/// What we said.
pub const OUT: &str = "Out: ";

/// Before a dialogue.
pub const BEGIN: &str = "Transcript of session follows.\n\n";

/// After it.
pub const END: &str = "\nFor other details, see the local mail logfile\n";

/// Tells the postmaster of servers that found fault with our protocol, if he wants to hear of it.
pub async fn report(house: &Arc<House>, setup: &Arc<Setup>, transcripts: &[Transcript]) {
    for transcript in transcripts.iter().filter(|_| setup.notices.classes.wants(Class::Protocol)) {
        let (server, protocol) = (&transcript.server, transcript.protocol);
        let subject = format!("{} {protocol} client: errors from {server}", setup.mail_name);
        let to = &setup.notices.error_recipient;
        let sent = post::to_postmaster(house, setup, to, &subject, &text(transcript)).await;
        if let Err(refusal) = sent {
            log::warn!(target: "bounce", "postmaster notification: {}", refusal.log_text());
        }
    }
}

fn text(transcript: &Transcript) -> String {
    let mut text = format!("Unexpected response from {}.\n\n{BEGIN}", transcript.server);
    for said in &transcript.said {
        line(&mut text, if said.ours { OUT } else { IN }, &said.line);
    }
    text.push_str(END);
    text
}

/// Adds what one side said.
pub fn line(out: &mut String, label: &str, said: &str) {
    fold(out, &format!("{label}{}", printable(said)));
}

/// Adds a line, divided at blanks; what follows is indented.
fn fold(out: &mut String, line: &str) {
    let mut rest = line;
    let mut indent = "";
    loop {
        let columns = WIDTH - indent.len();
        let mut end = rest.len();
        if rest.chars().count() > columns {
            // The last word that fits; one that is too long by itself stays whole.
            let words = rest.match_indices(' ').map(|(at, _)| at).filter(|at| !rest[..*at].trim().is_empty());
            let fits = |at: &usize| rest[..*at].chars().count() <= columns;
            let (within, beyond): (Vec<usize>, Vec<usize>) = words.partition(fits);
            end = within.last().or(beyond.first()).copied().unwrap_or(end);
        }
        out.push_str(&format!(" {indent}{}\n", rest[..end].trim_end()));
        rest = rest[end..].trim_start();
        if rest.is_empty() {
            return;
        }
        indent = "    ";
    }
}

#[cfg(test)]
mod tests {
    use proto::smtp::client::Said;

    use super::*;

    #[test]
    fn both_sides_are_shown() {
        let said = |(ours, line): (bool, &str)| Said { ours, line: line.to_owned() };
        let said = [(false, "220 x ESMTP"), (true, "EHLO me"), (false, "502 no\x07")].map(said).to_vec();
        let transcript = Transcript { server: "h[192.0.2.1]:25".to_owned(), protocol: "SMTP", said };
        let expected = "Unexpected response from h[192.0.2.1]:25.\n\nTranscript of session follows.\n\n \
            In:  220 x ESMTP\n Out: EHLO me\n In:  502 no?\n\nFor other details, see the local mail logfile\n";
        assert_eq!(text(&transcript), expected);
    }

    #[test]
    fn long_lines_are_folded_at_blanks() {
        let folded = |line: &str| {
            let mut out = String::new();
            fold(&mut out, line);
            out
        };
        let (a, b, c) = ("a".repeat(60), "b".repeat(40), "c".repeat(200));
        assert_eq!(folded(&format!("In:  {a} {b}")), format!(" In:  {a}\n     {b}\n"));
        assert_eq!(folded(&c), format!(" {c}\n"));
        assert_eq!(folded(&format!("{c} {c} x")), format!(" {c}\n     {c}\n     x\n"));
    }
}
