//! The file `dovecot-keywords`: what the letters `a` to `z` in file names mean. Pure.

/// Letters and their keywords.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keywords {
    names: [Option<String>; 26],
}

impl Keywords {
    /// Reads `0 $Forwarded` lines. A line that makes no sense is passed over, as its letter then has no meaning.
    pub fn parse(text: &[u8]) -> Keywords {
        let mut keywords = Keywords::default();
        for line in String::from_utf8_lossy(text).lines() {
            let Some((index, name)) = line.split_once(' ') else { continue };
            let known = keywords.find(name).is_some();
            if let Some(slot) = index.parse().ok().and_then(|n: usize| keywords.names.get_mut(n))
                && !name.is_empty()
                && !known
            {
                *slot = Some(name.to_owned());
            }
        }
        keywords
    }

    /// The file.
    pub fn write(&self) -> Vec<u8> {
        let lines = self.names.iter().enumerate();
        let lines = lines.filter_map(|(n, name)| name.as_ref().map(|name| format!("{n} {name}\n")));
        lines.collect::<String>().into_bytes()
    }

    /// The keyword of a letter, counted from `a` = 0.
    pub fn name(&self, index: usize) -> Option<&str> {
        self.names.get(index)?.as_deref()
    }

    /// The letter of a keyword; case does not matter.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.names
            .iter()
            .position(|known| known.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(name)))
    }

    /// The letter of a keyword, a new one where it has none yet; `None` once all 26 are taken.
    pub fn add(&mut self, name: &str) -> Option<usize> {
        if let Some(index) = self.find(name) {
            return Some(index);
        }
        let free = self.names.iter().position(Option::is_none)?;
        self.names[free] = Some(name.to_owned());
        Some(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written() {
        let mut keywords = Keywords::parse(b"0 $Foo\n3 Bar\nx y\n99 z\n4\n");
        assert_eq!((keywords.name(0), keywords.name(3), keywords.name(9)), (Some("$Foo"), Some("Bar"), None));
        assert_eq!(keywords.add("bar"), Some(3));
        assert_eq!(keywords.add("New"), Some(1));
        assert_eq!(keywords.write(), b"0 $Foo\n1 New\n3 Bar\n");
    }

    #[test]
    fn twenty_six_letters() {
        let mut keywords = Keywords::default();
        for n in 0..26 {
            assert_eq!(keywords.add(&format!("k{n}")), Some(n));
        }
        assert_eq!(keywords.add("one more"), None);
        assert_eq!(keywords.add("K3"), Some(3));
    }
}
