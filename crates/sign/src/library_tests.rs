//! The messages and reports that a library brings (`vectors`).

use std::net::IpAddr;

use mail::header::{fields, header_len};

use crate::aggregate::Received;
use crate::dkim::Dkim;
use crate::testing::Names;
use crate::{Checks, Inspection, Question, Verdicts, arc};

/// When the messages were on their way.
const THEN: i64 = 1_667_843_664;

async fn inspected(file: &str, change: impl Fn(&str) -> String) -> Verdicts {
    let (dns, message) = file.split_once("\n\n").unwrap();
    let names: Vec<(&str, &str)> = dns.lines().filter_map(|line| line.split_once(' ')).collect();
    let message = change(message);
    let len = header_len(message.as_bytes());
    let head = fields(&message.as_bytes()[..len]).map(|field| field.raw.to_vec()).collect();
    let checks = Checks { dkim: true, arc: true, ..Checks::default() };
    let mut inspection = Inspection::new(checks, head, false);
    inspection.body(&message.as_bytes()[len + 1..]);
    let question = Question { client: IpAddr::from([192, 0, 2, 1]), helo: "", sender: "", receiver: "" };
    inspection.finish(&Names::new(&names), &question, THEN, &[]).await
}

#[tokio::test]
async fn signatures_of_a_library_are_good_as_long_as_nobody_changes_anything() {
    for file in [
        include_str!("../vectors/dkim-2.txt"),
        include_str!("../vectors/dkim-3.txt"),
        include_str!("../vectors/dkim-5.txt"),
    ] {
        let last = |verdicts: Verdicts| verdicts.dkim.unwrap().pop().unwrap();
        let outcome = last(inspected(file, str::to_owned).await);
        assert_eq!(outcome.result, Dkim::Pass, "{outcome:?}");
        for (from, to) in [("\nSubject: ", "\nSubject: x"), ("e", "E"), ("\nDate: ", "\nDate:  1")] {
            // In the last of them: in the body, or in a signed field.
            let outcome = last(
                inspected(file, |message| {
                    let at = message.rfind(from).unwrap();
                    format!("{}{to}{}", &message[..at], &message[at + from.len()..])
                })
                .await,
            );
            assert_eq!(outcome.result, Dkim::Fail, "{from} {outcome:?}");
        }
    }
}

#[tokio::test]
async fn chains_of_a_library_are_good_as_long_as_nobody_changes_anything() {
    for file in [include_str!("../vectors/arc-1.txt"), include_str!("../vectors/arc-2.txt")] {
        let told = inspected(file, str::to_owned).await.arc.unwrap();
        assert_eq!(told.verdict, arc::Verdict::Pass, "{told:?}");
        let told = inspected(file, |message| {
            message.replace("ARC-Authentication-Results: i=1;", "ARC-Authentication-Results: i=1; x;")
        })
        .await;
        assert_eq!(told.arc.unwrap().verdict, arc::Verdict::Fail);
    }
}

#[test]
fn reports_of_all_kinds_of_reporters_are_read() {
    let texts = [
        (include_str!("../vectors/report-001.xml"), "Sample Reporter", "example.com", (123, 123)),
        (include_str!("../vectors/report-002.xml"), "google.com", "example.org", (2, 2)),
        (include_str!("../vectors/report-003.xml"), "Fastmail Pty Ltd", "stalw.art", (9, 1)),
        (include_str!("../vectors/report-004.xml"), "Sample Reporter", "example.com", (123, 123)),
        (include_str!("../vectors/report-005.xml"), "Legacy Reporter", "example.com", (1, 1)),
    ];
    for (text, organization, domain, counts) in texts {
        let report = Received::of_text(text).unwrap();
        let told = (report.organization.as_str(), report.domain.as_str(), report.counts());
        assert_eq!(told, (organization, domain, counts));
    }
    let messages = [
        (include_str!("../vectors/report-100.eml"), "google.com", (1, 1)),
        (include_str!("../vectors/report-101.eml"), "\"backschues.NET", (1, 0)),
        (include_str!("../vectors/report-102.eml"), "Mail.Ru", (1, 0)),
        (include_str!("../vectors/report-103.eml"), "Outlook.com", (1, 0)),
        (include_str!("../vectors/report-104.eml"), "AMAZON-SES", (1, 0)),
    ];
    for (text, organization, counts) in messages {
        let report = Received::of_message(text.as_bytes()).unwrap();
        let told = (report.organization.as_str(), report.domain.as_str(), report.counts());
        assert_eq!(told, (organization, "stalw.art", counts));
    }
}
