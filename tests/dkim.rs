//! DKIM beside the real OpenDKIM: whatever it signs we take, whatever we sign it takes, and of what was changed on the
//! way both think alike.

use std::sync::Arc;

use sign::Canon;
use sign::dkim::{Dkim, PrivateKey, Recipe, SignAs, Signer};
use testbed::{Site, neighbour};

use crate::signatures::mail_texts::{Zone, divided};
use crate::signatures::{Filter, Keys};

const CANONS: [Canon; 2] = [Canon::Simple, Canon::Relaxed];

/// Bodies and fields in which canonical forms differ.
const MESSAGES: [&str; 6] = [
    "From: Ann <ann@box.test>\nTo: bob@box.test\nSubject: a  subject\n  in two lines\nDate: Thu, 01 Jan 2026 00:00:00 \
     +0000\nMessage-Id: <1@box.test>\n\nHello,\n\n. two  spaces \n\nbye\n\n\n",
    "From: ann@box.test\nSubject: no body\n\n",
    "From: ann@box.test\nSubject: empty lines only\n\n\n\n \n\n",
    "From:ann@box.test\nSubject:\nTo: \tbob@box.test,\n\tcarol@box.test \nMIME-Version: 1.0\nContent-Type: text/plain; \
     charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n\tCaf\u{e9}\u{301} \t \n \n",
    "From: ann@box.test\nTo: a@box.test\nTo: b@box.test\nSubject: one\nSubject: two\n\n.\n..\n.leading dots\n",
    "Received: from a\n\tby b; Thu, 01 Jan 2026 00:00:00 +0000\nReceived: from c by d; Thu, 01 Jan 2026 00:00:00 +0000\n\
     FROM: ann@box.test\nsubject: cases\n\ntext\n",
];

