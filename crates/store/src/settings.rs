//! What the configuration says about all accounts.

use std::sync::Arc;

use crate::lock::Patience;
use crate::mbox::{Lock, Locks};
use crate::params::Mailboxes;
use crate::{Limits, Name, Namespaces, SpecialUse};

/// Gives the seconds since 1970.
pub type Clock = fn() -> i64;

/// Settings that all accounts share.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What clients see between the levels of a name; `None` leaves it to the kind of store.
    pub separator: Option<char>,
    /// `mailbox_prefix` and `mailbox_shared_prefix`
    pub namespaces: Arc<Namespaces>,
    /// Quota of accounts that have no own.
    pub limits: Limits,
    /// At how many per cent of a quota a warning is logged, ascending.
    pub warn_at: Vec<u8>,
    /// Mailboxes with a special use that every account gets, and whether it is subscribed to them.
    pub special: Vec<(Name, SpecialUse)>,
    /// Whether they are made (and subscribed to) with the account, or only known by their names.
    pub create_special: bool,
    /// How mbox files are locked.
    pub mbox_locks: Locks,
    /// The time.
    pub clock: Clock,
}

impl Settings {
    /// Without limits and special mailboxes.
    pub fn plain(clock: Clock) -> Settings {
        Settings {
            separator: None,
            namespaces: Arc::default(),
            limits: Limits::default(),
            warn_at: Vec::new(),
            special: Vec::new(),
            create_special: false,
            mbox_locks: Locks::default(),
            clock,
        }
    }

    /// Settings from the configuration.
    ///
    /// # Errors
    /// The parameter and what is wrong with its value.
    pub fn read(params: &Mailboxes, clock: Clock) -> Result<Settings, (&'static str, String)> {
        let mut settings = Settings::plain(clock);
        let mut separator = params.mailbox_separator.chars();
        settings.separator = match (separator.next(), separator.next()) {
            (None, _) => None,
            (Some(one @ ('/' | '.')), None) => Some(one),
            _ => return Err(("mailbox_separator", "give one character, \"/\" or \".\"".to_owned())),
        };
        let own = params.mailbox_prefix.trim();
        let shared = params.mailbox_shared_prefix.trim();
        // A dot may be part of a name where it is not the separator.
        let separator = settings.separator.unwrap_or(if own.ends_with('.') { '.' } else { '/' });
        let names = Namespaces {
            prefix: Namespaces::prefix(own, separator),
            others: Namespaces::prefix(shared, if shared.ends_with('.') { '.' } else { '/' }),
        };
        for (parameter, prefix) in
            [("mailbox_prefix", &names.prefix), ("mailbox_shared_prefix", &names.others)]
        {
            if !prefix.is_empty() {
                Name::new(prefix.trim_end_matches('/')).map_err(|error| (parameter, error.to_string()))?;
            }
        }
        if !names.others.is_empty() && (names.others == names.prefix || names.others == "INBOX/") {
            return Err(("mailbox_shared_prefix", "it is that of the user's own mailboxes".to_owned()));
        }
        settings.namespaces = Arc::new(names);
        let limit = |value: u64| (value > 0).then_some(value);
        settings.limits =
            Limits { bytes: limit(params.mailbox_quota), messages: limit(params.mailbox_message_quota) };
        for word in &params.mailbox_quota_warnings {
            let share =
                word.trim_end_matches('%').parse::<u8>().ok().filter(|share| (1..=100).contains(share));
            let wrong = || ("mailbox_quota_warnings", format!("\"{word}\": give per cent, from 1 to 100"));
            settings.warn_at.push(share.ok_or_else(wrong)?);
        }
        settings.warn_at.sort_unstable();
        for word in &params.mailbox_special_use {
            let wrong = |why: &str| ("mailbox_special_use", format!("\"{word}\": {why}"));
            // Braces hold a name with blanks together.
            let word = word.strip_prefix('{').and_then(|word| word.strip_suffix('}')).unwrap_or(word);
            let (special, name) =
                word.split_once('=').ok_or_else(|| wrong("write a use, =, and a name: Sent=Sent"))?;
            let special = SpecialUse::from_attribute(&format!("\\{special}")).ok_or_else(|| {
                wrong("the uses are All, Archive, Drafts, Flagged, Important, Junk, Sent, Trash")
            })?;
            let name = Name::new(name).map_err(|error| wrong(&error.to_string()))?;
            settings.special.push((name, special));
        }
        settings.create_special = params.mailbox_special_use_create;
        settings.mbox_locks = Locks {
            read: locks("mbox_read_locks", &params.mbox_read_locks)?,
            write: locks("mbox_write_locks", &params.mbox_write_locks)?,
            patience: Patience { wait: params.mbox_lock_timeout, stale: params.mbox_dotlock_change_timeout },
        };
        Ok(settings)
    }
}

fn locks(parameter: &'static str, words: &[String]) -> Result<Vec<Lock>, (&'static str, String)> {
    let lock = |word: &String| {
        Lock::parse(word).ok_or_else(|| {
            (parameter, format!("\"{word}\": the locks are dotlock, dotlock_try, fcntl, flock"))
        })
    };
    words.iter().map(lock).collect()
}

#[cfg(test)]
mod tests {
    use conf::{Block, Facts, MainCf, Registry, View};

    use super::*;

    fn read(text: &str) -> Result<Settings, (&'static str, String)> {
        let (main, _) = MainCf::parse(text, std::path::Path::new("main.cf"));
        let view = View::new(Registry::new(&[Mailboxes::DECLARATIONS]), main, Facts::default());
        let mut mistakes = Vec::new();
        let params = Mailboxes::read(&view, &mut mistakes);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        Settings::read(&params, || 0)
    }

    #[test]
    fn every_account_gets_the_usual_mailboxes() {
        let settings = read("mailbox_quota = 1000\n").unwrap();
        assert_eq!(settings.special.len(), 5);
        assert_eq!(settings.limits, Limits { bytes: Some(1000), messages: None });
        assert_eq!(settings.warn_at, [80, 95]);
        assert_eq!(settings.separator, None);
    }

    #[test]
    fn prefixes_are_read_with_either_separator() {
        let names = |text| Namespaces::clone(&read(text).unwrap().namespaces);
        let of =
            |prefix: &str, others: &str| Namespaces { prefix: prefix.to_owned(), others: others.to_owned() };
        assert_eq!(names(""), of("", "shared/"));
        assert_eq!(names("mailbox_prefix = INBOX.\nmailbox_separator = ."), of("INBOX/", "shared/"));
        assert_eq!(names("mailbox_shared_prefix = Other Users"), of("", "Other Users/"));
        assert_eq!(names("mailbox_shared_prefix ="), of("", ""));
    }

    #[test]
    fn mistakes_name_the_parameter() {
        for (text, wanted) in [
            ("mailbox_separator = //", "mailbox_separator"),
            ("mailbox_quota_warnings = 300", "mailbox_quota_warnings"),
            ("mailbox_special_use = Sent", "mailbox_special_use"),
            ("mailbox_special_use = Post=Sent", "mailbox_special_use"),
            ("mailbox_special_use = Sent=../x", "mailbox_special_use"),
            ("mailbox_prefix = ~x", "mailbox_prefix"),
            ("mailbox_prefix = a/\nmailbox_shared_prefix = a", "mailbox_shared_prefix"),
        ] {
            assert_eq!(read(text).map(|_| ()).map_err(|(name, _)| name), Err(wanted));
        }
    }
}
