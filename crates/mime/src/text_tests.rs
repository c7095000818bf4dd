//! Decoding for people, and properties of what strangers send.

use proptest::prelude::*;

use crate::{Limits, charset, date, fold, html, ids, parse, subject, text, words};

#[test]
fn encoded_words_are_read() {
    let cases = [
        ("=?utf-8?q?f=c3=bc_r?= x", "fü r x"),
        ("=?utf-8?b?w7w=?= =?utf-8?b?w7w=?=", "üü"),
        ("=?utf-8?b?ww==?=\n =?utf-8?b?vA==?=", "ü"),
        ("=?iso-8859-1*de?Q?=FC?=", "ü"),
        ("a =?utf-8?q?b?= c", "a b c"),
        ("=?utf-8?x?b?=", "=?utf-8?x?b?="),
        ("=?", "=?"),
        ("=?utf-8?q?a_?=.", "a ."),
        ("=?utf-8?q?a=0d=0aBcc:?=", "a  Bcc:"),
        ("=?utf-7?q?+AOk-?=", "é"),
    ];
    for (value, expected) in cases {
        assert_eq!(words::decode(value.as_bytes()), expected, "{value}");
    }
    assert_eq!(words::decode(b"f\xfcr"), "für", "windows-1252 where it is no UTF-8");
}

#[test]
fn charsets_are_read() {
    assert_eq!(charset::to_utf8(b"\xa4", Some(b"iso-8859-15")), "€");
    assert_eq!(charset::to_utf8("ü".as_bytes(), Some(b"us-ascii")), "ü");
    assert_eq!(charset::to_utf8("ü".as_bytes(), Some(b"x-unknown")), "ü");
    assert_eq!(charset::to_utf8("ü".as_bytes(), Some(b"iso-8859-1")), "Ã¼");
    assert_eq!(charset::to_utf8(b"\xfc", Some(b"utf-8")), "\u{fffd}");
    assert_eq!(charset::utf7(b"Hi Mom -+Jjo--! 1 +- 2"), "Hi Mom -☺-! 1 + 2");
}

#[test]
fn base_subjects() {
    let cases = [
        ("Re: x", "x", true),
        ("x", "x", false),
        ("RE: Fwd: [list] Re [a]:  x  y (fwd)", "x y", true),
        ("[list] x", "x", false),
        ("[list]", "[list]", false),
        ("[Fwd: Re: x]", "x", true),
        ("Re: ", "", true),
        ("Reply: x", "Reply: x", false),
        ("=?utf-8?q?Re=3A_=C3=BC?=", "ü", true),
        ("[a] [b] Re: c", "c", true),
    ];
    for (value, text, is_reply) in cases {
        assert_eq!(subject::base(value.as_bytes()), subject::Base { text: text.into(), is_reply }, "{value}");
    }
}

#[test]
fn dates_are_read() {
    let cases = [
        ("Thu, 9 Jan 2014 18:02:58 +0100 (CET)", 1_389_286_978, 3600),
        ("9 Jan 2014 17:02:58", 1_389_286_978, 0),
        ("Thu Jan  9 17:02:58 2014", 1_389_286_978, 0),
        ("Thu, 09 Jan 14 12:02 EST", 1_389_286_920, -18000),
        ("Thu,9 January 2014 17.02.58 GMT", 1_389_286_978, 0),
        ("Mon, 29 Feb 2016 00:00:00 -0000", 1_456_704_000, 0),
        ("31 Dec 1969 23:59:59 +0000", -1, 0),
    ];
    for (value, seconds, offset) in cases {
        assert_eq!(date::parse(value.as_bytes()), Some(crate::SentDate { seconds, offset }), "{value}");
    }
    assert_eq!(date::parse(b"1 Jan 2020 00:30:00 +0100").unwrap().day(), 18_262, "the sender's day");
    for wrong in ["", "x", "99 Foo 2000", "1 Jan x", "40 Jan 2000 0:0"] {
        assert_eq!(date::parse(wrong.as_bytes()), None, "{wrong}");
    }
}

