//! A report of somebody else about a domain of ours.

use super::archive;
use super::xml::{Event, Reader};

/// Rows that are read of a report.
const ROWS: usize = 20_000;

/// Parts of a message that are tried.
const PARTS: usize = 10;

/// Characters of a value that are kept.
const VALUE: usize = 255;

/// A report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Whose.
    pub organization: String,
    /// How to reach them.
    pub email: String,
    /// Its name among theirs.
    pub id: String,
    /// The time it is about, in seconds.
    pub begin: i64,
    /// Its end.
    pub end: i64,
    /// The domain it is about.
    pub domain: String,
    /// The policy they saw.
    pub policy: String,
    /// What they saw.
    pub rows: Vec<Row>,
}

/// Mail of one host that was treated alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The host.
    pub source: String,
    /// How many messages.
    pub count: u64,
    /// What became of them.
    pub disposition: String,
    /// DKIM vouches for the domain.
    pub dkim: bool,
    /// SPF does.
    pub spf: bool,
    /// The domain of From.
    pub header_from: String,
    /// Why the policy was not followed.
    pub reason: String,
}

impl Received {
    /// Out of a message: the first attached file that is one. The error says why there is none.
    pub fn of_message(message: &[u8]) -> Result<Received, &'static str> {
        let structure = mime::parse(message, &mime::Limits::default());
        let mut why = "no report is attached";
        let mut tried = 0;
        for part in structure.parts.iter().filter(|part| may_be_one(part)) {
            tried += 1;
            if tried > PARTS {
                break;
            }
            let body = &message[part.body_range()];
            let encoding = part.mime.encoding.as_deref().unwrap_or(b"7bit");
            let Some(encoding) = mime::transfer::Encoding::named(encoding) else { continue };
            match Received::of_file(&encoding.decode(body)) {
                Ok(report) => return Ok(report),
                Err(wrong) => why = wrong,
            }
        }
        Err(why)
    }

    /// Out of a file: XML, gzip, zip.
    pub fn of_file(bytes: &[u8]) -> Result<Received, &'static str> {
        Received::of_text(&archive::unpacked(bytes)?)
    }

    /// Out of its XML.
    pub fn of_text(text: &str) -> Result<Received, &'static str> {
        let mut report = Received::default();
        let mut row = Row::default();
        let mut path: Vec<String> = Vec::new();
        let mut reader = Reader::new(text);
        while let Some(event) = reader.next()? {
            let value = match event {
                Event::Start(name) => {
                    path.push(name);
                    continue;
                }
                Event::End(value) => value,
            };
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            match &names[..] {
                ["feedback", "record"] => {
                    if report.rows.len() >= ROWS {
                        return Err("it has too many rows");
                    }
                    report.rows.push(std::mem::take(&mut row));
                }
                ["feedback", "record", inner @ ..] => row.take(inner, &value),
                ["feedback", inner @ ..] => report.take(inner, &value),
                _ => {}
            }
            path.pop();
        }
        if report.domain.is_empty() || report.id.is_empty() || report.organization.is_empty() {
            return Err("it is no report: it does not say by whom and about whom it is");
        }
        Ok(report)
    }

    fn take(&mut self, path: &[&str], value: &str) {
        match path {
            ["report_metadata", "org_name"] => self.organization = kept(value),
            ["report_metadata", "email"] => self.email = kept(value),
            ["report_metadata", "report_id"] => self.id = kept(value),
            ["report_metadata", "date_range", "begin"] => self.begin = value.parse().unwrap_or(0),
            ["report_metadata", "date_range", "end"] => self.end = value.parse().unwrap_or(0),
            ["policy_published", "domain"] => self.domain = kept(value).to_lowercase(),
            ["policy_published", "p"] => self.policy = kept(value).to_lowercase(),
            _ => {}
        }
    }

    /// Messages it tells of, and those of them for which the domain vouched.
    pub fn counts(&self) -> (u64, u64) {
        let sum = |rows: &mut dyn Iterator<Item = &Row>| {
            rows.fold(0_u64, |sum, row| sum.saturating_add(row.count)).min(i64::MAX as u64)
        };
        (sum(&mut self.rows.iter()), sum(&mut self.rows.iter().filter(|row| row.dkim || row.spf)))
    }
}

impl Row {
    fn take(&mut self, path: &[&str], value: &str) {
        match path {
            ["row", "source_ip"] => self.source = kept(value),
            ["row", "count"] => self.count = value.parse().unwrap_or(0).min(1 << 40),
            ["row", "policy_evaluated", "disposition"] => self.disposition = kept(value).to_lowercase(),
            ["row", "policy_evaluated", "dkim"] => self.dkim = value.eq_ignore_ascii_case("pass"),
            ["row", "policy_evaluated", "spf"] => self.spf = value.eq_ignore_ascii_case("pass"),
            ["row", "policy_evaluated", "reason", "type"] => self.reason = kept(value),
            ["identifiers", "header_from"] => self.header_from = kept(value).to_lowercase(),
            _ => {}
        }
    }
}

/// A stranger's value: bounded, on one line.
fn kept(value: &str) -> String {
    value.chars().filter(|c| !c.is_control()).take(VALUE).collect()
}

/// By its type or its name.
fn may_be_one(part: &mime::Part) -> bool {
    const TYPES: [&[u8]; 6] = [b"gzip", b"x-gzip", b"zip", b"x-zip-compressed", b"x-zip", b"xml"];
    const ENDS: [&[u8]; 3] = [b".xml", b".gz", b".zip"];
    let (kind, subtype) = part.mime.media();
    let typed = TYPES.iter().any(|one| one.eq_ignore_ascii_case(subtype))
        && [&b"application"[..], b"text"].iter().any(|one| one.eq_ignore_ascii_case(kind));
    let named = |name: Option<&[u8]>| {
        let name = name.unwrap_or_default().to_ascii_lowercase();
        ENDS.iter().any(|end| name.ends_with(end))
    };
    let disposition = part.mime.disposition.as_ref();
    typed
        || named(mime::parameter(&part.mime.parameters, "name"))
        || named(disposition.and_then(|(_, parameters)| mime::parameter(parameters, "filename")))
}
