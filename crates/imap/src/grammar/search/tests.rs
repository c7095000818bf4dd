use super::*;

fn search(text: &str) -> Result<String, Refused> {
    Search::parse(&mut Cursor::new(text.as_bytes())).map(|search| format!("{:?}", search.key))
}

#[test]
fn keys_of_all_kinds() {
    for good in [
        "ALL",
        "UNSEEN",
        "1:4,7",
        "$",
        "UID 1:*",
        "NOT SEEN",
        "OR SEEN (FLAGGED 1:3)",
        "KEYWORD $Junk",
        "HEADER X-Y \"\"",
        "FROM \"a b\"",
        "SINCE 1-Feb-2024",
        "SENTON \"1-Feb-2024\"",
        "LARGER 100",
        "CHARSET UTF-8 TEXT caf\u{e9}",
        "CHARSET us-ascii ALL",
        "MODSEQ 12",
        "MODSEQ \"/flags/\\\\Seen\" all 12",
        "OLDER 60",
        "EMAILID M123",
        "RETURN () ALL",
        "RETURN (MIN MAX COUNT) UNSEEN",
        "RETURN (PARTIAL 1:10) ALL",
        "SUBJECT {3}\r\na b UNSEEN",
        "SAVEDSINCE 1-Jan-2020",
        "SAVEDATESUPPORTED",
    ] {
        assert!(search(good).is_ok(), "{good}: {:?}", search(good));
    }
    for bad in [
        "",
        "FOO",
        "NOT",
        "OR SEEN",
        "(SEEN",
        "()",
        "SINCE yesterday",
        "LARGER x",
        "UID",
        "RETURN (FOO) ALL",
        "RETURN (ALL PARTIAL 1:2) ALL",
        "FROM",
        "HEADER X",
        "OLDER 0",
        "ALL)",
        "1 2 X",
    ] {
        assert!(search(bad).is_err(), "{bad}");
    }
    assert_eq!(search("CHARSET KOI8-R ALL"), Err(Refused::Charset));
}

#[test]
fn programs_are_bounded() {
    assert!(search(&"NOT ".repeat(50)).is_err());
    let deep = format!("{}ALL", "NOT ".repeat(39));
    assert!(search(&deep).is_ok());
    let wide = vec!["ALL"; 3000].join(" ");
    assert!(search(&wide).is_err());
}

#[test]
fn sorts_threads_and_many_mailboxes() {
    let sort = Sort::parse(&mut Cursor::new(b"(REVERSE DATE SUBJECT) UTF-8 ALL")).unwrap();
    assert_eq!(sort.keys, [(SortKey::Date, true), (SortKey::Subject, false)]);
    assert!(Sort::parse(&mut Cursor::new(b"(REVERSE) UTF-8 ALL")).is_err());
    assert!(Sort::parse(&mut Cursor::new(b"() UTF-8 ALL")).is_err());
    assert!(thread(&mut Cursor::new(b"REFERENCES UTF-8 ALL")).is_ok());
    assert_eq!(thread(&mut Cursor::new(b"REFERENCES X ALL")).unwrap_err(), Refused::Charset);
    let (sources, search) =
        esearch(&mut Cursor::new(b"IN (subtree (a b) mailboxes c personal) UNSEEN"), false).unwrap();
    assert_eq!(sources.len(), 3);
    assert!(search.returns.all && search.returns.given);
}