#[test]
fn ids_are_read() {
    let all = |value: &str| {
        ids::all(value.as_bytes()).into_iter().map(|id| String::from_utf8(id).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(all("<a@b> junk <\"c d\"@e>\n <x\n y@z>"), ["a@b", "c d@e", "xy@z"]);
    assert_eq!(all("<a@b <c@d>"), ["a@b", "c@d"]);
    assert!(all("<> <a> <@b> none").is_empty());
    let first = ids::references(Some(b"none"), Some(b"<a@b> <c@d>"));
    assert_eq!(first, [b"a@b".to_vec()]);
}

#[test]
fn comparison_knows_letters() {
    assert_eq!(fold::casemap("straße Éa"), fold::casemap("STRAßE éA"));
    assert!(fold::casemap("café").contains(&fold::casemap("CAFE")));
    assert_eq!(fold::casemap("Ab1"), "AB1");
}

#[test]
fn html_becomes_text() {
    let page = "<html><head><title>no</title></head><body><style>x</style><p>a&nbsp;&amp;<b>b</b>c</p>d<br>e &#8364; &foo; 1 < 2</body>";
    assert_eq!(html::to_text(page), "a &bc d e € &foo; 1 < 2");
    assert_eq!(html::to_text("<script>x"), "");
}

#[test]
fn previews_are_the_first_words() {
    let show =
        |message: &str| text::preview(message.as_bytes(), &parse(message.as_bytes(), &Limits::default()));
    assert_eq!(show("Subject: x\n\n> quoted\n\nHello\n  there\n"), "Hello there");
    assert_eq!(show("Subject: x\n\n> quoted\n"), "quoted");
    let html = "Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n<p>f=FCr</p>";
    assert_eq!(show(html), "für");
    assert_eq!(show(&format!("\n{}", "é".repeat(500))).chars().count(), 200);
}

#[test]
fn all_text_can_be_searched() {
    let message = "Subject: =?utf-8?q?=C3=A4?=\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Transfer-Encoding: base64\n\nw7Y=\n--x\nContent-Type: message/rfc822\n\nSubject: inner\n\nbody\n--x\nContent-Type: image/gif; name=pic\n\nGIF\n--x--\n";
    let own = text::searchable(message.as_bytes(), &parse(message.as_bytes(), &Limits::default()), 1 << 20);
    assert!(own.header.contains("Subject: ä\n") && own.header.contains("name=pic"));
    assert!(own.body.contains('ö') && own.body.contains("Subject: inner\n") && own.body.contains("body"));
    assert!(!own.body.contains("GIF") && !own.header.contains("inner"));
}

fn lines() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just(&b"--x\n"[..]),
        Just(&b"--x--\r\n"[..]),
        Just(&b"--xy\n"[..]),
        Just(&b"\n"[..]),
        Just(&b"\r\n"[..]),
        Just(&b"Content-Type: multipart/mixed; boundary=x\n"[..]),
        Just(&b"Content-Type: multipart/digest; boundary=\"xy\"\n"[..]),
        Just(&b"Content-Type: message/rfc822\n"[..]),
        Just(&b"Content-Transfer-Encoding: base64\r\n"[..]),
        Just(&b"From: a <b@c>, g: (x) \"y\"@z;\n"[..]),
        Just(&b" folded"[..]),
        Just(&b"text"[..]),
        Just(&b"\r"[..]),
    ];
    proptest::collection::vec(line, 0..60).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn any_lines_have_a_structure(message in lines()) {
        crate::fuzz::structure(&message);
    }

    #[test]
    fn any_bytes_have_a_structure(message in proptest::collection::vec(any::<u8>(), 0..300)) {
        crate::fuzz::structure(&message);
        crate::fuzz::decoding(&message);
        crate::fuzz::values(&message);
    }

    #[test]
    fn any_value_is_read(value in "[a-z<>@:;,\"()\\\\=?*' .\r\n\t+/-]{0,80}") {
        crate::fuzz::decoding(value.as_bytes());
        crate::fuzz::values(value.as_bytes());
        crate::fuzz::structure(format!("From: {value}\nContent-Type: {value}\n\n").as_bytes());
    }
}
