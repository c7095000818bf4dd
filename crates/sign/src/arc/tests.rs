//! The test suite of ARC, and seals of our own.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use mail::header::{fields, header_len};

use crate::dkim::{Algorithm, PrivateKey, SignAs, generate, record_of};
use crate::testing::Names;
use crate::vectors::suite;
use crate::{Checks, Inspection, Question, Verdicts};

use super::seal::add;
use super::{Sealer, Verdict};

fn divided(message: &str) -> (Vec<Vec<u8>>, &[u8]) {
    let len = header_len(message.as_bytes());
    let head = fields(&message.as_bytes()[..len]).map(|field| field.raw.to_vec()).collect();
    let body = &message.as_bytes()[len..];
    (head, body.strip_prefix(b"\n").unwrap_or(body))
}

fn question() -> Question<'static> {
    Question { client: IpAddr::from([192, 0, 2, 1]), helo: "h.test", sender: "a@b.test", receiver: "mx.test" }
}

async fn inspect(dns: &Names, head: &[Vec<u8>], body: &[u8], trusted: &[&str]) -> Verdicts {
    let checks = Checks { arc: true, dkim: true, spf: false, dmarc: true };
    let mut inspection = Inspection::new(checks, head.to_vec(), true);
    inspection.body(body);
    let trusted: Vec<String> = trusted.iter().map(|one| (*one).to_owned()).collect();
    inspection.finish(dns, &question(), 12345, &trusted).await
}

/// Puts a set on top.
fn seal(verdicts: &Verdicts, key: &SignAs, head: &mut Vec<Vec<u8>>, body: &[u8]) -> bool {
    let mut sealer = Sealer::default();
    sealer.body(body);
    let headers = ["From", "To", "Subject"].map(str::to_owned);
    let made =
        verdicts.seal.as_ref().and_then(|seal| sealer.finish(seal, key, head, &headers, "mx.test", 12345));
    let sealed = made.is_some();
    head.splice(0..0, made.into_iter().flatten());
    sealed
}

/// The records of a scenario.
fn records(scenario: &serde_json::Value) -> Names {
    let texts = scenario["txt-records"].as_object();
    let texts: Vec<(&str, &str)> = texts
        .into_iter()
        .flatten()
        .map(|(name, text)| (name.as_str(), text.as_str().unwrap_or_default()))
        .collect();
    Names::new(&texts)
}

#[tokio::test]
async fn the_suite_of_validation() {
    let Some(scenarios) = suite("arc-validation.yml") else { return };
    let (mut count, mut wrong) = (0, Vec::new());
    for scenario in &scenarios {
        let dns = records(scenario);
        for (name, case) in scenario["tests"].as_object().expect("tests") {
            let Some(expected) = case["cv"].as_str().filter(|cv| !cv.is_empty()) else { continue };
            let (head, body) = divided(case["message"].as_str().expect("a message"));
            let verdicts = inspect(&dns, &head, body, &[]).await;
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

/// OpenSSL signs with the suite's key, which is shorter than what may sign here.
fn openssl(input: &[u8]) -> Vec<u8> {
    static PEM: OnceLock<tempfile::NamedTempFile> = OnceLock::new();
    let file = PEM.get_or_init(|| {
        let file = tempfile::NamedTempFile::new().expect("/tmp is there");
        let suite = suite("arc-sign.yml").expect("it was there before");
        let pem = suite[0]["privatekey"].as_str().expect("the suite has a key");
        std::fs::write(file.path(), pem).expect("it is ours");
        file
    });
    let mut child = std::process::Command::new("openssl")
        .args(["dgst", "-sha256", "-sign"])
        .arg(file.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("openssl was found");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), input).expect("it reads");
    child.wait_with_output().expect("it ends when its input does").stdout
}

/// The tags of a field without white space: that is what the suite compares.
fn tags(text: &str) -> Vec<String> {
    let mut tags: Vec<String> = text.split(';').map(crate::tags::squeezed).collect();
    tags.retain(|tag| !tag.is_empty());
    tags.sort();
    tags
}

fn field<'a>(set: &'a [Vec<u8>; 3], name: &str) -> &'a str {
    let texts = set.iter().map(|raw| std::str::from_utf8(raw).expect("it is text"));
    texts.filter_map(|text| text.split_once(':')).find(|(is, _)| *is == name).expect("it is there").1
}

