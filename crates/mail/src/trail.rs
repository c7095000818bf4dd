//! Why a decision was made: the steps that `facteur explain`, `facteur trace` and the log print.

use std::fmt;

/// One step of a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Because {
    /// The parameter or restriction that was consulted: `smtpd_relay_restrictions`, `virtual_alias_maps`.
    pub parameter: String,
    /// The table or server asked, as configured: `hash:/etc/postfix/virtual`, `zen.example.org`.
    pub source: Option<String>,
    /// The key looked up or the pattern tried.
    pub key: Option<String>,
    /// File and line, where the source has lines.
    pub place: Option<String>,
    /// What came back: the value, `not found`, a DNS answer, a verdict.
    pub found: String,
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parameter)?;
        if let Some(source) = &self.source {
            write!(f, " {source}")?;
        }
        if let Some(key) = &self.key {
            write!(f, " [{key}]")?;
        }
        if let Some(place) = &self.place {
            write!(f, " ({place})")?;
        }
        write!(f, ": {}", self.found)
    }
}

/// Collects steps when somebody wants to know, and costs nothing when nobody does.
#[derive(Clone, Debug, Default)]
pub struct Trail(Option<Vec<Because>>);

impl Trail {
    /// Most steps a trail keeps: a loop in a configuration must not fill memory.
    pub const MAX: usize = 1000;

    /// A trail that keeps nothing.
    pub fn off() -> Trail {
        Trail(None)
    }

    /// A trail that keeps its steps.
    pub fn on() -> Trail {
        Trail(Some(Vec::new()))
    }

    /// Adds the step that `step` builds; `step` is not called when the trail is off.
    pub fn note(&mut self, step: impl FnOnce() -> Because) {
        if let Some(steps) = &mut self.0
            && steps.len() < Self::MAX
        {
            steps.push(step());
        }
    }

    /// The steps so far.
    pub fn steps(&self) -> &[Because] {
        self.0.as_deref().unwrap_or_default()
    }
}
