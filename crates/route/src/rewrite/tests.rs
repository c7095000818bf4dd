use super::*;
use crate::testing;

fn check(settings: &str, context: Context, cases: &[(&str, &str)]) {
    let rewriter = Rewriter::new(&testing::view(settings), &mut Vec::new());
    for (before, after) in cases {
        assert_eq!(rewriter.rewrite(context, &Address::from(*before)).as_str(), *after, "{before}");
    }
}

const SITE: &str =
    "myhostname = mx.site.test\nmydomain = site.test\nmyorigin = site.test\nappend_dot_mydomain = yes\n";

#[test]
fn local_addresses_are_completed() {
    check(
        SITE,
        Context::Local,
        &[
            ("", ""),
            ("user", "user@site.test"),
            ("user@host", "user@host.site.test"),
            ("user@host.", "user@host"),
            ("user@host.dom.test.", "user@host.dom.test"),
            ("user@host..", "user@host.."),
            ("user@", "user@"),
            ("@", "@"),
            ("@r1.test,@r2.test:u@x.test", "u@x.test"),
            ("host.test!user", "user@host.test"),
            ("a!b!c", "b!c@a.site.test"),
            ("user%y.test", "user@y.test"),
            ("a%b%c", "a%b@c.site.test"),
            ("user%y.test@z.test", "user%y.test@z.test"),
            ("user@[127.0.0.1]", "user@[127.0.0.1]"),
            ("joe user@x.test", "joe user@x.test"),
            ("joe user", "joe user@site.test"),
            ("a@b", "a@b.site.test"),
            ("a@b@c", "a@b@c.site.test"),
            (".joe@x.test", ".joe@x.test"),
            ("j\u{e9}", "j\u{e9}@site.test"),
        ],
    );
}

#[test]
fn each_rule_can_be_switched_off() {
    let off = format!(
        "{SITE}append_at_myorigin = no\nappend_dot_mydomain = no\nswap_bangpath = no\nallow_percent_hack = no\n"
    );
    check(
        &off,
        Context::Local,
        &[("user", "user"), ("user@host", "user@host"), ("h!u", "h!u"), ("u%h", "u%h")],
    );
    let hack = format!("{SITE}swap_bangpath = no\n");
    check(&hack, Context::Local, &[("a.test!u%h.test", "a.test!u@h.test")]);
}

#[test]
fn strangers_get_their_own_domain() {
    let remote = format!("{SITE}remote_header_rewrite_domain = domain.invalid\n");
    check(&remote, Context::Remote, &[("user", "user@domain.invalid"), ("u@host", "u@host.domain.invalid")]);
    let rewriter = Rewriter::new(&testing::view(SITE), &mut Vec::new());
    assert!(!rewriter.rewrites(Context::Remote) && rewriter.rewrites(Context::Local));
}

#[test]
fn the_short_cut_agrees_with_the_rules() {
    let rewriter = Rewriter::new(&testing::view(SITE), &mut Vec::new());
    for address in ["a@b.c", "a.b@c.d", "a@b..c", "a-b+c=d_e@f-g.h"] {
        assert!(is_complete(address.as_bytes()));
        let mut tokens = addresses::scan(&addresses::quote(address.as_bytes()), 0);
        rewriter.rewrite_tokens(Context::Local, &mut tokens);
        assert_eq!(addresses::quote(&addresses::internal(&tokens)), address.as_bytes());
    }
    for address in [
        "a",
        "a@b",
        "a@b.c.",
        "@b.c",
        ".a@b.c",
        "a..b@c.d",
        "a.@b.c",
        "a%b@c.d",
        "a b@c.d",
        "\"a\"@b.c",
        "a@[1.2.3.4]",
        "a@b@c.d",
    ] {
        assert!(!is_complete(address.as_bytes()), "{address}");
    }
}
