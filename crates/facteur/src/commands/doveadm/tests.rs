use jiff::tz::TimeZone;

use super::print::{Column, Format, Printer};
use super::query::{self, Key, Now};
use super::whom::matches;

fn parse(text: &str) -> Result<Key, String> {
    let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    query::parse(&words, &Now { seconds: 1_800_000_000, zone: TimeZone::UTC })
}

#[test]
fn queries_as_in_the_manual() {
    let check = |text, key| assert_eq!(parse(text), Ok(key), "{text}");
    check("since 2007-04-13", Key::Received(1_176_422_400, i64::MAX));
    check("BEFORE 13-Apr-2007", Key::Received(i64::MIN, 1_176_422_400));
    check("savedon 1176418800", Key::Saved(1_176_418_800, 1_176_505_200));
    check("since 1w", Key::Received(1_800_000_000 - 604_800, i64::MAX));
    check("SAVEDSINCE 2hours", Key::Saved(1_800_000_000 - 7200, i64::MAX));
    check("senton 2007-04-13", Key::Sent(13_616, 13_617));
    check("LARGER 1M", Key::Larger(1 << 20));
    check("1:3,7,*", Key::Sequence(vec![(1, 3), (7, 7), (u32::MAX, u32::MAX)]));
    check("UNSEEN", Key::Not(Box::new(Key::Flag(store::Flags::SEEN))));
    let mailbox = |name: &str| Key::Mailbox(name.to_owned());
    check("mailbox INBOX all", Key::And(vec![mailbox("INBOX"), Key::All]));
    let either = Key::Or(Box::new(mailbox("a")), Box::new(mailbox("b")));
    check("mailbox a OR mailbox b", either.clone());
    let both = vec![either.clone(), Key::Flag(store::Flags::SEEN)];
    check("( mailbox a OR mailbox b ) seen", Key::And(both));
    check("OR mailbox a mailbox b", either.clone());
    check("( mailbox a or mailbox b )", either);
    for wrong in ["foo", "since yesterday", "mailbox", "larger x", "( all", "", "mailbox a or mailbox b seen"]
    {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_destroys_names_a_mailbox() {
    for (text, names) in [
        ("all", false),
        ("mailbox a seen", true),
        ("mailbox a or seen", false),
        ("mailbox a or mailbox b", true),
        ("not mailbox a", false),
    ] {
        assert_eq!(parse(text).map(|key| key.names_mailbox()), Ok(names), "{text}");
    }
}

#[test]
fn masks() {
    assert!(matches("W*", "Work.Sub", Some('.')) && !matches("W%", "Work.Sub", Some('.')));
    assert!(matches("*@example.org", "joe@example.org", None) && matches("jo?", "joe", None));
    assert!(!matches("jo?", "jo", None) && matches("", "", None));
}

fn printed(format: Format, columns: &[Column], rows: &[&[&str]]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut printer = Printer::onto(Box::new(file.reopen().unwrap()), format, columns.to_vec());
    for row in rows {
        printer.row(row.iter().map(|value| (*value).to_owned()).collect()).unwrap();
    }
    printer.finish().unwrap();
    std::fs::read_to_string(file.path()).unwrap()
}

/// As Dovecot's doveadm printed it.
#[test]
fn formats() {
    let columns = [Column::bare("mailbox"), Column::named("messages"), Column::named("vsize")];
    let rows: [&[&str]; 2] = [&["Work", "2", "83"], &["Work.Sub", "0", "0"]];
    let print = |format| printed(format, &columns, &rows);
    assert_eq!(print(Format::Flow), "Work messages=2 vsize=83\nWork.Sub messages=0 vsize=0\n");
    assert_eq!(print(Format::Tab), "mailbox\tmessages\tvsize\nWork\t2\t83\nWork.Sub\t0\t0\n");
    assert_eq!(print(Format::Pager), "Work\nmessages: 2\nvsize: 83\n\x0c\nWork.Sub\nmessages: 0\nvsize: 0\n");
    assert_eq!(
        print(Format::Json),
        r#"[{"mailbox":"Work","messages":"2","vsize":"83"},{"mailbox":"Work.Sub","messages":"0","vsize":"0"}]"#
    );
    let inbox = printed(Format::Table, &columns, &[&["INBOX", "2", "83"]]);
    let padding = " ".repeat(29);
    assert_eq!(inbox, format!("mailbox messages vsize{padding}\nINBOX   2        83   {padding}\n"));
    let text = [Column::named("uid"), Column::text("body")];
    assert_eq!(printed(Format::Pager, &text, &[&["1", "a\nb\n"]]), "uid: 1\nbody:\na\nb\n");
    assert_eq!(printed(Format::Json, &text, &[]), "[]");
}
