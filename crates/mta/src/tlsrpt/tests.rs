use deliver::tlsrpt::Entry;

use super::message::{Parts, text};
use super::report::{Head, Report};

fn entry(domain: &str, failure: &str, lines: &[&str]) -> Entry {
    Entry {
        domain: domain.to_owned(),
        policy: if lines.is_empty() { "no-policy-found" } else { "sts" }.to_owned(),
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        host: "mx.x.test".to_owned(),
        address: "192.0.2.1".to_owned(),
        failure: failure.to_owned(),
        reason: String::new(),
    }
}

#[test]
fn sessions_are_counted_by_policy_and_failure() {
    let policy = ["version: STSv1", "mode: testing", "mx: mx.x.test"];
    let entries = [
        entry("x.test", "", &policy),
        entry("x.test", "certificate-expired", &policy),
        entry("x.test", "certificate-expired", &policy),
        entry("x.test", "", &[]),
        entry("y.test", "starttls-not-supported", &[]),
    ];
    let reports = Report::all(&entries);
    assert_eq!(reports.iter().map(|report| report.domain.as_str()).collect::<Vec<_>>(), ["x.test", "y.test"]);
    let head = Head { organization: "Us", contact: "postmaster@us.test", id: "1", date: "2026-11-21" };
    let json = reports[0].json(&head);
    assert_eq!(json["date-range"]["end-datetime"], "2026-11-21T23:59:59Z");
    let policies = json["policies"].as_array().unwrap();
    assert_eq!(policies.len(), 2, "{json:#}");
    let sts = policies.iter().find(|policy| policy["policy"]["policy-type"] == "sts").unwrap();
    assert_eq!(sts["policy"]["policy-string"][2], "mx: mx.x.test");
    assert_eq!(sts["policy"]["mx-host"][0], "mx.x.test");
    assert_eq!(sts["summary"]["total-successful-session-count"], 1);
    assert_eq!(sts["summary"]["total-failure-session-count"], 2);
    assert_eq!(sts["failure-details"].as_array().unwrap().len(), 1);
    assert_eq!(sts["failure-details"][0]["failed-session-count"], 2);
    let none = policies.iter().find(|policy| policy["policy"]["policy-type"] == "no-policy-found").unwrap();
    assert!(none["policy"].get("policy-string").is_none() && none.get("failure-details").is_none());
}

#[test]
fn a_report_is_a_message_of_two_parts() {
    let parts = Parts {
        from: "tls@us.test",
        to: "tls@x.test",
        domain: "x.test",
        submitter: "us.test",
        id: "1",
        date: "2026-11-21",
        report: &[0xff; 100],
    };
    let text = text(&parts);
    let (head, body) = text.split_once("\n\n").unwrap();
    for line in ["TLS-Report-Domain: x.test", "TLS-Report-Submitter: us.test", "From: <tls@us.test>"] {
        assert!(head.lines().any(|one| one == line), "{head}");
    }
    assert!(head.contains("Subject: Report Domain: x.test\n Submitter: us.test\n Report-ID: <1@us.test>"));
    assert!(body.contains(" filename=\"us.test!x.test!2026-11-21!1.json.gz\""), "{body}");
    assert!(body.lines().all(|line| line.len() <= 78) && body.trim_end().ends_with("--tlsrpt-1--"), "{body}");
}
