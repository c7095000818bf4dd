//! What we sign, we verify; and what was changed on the way is noticed.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Algorithm, Dkim, PrivateKey, Recipe, SignAs, Signer, generate, record_of};
use crate::canon::Canon;
use crate::testing::Names;
use crate::{Checks, Inspection, Question};

fn key(algorithm: Algorithm, selector: &str) -> SignAs {
    let pem = generate(algorithm, 2048).unwrap();
    let key = Arc::new(PrivateKey::read(&pem).unwrap());
    SignAs { domain: "a.test".into(), selector: selector.into(), identity: None, key }
}

fn fields(extra: &[&str]) -> Vec<Vec<u8>> {
    let own = ["Received: by mx.a.test", "From: Me <me@a.test>", "Subject: a\n\tfolded  one", "Date: today"];
    extra.iter().chain(&own).map(|field| field.as_bytes().to_vec()).collect()
}

async fn results(dns: &Names, fields: Vec<Vec<u8>>, body: &[u8], now: i64) -> Vec<Dkim> {
    let mut inspection = Inspection::new(Checks { dkim: true, ..Checks::default() }, fields, false);
    inspection.body(body);
    let client = IpAddr::from([192, 0, 2, 1]);
    let question = Question { client, helo: "", sender: "", receiver: "" };
    let verdicts = inspection.finish(dns, &question, now, &[]).await;
    verdicts.dkim.unwrap().into_iter().map(|outcome| outcome.result).collect()
}

#[tokio::test]
async fn several_keys_and_all_forms() {
    let keys = [key(Algorithm::Rsa, "r"), key(Algorithm::Ed25519, "e")];
    let records = keys.each_ref().map(|key| record_of(&key.key));
    let dns = Names::new(&[("r._domainkey.a.test", &records[0]), ("e._domainkey.a.test", &records[1])]);
    let body = b"Hello,\n\n a  b \nbye\n\n\n".as_slice();
    for canon in
        [(Canon::Simple, Canon::Simple), (Canon::Relaxed, Canon::Relaxed), (Canon::Relaxed, Canon::Simple)]
    {
        let oversign = ["From", "Subject", "Cc"].map(str::to_owned).into();
        let recipe = Recipe { canon, oversign, lifetime: Some(100), ..Recipe::default() };
        let mut signer = Signer::new(&recipe);
        body.chunks(5).for_each(|piece| signer.body(piece));
        let mut signed = signer.finish(&keys, &fields(&[]), 1000).unwrap();
        assert_eq!(signed.len(), 2);
        signed.extend(fields(&[]));
        assert_eq!(results(&dns, signed.clone(), body, 1050).await, [Dkim::Pass, Dkim::Pass], "{canon:?}");
        assert_eq!(results(&dns, signed.clone(), body, 1200).await, [Dkim::Fail, Dkim::Fail]);
        assert_eq!(results(&dns, signed.clone(), b"Hello, you\n", 1050).await, [Dkim::Fail, Dkim::Fail]);
        let spaces = b"Hello,\n\n a b\nbye\n".as_slice();
        let expected = if canon.1 == Canon::Relaxed { Dkim::Pass } else { Dkim::Fail };
        assert_eq!(results(&dns, signed.clone(), spaces, 1050).await, [expected; 2]);
        // Oversigned: nobody can add a second Subject, or a Cc that was not there.
        for added in ["Subject: other", "Cc: you@b.test"] {
            let mut more = signed.clone();
            more.insert(0, added.as_bytes().to_vec());
            assert_eq!(results(&dns, more, body, 1050).await, [Dkim::Fail, Dkim::Fail], "{added}");
        }
        let mut added = signed.clone();
        added.insert(0, b"X-Spam: no".to_vec());
        assert_eq!(results(&dns, added, body, 1050).await, [Dkim::Pass, Dkim::Pass]);
    }
}

#[tokio::test]
async fn floods_and_missing_keys() {
    let dns = Names::new(&[("gone._domainkey.a.test", "v=DKIM1; p=")]);
    let signature = |selector: &str| {
        let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        format!(
            "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=a.test; s={selector}; h=From; bh={hash}; b=AAAA"
        )
    };
    let (gone, none) = (signature("gone"), signature("none"));
    let junk = "DKIM-Signature: x";
    let found = results(&dns, fields(&[&gone, &none, junk]), b"", 0).await;
    assert_eq!(found, [Dkim::PermError, Dkim::PermError, Dkim::Neutral]);
    let many = vec![none.as_str(); 1000];
    assert_eq!(results(&dns, fields(&many), b"", 0).await.len(), super::verify::SIGNATURES_MAX);
}

#[test]
fn secrets_are_not_shown_and_odd_keys_are_named() {
    let pem = generate(Algorithm::Ed25519, 0).unwrap();
    let key = PrivateKey::read(&pem).unwrap();
    assert_eq!(format!("{key:?}"), "PrivateKey(ed25519-sha256)");
    for (text, why) in [
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "\"CERTIFICATE\" is no private key",
        ),
        ("-----BEGIN PRIVATE KEY-----\nAAAA", "does not close"),
        ("-----BEGIN PRIVATE KEY-----\n#\n-----END PRIVATE KEY-----\n", "bad base64"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not an RSA key"),
    ] {
        let wrong = PrivateKey::read(text).unwrap_err();
        assert!(wrong.contains(why), "{wrong}");
    }
    assert!(generate(Algorithm::Rsa, 512).is_err());
}

/// A million fields and hundreds of names cost one look at each.
#[tokio::test]
async fn many_fields_and_many_names() {
    let names: Vec<String> = (0..190).map(|number| format!("X-{number}")).collect();
    let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let signature = format!(
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=a.test; s=s; h=From:{}; bh={hash}; b=AAAA",
        names.join(":")
    );
    let mut fields = fields(&[&signature, &signature]);
    fields.extend((0..200_000).map(|_| b"X: 1".to_vec()));
    let key = key(Algorithm::Rsa, "s");
    let dns = Names::new(&[("s._domainkey.a.test", &record_of(&key.key))]);
    assert_eq!(results(&dns, fields, b"", 0).await, [Dkim::Fail, Dkim::Fail]);
}
