//! Learning, forgetting, verdicts.

use std::path::Path;

use super::*;

fn message(subject: &str, body: &str) -> Sample {
    Sample::read(
        format!(
            "From: Joe <joe@example.test>\nSubject: {subject}\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n\
             Message-ID: <{subject}@x.test>\n\n{body}\n"
        )
        .as_bytes(),
    )
}

fn taught(folder: &Path, limits: Limits) -> Statistics {
    let statistics = Statistics::open(&folder.join("spam.sqlite"), limits).unwrap();
    for n in 0..30 {
        let ham = message(&format!("meeting {n}"), "the agenda of our project meeting is attached, thanks");
        let spam =
            message(&format!("offer {n}"), "cheap pills without prescription, order now, casino bonus");
        statistics.learn("", &ham, Class::Ham, 100).unwrap();
        statistics.learn("", &spam, Class::Spam, 100).unwrap();
    }
    statistics
}

#[test]
fn what_was_learned_decides_and_can_be_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let statistics = taught(folder.path(), Limits::default());
    let spam = message("x", "order cheap pills now");
    let ham = message("x", "thanks for the agenda of the meeting");
    let chance = |sample: &Sample| statistics.chance(None, sample, 10).unwrap().unwrap();
    assert!(chance(&spam).spam > 0.9, "{:?}", chance(&spam));
    assert!(chance(&ham).spam < 0.1, "{:?}", chance(&ham));
    assert_eq!(chance(&spam), chance(&spam), "the same message has the same verdict");
    assert!(points(chance(&spam).spam) > 4.0 && points(chance(&ham).spam) < -1.0);
    assert!(statistics.chance(None, &spam, 31).unwrap().is_none(), "too little was learned");

    let before = statistics.owners().unwrap();
    assert_eq!(statistics.learn("", &spam, Class::Spam, 100).unwrap(), Changed::Done);
    assert_eq!(statistics.learn("", &spam, Class::Spam, 100).unwrap(), Changed::Nothing, "once is once");
    // Somebody was wrong: the other class takes the place of the first.
    assert_eq!(statistics.learn("", &spam, Class::Ham, 100).unwrap(), Changed::Done);
    assert_eq!(statistics.owners().unwrap()[0].learned, Counts { spam: 30, ham: 31 });
    assert_eq!(statistics.forget("", &spam, 100).unwrap(), Changed::Done);
    assert_eq!(statistics.forget("", &spam, 100).unwrap(), Changed::Nothing);
    assert_eq!(statistics.owners().unwrap()[0].learned, before[0].learned);
}

#[test]
fn a_user_may_see_it_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let statistics = taught(folder.path(), Limits::default());
    for n in 0..12 {
        let wanted = message(&format!("own {n}"), "casino bonus newsletter of the pills company");
        let unwanted = message(&format!("bad {n}"), "something else entirely about shoes");
        statistics.learn("ann@example.test", &wanted, Class::Ham, 100).unwrap();
        statistics.learn("ann@example.test", &unwanted, Class::Spam, 100).unwrap();
    }
    let sample = message("x", "casino bonus pills");
    let of = |user| statistics.chance(user, &sample, 10).unwrap().unwrap().spam;
    assert!(of(None) > 0.9);
    assert!(of(Some("ann@example.test")) < 0.5, "{}", of(Some("ann@example.test")));
    assert_eq!(of(Some("bob@example.test")), of(None));
}

#[test]
fn statistics_stay_within_their_size() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { site_tokens: 400, lifetime: 1000, ..Limits::default() };
    let statistics = taught(folder.path(), limits);
    for n in 0..200 {
        let words: Vec<String> = (0..20).map(|word| format!("word{n}x{word}")).collect();
        statistics.learn("", &message(&format!("{n}"), &words.join(" ")), Class::Ham, 101 + n).unwrap();
    }
    let owner = &statistics.owners().unwrap()[0];
    assert!(owner.tokens <= 400, "{owner:?}");
    // What was seen often outlives what was seen once.
    assert!(statistics.chance(None, &message("x", "order cheap pills now"), 10).unwrap().unwrap().known > 0);
}

