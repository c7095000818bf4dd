//! From messages to a report, and from a report to what it says.

use std::net::IpAddr;

use super::archive::{MOST, unpacked};
use super::*;
use crate::dkim::{Algorithm, Dkim, Outcome};
use crate::dmarc::Policy;
use crate::spf::{Identity, Spf};
use crate::testing::Names;
use crate::{Question, Verdicts, dmarc, spf};

fn names() -> Names {
    Names::new(&[(
        "_dmarc.a.test",
        "v=DMARC1; p=reject; adkim=s; rua=mailto:d@a.test,mailto:x@a.test!1,mailto:far@b.test",
    )])
}

/// What is found out about a message from a client.
async fn verdicts(good: bool) -> Verdicts {
    let fields = vec![b"From: joe@a.test".to_vec()];
    let verdict = if good { spf::Verdict::Pass } else { spf::Verdict::Fail };
    let spf = Spf {
        verdict,
        domain: "a.test".into(),
        identity: Identity::MailFrom,
        explanation: None,
        because: String::new(),
    };
    let signature = Outcome {
        result: Dkim::Pass,
        reason: None,
        domain: "other.test".into(),
        selector: "<s>".into(),
        identity: None,
        tag: String::new(),
        algorithm: Some(Algorithm::Ed25519),
        bits: None,
        testing: false,
    };
    let dkim = vec![signature];
    let dmarc = dmarc::check(&names(), &fields, &spf, &dkim, 0).await;
    Verdicts { spf: Some(spf), dkim: Some(dkim), dmarc: Some(dmarc), ..Verdicts::default() }
}

async fn seen(client: &str, good: bool, followed: Policy) -> Seen {
    let client: IpAddr = client.parse().unwrap();
    let question = Question { client, helo: "h", sender: "bounce@a.test", receiver: "mx.test" };
    Seen::new(&verdicts(good).await, &question, followed).expect("it asks for reports")
}

fn settings(folder: &std::path::Path) -> Settings {
    Settings {
        sends: true,
        organization: "Mail & Co".into(),
        sender: "dmarc@mx.test".into(),
        host: "mx.test".into(),
        addresses: Vec::new(),
        database: folder.join("dmarc.sqlite"),
    }
}

/// 2024-01-02
const DAY: i64 = 19_724;

#[tokio::test]
async fn a_day_is_told_once_and_read_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let store = Store::open(&settings.database).unwrap();
    for _ in 0..3 {
        store.note(DAY, &seen("192.0.2.1", true, Policy::None).await).unwrap();
    }
    store.note(DAY, &seen("::ffff:192.0.2.2", false, Policy::Quarantine).await).unwrap();
    store.note(DAY + 1, &seen("192.0.2.1", true, Policy::None).await).unwrap();
    assert!(store.pending(DAY).unwrap().is_empty(), "the day is not over");
    let [pending] = &store.pending(DAY + 1).unwrap()[..] else { panic!("one day is over") };
    assert_eq!((pending.domain.as_str(), pending.rows), ("a.test", 2));

    let owed = finished(&store, &names(), &settings, pending.clone()).await.unwrap();
    assert_eq!(owed.too_large, ["x@a.test"]);
    // b.test has not said that it wants reports about others.
    let [letter] = &owed.letters[..] else { panic!("{:?}", owed.letters) };
    assert_eq!(letter.to, "d@a.test");
    assert!(letter.text.contains("Subject: Report Domain: a.test\n Submitter: mx.test\n Report-ID: <"));
    assert!(
        letter.text.contains("filename=\"mx.test!a.test!1704153600!1704239999.xml.gz\""),
        "{}",
        letter.text
    );

    let report = Received::of_message(letter.text.as_bytes()).unwrap();
    assert_eq!((report.organization.as_str(), report.domain.as_str()), ("Mail & Co", "a.test"));
    assert_eq!((report.begin, report.end, report.policy.as_str()), (1_704_153_600, 1_704_239_999, "reject"));
    assert_eq!(report.counts(), (4, 3));
    let mut rows = report.rows.clone();
    rows.sort_by(|a, b| a.source.cmp(&b.source));
    assert_eq!(
        (rows[0].source.as_str(), rows[0].count, rows[0].spf, rows[0].dkim),
        ("192.0.2.1", 3, true, false)
    );
    assert_eq!((rows[1].source.as_str(), rows[1].disposition.as_str()), ("192.0.2.2", "quarantine"));
    assert_eq!((rows[1].reason.as_str(), rows[1].header_from.as_str()), ("local_policy", "a.test"));

    store.sent(pending.id, "d@a.test").unwrap();
    let owed = finished(&store, &names(), &settings, pending.clone()).await.unwrap();
    assert!(owed.letters.is_empty(), "nobody hears of it twice");
    store.done(pending.id).unwrap();
    assert!(store.pending(DAY + 1).unwrap().is_empty());
    assert_eq!(store.pending(DAY + 2).unwrap().len(), 1);
    assert!(store.pending(DAY + 30).unwrap().is_empty(), "nobody wants old news");
}

