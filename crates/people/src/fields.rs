//! Extra fields of an account: names with values, in the order they came.

/// An ordered map of few entries.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Is a switch such as `nologin` on? It is when it is there, unless its value says no.
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !matches!(value, "n" | "no" | "0"))
    }

    /// Sets a field, in place of what it was.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some(entry) => entry.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Sets a field that is not there.
    pub fn set_default(&mut self, name: &str, value: impl Into<String>) {
        if self.get(name).is_none() {
            self.set(name, value);
        }
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(place).1)
    }

    /// Takes over every field of `others`.
    pub fn extend(&mut self, others: &Fields) {
        for (name, value) in others.iter() {
            self.set(name, value);
        }
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Without any?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields of one row whose names begin with `userdb_`, without that.
    pub fn of_userdb(&self) -> Fields {
        let fields = self.iter().filter_map(|(name, value)| Some((name.strip_prefix("userdb_")?, value)));
        fields.collect()
    }
}

/// Values may be secrets: only names are shown.
impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(entries: I) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in entries {
            fields.set(&name.into(), value);
        }
        fields
    }
}