#[test]
fn a_header_that_people_can_read() {
    let findings = vec![
        Finding::new("STATISTICS", 5.04, "99.8 % like spam: \"cheap\npills\""),
        Finding::new("LISTED_CLIENT", 3.0, "The client is listed by zen.test"),
    ];
    let verdict = Verdict::new(findings, 5.0, Some("shop.test".to_owned()));
    let fields: Vec<String> =
        verdict.fields().into_iter().map(|field| String::from_utf8(field).unwrap()).collect();
    assert_eq!(
        fields[0],
        "X-Spam-Status: Yes, score=8.0 required=5.0 tests=STATISTICS,LISTED_CLIENT\n\tsender=shop.test"
    );
    assert_eq!(fields[1], "X-Spam-Level: ********");
    assert_eq!(fields[2], "X-Spam-Flag: YES");
    assert!(fields[3].contains("\n\t*  5.0 STATISTICS 99.8 % like spam: \"cheap?pills\""), "{}", fields[3]);
    assert!(fields.iter().flat_map(|field| field.lines().skip(1)).all(|line| line.starts_with('\t')));
    assert_eq!(sender_of(&verdict.line()).as_deref(), Some("shop.test"));
    let none = Verdict::new(Vec::new(), 5.0, None);
    assert_eq!(none.fields(), [b"X-Spam-Status: No, score=0.0 required=5.0 tests=none".to_vec()]);
    let many = (0..60).map(|n| Finding::new(&format!("RULE_NUMBER_{n}"), 0.1, "x")).collect();
    let long = Verdict::new(many, 5.0, None);
    assert!(long.fields()[0].split(|byte| *byte == b'\n').all(|line| line.len() <= 78));
}

#[test]
fn rules_are_read_and_mistakes_named() {
    let mut mistakes = Vec::new();
    let mut rules = Rules::default();
    let text = "# mine\n2.5 SHOES subject /cheap\\/free shoes/i Shoes are sold\n\
                1 NO_SLASH subject shoes\nx BAD subject /a/\n1 PLACE nowhere /a/ b\n1 OPEN body /(/ c\n\
                -1 FRIEND header:X-Club /^yes$/ A friend\n";
    rules.read(text, Path::new("/etc/postfix/spam.rules"), &mut mistakes);
    let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[0].contains("spam.rules") && told[0].contains("slashes"), "{told:?}");
    let sample = Sample::read(b"Subject: Cheap/FREE shoes\nX-Club: yes\n\n");
    let found: Vec<(String, f64)> =
        rules.findings(&sample).into_iter().map(|finding| (finding.name, finding.points)).collect();
    assert_eq!(found, [("SHOES".to_owned(), 2.5), ("FRIEND".to_owned(), -1.0)]);
    // The same name again replaces the rule; 0 points take it away.
    rules.read("0 SHOES subject /x/ no", Path::new("x"), &mut mistakes);
    assert_eq!(rules.findings(&sample).len(), 1);
    let sample = Sample::read(b"Subject: x\n\nhttp://192.0.2.1/x\n");
    assert_eq!(Rules::built_in().findings(&sample)[0].name, "NUMERIC_LINK");
}

#[test]
fn words_behind_encodings_and_tags_are_seen() {
    let text = "From: =?utf-8?q?J=C3=A9r=C3=B4me?= <j@a.test>\nSubject: =?iso-8859-1?q?Caf=E9?=\n\
                Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\
                Content-Transfer-Encoding: base64\n\nY2FzaW5v\n--b\nContent-Type: text/html\n\
                Content-Transfer-Encoding: quoted-printable\n\n<b>bo=\nnus</b> <a href=3D\"HTTPS://u@www.Shop.test:8080/x\">here</a>\n--b--\n";
    let sample = Sample::read(text.as_bytes());
    assert_eq!(sample.subject, "Café");
    assert_eq!(sample.links, ["www.shop.test"]);
    let has = |token: &str| sample.tokens().iter().any(|one| one == token);
    for token in ["casino", "bonus", "s:café", "n:jérôme", "f:a.test", "u:shop.test", "t:b"] {
        assert!(has(token), "{token}: {:?}", sample.tokens());
    }
    // Fields that a hop adds do not make it another message.
    let again = format!("X-Spam-Status: No, sender=good.test\nReceived: from x\n{text}");
    let again = Sample::read(again.as_bytes());
    assert_eq!(again.fingerprint(), sample.fingerprint());
    assert_eq!(again.sender.as_deref(), Some("good.test"));
}

#[test]
fn hostile_messages_cost_their_budget() {
    for text in [
        "Subject: x\n\n".to_owned() + &"a ".repeat(400_000),
        "Subject: x\n\n".to_owned() + &(0..200_000).map(|n| format!("word{n} ")).collect::<String>(),
        "Subject: ".to_owned() + &"=?utf-8?b?Y2FzaW5v?= ".repeat(40_000) + "\n\n",
        "Content-Type: text/html\n\n".to_owned() + &"<".repeat(600_000),
        "Content-Type: text/html\n\n".to_owned() + &"http://a.b ://".repeat(60_000),
        "X: y\n".repeat(100_000),
    ] {
        let sample = Sample::read(text.as_bytes());
        assert!(sample.tokens().len() <= 2000 && sample.body.len() <= 128 << 10 && sample.links.len() <= 40);
    }
}
