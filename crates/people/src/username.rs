//! From the name a client sends to the name that databases know.

use crate::expand::{Vars, expand};
use crate::params::Logins;

/// `auth_username_chars`, `auth_username_translation`, `auth_username_format`, `auth_default_realm`.
pub struct Names {
    chars: String,
    translation: Vec<(char, char)>,
    format: String,
    realm: String,
    /// `auth_master_user_separator`.
    pub separator: Option<char>,
}

/// A name, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Name {
    /// The user whose mail is meant.
    pub user: String,
    /// The master user who logs in for him.
    pub master: Option<String>,
}

impl Names {
    /// From the parameters.
    ///
    /// # Errors
    /// A value that makes no sense, as a sentence.
    pub fn read(params: &Logins) -> Result<Names, String> {
        let letters: Vec<char> = params.auth_username_translation.chars().collect();
        if !letters.len().is_multiple_of(2) {
            let text = &params.auth_username_translation;
            return Err(format!("auth_username_translation = {text}: pairs of characters are expected"));
        }
        let format = params.auth_username_format.clone();
        expand(&format, &Vars::of_user("x@example.org"), &str::to_owned)
            .map_err(|wrong| format!("auth_username_format = {format}: {wrong}"))?;
        Ok(Names {
            chars: params.auth_username_chars.clone(),
            translation: letters.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect(),
            format,
            realm: params.auth_default_realm.clone(),
            separator: params.auth_master_user_separator.chars().next(),
        })
    }

    /// Names as they are.
    pub fn plain() -> Names {
        Names {
            chars: String::new(),
            translation: Vec::new(),
            format: String::new(),
            realm: String::new(),
            separator: None,
        }
    }

    /// Names as they are, with a realm for those that come without one.
    pub fn of_realm(realm: &str) -> Names {
        Names { realm: realm.to_owned(), ..Names::plain() }
    }

    /// The name as databases know it; with a master user's login, both.
    ///
    /// # Errors
    /// It cannot be anybody's name.
    pub fn normal(&self, given: &str) -> Result<Name, &'static str> {
        let (user, master) = match self.separator.and_then(|separator| given.split_once(separator)) {
            Some((user, master)) if !master.is_empty() => (user, Some(self.one(master)?)),
            _ => (given, None),
        };
        Ok(Name { user: self.one(user)?, master })
    }

    /// One name, without a master user.
    ///
    /// # Errors
    /// It cannot be anybody's name.
    pub fn one(&self, given: &str) -> Result<String, &'static str> {
        if given.is_empty() {
            return Err("empty username");
        }
        let mut name: String = given
            .chars()
            .map(|c| self.translation.iter().find(|(from, _)| *from == c).map_or(c, |(_, to)| *to))
            .collect();
        if !name.contains('@') && !self.realm.is_empty() {
            name = format!("{name}@{}", self.realm);
        }
        if !self.chars.is_empty() && !name.chars().all(|c| self.chars.contains(c)) {
            return Err("Username character disallowed by auth_username_chars");
        }
        if self.format.is_empty() {
            return Ok(name);
        }
        let formatted = expand(&self.format, &Vars::of_user(&name), &str::to_owned);
        match formatted {
            Ok(formatted) if !formatted.is_empty() => Ok(formatted),
            _ => Err("auth_username_format leaves nothing of the username"),
        }
    }
}
