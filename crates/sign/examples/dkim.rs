//! Measures signatures: the CPU that signing and verifying add to a message of 10 KB.
//!
//! `cargo run --release -p sign --example dkim [rounds]`

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use net::dns::{Answer, Data, Kind, Missing};
use sign::dkim::{Algorithm, Dkim, PrivateKey, Recipe, SignAs, Signer, generate, record_of};
use sign::{Boxed, Checks, Dns, Inspection, Question};

/// A name server that knows one key.
struct Zone(String);

impl Dns for Zone {
    fn lookup<'a>(&'a self, name: &'a str, _: Kind) -> Boxed<'a, Result<Answer, Missing>> {
        let records = vec![Data::Txt(self.0.clone())];
        Box::pin(async move { Ok(Answer { name: name.to_owned(), records, ttl: 60, authentic: false }) })
    }
}

/// CPU of this process.
fn used() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").expect("this is Linux");
    let fields: Vec<&str> = text.rsplit(')').next().expect("a name").split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().map(|at| fields[*at].parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}

fn main() {
    let rounds: u32 = std::env::args().nth(1).map_or(2000, |word| word.parse().expect("a number"));
    let head: Vec<Vec<u8>> = [
        "Received: from a.test (a.test [192.0.2.1]) by mx.test; Thu, 01 Jan 2026 00:00:00 +0000",
        "From: Ann <ann@box.test>",
        "To: bob@far.test, carol@far.test",
        "Subject: a subject of usual length, which is folded\n\tonce",
        "Date: Thu, 01 Jan 2026 00:00:00 +0000",
        "Message-Id: <1@box.test>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
    ]
    .map(|field| field.as_bytes().to_vec())
    .into();
    let line = "A line of text as people write it,  with two  spaces here and there, and an end.\n";
    let body = line.repeat(10_240 / line.len() + 1);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it needs nothing");
    for (algorithm, bits, word) in [
        (Algorithm::Rsa, 2048, "RSA, 2048 bits"),
        (Algorithm::Rsa, 4096, "RSA, 4096 bits"),
        (Algorithm::Ed25519, 0, "Ed25519"),
    ] {
        let pem = generate(algorithm, bits).expect("a key");
        let key = Arc::new(PrivateKey::read(&pem).expect("it was just made"));
        let zone = Zone(record_of(&key));
        let keys = [SignAs { domain: "box.test".into(), selector: "s".into(), identity: None, key }];
        let recipe = Recipe::default();
        let sign = || {
            let mut signer = Signer::new(&recipe);
            signer.body(body.as_bytes());
            signer.finish(&keys, &head, 1_767_225_600).expect("the key works").remove(0)
        };
        let before = used();
        for _ in 0..rounds {
            std::hint::black_box(sign());
        }
        let signing = (used() - before) / rounds;
        let mut signed = head.clone();
        signed.insert(0, sign());
        let question = Question { client: IpAddr::from([192, 0, 2, 1]), helo: "", sender: "", receiver: "" };
        let before = used();
        for _ in 0..rounds {
            let checks = Checks { dkim: true, ..Checks::default() };
            let mut inspection = Inspection::new(checks, signed.clone(), false);
            inspection.body(body.as_bytes());
            let verdicts = runtime.block_on(inspection.finish(&zone, &question, 1_767_225_600, &[]));
            assert_eq!(verdicts.dkim.expect("it was asked for")[0].result, Dkim::Pass);
        }
        let verifying = (used() - before) / rounds;
        println!("{word}: {signing:?} CPU to sign, {verifying:?} to verify {} bytes", body.len());
    }
}
