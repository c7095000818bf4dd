use super::*;

fn printed(value: &str) -> String {
    String::from_utf8(header(&parse(value.as_bytes(), 0))).expect("UTF-8").replace('\n', " ")
}

fn found(value: &str) -> Vec<String> {
    let tokens = parse(value.as_bytes(), 0);
    mailboxes(&tokens).map(|mailbox| String::from_utf8(mailbox.external().to_vec()).expect("UTF-8")).collect()
}

#[test]
fn lists_are_printed_as_postfix_prints_them() {
    for (value, text) in [
        (" joe", "joe"),
        (" (comment) bare (more)", "bare (comment) (more)"),
        (" <@route1.test,@route2.test:user@final.test>", "<@route1.test,@route2.test:user@final.test>"),
        ("\"Doe, John\" <john>", "\"Doe, John\" <john>"),
        ("undisclosed: ;", "undisclosed: ;"),
        ("grp: a, b@c (x);, d", "grp: a, b@c (x);, d"),
        ("=?utf-8?q?J=C3=A9r?= <jer>", "=?utf-8?q?J=C3=A9r?= <jer>"),
        ("\"quoted local\"@x.test", "\"quoted local\"@x.test"),
        ("John Smith, a b c <abc>", "John, Smith, a b c <abc>"),
        ("joe <joe@x> (c) fred", "joe <joe@x>, fred (c)"),
        ("<joe (c) @x>", "<joe@x (c)>"),
        ("x:y <a@b>", "x:y <a@b>"),
        ("<>", "<>"),
        ("", ""),
        (",,a,", ", , a, "),
        ("a\\ b@c", "\"a b\"@c"),
        ("x@[1.2.3.4]", "x@[1.2.3.4]"),
        ("\"a\\\"b\" <c>", "\"a\\\"b\" <c>"),
        ("unbalanced <joe@x", "\"unbalanced<joe\"@x"),
        ("(unbalanced", "(unbalanced"),
        ("\"unbalanced", "unbalanced"),
    ] {
        assert_eq!(printed(value), text, "{value}");
    }
}

#[test]
fn addresses_are_found() {
    for (value, addresses) in [
        ("a, <b@c>, \"x y\" <d>", &["a", "b@c", "d"][..]),
        ("grp: g1@x, G2@x;, z", &["g1@x", "G2@x", "z"]),
        ("(just a comment)", &[]),
        ("John Smith", &["John", "Smith"]),
        ("<@r.test:routed@x.test>", &["@r.test:routed@x.test"]),
        ("\"a b\"@c", &["\"a b\"@c"]),
        ("host!user, user%b@c", &["host!user", "user%b@c"]),
        ("<>", &[]),
    ] {
        assert_eq!(found(value), addresses, "{value}");
    }
}

#[test]
fn a_replaced_address_keeps_its_surroundings() {
    let mut tokens = parse(b" \"Doe, J\" <john> (x), b", 0);
    for mailbox in mailboxes_mut(&mut tokens) {
        let mut full = mailbox.external().to_vec();
        full.extend_from_slice(b"@example.org");
        mailbox.set(full);
    }
    assert_eq!(header(&tokens), b"\"Doe, J\" <john@example.org>(x),\nb@example.org");
}

#[test]
fn too_much_text_beside_an_address_is_left_out() {
    let comment = "x".repeat(300);
    assert_eq!(printed(&format!("({comment}) joe@x, b")), "<joe@x>, b");
    assert_eq!(printed(&format!("{comment} <joe@x>")), "<joe@x>");
    let fits = "x".repeat(200);
    assert_eq!(printed(&format!("({fits}) joe@x")), format!("joe@x ({fits})"));
}

#[test]
fn tokens_beyond_the_limit_are_lost() {
    assert_eq!(external(&parse(b"a, b, c, d", 3)), b"a, b");
}

#[test]
fn local_parts_are_quoted_and_unquoted() {
    for (internal, external) in [
        ("joe@x", "joe@x"),
        ("joe user@x", "\"joe user\"@x"),
        ("a@b@c", "\"a@b\"@c"),
        ("@r1,@r2:joe@x", "@r1,@r2:joe@x"),
        ("@r1:joe user@x", "@r1:\"joe user\"@x"),
        ("a..b@x", "\"a..b\"@x"),
        ("", "\"\""),
        ("a\"b\\@x", "\"a\\\"b\\\\\"@x"),
        ("j\u{e9}@x", "j\u{e9}@x"),
    ] {
        assert_eq!(quote(internal.as_bytes()), external.as_bytes(), "{internal}");
        assert_eq!(unquote(external.as_bytes()), internal.as_bytes(), "{external}");
    }
    assert_eq!(unquote(b"\"joe\"@x.test"), b"joe@x.test");
    assert_eq!(unquote(b"a\\"), b"a");
}

#[test]
fn broken_text_never_panics() {
    for value in
        ["\\", "(\\", "\"\\", "[\\", "<", ">", ">>", "<<", ";:", ":;:;", "@", "(((", "\"", "[", "a:b;c:d;"]
    {
        let tokens = parse(value.as_bytes(), 0);
        let _ = (header(&tokens), external(&tokens), internal(&tokens));
    }
}