#[tokio::test]
async fn the_suite_of_signing() {
    let Some(scenarios) = suite("arc-sign.yml") else { return };
    if std::process::Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: there is no openssl");
        return;
    }
    let mut count = 0;
    for scenario in &scenarios {
        let dns = records(scenario);
        for (name, case) in scenario["tests"].as_object().expect("tests") {
            let text = |key: &str| case[key].as_str().unwrap_or_default();
            let (domain, selector) = (scenario["domain"].as_str(), scenario["sel"].as_str());
            let key = SignAs {
                domain: domain.expect("a domain").to_owned(),
                selector: selector.expect("a selector").to_owned(),
                identity: None,
                key: Arc::new(PrivateKey::lent(openssl)),
            };
            let (head, body) = divided(text("message"));
            let arc = inspect(&dns, &head, body, &[]).await.arc.expect("it was asked for");
            let results = text("AAR").trim().splitn(3, ';').nth(2).unwrap_or_default().trim().to_owned();
            let names: Vec<String> = text("sig-headers").split(':').map(str::to_owned).collect();
            let mut digests = crate::dkim::Digests::default();
            digests.want(crate::Canon::Relaxed);
            digests.feed(body);
            let digested = digests.finish();
            let body = digested.get(crate::Canon::Relaxed).expect("it was wanted");
            let now = case["t"].as_i64().expect("a time");
            let told = (text("srv-id"), results.as_str());
            let made = add(&key, &arc, &head, &names, body, told, now, str::to_owned);
            count += 1;
            if text("AS").is_empty() {
                assert!(made.is_none(), "{name}: {made:?}");
                continue;
            }
            let made = made.unwrap_or_else(|| panic!("{name}: {arc:?}"));
            for (field_name, expected) in
                [("ARC-Authentication-Results", "AAR"), ("ARC-Message-Signature", "AMS"), ("ARC-Seal", "AS")]
            {
                assert_eq!(tags(field(&made, field_name)), tags(text(expected)), "{name}: {field_name}");
            }
        }
    }
    assert_eq!(count, 17);
}

/// A key of list.test, and the DNS that knows it.
fn list() -> (SignAs, Names) {
    let pem = generate(Algorithm::Ed25519, 0).unwrap();
    let key = Arc::new(PrivateKey::read(&pem).unwrap());
    let dns =
        Names::new(&[("s._domainkey.list.test", &record_of(&key)), ("_dmarc.b.test", "v=DMARC1; p=reject")]);
    (SignAs { domain: "list.test".into(), selector: "s".into(), identity: None, key }, dns)
}

#[tokio::test]
async fn a_chain_of_our_own() {
    let (key, dns) = list();
    let mut head: Vec<Vec<u8>> =
        ["From: a@b.test", "Subject: hello"].map(|text| text.as_bytes().to_vec()).into();
    for expected in 0..3 {
        let verdicts = inspect(&dns, &head, b"text\n", &[]).await;
        let arc = verdicts.arc.as_ref().unwrap();
        assert_eq!((arc.last, arc.reason.clone()), (expected, None));
        assert_eq!(arc.sealers.len(), expected);
        assert!(seal(&verdicts, &key, &mut head, b"text\n"));
    }
    // Milters may change a message before it is sealed, but who takes a set away gets no seal.
    let verdicts = inspect(&dns, &head, b"text\n", &[]).await;
    let mut fewer = head[1..].to_vec();
    assert!(!seal(&verdicts, &key, &mut fewer, b"text\n"));
    let mut changed = head.clone();
    assert!(seal(&verdicts, &key, &mut changed, b"a footer\n"));
    assert_eq!(inspect(&dns, &changed, b"a footer\n", &[]).await.arc.unwrap().verdict, Verdict::Pass);
    // A broken chain is sealed once more, to say that it is broken, and then no more.
    let broken = inspect(&dns, &head, b"other text\n", &[]).await;
    assert_eq!(broken.arc.as_ref().unwrap().verdict, Verdict::Fail);
    assert!(seal(&broken, &key, &mut head, b"other text\n"));
    assert!(String::from_utf8_lossy(&head[0]).contains("cv=fail"));
    let still = inspect(&dns, &head, b"other text\n", &[]).await;
    assert_eq!(still.arc.as_ref().unwrap().verdict, Verdict::Fail);
    assert!(!seal(&still, &key, &mut head, b"other text\n"));
}

#[tokio::test]
async fn forwarders_whom_we_trust_speak_for_a_message() {
    use crate::dmarc;
    let (key, dns) = list();
    let head: Vec<Vec<u8>> = vec![b"From: a@b.test".to_vec()];
    let mut seen = inspect(&dns, &head, b"text\n", &[]).await;
    assert_eq!(seen.dmarc.as_ref().unwrap().verdict, dmarc::Verdict::Fail);
    for (told, trusted, expected) in [
        ("dmarc=pass header.from=b.test", "list.test", true),
        ("dmarc=pass header.from=b.test", "other.test", false),
        ("dmarc=fail header.from=b.test", "list.test", false),
    ] {
        let mut sealed = head.clone();
        seen.seal.as_mut().unwrap().results = told.to_owned();
        assert!(seal(&seen, &key, &mut sealed, b"text\n"));
        let verdicts = inspect(&dns, &sealed, b"text\n", &[trusted]).await;
        assert_eq!(verdicts.forwarder, expected, "{told}, {trusted}");
        assert_eq!(verdicts.dmarc.unwrap().verdict, dmarc::Verdict::Fail);
        // A chain that does not hold says nothing.
        assert!(!inspect(&dns, &sealed, b"another text\n", &[trusted]).await.forwarder);
    }
}
