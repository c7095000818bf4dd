//! The test suite of ARC, and seals of our own.

use std::net::IpAddr;
use std::sync::Arc;

use mail::header::{fields, header_len};

use crate::dkim::{Algorithm, PrivateKey, SignAs, generate, record_of};
use crate::testing::Names;
use crate::vectors::suite;
use crate::{Checks, Inspection, Question, Seal, Verdicts};

fn divided(message: &str) -> (Vec<Vec<u8>>, &[u8]) {
    let len = header_len(message.as_bytes());
    let head = fields(&message.as_bytes()[..len]).map(|field| field.raw.to_vec()).collect();
    let body = &message.as_bytes()[len..];
    (head, body.strip_prefix(b"\n").unwrap_or(body))
}

fn question() -> Question<'static> {
    Question { client: IpAddr::from([192, 0, 2, 1]), helo: "h.test", sender: "a@b.test", receiver: "mx.test" }
}

async fn inspect(
    dns: &Names,
    head: Vec<Vec<u8>>,
    body: &[u8],
    seal: Option<Seal<'_>>,
) -> (Verdicts, Vec<Vec<u8>>) {
    let checks = Checks { arc: true, dkim: true, ..Checks::default() };
    let mut inspection = Inspection::new(checks, head, seal.is_some());
    inspection.body(body);
    inspection.finish(dns, &question(), 12345, seal).await
}

#[tokio::test]
async fn the_suite_of_validation() {
    let Some(scenarios) = suite("arc-validation.yml") else { return };
    let (mut count, mut wrong) = (0, Vec::new());
    for scenario in &scenarios {
        let texts = scenario["txt-records"].as_object();
        let texts: Vec<(&str, &str)> = texts
            .into_iter()
            .flatten()
            .map(|(name, text)| (name.as_str(), text.as_str().unwrap_or_default()))
            .collect();
        let dns = Names::new(&texts);
        for (name, case) in scenario["tests"].as_object().expect("tests") {
            let Some(expected) = case["cv"].as_str().filter(|cv| !cv.is_empty()) else { continue };
            let (head, body) = divided(case["message"].as_str().expect("a message"));
            let (verdicts, _) = inspect(&dns, head, body, None).await;
            let arc = verdicts.arc.expect("it was asked for");
            count += 1;
            if arc.verdict.word() != expected.to_ascii_lowercase() {
                wrong.push(format!("{name}: {} ({:?}), not {expected}", arc.verdict.word(), arc.reason));
            }
        }
    }
    assert!(count > 150, "only {count} cases");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn a_chain_of_our_own() {
    let pem = generate(Algorithm::Ed25519, 0).unwrap();
    let key = Arc::new(PrivateKey::read(&pem).unwrap());
    let record = record_of(&key);
    let dns = Names::new(&[("s._domainkey.list.test", &record)]);
    let key = SignAs { domain: "list.test".into(), selector: "s".into(), identity: None, key };
    let headers = ["From", "To", "Subject"].map(str::to_owned);
    let mut head: Vec<Vec<u8>> =
        ["From: a@b.test", "Subject: hello"].map(|text| text.as_bytes().to_vec()).into();
    for expected in 0..3 {
        let seal = Seal { key: &key, headers: &headers, server: "mx.test" };
        let (verdicts, set) = inspect(&dns, head.clone(), b"text\n", Some(seal)).await;
        let arc = verdicts.arc.unwrap();
        assert_eq!((arc.last, arc.reason.clone()), (expected, None));
        assert_eq!(set.len(), 3);
        head.splice(0..0, set);
    }
    let (verdicts, _) = inspect(&dns, head.clone(), b"other text\n", None).await;
    assert_eq!(verdicts.arc.unwrap().verdict, crate::arc::Verdict::Fail);
    // A broken chain gets no seal of ours.
    let seal = Seal { key: &key, headers: &headers, server: "mx.test" };
    let (_, set) = inspect(&dns, head, b"other text\n", Some(seal)).await;
    assert!(set.is_empty());
}
