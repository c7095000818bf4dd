//! A report as mail (RFC 8460 5.3).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// What stands in the header of a report, and in its file name.
pub struct Parts<'a> {
    /// From.
    pub from: &'a str,
    /// To.
    pub to: &'a str,
    /// The domain that is told.
    pub domain: &'a str,
    /// Who tells.
    pub submitter: &'a str,
    /// `report-id`.
    pub id: &'a str,
    /// The day, as `2026-11-21`.
    pub date: &'a str,
    /// The report in JSON, compressed with gzip.
    pub report: &'a [u8],
}

/// The message, with plain line ends.
pub fn text(parts: &Parts<'_>) -> String {
    let Parts { from, to, domain, submitter, id, date, report } = parts;
    let boundary = format!("tlsrpt-{id}");
    let file = format!("{submitter}!{domain}!{date}!{id}.json.gz");
    let coded = BASE64_STANDARD.encode(report);
    let mut body = String::with_capacity(coded.len() + coded.len() / 76 + 1);
    for line in coded.as_bytes().chunks(76) {
        body.extend(line.iter().map(|byte| char::from(*byte)));
        body.push('\n');
    }
    format!(
        "From: <{from}>\nTo: <{to}>\nSubject: Report Domain: {domain}\n Submitter: {submitter}\n Report-ID: <{id}@{submitter}>\n\
         TLS-Report-Domain: {domain}\nTLS-Report-Submitter: {submitter}\nAuto-Submitted: auto-generated\n\
         MIME-Version: 1.0\nContent-Type: multipart/report; report-type=\"tlsrpt\";\n boundary=\"{boundary}\"\n\n\
         --{boundary}\nContent-Type: text/plain; charset=us-ascii\n\n\
         How TLS with the servers of {domain} went on {date} (UTC), seen from\n{submitter}: RFC 8460.\n\n\
         --{boundary}\nContent-Type: application/tlsrpt+gzip\nContent-Transfer-Encoding: base64\n\
         Content-Disposition: attachment;\n filename=\"{file}\"\n\n{body}\n--{boundary}--\n"
    )
}