/// What we find in the signatures of a message.
async fn found(message: &str, selectors: &[(&'static str, String)]) -> Vec<Dkim> {
    let (fields, body) = divided(message);
    let checks = sign::Checks { dkim: true, ..sign::Checks::default() };
    let mut inspection = sign::Inspection::new(checks, fields, false);
    inspection.body(body);
    let client = std::net::IpAddr::from([127, 0, 0, 1]);
    let question = sign::Question { client, helo: "", sender: "", receiver: "" };
    let dns = Zone(selectors.to_vec());
    let verdicts = inspection.finish(&dns, &question, 1_800_000_000, &[]).await;
    verdicts.dkim.expect("it was asked for").into_iter().map(|outcome| outcome.result).collect()
}

#[tokio::test]
async fn whatever_opendkim_signs_we_take() {
    let Some([opendkim]) = neighbour::installed(["opendkim"]) else { return };
    let keys = Keys::new(&[("mail", "rsa"), ("two", "rsa")]);
    let known =
        [("mail._domainkey.box.test", keys.record("mail")), ("two._domainkey.box.test", keys.record("two"))];
    let trusted = keys.path("TrustedHosts").display().to_string();
    let names: String = known.iter().map(|(name, _)| format!("*@box.test {name}\n")).collect();
    let table = format!(
        "KeyTable {}\nSigningTable refile:{}\nMultipleSignatures yes\n",
        keys.path("keytable").display(),
        keys.write("patterns", &names).display()
    );
    let (pass, limited) = (&[Dkim::Pass, Dkim::Pass][..], &[Dkim::Policy, Dkim::Policy][..]);
    let variants = [
        (format!("{table}Canonicalization simple/simple\n"), pass),
        (format!("{table}Canonicalization simple/relaxed\nOversignHeaders From,Subject,X-None\n"), pass),
        (format!("{table}Canonicalization relaxed/simple\nSignHeaders From,To,Subject\n"), pass),
        (format!("{table}Canonicalization relaxed/relaxed\nSignatureTTL 999999999\n"), pass),
        // RFC 6376 8.2: what is behind the length could be anything.
        (format!("{table}Canonicalization relaxed/relaxed\nBodyLengthDB csl:bob@box.test\n"), limited),
        (keys.settings(), &[Dkim::Pass][..]),
    ];
    for (settings, expected) in variants {
        let filter =
            Filter::opendkim(&opendkim, keys.folder(), &format!("{settings}InternalHosts {trusted}\n"));
        let mx = Site::new("mx.test")
            .set("milter_default_action", "tempfail")
            .set("smtpd_milters", &filter.name())
            .start();
        for message in MESSAGES {
            mx.send("ann@box.test", &["bob@box.test"], message);
        }
        for message in mx.maildir("bob").wait_for(MESSAGES.len()) {
            assert_eq!(found(&message, &known).await, expected, "{settings}\n{message}");
        }
    }
}

/// Changes on the way: some matter to one canonical form, some to both, and some to none.
const CHANGES: [(&str, &str); 22] = [
    ("", ""),
    ("Hello,\n", "Hello, \n"),
    ("two  spaces", "two spaces"),
    ("two  spaces", "two \tspaces"),
    ("\n. two", "\n . two"),
    ("spaces \n", "spaces\n"),
    ("bye\n\n\n", "bye\n"),
    ("bye\n\n\n", "bye\n\n\n\n\n\n"),
    ("bye\n\n\n", "bye\n \n"),
    ("bye\n", "bye\nand more\n"),
    ("bye\n", "Bye\n"),
    ("Subject: a  subject", "Subject: a subject"),
    ("subject\n  in two", "subject in two"),
    ("Subject: ", "SUBJECT: "),
    ("Subject: ", "Subject:\t "),
    ("in two lines\n", "in two lines \n"),
    ("Subject: ", "Subject: other\nSubject: "),
    ("Date: ", "Subject: other\nDate: "),
    ("To: bob@box.test\n", "To: bob@box.test\nX-More: unsigned\n"),
    ("To: bob@box.test\n", "To: bob@box.test\nCc: eve@far.test\n"),
    ("Message-Id: <1@box.test>\n", ""),
    ("<ann@box.test>", "<eve@box.test>"),
];

#[tokio::test]
async fn of_what_was_changed_on_the_way_we_think_as_opendkim() {
    let Some([opendkim]) = neighbour::installed(["opendkim"]) else { return };
    let keys = Keys::new(&[("mail", "rsa"), ("ed", "ed25519")]);
    let selectors = ["mail", "ed"];
    let known =
        [("mail._domainkey.box.test", keys.record("mail")), ("ed._domainkey.box.test", keys.record("ed"))];
    let list: String = known.iter().map(|(name, record)| format!("{name} {record}\n")).collect();
    let list = keys.write("known", &list).display().to_string();
    let settings = format!("Mode v\nInternalHosts 192.0.2.1\nTestPublicKeys {list}\nAlwaysAddARHeader yes\n");
    let filter = Filter::opendkim(&opendkim, keys.folder(), &settings);
    let far = Site::new("far.test")
        .set("smtpd_milters", &filter.name())
        .set("milter_default_action", "tempfail")
        .start();
    let signers = selectors.map(|selector| {
        let pem =
            std::fs::read_to_string(keys.path(&format!("{selector}.private"))).expect("genkey wrote it");
        let key = Arc::new(PrivateKey::read(&pem).expect("genkey knows how"));
        SignAs { domain: "box.test".into(), selector: selector.into(), identity: None, key }
    });
    let mut sent = Vec::new();
    for (header, body) in CANONS.into_iter().flat_map(|header| CANONS.map(|body| (header, body))) {
        for oversign in [&[][..], &["From", "Subject", "Cc"]] {
            let oversign = oversign.iter().map(|name| (*name).to_owned()).collect();
            let recipe = Recipe { canon: (header, body), oversign, ..Recipe::default() };
            for message in MESSAGES {
                let (fields, text) = divided(message);
                let mut signer = Signer::new(&recipe);
                signer.body(text);
                let signatures = signer.finish(&signers, &fields, 1_700_000_000).expect("both keys work");
                let signatures =
                    signatures.iter().map(|field| String::from_utf8_lossy(field).into_owned() + "\n");
                let signed = signatures.collect::<String>() + message;
                let changes = CHANGES.iter().filter(|(from, _)| message.contains(from));
                sent.extend(changes.map(|(from, to)| (signed.replacen(from, to, 1), recipe.canon)));
            }
        }
    }
    for (at, (message, _)) in sent.iter().enumerate() {
        far.send("ann@box.test", &["bob@box.test"], &format!("X-Case: {at}\n{message}"));
    }
    let mut passed = 0;
    for message in far.maildir("bob").wait_for(sent.len()) {
        let case = message.split("X-Case: ").nth(1).expect("it was put there");
        let at: usize = case.lines().next().and_then(|word| word.parse().ok()).expect("a number");
        let ours = found(&sent[at].0, &known).await;
        let good = ours.iter().filter(|result| **result == Dkim::Pass).count();
        assert_eq!(message.matches("dkim=pass").count(), good, "{ours:?} {:?}\n{message}", sent[at].1);
        passed += usize::from(good == 2);
    }
    assert!(passed > sent.len() / 4 && passed < sent.len(), "{passed} of {}", sent.len());
}
