//! The example of RFC 8463, keys that take turns, and keys of odd sizes.

use std::net::IpAddr;

use mail::header::{fields, header_len};

use super::{Algorithm, Dkim, PrivateKey, Recipe, SignAs, Signer, generate, record_of};
use crate::tags::encoded;
use crate::testing::Names;
use crate::{Checks, Inspection, Question};

async fn verified(dns: &Names, message: &str) -> Vec<(Dkim, Option<usize>)> {
    let len = header_len(message.as_bytes());
    let head = fields(&message.as_bytes()[..len]).map(|field| field.raw.to_vec()).collect();
    let mut inspection = Inspection::new(Checks { dkim: true, ..Checks::default() }, head, false);
    inspection.body(&message.as_bytes()[len + 1..]);
    let question = Question { client: IpAddr::from([192, 0, 2, 1]), helo: "", sender: "", receiver: "" };
    let verdicts = inspection.finish(dns, &question, 1_528_637_999, &[]).await;
    verdicts.dkim.unwrap().into_iter().map(|outcome| (outcome.result, outcome.bits)).collect()
}

/// RFC 8463 A.2 and A.3: the same message signed with an Ed25519 key and one of RSA.
#[tokio::test]
async fn the_example_of_rfc_8463() {
    let dns = Names::new(&[
        (
            "brisbane._domainkey.football.example.com",
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        ),
        (
            "test._domainkey.football.example.com",
            "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bd\
             OKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLz\
             BfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
        ),
    ]);
    let message = "\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
";
    assert_eq!(verified(&dns, message).await, [(Dkim::Pass, Some(256)), (Dkim::Pass, Some(1024))]);
    let other = message.replace("lost", "won");
    assert_eq!(verified(&dns, &other).await, [(Dkim::Fail, None), (Dkim::Fail, None)]);
    // Neither a third Subject nor a second Message-ID goes unseen; what is not named does.
    let added = message.replace("Subject: Is", "Subject: other\nSubject: Is");
    assert_eq!(verified(&dns, &added).await.iter().filter(|(result, _)| *result == Dkim::Fail).count(), 2);
    let named = message.replace("To: Suzie", "Reply-To: x@far.test\nTo: Suzie");
    assert_eq!(verified(&dns, &named).await.iter().filter(|(result, _)| *result == Dkim::Pass).count(), 2);
}

const TEXT: &str = "From: me@a.test\nSubject: hello\n\ntext\n";

/// A message signed with these keys.
fn signed(keys: &[SignAs]) -> String {
    let recipe = Recipe::default();
    let mut signer = Signer::new(&recipe);
    signer.body(b"text\n");
    let fields = ["From: me@a.test", "Subject: hello"].map(|field| field.as_bytes().to_vec());
    let signatures = signer.finish(keys, &fields, 1_528_637_900).unwrap();
    let lines = signatures.iter().map(|field| format!("{}\n", String::from_utf8_lossy(field)));
    format!("{}{TEXT}", lines.collect::<String>())
}

/// One key follows the other: what either signed is good while its record stands.
#[tokio::test]
async fn keys_take_turns() {
    let key = |selector: &str, algorithm| {
        let pem = generate(algorithm, 2048).unwrap();
        let key = std::sync::Arc::new(PrivateKey::read(&pem).unwrap());
        SignAs { domain: "a.test".into(), selector: selector.into(), identity: None, key }
    };
    let (old, new) = (key("old", Algorithm::Rsa), key("new", Algorithm::Ed25519));
    let (old_record, new_record) = (record_of(&old.key), record_of(&new.key));
    let (old_name, new_name) = ("old._domainkey.a.test", "new._domainkey.a.test");
    let (before, after) = (signed(std::slice::from_ref(&old)), signed(std::slice::from_ref(&new)));
    let both = signed(&[old, new]);
    let result = async |names: &[(&str, &str)], message: &str| {
        let told = verified(&Names::new(names), message).await;
        told.into_iter().map(|(result, _)| result).collect::<Vec<_>>()
    };
    let overlap = [(old_name, old_record.as_str()), (new_name, new_record.as_str())];
    assert_eq!(result(&overlap, &before).await, [Dkim::Pass]);
    assert_eq!(result(&overlap, &after).await, [Dkim::Pass]);
    assert_eq!(result(&overlap, &both).await, [Dkim::Pass, Dkim::Pass]);
    // Revoked (RFC 6376 3.6.1), or gone.
    let revoked = [(old_name, "v=DKIM1; p="), (new_name, new_record.as_str())];
    assert_eq!(result(&revoked, &before).await, [Dkim::PermError]);
    assert_eq!(result(&overlap[1..], &both).await, [Dkim::PermError, Dkim::Pass]);
    // The record of one under the name of the other.
    let swapped = [(old_name, new_record.as_str()), (new_name, old_record.as_str())];
    assert_eq!(result(&swapped, &both).await, [Dkim::Fail, Dkim::Fail]);
}

/// An RSA key with a modulus of so many bits, as `p=` has it; nobody has its other half.
fn rsa(bits: usize) -> String {
    let element = |tag: u8, inside: &[u8]| {
        let len = u16::try_from(inside.len()).unwrap().to_be_bytes();
        [&[tag, 0x82][..], &len, inside].concat()
    };
    let mut modulus = vec![0];
    modulus.extend(vec![0xff; bits / 8]);
    let exponent = [2, 3, 1, 0, 1];
    encoded(&element(0x30, &[element(2, &modulus), exponent.to_vec()].concat()))
}

/// Item 15 of the security list: keys that are too short prove nothing, and those that are too long are not worked with.
#[tokio::test]
async fn keys_of_odd_sizes() {
    let pem = generate(Algorithm::Rsa, 2048).unwrap();
    let key = std::sync::Arc::new(PrivateKey::read(&pem).unwrap());
    let message = signed(&[SignAs { domain: "a.test".into(), selector: "s".into(), identity: None, key }]);
    for (bits, expected) in [
        (512, Dkim::Policy),
        (1016, Dkim::Policy),
        (1024, Dkim::Fail),
        (8192, Dkim::Fail),
        (16_384, Dkim::PermError),
        (65_536, Dkim::PermError),
    ] {
        let record = format!("v=DKIM1; k=rsa; p={}", rsa(bits));
        let dns = Names::new(&[("s._domainkey.a.test", &record)]);
        let told = verified(&dns, &message).await;
        assert_eq!(told[0].0, expected, "{bits} bits: {told:?}");
    }
    let short = Names::new(&[("s._domainkey.a.test", "v=DKIM1; k=ed25519; p=AAAA")]);
    assert_eq!(verified(&short, &message).await[0].0, Dkim::Fail);
}
