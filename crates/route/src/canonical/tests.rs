use super::*;
use crate::testing::{now, router};
use mail::Address;

const SITE: &str = "mydomain = site.test\nmyorigin = site.test\nrecipient_delimiter = +\nmasquerade_classes = \
                    envelope_sender, envelope_recipient, header_sender, header_recipient\n";

fn check(settings: &str, place: Place, cases: &[(&str, &str)]) {
    let router = router(&format!("{SITE}{settings}"));
    for (before, after) in cases {
        let address = now(router.canonical(place, &Address::from(*before), &mut Trail::off())).unwrap();
        assert_eq!(address.as_str(), *after, "{before} in {place:?}");
    }
}

#[test]
fn tables_replace_addresses() {
    check(
        "canonical_maps = inline:{a@x.test=b, b@site.test=B@site.test, @y.test=@z.test, root=joe@w.test}\n",
        Place::EnvelopeSender,
        &[
            ("a@x.test", "B@site.test"),
            ("a+ext@x.test", "B+ext@site.test"),
            ("u+ext@y.test", "u+ext@z.test"),
            ("root@site.test", "joe@w.test"),
            ("root@x.test", "root@x.test"),
            ("", ""),
        ],
    );
}

#[test]
fn classes_choose_the_addresses() {
    let settings = "sender_canonical_maps = inline:{a@x.test=s@x.test}\nsender_canonical_classes = header_sender\n\
                    recipient_canonical_maps = inline:{a@x.test=r@x.test}\n\
                    canonical_maps = inline:{r@x.test=c@x.test}\ncanonical_classes = envelope_recipient\n";
    check(settings, Place::EnvelopeSender, &[("a@x.test", "a@x.test")]);
    check(settings, Place::HeaderSender, &[("a@x.test", "s@x.test")]);
    check(settings, Place::EnvelopeRecipient, &[("a@x.test", "c@x.test")]);
    check(settings, Place::HeaderRecipient, &[("a@x.test", "r@x.test")]);
}

#[test]
fn an_unknown_class_is_a_mistake() {
    let mut mistakes = Vec::new();
    let view = crate::testing::view("canonical_classes = header_sender, letters\n");
    let tables = tables::Tables::new(tables::Settings::default());
    crate::Router::new(&view, &tables, Vec::new(), &mut mistakes);
    assert_eq!((mistakes.len(), mistakes[0].line), (1, 1));
}

#[test]
fn hosts_hide_behind_their_domain() {
    check(
        "masquerade_domains = !keep.d.test sub.d.test d.test\nmasquerade_exceptions = root\n",
        Place::HeaderSender,
        &[
            ("joe@host.d.test", "joe@d.test"),
            ("joe@HOST.D.test", "joe@d.test"),
            ("joe@host.sub.d.test", "joe@sub.d.test"),
            ("joe@sub.d.test", "joe@sub.d.test"),
            ("joe@host.keep.d.test", "joe@host.keep.d.test"),
            ("joe@keep.d.test", "joe@keep.d.test"),
            ("joe@d.test", "joe@d.test"),
            ("joe@xd.test", "joe@xd.test"),
            ("root@host.d.test", "root@host.d.test"),
            ("joe", "joe"),
        ],
    );
}

#[test]
fn endless_replacement_ends() {
    check(
        "canonical_maps = inline:{a@x.test=b@x.test, b@x.test=a@x.test}\n",
        Place::EnvelopeSender,
        &[("a@x.test", "a@x.test")],
    );
}
