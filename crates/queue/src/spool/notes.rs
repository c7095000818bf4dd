//! The text files in `defer` and `bounce`: what the last attempt said of each recipient.

use jiff::Timestamp;
use mail::RemoteReply;

use crate::{Action, Report};

/// What a file says of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The address.
    pub recipient: String,
    /// Where its record is in the queue file, when that is said.
    pub offset: Option<u64>,
    /// What was said.
    pub report: Report,
}

/// Reads such a file; `at` is when it was written. What makes no sense is passed over: it is only the reason.
pub fn parse_notes(text: &str, at: Timestamp) -> Vec<Note> {
    let mut notes = Vec::new();
    for block in text.split("\n\n") {
        let value = |name: &str| {
            let mut lines = block.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
        };
        let (Some(recipient), Some(reason)) = (value("recipient"), value("reason")) else { continue };
        let action = match value("action").as_deref() {
            Some("failed") => Action::Failed,
            Some("delivered") => Action::Delivered,
            Some("relayed") => Action::Relayed,
            Some("expanded") => Action::Expanded,
            _ => Action::Delayed,
        };
        let host = value("mta_mname").filter(|_| value("mta_type").as_deref() == Some("dns"));
        let diagnostic = value("diag_type").zip(value("diag_text"));
        let (remote, diagnostic) = match (host, diagnostic) {
            (Some(host), Some((kind, text))) if kind == "smtp" => (Some(RemoteReply { host, text }), None),
            (_, Some((kind, text))) => (None, Some(format!("{kind}; {text}"))),
            (_, None) => (None, None),
        };
        notes.push(Note {
            recipient,
            offset: value("offset").and_then(|offset| offset.parse().ok()),
            report: Report {
                action,
                status: value("status").unwrap_or_else(|| "4.0.0".to_owned()),
                relay: remote.as_ref().map_or_else(|| "none".to_owned(), |remote| remote.host.clone()),
                reason,
                remote,
                diagnostic,
                at,
            },
        });
    }
    notes
}

/// Writes such a file.
pub fn write_notes(notes: &[Note]) -> String {
    let mut text = String::new();
    for note in notes {
        let Note { recipient, offset, report } = note;
        let one_line = |text: &str| text.replace(['\n', '\r'], " ");
        let reason = one_line(&report.reason);
        text.push_str(&format!("\n<{recipient}>: {reason}\nrecipient={recipient}\n"));
        if let Some(offset) = offset {
            text.push_str(&format!("offset={offset}\n"));
        }
        text.push_str(&format!("status={}\naction={}\n", report.status, report.action.name()));
        if let Some(remote) = &report.remote {
            let said = one_line(&remote.text);
            text.push_str(&format!(
                "diag_type=smtp\ndiag_text={said}\nmta_type=dns\nmta_mname={}\n",
                remote.host
            ));
        } else if let Some((kind, said)) = report.diagnostic.as_deref().and_then(|text| text.split_once("; "))
        {
            text.push_str(&format!("diag_type={kind}\ndiag_text={}\n", one_line(said)));
        }
        text.push_str(&format!("reason={reason}\n\n"));
    }
    text
}
