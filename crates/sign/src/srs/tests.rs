//! Addresses as postsrsd makes them.

use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key};

use super::*;

/// 2020-01-01 00:01:00 UTC, the day of postsrsd's examples.
const DAY: i64 = 1_577_836_860;

fn srs() -> Srs {
    let key = |secret: &str| Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    Srs {
        domain: "example.com".into(),
        secrets: vec![key("tops3cr3t"), key("older")],
        separator: '=',
        length: 4,
        lifetime: 21,
        excluded: vec!["excluded.com".into(), ".below.com".into()],
        always: false,
    }
}

#[test]
fn the_examples_of_postsrsd_forward() {
    let srs = srs();
    for (sender, expected) in [
        ("test@otherdomain.com", Some("SRS0=vmyz=2W=otherdomain.com=test@example.com")),
        ("test@example.com", None),
        ("SRS0=XjO9=2V=otherdomain.com=test@example.com", None),
        ("SRS0=opaque+string@otherdomain.com", Some("SRS1=chaI=otherdomain.com==opaque+string@example.com")),
        ("SRS0+xx@a.com", Some("SRS1=PViI=a.com=+xx@example.com")),
        ("SRS0-abc=de@A.com", Some("SRS1=Edz/=A.com=-abc=de@example.com")),
        (
            "SRS1=X=thirddomain.com==opaque+string@otherdomain.com",
            Some("SRS1=JIBX=thirddomain.com==opaque+string@example.com"),
        ),
        ("test@excluded.com", None),
        ("test@of.below.com", None),
        ("", None),
        ("bla", None),
        ("SRS1=X@other.com", None),
    ] {
        assert_eq!(srs.forward(sender, DAY).as_deref(), expected, "{sender}");
    }
    for rewritten in ["test@sub.excluded.com", "test@below.com"] {
        assert!(srs.forward(rewritten, DAY).is_some(), "{rewritten}");
    }
    let long = format!("{}@{}.com", "a".repeat(64), "b".repeat(180));
    assert_eq!(srs.forward(&long, DAY), None, "nobody would take such an address");
}

#[test]
fn the_examples_of_postsrsd_reverse() {
    let srs = srs();
    for (address, expected) in [
        ("SRS0=XjO9=2V=otherdomain.com=test@example.com", Ok("test@otherdomain.com")),
        ("srs0=xjo9=2v=otherdomain.com=test@example.com", Ok("test@otherdomain.com")),
        ("SRS0=XJO9=2V=OTHERDOMAIN.COM=TEST@EXAMPLE.COM", Ok("TEST@OTHERDOMAIN.COM")),
        ("SRS1=JIBX=thirddomain.com==opaque+string@example.com", Ok("SRS0=opaque+string@thirddomain.com")),
        ("SRS0=te87=T7=otherdomain.com=test@example.com", Err("it is too old")),
        ("SRS0=VcIb=7N=otherdomain.com=test@example.com", Err("it is too old")),
        ("SRS0=FAKE=2V=otherdomain.com=test@example.com", Err("its signature is not ours")),
        ("SRS0=XjO=2V=otherdomain.com=test@example.com", Err("its signature is not ours")),
        ("SRS0=@example.com", Err("it has no day")),
        ("SRS0=XjO9@example.com", Err("it has no day")),
        ("SRS0=XjO9=2V@example.com", Err("it has no domain")),
        ("SRS0=XjO9=2V=otherdomain.com@example.com", Err("it has no user")),
        ("SRS1=@example.com", Err("it has no domain")),
    ] {
        let expected = expected.map(str::to_owned);
        assert_eq!(srs.reverse(address, DAY), Some(expected), "{address}");
    }
    for other in
        ["test@example.com", "SRS0=XjO9=2V=otherdomain.com=test@other.com", "SRS2=a@example.com", "x"]
    {
        assert_eq!(srs.reverse(other, DAY), None, "{other}");
    }
}

#[test]
fn an_address_is_good_for_its_days_and_whoever_signed_it() {
    let mut srs = srs();
    srs.separator = '+';
    let address = srs.forward("ann@a.test", DAY).unwrap();
    assert!(address.starts_with("SRS0+"), "{address}");
    for (days, good) in [(0, true), (21, true), (22, false), (-1, false), (1024, true)] {
        let told = srs.reverse(&address, DAY + days * 86_400).unwrap();
        assert_eq!(told.is_ok(), good, "{days}");
    }
    // The next secret comes before this one in the file, which still is believed.
    srs.secrets.swap(0, 1);
    assert_eq!(srs.reverse(&address, DAY), Some(Ok("ann@a.test".to_owned())));
    srs.secrets.truncate(1);
    assert!(srs.reverse(&address, DAY).unwrap().is_err());
    // Through two others and back to who is next.
    let first = srs.forward("SRS0=x=y=b.test=bob@c.test", DAY).unwrap();
    assert_eq!(srs.reverse(&first, DAY), Some(Ok("SRS0=x=y=b.test=bob@c.test".to_owned())));
}
