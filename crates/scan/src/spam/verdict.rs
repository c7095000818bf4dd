//! The findings added up, and worded for people.

use std::fmt::Write as _;

use mail::logline::printable;

/// Findings that are told; a message can make no header longer than this.
const TOLD: usize = 40;

/// One reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Its name, of letters, digits and `_`.
    pub name: String,
    /// For (below 0) or against the message.
    pub points: f64,
    /// One sentence for people.
    pub text: String,
}

impl Finding {
    /// A reason. What a stranger wrote may stand in `text`: it is made harmless when it is told.
    pub fn new(name: &str, points: f64, text: &str) -> Finding {
        Finding { name: name.to_owned(), points, text: text.to_owned() }
    }
}

/// What is thought of a message, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Every reason.
    pub findings: Vec<Finding>,
    /// Points from which on it is spam.
    pub required: f64,
    /// The sending domain that is proven.
    pub sender: Option<String>,
    /// The score that somebody else gave, who is to be believed instead of the findings.
    pub given: Option<f64>,
}

impl Verdict {
    /// A verdict of our own.
    pub fn new(findings: Vec<Finding>, required: f64, sender: Option<String>) -> Verdict {
        Verdict { findings, required, sender, given: None }
    }

    /// The sum, in tenths of a point as it is printed.
    pub fn score(&self) -> f64 {
        let sum = self.given.unwrap_or_else(|| self.findings.iter().map(|finding| finding.points).sum());
        // Not -0.0.
        (sum * 10.0).round() / 10.0 + 0.0
    }

    /// Is it spam?
    pub fn is_spam(&self) -> bool {
        self.score() >= self.required
    }

    /// The first line of `X-Spam-Status`, without the name of the field.
    pub fn line(&self) -> String {
        let word = if self.is_spam() { "Yes" } else { "No" };
        let mut line = format!("{word}, score={:.1} required={:.1}", self.score(), self.required);
        let names: Vec<&str> = self.findings.iter().take(TOLD).map(|finding| finding.name.as_str()).collect();
        let _ = write!(line, " tests={}", if names.is_empty() { "none".to_owned() } else { names.join(",") });
        if let Some(sender) = &self.sender {
            let _ = write!(line, " sender={}", word_of(sender));
        }
        line
    }

    /// The fields, without the line ends behind them: X-Spam-Status, X-Spam-Level, X-Spam-Flag where it is spam, and
    /// X-Spam-Report with a sentence for each reason.
    pub fn fields(&self) -> Vec<Vec<u8>> {
        let mut status = String::from("X-Spam-Status: ");
        let mut column = status.len();
        for (index, word) in self.line().split(' ').enumerate() {
            // Long lists of tests fold behind a comma.
            for (part, piece) in word.split_inclusive(',').enumerate() {
                let room = usize::from(part == 0 && index > 0);
                if column + piece.len() + room > 76 && column > 20 {
                    status.push_str("\n\t");
                    column = 8;
                } else if room == 1 {
                    status.push(' ');
                    column += 1;
                }
                status.push_str(piece);
                column += piece.len();
            }
        }
        let mut fields = vec![status.into_bytes()];
        // As many stars as points, as filters in mail programs read it.
        let stars = self.score().clamp(0.0, 50.0) as usize;
        if stars > 0 {
            fields.push(format!("X-Spam-Level: {}", "*".repeat(stars)).into_bytes());
        }
        if self.is_spam() {
            fields.push(b"X-Spam-Flag: YES".to_vec());
        }
        if self.findings.iter().any(|finding| !finding.text.is_empty()) {
            let mut report = String::from("X-Spam-Report:");
            for finding in self.findings.iter().take(TOLD) {
                let text: String = printable(&finding.text).chars().take(200).collect();
                let _ = write!(report, "\n\t* {:>4.1} {} {}", finding.points, finding.name, text.trim_end());
            }
            fields.push(report.into_bytes());
        }
        fields
    }
}

/// Is it one of the fields that only we may say? Those of strangers are taken away.
pub fn is_ours(name: &[u8]) -> bool {
    let ours: [&[u8]; 5] =
        [b"x-spam-status", b"x-spam-level", b"x-spam-flag", b"x-spam-report", b"x-spam-score"];
    ours.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// The proven sender that an `X-Spam-Status` names.
pub fn sender_of(status: &str) -> Option<String> {
    let sender = status.split_ascii_whitespace().find_map(|word| word.strip_prefix("sender="))?;
    Some(sender.to_ascii_lowercase()).filter(|sender| sender.contains('.') && sender.len() < 254)
}

/// A domain as one word.
fn word_of(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || ".-_".contains(*c)).take(253).collect()
}
