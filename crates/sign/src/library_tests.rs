//! The messages and reports that a library brings: mail-auth 0.13.3, whose package is read where Cargo keeps it
//! (`cargo fetch` of a project that names it brings it there), or in the folder that `FACTEUR_MAIL_AUTH` names.
//!
//! Each file of `dkim` and `arc` begins with lines of DNS texts, a name and its text; after an empty line follows the
//! message.

use std::fs::DirEntry;
use std::net::IpAddr;
use std::path::PathBuf;

use mail::header::{fields, header_len};

use crate::aggregate::Received;
use crate::dkim::Dkim;
use crate::testing::Names;
use crate::{Checks, Inspection, Question, Verdicts, arc};

/// When the messages were on their way.
const THEN: i64 = 1_667_843_664;

/// The text of a file of the library; `None`, with the reason, when it is not here.
fn of_library(name: &str) -> Option<String> {
    let named = std::env::var_os("FACTEUR_MAIL_AUTH").map(PathBuf::from);
    let folder = named.or_else(|| {
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")))?;
        let registries = std::fs::read_dir(home.join("registry/src")).ok()?;
        let package = |entry: DirEntry| entry.path().join("mail-auth-0.13.3/resources");
        registries.filter_map(|entry| Some(package(entry.ok()?))).find(|path| path.exists())
    });
    let text = folder.and_then(|folder| std::fs::read_to_string(folder.join(name)).ok());
    if text.is_none() {
        eprintln!("skipped: there is no {name} of mail-auth 0.13.3 here");
    }
    text
}

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
    for file in ["dkim/002.txt", "dkim/003.txt", "dkim/005.txt"].into_iter().filter_map(of_library) {
        let file = &file;
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
    for file in ["arc/001.txt", "arc/002.txt"].into_iter().filter_map(of_library) {
        let file = &file;
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
        ("dmarc-feedback/001.xml", "Sample Reporter", "example.com", (123, 123)),
        ("dmarc-feedback/002.xml", "google.com", "example.org", (2, 2)),
        ("dmarc-feedback/003.xml", "Fastmail Pty Ltd", "stalw.art", (9, 1)),
        ("dmarc-feedback/004.xml", "Sample Reporter", "example.com", (123, 123)),
        ("dmarc-feedback/005.xml", "Legacy Reporter", "example.com", (1, 1)),
    ];
    for (name, organization, domain, counts) in texts {
        let Some(text) = of_library(name) else { continue };
        let report = Received::of_text(&text).unwrap();
        let told = (report.organization.as_str(), report.domain.as_str(), report.counts());
        assert_eq!(told, (organization, domain, counts));
    }
    let messages = [
        ("dmarc-feedback/100.eml", "google.com", (1, 1)),
        ("dmarc-feedback/101.eml", "\"backschues.NET", (1, 0)),
        ("dmarc-feedback/102.eml", "Mail.Ru", (1, 0)),
        ("dmarc-feedback/103.eml", "Outlook.com", (1, 0)),
        ("dmarc-feedback/104.eml", "AMAZON-SES", (1, 0)),
    ];
    for (name, organization, counts) in messages {
        let Some(text) = of_library(name) else { continue };
        let report = Received::of_message(text.as_bytes()).unwrap();
        let told = (report.organization.as_str(), report.domain.as_str(), report.counts());
        assert_eq!(told, (organization, "stalw.art", counts));
    }
}
