//! The texts of MTA-STS (RFC 8461): the TXT record that names a policy, and the policy.

use std::time::Duration;

/// What a domain asks of those who send it mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How much it means it.
    pub mode: Mode,
    /// Names of its mail exchangers: `mx.example.org`, or `*.example.org` for one label more.
    mx: Vec<String>,
    /// How long it holds.
    pub max_age: Duration,
}

/// How much a policy is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Mail must not go where the policy is not met.
    Enforce,
    /// It may; the domain wants to hear of it.
    Testing,
    /// There is no policy any more.
    None,
}

/// No policy holds longer: 31557600 seconds, about a year.
const LONGEST: u64 = 31_557_600;

/// Most names of mail exchangers.
const MOST: usize = 200;

/// The id in the TXT records at `_mta-sts.domain`; `None` unless exactly one of them is of MTA-STS.
pub fn id<'a>(records: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut ours = records.into_iter().filter(|text| {
        let mut fields = text.split(';');
        fields.next().is_some_and(|first| first.trim_end() == "v=STSv1")
    });
    let (one, None) = (ours.next()?, ours.next()) else { return None };
    let id = one.split(';').find_map(|field| field.trim().strip_prefix("id="))?;
    let right = (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    right.then_some(id)
}

impl Policy {
    /// Reads a policy; fields that are not known are passed over, of fields that stand twice the first counts.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn parse(text: &str) -> Result<Policy, &'static str> {
        let (mut version, mut mode, mut age, mut mx) = (None, None, None, Vec::new());
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let (name, value) = line.split_once(':').ok_or("a line without a colon")?;
            let value = value.trim();
            match name.trim() {
                "version" => version = version.or(Some(value)),
                "mode" => mode = mode.or(Some(value)),
                "max_age" => age = age.or(Some(value)),
                "mx" if mx.len() == MOST => return Err("too many mx"),
                "mx" => mx.push(value.trim_end_matches('.').to_ascii_lowercase()),
                _ => {}
            }
        }
        if version != Some("STSv1") {
            return Err("version is not STSv1");
        }
        let mode = match mode {
            Some("enforce") => Mode::Enforce,
            Some("testing") => Mode::Testing,
            Some("none") => Mode::None,
            _ => return Err("mode is none of enforce, testing, none"),
        };
        let age = age.filter(|age| age.len() <= 10).and_then(|age| age.parse::<u64>().ok());
        let max_age = Duration::from_secs(age.ok_or("max_age is no number")?.min(LONGEST));
        if mx.is_empty() && mode != Mode::None {
            return Err("no mx");
        }
        Ok(Policy { mode, mx, max_age })
    }

    /// Its lines, as reports quote them.
    pub fn lines(&self) -> Vec<String> {
        let mode = match self.mode {
            Mode::Enforce => "enforce",
            Mode::Testing => "testing",
            Mode::None => "none",
        };
        let mut lines = vec!["version: STSv1".to_owned(), format!("mode: {mode}")];
        lines.extend(self.mx.iter().map(|mx| format!("mx: {mx}")));
        lines.push(format!("max_age: {}", self.max_age.as_secs()));
        lines
    }

    /// May mail for the domain go to this host?
    pub fn allows(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.mx.iter().any(|pattern| match pattern.strip_prefix("*.") {
            // One label, and no more.
            Some(parent) => {
                host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent)
            }
            None => *pattern == host,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_names_a_policy() {
        assert_eq!(id(["v=spf1 -all", "v=STSv1; id=20160831085700Z;"]), Some("20160831085700Z"));
        assert_eq!(id(["v=STSv1;id=a; x=y"]), Some("a"));
        for none in [
            &["v=STSv1; id=a;", "v=STSv1; id=a;"][..],
            &["v=STSv2; id=a;"],
            &["v=STSv1; id=;"],
            &["v=STSv1;"],
            &["v=STSv1; id=a b"],
        ] {
            assert_eq!(id(none.iter().copied()), None, "{none:?}");
        }
    }

    #[test]
    fn policies() {
        let text = "version: STSv1\r\nmode: enforce\r\nmx: MX1.example.org\r\nmx: *.example.net\r\nx: y\r\nmax_age: 604800\r\n";
        let policy = Policy::parse(text).unwrap();
        assert_eq!((policy.mode, policy.max_age.as_secs()), (Mode::Enforce, 604_800));
        for (host, allowed) in [
            ("mx1.example.org", true),
            ("MX1.Example.org.", true),
            ("mx2.example.org", false),
            ("a.example.net", true),
            ("a.b.example.net", false),
            ("example.net", false),
            (".example.net", false),
        ] {
            assert_eq!(policy.allows(host), allowed, "{host}");
        }
        assert!(Policy::parse("version: STSv1\nmode: none\nmax_age: 1").is_ok());
        let long = Policy::parse(&text.replace("604800", "9999999999")).unwrap();
        assert_eq!(long.max_age.as_secs(), LONGEST);
        for wrong in [
            text.replace("STSv1", "STSv2"),
            text.replace("enforce", "force"),
            text.replace("604800", "-1"),
            text.replace("mx: ", "mx; "),
            "version: STSv1\nmode: testing\nmax_age: 1\n".to_owned(),
            String::new(),
        ] {
            assert!(Policy::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
