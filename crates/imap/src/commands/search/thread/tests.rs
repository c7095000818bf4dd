use super::*;

/// `uid sent subject id references…`
fn header(text: &str) -> Header {
    let words: Vec<&str> = text.split(' ').collect();
    let base = mime::subject::base(words[2].as_bytes());
    Header {
        uid: words[0].parse().unwrap(),
        sent: words[1].parse().unwrap(),
        subject: base.text.to_uppercase(),
        is_reply: base.is_reply,
        id: (words[3] != "-").then(|| words[3].as_bytes().to_vec()),
        references: words[4..].iter().map(|id| id.as_bytes().to_vec()).collect(),
    }
}

fn threads(lines: &[&str], algorithm: Algorithm) -> String {
    let headers: Vec<Header> = lines.iter().map(|line| header(line)).collect();
    let threads = match algorithm {
        Algorithm::OrderedSubject => by_subject(headers),
        Algorithm::References => Forest::new(&headers).threads(&headers, true),
        Algorithm::Refs => Forest::new(&headers).threads(&headers, false),
    };
    let mut out = Out::default();
    write(&threads, &Some, &mut out);
    String::from_utf8(out.bytes().clone()).unwrap()
}

#[test]
fn by_subject_the_first_leads() {
    let lines = ["1 30 b x", "2 10 a y", "3 20 Re:a z", "4 40 Re:b -", "5 50 a w"];
    assert_eq!(threads(&lines, Algorithm::OrderedSubject), "(2 (3)(5))(1 4)");
}

#[test]
fn by_references() {
    let lines = [
        "1 10 a x",
        "2 20 Re:a y x",
        "3 30 Re:a z x y",
        "4 25 Re:a w x",
        "5 40 q v missing",
        "6 41 r u missing",
    ];
    assert_eq!(threads(&lines, Algorithm::References), "(1 (2 3)(4))((5)(6))");
    assert_eq!(threads(&lines, Algorithm::Refs), "(1 (2 3)(4))((5)(6))");
}

#[test]
fn a_reply_without_references_joins_by_subject() {
    let lines = ["1 10 hello x", "2 20 Re:hello y"];
    assert_eq!(threads(&lines, Algorithm::References), "(1 2)");
    assert_eq!(threads(&lines, Algorithm::Refs), "(1)(2)");
    let lines = ["1 10 hello x", "2 20 hello y"];
    assert_eq!(threads(&lines, Algorithm::References), "((1)(2))");
}

#[test]
fn what_a_message_says_itself_counts() {
    // From imaptest: a circle between the second and the third.
    assert_eq!(threads(&["1 30 - a", "2 10 - b a c", "3 20 - c b"], Algorithm::Refs), "(3 2)(1)");
}

#[test]
fn circles_doubles_and_long_chains_are_survived() {
    let lines = ["1 10 a x y", "2 20 a y x", "3 30 a x", "4 40 b -"];
    assert!(threads(&lines, Algorithm::References).contains('4'));
    let long: Vec<String> = (1..3000).map(|n| format!("{n} {n} s{n} id{n} id{}", n - 1)).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    let text = threads(&long, Algorithm::Refs);
    assert!(text.starts_with("(1 2 3 4 ") && text.ends_with(" 2999)"));
}
