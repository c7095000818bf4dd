//! Who vouches, and for whom.

use super::*;
use crate::testing::Names;

fn spf(domain: &str, verdict: spf::Verdict) -> Spf {
    let identity = spf::Identity::MailFrom;
    Spf { verdict, domain: domain.into(), identity, explanation: None, because: String::new() }
}

fn signed(domain: &str, result: Dkim) -> Outcome {
    Outcome {
        result,
        reason: None,
        domain: domain.into(),
        selector: "s".into(),
        identity: None,
        tag: String::new(),
        algorithm: None,
        bits: None,
        testing: false,
    }
}

fn names() -> Names {
    Names::new(&[
        ("_dmarc.a.test", "v=DMARC1; p=reject; sp=quarantine; np=reject"),
        ("_dmarc.strict.test", "v=DMARC1; p=reject; adkim=s; aspf=s"),
        ("_dmarc.try.test", "v=DMARC1; p=reject; t=y"),
        ("_dmarc.bank", "v=DMARC1; p=reject; psd=y"),
        ("_dmarc.two.test", "v=DMARC1; p=none"),
        ("_dmarc.two.test", "v=DMARC1; p=reject"),
        ("mail.a.test", "here it is"),
    ])
}

async fn told(from: &str, spf: Spf, dkim: &[Outcome]) -> (Verdict, Policy) {
    let fields = vec![format!("From: {from}").into_bytes()];
    let dmarc = check(&names(), &fields, &spf, dkim, 0).await;
    (dmarc.verdict, dmarc.policy)
}

#[tokio::test]
async fn who_vouches() {
    use spf::Verdict::{Fail, Pass, TempError};
    let good = |domain| [signed(domain, Dkim::Pass)];
    assert_eq!(told("x@a.test", spf("a.test", Pass), &[]).await, (Verdict::Pass, Policy::Reject));
    assert_eq!(told("x@a.test", spf("b.test", Pass), &[]).await, (Verdict::Fail, Policy::Reject));
    assert_eq!(told("x@a.test", spf("b.test", Fail), &good("m.a.test")).await.0, Verdict::Pass);
    assert_eq!(told("x@mail.a.test", spf("b.test", Pass), &[]).await, (Verdict::Fail, Policy::Quarantine));
    assert_eq!(told("x@none.a.test", spf("b.test", Pass), &[]).await, (Verdict::Fail, Policy::Reject));
    assert_eq!(told("x@strict.test", spf("m.strict.test", Pass), &[]).await.0, Verdict::Fail);
    assert_eq!(told("x@try.test", spf("b.test", Pass), &[]).await, (Verdict::Fail, Policy::Quarantine));
    assert_eq!(told("x@c.test", spf("c.test", Pass), &[]).await.0, Verdict::None);
    assert_eq!(told("x@two.test", spf("b.test", Pass), &[]).await.0, Verdict::None);
    assert_eq!(told("x@a.test", spf("a.test", TempError), &[]).await.0, Verdict::TempError);
    // Two customers of one registry are not one organization.
    assert_eq!(told("x@one.bank", spf("two.bank", Pass), &[]).await.0, Verdict::Fail);
    assert_eq!(told("x@one.bank", spf("m.one.bank", Pass), &[]).await.0, Verdict::Pass);
}

#[tokio::test]
async fn from_fields_that_name_nobody() {
    let spf = || spf("a.test", spf::Verdict::Pass);
    assert_eq!(told("x@a.test, y@b.test", spf(), &[]).await.0, Verdict::PermError);
    assert_eq!(told("x", spf(), &[]).await.0, Verdict::PermError);
    assert_eq!(told("", spf(), &[]).await.0, Verdict::PermError);
    assert_eq!(told("x@a.test, y@A.test", spf(), &[]).await.0, Verdict::Pass);
    let twice = vec![b"From: x@a.test".to_vec(), b"From: y@a.test".to_vec()];
    assert_eq!(check(&names(), &twice, &spf(), &[], 0).await.verdict, Verdict::PermError);
}

#[tokio::test]
async fn a_part_of_the_mail_is_treated_as_asked() {
    let names = Names::new(&[(
        "_dmarc.a.test",
        "v=DMARC1; p=reject; pct=30; rua=mailto:x@a.test!10m, mailto:y@b.test",
    )]);
    let fields = vec![b"From: x@a.test".to_vec()];
    for (lot, policy) in
        [(0, Policy::Reject), (29, Policy::Reject), (30, Policy::Quarantine), (99, Policy::Quarantine)]
    {
        let dmarc = check(&names, &fields, &spf("b.test", spf::Verdict::Fail), &[], lot).await;
        assert_eq!((dmarc.policy, dmarc.sampled_out), (policy, lot >= 30), "{lot}");
        let published = dmarc.published.unwrap();
        assert_eq!((published.domain.as_str(), published.reports.len()), ("a.test", 2));
    }
    let lots: Vec<u8> = (0..1000).map(|n: u32| lot(&[format!("Received: {n}").into_bytes()])).collect();
    let below = lots.iter().filter(|lot| **lot < 30).count();
    assert!((200..400).contains(&below), "{below}");
}

#[tokio::test]
async fn both_ways_are_told() {
    let fields = vec![b"From: x@a.test".to_vec()];
    let good = [signed("a.test", Dkim::Pass)];
    let dmarc = check(&names(), &fields, &spf("a.test", spf::Verdict::Pass), &good, 0).await;
    assert!(dmarc.by_dkim && dmarc.by_spf);
    let dmarc = check(&names(), &fields, &spf("b.test", spf::Verdict::Pass), &good, 0).await;
    assert!(dmarc.by_dkim && !dmarc.by_spf && dmarc.verdict == Verdict::Pass);
}

/// RFC 7489 B.1.
#[tokio::test]
async fn the_examples_of_alignment() {
    let names = |record: &str| Names::new(&[("_dmarc.example.com", record)]);
    let (relaxed, strict) = (names("v=DMARC1; p=reject"), names("v=DMARC1; p=reject; aspf=s; adkim=s"));
    for (from, other, expected) in [
        ("sender@example.com", "example.com", [true, true]),
        ("sender@example.com", "child.example.com", [true, false]),
        ("sender@child.example.com", "example.com", [true, false]),
        ("sender@child.example.com", "sample.net", [false, false]),
        ("sender@example.com", "badexample.com", [false, false]),
    ] {
        let fields = vec![format!("From: {from}").into_bytes()];
        for (names, expected) in [&relaxed, &strict].into_iter().zip(expected) {
            let by_spf = check(names, &fields, &spf(other, spf::Verdict::Pass), &[], 0).await;
            assert_eq!(by_spf.by_spf, expected, "SPF: {from}, {other}");
            let none = spf("", spf::Verdict::None);
            let by_dkim = check(names, &fields, &none, &[signed(other, Dkim::Pass)], 0).await;
            assert_eq!(by_dkim.by_dkim, expected, "DKIM: {from}, {other}");
            let passes = by_dkim.verdict == Verdict::Pass;
            assert_eq!(passes, expected, "{from}, {other}");
        }
    }
}
