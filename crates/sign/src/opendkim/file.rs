//! opendkim.conf(5).

use std::path::{Path, PathBuf};

use conf::{Mistake, Severity};

/// Settings of the file that mean something here, as text.
#[derive(Debug, Default)]
pub struct OpenDkim {
    settings: Vec<(String, String, usize)>,
    path: PathBuf,
}

/// Settings that are honoured.
const HONOURED: &[&str] = &[
    "AuthservID",
    "Canonicalization",
    "Domain",
    "ExternalIgnoreList",
    "InternalHosts",
    "KeyFile",
    "KeyTable",
    "Mode",
    "MultipleSignatures",
    "OversignHeaders",
    "Selector",
    "SignatureTTL",
    "SigningTable",
    "SignHeaders",
    "SubDomains",
];

/// Settings of a program of its own, or of what happens here anyway.
const NO_MATTER: &[&str] = &[
    "AlwaysAddARHeader",
    "AutoRestart",
    "AutoRestartRate",
    "Background",
    "BaseDirectory",
    "ChangeRootDirectory",
    "ClockDrift",
    "DNSTimeout",
    "EnableCoredumps",
    "LogWhy",
    "MaximumSignedBytes",
    "MilterDebug",
    "MinimumKeyBits",
    "Nameservers",
    "PeerList",
    "PidFile",
    "QueryCache",
    "RequireSafeKeys",
    "ResolverConfiguration",
    "SignatureAlgorithm",
    "Socket",
    "SoftwareHeader",
    "Statistics",
    "StrictTestMode",
    "Syslog",
    "SyslogFacility",
    "SyslogName",
    "SyslogSuccess",
    "TemporaryDirectory",
    "TrustAnchorFile",
    "UMask",
    "UserID",
    "X-Header",
];

impl OpenDkim {
    /// Reads the file. What is not known is a warning with its line: OpenDKIM would not start with it.
    pub fn read(path: &Path, mistakes: &mut Vec<Mistake>) -> OpenDkim {
        let mut read = OpenDkim { settings: Vec::new(), path: path.to_owned() };
        let bytes = match conf::secrets::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                mistakes.push(Mistake::new(Severity::Error, None, format!("{}: {error}", path.display())));
                return read;
            }
        };
        for (number, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let (name, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            if HONOURED.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                read.settings.push((name.to_owned(), value.trim().to_owned(), number + 1));
            } else if !NO_MATTER.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                let text = format!("{name} is not supported, and has no effect");
                mistakes.push(Mistake::new(Severity::Warning, Some((path, number + 1)), text));
            }
        }
        read
    }

    /// The value of a setting; the last one counts.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.settings.iter().rev().find(|(known, _, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value, _)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// `yes`, `true`, `1`.
    pub fn yes(&self, name: &str) -> bool {
        let value = self.get(name).unwrap_or_default().to_ascii_lowercase();
        matches!(value.as_str(), "yes" | "true" | "1" | "y" | "t" | "on")
    }

    /// A mistake at the line of a setting.
    pub fn mistake(&self, name: &str, text: impl Into<String>) -> Mistake {
        let found = self.settings.iter().rev().find(|(known, _, _)| known.eq_ignore_ascii_case(name));
        let place = found.map(|(_, _, line)| (self.path.as_path(), *line));
        Mistake::new(Severity::Error, place, format!("{name}: {}", text.into()))
    }
}
