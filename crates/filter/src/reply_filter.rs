//! `smtpd_dns_reply_filter`, `smtp_dns_reply_filter`: DNS records that nobody gets to see.

use net::dns::{Answer, Data, Kind, Missing};
use tables::Maps;

use crate::case::Case;

/// Why a filter gave no answer: doubt, not "no".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfiltered {
    /// It left nothing.
    Dropped,
    /// It names an action that does not exist; the text is for the log.
    BadAction(String),
    /// A table failed; the text is for the log.
    Failed(String),
}

/// Leaves out of an answer what `tables`, those of `parameter`, say to ignore.
///
/// # Errors
/// [`Unfiltered`].
pub async fn filter(tables: &Maps, parameter: &str, mut answer: Answer) -> Result<Answer, Unfiltered> {
    if tables.is_empty() {
        return Ok(answer);
    }
    let mut kept = Vec::with_capacity(answer.records.len());
    for data in std::mem::take(&mut answer.records) {
        let record = record(&answer.name, answer.ttl, &data);
        match tables.find(record.as_str()).await {
            Ok(Some(found)) if found.value.eq_ignore_ascii_case("IGNORE") => {}
            Ok(Some(found)) if !found.value.eq_ignore_ascii_case("DUNNO") => {
                return Err(Unfiltered::BadAction(format!(
                    "{parameter}: unknown DNS filter action: \"{}\"; IGNORE is expected",
                    found.value
                )));
            }
            Ok(_) => kept.push(data),
            Err(trouble) => return Err(Unfiltered::Failed(trouble.to_string())),
        }
    }
    answer.records = kept;
    if answer.records.is_empty() { Err(Unfiltered::Dropped) } else { Ok(answer) }
}

/// Asks the DNS for a restriction.
pub(crate) async fn lookup(case: &Case<'_>, name: &str, kind: Kind) -> Result<Answer, Missing> {
    let answer = case.judge.outside.dns.lookup(name, kind).await?;
    let tables = &case.judge.settings.dns_filter;
    filter(tables, "smtpd_dns_reply_filter", answer).await.map_err(|why| {
        let text = match why {
            Unfiltered::Dropped => format!("{name}: record type {kind}: DNS reply filter drops all results"),
            Unfiltered::BadAction(text) | Unfiltered::Failed(text) => text,
        };
        case.warning(&text);
        Missing::Temporary(text)
    })
}

/// `name. ttl IN type preference value`
fn record(name: &str, ttl: u32, data: &Data) -> String {
    let rest = match data {
        Data::A(address) => format!("A {address}"),
        Data::Aaaa(address) => format!("AAAA {address}"),
        Data::Mx { preference, host } => format!("MX {preference} {host}."),
        Data::Txt(text) => format!("TXT {text}"),
        Data::Ns(host) => format!("NS {host}."),
        Data::Ptr(host) => format!("PTR {host}."),
        Data::Cname(host) => format!("CNAME {host}."),
        Data::Soa(host) => format!("SOA {host}."),
        Data::Tlsa { usage, selector, matching, .. } => format!("TLSA {usage} {selector} {matching}"),
    };
    format!("{name}. {ttl} IN {rest}")
}
