//! Log lines that pflogsumm, fail2ban and logwatch read: one function a line, in Postfix's wording.
//!
//! The text only; time, host, program and process id are added by the log writer.

use crate::{Address, Detail, Outcome, QueueId, Refusal};

/// How long a message waited and worked, in seconds: before the queue manager, in the active queue, in
/// connection set-up, in transmission (`delays=a/b/c/d`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Delays(pub f64, pub f64, pub f64, pub f64);

/// Printed with as many digits as `delay_logging_resolution_limit` (default 2) allows, two significant ones.
pub fn seconds(value: f64, resolution: u32) -> String {
    let value = value.max(0.0);
    let decimals = if value >= 10.0 {
        0
    } else if value >= 1.0 {
        1
    } else if value >= 0.1 {
        2
    } else {
        // Two significant digits below 0.1 s, never more decimals than the limit.
        let magnitude = if value > 0.0 { (-value.log10()).ceil() as u32 } else { 0 };
        magnitude + 1
    };
    let text = format!("{value:.*}", decimals.min(resolution) as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// What is said of a recipient whose place others took.
pub const EXPANDED: &str = "alias expanded";

/// `<id>: to=<…>, orig_to=<…>, relay=…, delay=…, delays=…, dsn=…, status=… (…)`.
pub struct Delivery<'a> {
    /// Queue id.
    pub id: &'a QueueId,
    /// Recipient now.
    pub to: &'a Address,
    /// Recipient as given, when it differs and is known.
    pub original: &'a Address,
    /// `local`, `virtual`, `host[addr]:port`, `none`.
    pub relay: &'a str,
    /// How many messages went over this connection, when more than one.
    pub conn_use: u32,
    /// Delays.
    pub delays: Delays,
    /// `delay_logging_resolution_limit`.
    pub resolution: u32,
}

impl Delivery<'_> {
    /// The line for an outcome. `soft` is `soft_bounce`, which logs `SOFTBOUNCE`.
    pub fn line(&self, outcome: &Outcome, soft: bool) -> String {
        match outcome {
            Outcome::Delivered { detail, text, .. } => self.format(&success(*detail), "sent", text),
            Outcome::Expanded { .. } => self.format("2.0.0", "sent", EXPANDED),
            Outcome::Later(refusal) => {
                self.format(&refusal.status().to_string(), "deferred", refusal.log_text())
            }
            Outcome::Never(refusal) if soft => {
                self.format(&refusal.clone().soften().status().to_string(), "SOFTBOUNCE", refusal.log_text())
            }
            Outcome::Never(refusal) => {
                self.format(&refusal.status().to_string(), "bounced", refusal.log_text())
            }
        }
    }

    /// The line for the answer to a probe, where nothing was delivered.
    pub fn probe(&self, outcome: &Outcome) -> String {
        match outcome {
            Outcome::Delivered { detail, text, .. } => self.format(&success(*detail), "deliverable", text),
            Outcome::Expanded { .. } => self.format("2.0.0", "deliverable", EXPANDED),
            Outcome::Later(refusal) | Outcome::Never(refusal) => {
                self.format(&refusal.status().to_string(), "undeliverable", refusal.log_text())
            }
        }
    }

    fn format(&self, dsn: &str, status: &str, text: &str) -> String {
        let mut line = format!("{}: to=<{}>", self.id, printable(&self.to.external()));
        if !self.original.is_null() && !self.original.as_str().eq_ignore_ascii_case(self.to.as_str()) {
            line.push_str(&format!(", orig_to=<{}>", printable(&self.original.external())));
        }
        line.push_str(&format!(", relay={}", printable(self.relay)));
        if self.conn_use > 1 {
            line.push_str(&format!(", conn_use={}", self.conn_use));
        }
        let Delays(a, b, c, d) = self.delays;
        let s = |value| seconds(value, self.resolution);
        line.push_str(&format!(
            ", delay={}, delays={}/{}/{}/{}, dsn={dsn}, status={status} ({})",
            s(a + b + c + d),
            s(a),
            s(b),
            s(c),
            s(d),
            printable(text)
        ));
        line
    }
}

fn success(detail: Detail) -> String {
    format!("2.{}.{}", detail.0, detail.1)
}

/// `NOQUEUE: reject: RCPT from name[addr]: 550 5.1.1 <x>: …; from=<…> to=<…> proto=ESMTP helo=<…>`.
pub fn reject(
    id: Option<&QueueId>,
    action: &str,
    stage: &str,
    client: &str,
    refusal: &Refusal,
    envelope: &str,
) -> String {
    let id = id.map_or("NOQUEUE", QueueId::as_str);
    format!(
        "{id}: {action}: {stage} from {client}: {} {} {}; {envelope}",
        refusal.smtp_code(),
        refusal.status(),
        printable(refusal.log_text())
    )
}

/// Replaces control characters by `?`, so that nobody can write log lines for us.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_short() {
        for (value, text) in
            [(0.0, "0"), (0.004, "0"), (0.05, "0.05"), (0.123, "0.12"), (1.26, "1.3"), (12.7, "13")]
        {
            assert_eq!(seconds(value, 2), text, "{value}");
        }
    }

    #[test]
    fn nobody_writes_log_lines_for_us() {
        assert_eq!(printable("a\r\nNov 21 x"), "a??Nov 21 x");
    }
}
