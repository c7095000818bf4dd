//! `smtpd_dns_reply_filter`: DNS records that restrictions do not get to see.

use net::dns::{Answer, Data, Kind, Missing};

use crate::case::Case;

/// Asks the DNS, and leaves out what the filter says to ignore. When nothing is left, that is doubt, not "no".
pub(crate) async fn lookup(case: &Case<'_>, name: &str, kind: Kind) -> Result<Answer, Missing> {
    let mut answer = case.judge.outside.dns.lookup(name, kind).await?;
    let filter = &case.judge.settings.dns_filter;
    if filter.is_empty() {
        return Ok(answer);
    }
    let mut kept = Vec::with_capacity(answer.records.len());
    for data in std::mem::take(&mut answer.records) {
        let record = record(&answer.name, answer.ttl, &data);
        match filter.find(record.as_str()).await {
            Ok(Some(found)) if found.value.eq_ignore_ascii_case("IGNORE") => {}
            Ok(Some(found)) if !found.value.eq_ignore_ascii_case("DUNNO") => {
                case.warning(&format!(
                    "smtpd_dns_reply_filter: unknown DNS filter action: \"{}\"; IGNORE is expected",
                    found.value
                ));
                return Err(Missing::Temporary("bad filter action".to_owned()));
            }
            Ok(_) => kept.push(data),
            Err(trouble) => {
                case.warning(&trouble.to_string());
                return Err(Missing::Temporary(trouble.to_string()));
            }
        }
    }
    if kept.is_empty() {
        case.warning(&format!("{name}: record type {kind}: DNS reply filter drops all results"));
        return Err(Missing::Temporary("DNS reply filter drops all results".to_owned()));
    }
    answer.records = kept;
    Ok(answer)
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
