//! What one message adds to a report.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::xml::escaped;
use crate::dmarc::{Policy, Published, Verdict};
use crate::spf::Identity;
use crate::{Question, Verdicts};

/// Characters of a name that are told.
const NAME: usize = 255;

/// Signatures that are told of a message.
const SIGNATURES: usize = 8;

/// A message of a domain that publishes a policy, and wants to hear of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whose policy it is.
    pub(super) domain: String,
    /// Where reports go.
    pub(super) reports: Vec<String>,
    /// `policy_published`.
    pub(super) policy: String,
    /// A `record` up to its count.
    pub(super) head: String,
    /// And from there on.
    pub(super) tail: String,
}

impl Seen {
    /// Out of what was found out about a message; `followed` is what was done. `None`: nobody asks for a report, or the DNS
    /// did not say who vouches for it.
    pub fn new(verdicts: &Verdicts, question: &Question<'_>, followed: Policy) -> Option<Seen> {
        let dmarc = verdicts.dmarc.as_ref()?;
        let published = dmarc.published.as_ref().filter(|published| !published.reports.is_empty())?;
        if !matches!(dmarc.verdict, Verdict::Pass | Verdict::Fail) {
            return None;
        }
        let word = |good: bool| if good { "pass" } else { "fail" };
        let mut tail = format!(
            "</count><policy_evaluated><disposition>{}</disposition><dkim>{}</dkim><spf>{}</spf>",
            followed.word(),
            word(dmarc.by_dkim),
            word(dmarc.by_spf),
        );
        if dmarc.verdict == Verdict::Fail {
            let reason = match verdicts.forwarder {
                true => Some(("trusted_forwarder", "arc=pass")),
                false if dmarc.sampled_out => Some(("sampled_out", "")),
                false if followed < dmarc.policy => Some(("local_policy", "")),
                false => None,
            };
            if let Some((kind, comment)) = reason {
                let _ = write!(tail, "<reason><type>{kind}</type><comment>{comment}</comment></reason>");
            }
        }
        let sender = question.sender.rsplit_once('@').map_or("", |(_, domain)| domain);
        let _ = write!(
            tail,
            "</policy_evaluated></row><identifiers><envelope_from>{}</envelope_from>\
             <header_from>{}</header_from></identifiers><auth_results>",
            name(sender),
            name(&dmarc.domain)
        );
        for one in verdicts.dkim.iter().flatten().filter(|one| !one.domain.is_empty()).take(SIGNATURES) {
            let _ = write!(
                tail,
                "<dkim><domain>{}</domain><selector>{}</selector><result>{}</result></dkim>",
                name(&one.domain),
                name(&one.selector),
                one.result.word()
            );
        }
        if let Some(spf) = &verdicts.spf {
            let scope = if spf.identity == Identity::Helo { "helo" } else { "mfrom" };
            let _ = write!(
                tail,
                "<spf><domain>{}</domain><scope>{scope}</scope><result>{}</result></spf>",
                name(&spf.domain),
                spf.verdict.word()
            );
        }
        tail.push_str("</auth_results></record>\n");
        Some(Seen {
            domain: published.domain.clone(),
            reports: published.reports.clone(),
            policy: policy(published),
            head: format!("<record><row><source_ip>{}</source_ip><count>", plain(question.client)),
            tail,
        })
    }
}

/// An IPv4 address as such, however it came.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn policy(published: &Published) -> String {
    let mode = |strict: bool| if strict { "s" } else { "r" };
    format!(
        "<policy_published><domain>{}</domain><adkim>{}</adkim><aspf>{}</aspf><p>{}</p><sp>{}</sp>\
         <pct>{}</pct></policy_published>\n",
        name(&published.domain),
        mode(published.strict_dkim),
        mode(published.strict_spf),
        published.policy.word(),
        published.subdomains.word(),
        published.percent
    )
}

fn name(text: &str) -> String {
    escaped(&text.chars().take(NAME).collect::<String>())
}
