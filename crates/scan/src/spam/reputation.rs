//! What a sender is worth whose domain is proven, by what it sent before.

use super::statistics::Counts;

/// Messages before a reputation counts.
const LEAST: u32 = 4;

/// A proven sender and its past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The domain that DMARC, DKIM or SPF proved.
    pub sender: String,
    /// What it sent.
    pub past: Counts,
}

impl Standing {
    /// Points: from -2.5 for who never sent spam to 3 for who sends nothing else. `None`: too little is known.
    pub fn points(&self) -> Option<f64> {
        let all = self.past.spam.saturating_add(self.past.ham);
        if all < LEAST {
            return None;
        }
        let share = f64::from(self.past.spam) / f64::from(all);
        // Few messages are half believed.
        let belief = (f64::from(all) / 20.0).clamp(0.4, 1.0);
        Some(belief * if share < 0.5 { -2.5 * (1.0 - share * 2.0) } else { 3.0 * (share * 2.0 - 1.0) })
    }
}
