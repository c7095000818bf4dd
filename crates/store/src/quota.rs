//! How much an account may hold.

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Bytes (`STORAGE`).
    Storage,
    /// Messages (`MESSAGE`).
    Message,
}

impl Resource {
    /// As in IMAP QUOTA (RFC 9208).
    pub fn name(self) -> &'static str {
        match self {
            Resource::Storage => "STORAGE",
            Resource::Message => "MESSAGE",
        }
    }
}

/// What an account holds, or may hold at most; copies count each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
}

impl Usage {
    /// With as much more.
    pub(crate) fn plus(self, more: Usage) -> Usage {
        Usage {
            bytes: self.bytes.saturating_add(more.bytes),
            messages: self.messages.saturating_add(more.messages),
        }
    }

    /// With as much less, as far as there is any.
    pub(crate) fn minus(self, less: Usage) -> Usage {
        Usage {
            bytes: self.bytes.saturating_sub(less.bytes),
            messages: self.messages.saturating_sub(less.messages),
        }
    }
}

/// Limits; `None` where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes.
    pub bytes: Option<u64>,
    /// Messages.
    pub messages: Option<u64>,
}

impl Limits {
    /// Is no resource limited?
    pub fn is_unlimited(&self) -> bool {
        self.bytes.is_none() && self.messages.is_none()
    }

    /// What would be passed if `more` came to `used`.
    pub fn passed(&self, used: Usage, more: Usage) -> Option<Resource> {
        let over = |limit: Option<u64>, used: u64, more: u64| {
            more > 0 && limit.is_some_and(|limit| used.saturating_add(more) > limit)
        };
        if over(self.bytes, used.bytes, more.bytes) {
            return Some(Resource::Storage);
        }
        over(self.messages, used.messages, more.messages).then_some(Resource::Message)
    }

    /// The highest of `thresholds` (in per cent of a limit, ascending) that going from `before` to `after` reaches.
    pub fn reached(&self, before: Usage, after: Usage, thresholds: &[u8]) -> Option<u8> {
        let part = |used: u64, limit: Option<u64>| match limit {
            Some(limit) if limit > 0 => u128::from(used) * 100 / u128::from(limit),
            _ => 0,
        };
        let share = |used: Usage| part(used.bytes, self.bytes).max(part(used.messages, self.messages));
        let (before, after) = (share(before), share(after));
        thresholds.iter().copied().filter(|at| before < u128::from(*at) && after >= u128::from(*at)).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_may_be_reached_and_not_passed() {
        let limits = Limits { bytes: Some(100), messages: Some(2) };
        let usage = |bytes, messages| Usage { bytes, messages };
        assert_eq!(limits.passed(usage(90, 1), usage(10, 1)), None);
        assert_eq!(limits.passed(usage(90, 1), usage(11, 1)), Some(Resource::Storage));
        assert_eq!(limits.passed(usage(0, 2), usage(1, 1)), Some(Resource::Message));
        assert_eq!(limits.passed(usage(200, 2), usage(0, 0)), None);
        assert_eq!(Limits::default().passed(usage(u64::MAX, 0), usage(1, 1)), None);
        assert_eq!(limits.reached(usage(70, 0), usage(96, 0), &[80, 95]), Some(95));
        assert_eq!(limits.reached(usage(96, 0), usage(97, 0), &[80, 95]), None);
    }
}
