//! The report on one domain: sessions counted by policy and by what went wrong (RFC 8460 4.4).

use std::collections::BTreeMap;

use deliver::tlsrpt::Entry;
use serde_json::{Value, json};

/// Kinds of failure that one policy is reported with.
const MOST_FAILURES: usize = 1000;

/// How TLS with the servers of one domain went.
#[derive(Debug, Default)]
pub struct Report {
    /// The domain.
    pub domain: String,
    policies: BTreeMap<(String, Vec<String>), Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    fine: u64,
    failed: u64,
    failures: BTreeMap<Failed, u64>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Failed {
    kind: String,
    host: String,
    address: String,
    reason: String,
}

/// Who reports, of when.
pub struct Head<'a> {
    /// `organization-name`.
    pub organization: &'a str,
    /// `contact-info`.
    pub contact: &'a str,
    /// `report-id`.
    pub id: &'a str,
    /// The day, as `2026-11-21`.
    pub date: &'a str,
}

impl Report {
    /// One for each domain.
    pub fn all(entries: &[Entry]) -> Vec<Report> {
        let mut reports: BTreeMap<&str, Report> = BTreeMap::new();
        for entry in entries {
            let report = reports.entry(&entry.domain).or_default();
            report.domain.clone_from(&entry.domain);
            let counted = report.policies.entry((entry.policy.clone(), entry.lines.clone())).or_default();
            if entry.failure.is_empty() {
                counted.fine += 1;
                continue;
            }
            counted.failed += 1;
            let failed = Failed {
                kind: entry.failure.clone(),
                host: entry.host.clone(),
                address: entry.address.clone(),
                reason: entry.reason.clone(),
            };
            if counted.failures.len() < MOST_FAILURES || counted.failures.contains_key(&failed) {
                *counted.failures.entry(failed).or_default() += 1;
            }
        }
        reports.into_values().collect()
    }

    /// The report as JSON.
    pub fn json(&self, head: &Head<'_>) -> Value {
        let policies: Vec<Value> =
            self.policies.iter().map(|(key, counted)| self.policy(key, counted)).collect();
        json!({
            "organization-name": head.organization,
            "date-range": {
                "start-datetime": format!("{}T00:00:00Z", head.date),
                "end-datetime": format!("{}T23:59:59Z", head.date),
            },
            "contact-info": head.contact,
            "report-id": head.id,
            "policies": policies,
        })
    }

    fn policy(&self, (kind, lines): &(String, Vec<String>), counted: &Counted) -> Value {
        let mut policy = json!({ "policy-type": kind, "policy-domain": self.domain });
        if !lines.is_empty() {
            policy["policy-string"] = json!(lines);
        }
        let hosts: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("mx: ")).collect();
        if !hosts.is_empty() {
            policy["mx-host"] = json!(hosts);
        }
        let mut value = json!({
            "policy": policy,
            "summary": {
                "total-successful-session-count": counted.fine,
                "total-failure-session-count": counted.failed,
            },
        });
        let details: Vec<Value> =
            counted.failures.iter().map(|(failed, count)| failed.json(*count)).collect();
        if !details.is_empty() {
            value["failure-details"] = json!(details);
        }
        value
    }
}

impl Failed {
    fn json(&self, count: u64) -> Value {
        let mut value = json!({
            "result-type": self.kind,
            "receiving-mx-hostname": self.host,
            "receiving-ip": self.address,
            "failed-session-count": count,
        });
        if !self.reason.is_empty() {
            value["failure-reason-code"] = json!(self.reason);
        }
        value
    }
}