#[tokio::test]
async fn who_does_not_ask_is_not_told() {
    let question =
        Question { client: IpAddr::from([192, 0, 2, 1]), helo: "h", sender: "a@b.test", receiver: "mx.test" };
    assert_eq!(Seen::new(&Verdicts::default(), &question, Policy::None), None);
    let mut told = verdicts(false).await;
    told.dmarc.as_mut().unwrap().published.as_mut().unwrap().reports.clear();
    assert_eq!(Seen::new(&told, &question, Policy::None), None);
    let mut told = verdicts(false).await;
    told.dmarc.as_mut().unwrap().verdict = dmarc::Verdict::TempError;
    assert_eq!(Seen::new(&told, &question, Policy::None), None);
}

const REPORT: &str = "<?xml version=\"1.0\"?><!-- hello --><feedback xmlns=\"urn:x\"><report_metadata>\
    <org_name><![CDATA[Far & away]]></org_name><email>d@far.test</email><report_id>17</report_id>\
    <date_range><begin>1704153600</begin><end>1704239999</end></date_range></report_metadata>\
    <policy_published><domain>Box.test</domain><p>none</p></policy_published>\
    <x:record><row><source_ip>192.0.2.7</source_ip><count>5</count><policy_evaluated>\
    <disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>\
    <identifiers><header_from>box.test</header_from></identifiers><auth_results/></x:record></feedback>";

#[test]
fn reports_of_others_are_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("x")).unwrap();
    let report = Received::of_text(REPORT).unwrap();
    assert_eq!(
        (report.organization.as_str(), report.domain.as_str(), report.counts()),
        ("Far & away", "box.test", (5, 5))
    );
    let id = store.keep(&report, "far.test", 1_704_300_000).unwrap().expect("it is new");
    assert_eq!(store.keep(&report, "far.test", 1_704_300_001).unwrap(), None);
    let [listed] = &store.reports(Some("box.test")).unwrap()[..] else { panic!("one is there") };
    assert_eq!((listed.id, listed.messages, listed.good, listed.proven.as_str()), (id, 5, 5, "far.test"));
    assert!(store.reports(Some("other.test")).unwrap().is_empty());
    assert_eq!(store.report(id).unwrap().expect("it is there").report, report);
    // The year after next it is gone.
    let later = Received { id: "18".into(), ..report };
    store.keep(&later, "", 1_704_300_000 + 401 * 86_400).unwrap();
    assert_eq!(store.reports(None).unwrap().len(), 1);
    assert_eq!(store.report(id).unwrap(), None);
}

#[test]
fn what_is_no_report() {
    let deep = "<a>".repeat(100);
    let many = "<feedback>".to_owned() + &"<record></record>".repeat(20_001) + "</feedback>";
    for (text, why) in [
        ("", "does not say by whom"),
        ("hello", "does not say by whom"),
        ("<!DOCTYPE x [<!ENTITY a \"b\">]><feedback/>", "document type"),
        ("<feedback><record></feedback></record>", "overlap"),
        ("<feedback>", "ends within"),
        ("<feedback", "does not end"),
        (&deep, "too deep"),
        (&many, "too many rows"),
    ] {
        let wrong = Received::of_text(text).unwrap_err();
        assert!(wrong.contains(why), "{}: {wrong}", &text[..text.len().min(40)]);
    }
    assert!(Received::of_message(b"Subject: x\n\ntext\n").is_err());
    let long = REPORT.replace("d@far.test", &"x".repeat(100_000));
    assert!(Received::of_text(&long).unwrap().email.len() <= 255);
}

/// A zip of one file, as `zip` writes it.
fn zip(data: &[u8], method: u16, len: usize) -> Vec<u8> {
    let mut out = b"PK\x03\x04\x14\0\0\0".to_vec();
    out.extend(method.to_le_bytes());
    out.extend([0; 16]);
    out.extend(1_u16.to_le_bytes());
    out.extend([0, 0, b'x']);
    out.extend(data);
    let entry = out.len() as u32;
    out.extend(b"PK\x01\x02\x14\0\x14\0\0\0");
    out.extend(method.to_le_bytes());
    out.extend([0; 8]);
    out.extend((data.len() as u32).to_le_bytes());
    out.extend((len as u32).to_le_bytes());
    out.extend(1_u16.to_le_bytes());
    out.extend([0; 16]);
    out.push(b'x');
    let size = out.len() as u32 - entry;
    out.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    out.extend(size.to_le_bytes());
    out.extend(entry.to_le_bytes());
    out.extend([0, 0]);
    out
}

#[test]
fn bombs_and_damage() {
    use std::io::Write;
    let deflated = |bytes: &[u8]| {
        let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    };
    assert_eq!(unpacked(&zip(REPORT.as_bytes(), 0, REPORT.len())).unwrap(), REPORT);
    assert_eq!(unpacked(&zip(&deflated(REPORT.as_bytes()), 8, 0)).unwrap(), REPORT);
    let bomb = vec![b' '; MOST + 1];
    assert_eq!(unpacked(&zip(&deflated(&bomb), 8, 10)), Err("it is too large unpacked"));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bomb).unwrap();
    let gzip = gzip.finish().unwrap();
    assert_eq!(unpacked(&gzip), Err("it is too large unpacked"));
    assert_eq!(unpacked(&gzip[..gzip.len() / 2]).err(), Some("it cannot be unpacked"));
    let whole = zip(&deflated(REPORT.as_bytes()), 8, 0);
    for cut in 4..whole.len() - 22 {
        assert!(unpacked(&whole[..cut]).is_err(), "{cut}");
    }
    for at in 4..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        // Whatever it says, nothing breaks.
        let _ = unpacked(&damaged).map(|text| Received::of_text(&text));
    }
}
