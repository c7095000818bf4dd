use super::*;
use crate::testing::{now, router};
use crate::{Listing, Router};

const SITE: &str = "mydomain = site.test\nmyorigin = site.test\nmydestination = site.test, local.test, mx.site.test\n\
                    recipient_delimiter = +\nappend_dot_mydomain = no\n";

fn site(settings: &str) -> Router {
    router(&format!("{SITE}{settings}"))
}

fn stop(router: &Router, sender: &str, recipient: &str) -> Stop {
    let (sender, recipient) = (Address::from(sender), Address::from(recipient));
    let rewritten = router.rewrite(crate::Context::Local, &recipient);
    now(router.resolve(&sender, &rewritten, &mut Trail::off())).unwrap()
}

/// `transport:nexthop recipient`, with `routed` or `malformed` behind it.
fn check(settings: &str, cases: &[(&str, &str)]) {
    let router = site(settings);
    for (recipient, expected) in cases {
        let Stop { transport, nexthop, recipient: to, routed, malformed, .. } =
            stop(&router, "s@x.test", recipient);
        let flags =
            format!("{}{}", if routed { " routed" } else { "" }, if malformed { " malformed" } else { "" });
        assert_eq!(format!("{transport}:{nexthop} {to}{flags}"), *expected, "{recipient}");
    }
}

#[test]
fn routes_in_addresses_are_followed() {
    check(
        "",
        &[
            ("u@x.test", "smtp:x.test u@x.test"),
            ("u@X.Test", "smtp:X.Test u@X.Test"),
            ("u@site.test", "local:mx.site.test u@site.test"),
            ("u@site.test.", "local:mx.site.test u@site.test"),
            ("u", "local:mx.site.test u@site.test"),
            ("u%x.test@site.test", "smtp:x.test u@x.test"),
            ("u%x.test@y.test", "smtp:y.test u%x.test@y.test routed"),
            ("x.test!u@site.test", "smtp:x.test u@x.test"),
            ("x.test!u@y.test", "smtp:y.test x.test!u@y.test routed"),
            ("u%y.test%x.test@site.test", "smtp:x.test u%y.test@x.test routed"),
            ("u@x.test@site.test", "smtp:x.test u@x.test"),
            ("u%x.test@local.test", "smtp:x.test u@x.test"),
            ("u%local.test@site.test", "local:mx.site.test u@local.test"),
            ("u@[127.0.0.1]", "local:mx.site.test u@[127.0.0.1]"),
            ("u@[IPv6:::1]", "local:mx.site.test u@[IPv6:::1]"),
            ("u@[192.0.2.1]", "smtp:[192.0.2.1] u@[192.0.2.1]"),
            ("@site.test", "local:mx.site.test MAILER-DAEMON@site.test"),
            ("joe user@x.test", "smtp:x.test joe user@x.test"),
        ],
    );
}

#[test]
fn broken_addresses_are_errors() {
    let error = |address: &str| format!("error:5.1.3 bad address syntax {address} malformed");
    for (given, kept) in [
        ("u@", "u@"),
        ("u@x..test", "u@x..test"),
        ("u@-x.test", "u@-x.test"),
        ("u@x_y-.test", "u@x_y-.test"),
        ("u@192.0.2.1", "u@192.0.2.1"),
        ("u@[192.0.2]", "u@[192.0.2]"),
        ("-u@x.test", "-u@x.test"),
        ("u@x.test..", "u@x.test.."),
    ] {
        check("", &[(given, &error(kept))]);
    }
    check("resolve_numeric_domain = yes\n", &[("u@192.0.2.1", "smtp:[192.0.2.1] u@[192.0.2.1]")]);
    check("resolve_numeric_domain = yes\n", &[("u@127.0.0.1", "local:mx.site.test u@[127.0.0.1]")]);
    check("allow_min_user = yes\n", &[("-u@x.test", "smtp:x.test -u@x.test")]);
    check("resolve_null_domain = yes\n", &[("u@", "local:mx.site.test u@mx.site.test")]);
    check("smtputf8_enable = yes\n", &[("u@caf\u{e9}.test", "smtp:caf\u{e9}.test u@caf\u{e9}.test")]);
    check(
        "resolve_dequoted_address = no\n",
        &[("u@x.test@site.test", "local:mx.site.test u@x.test@site.test routed")],
    );
}

#[test]
fn classes_choose_transports() {
    check(
        "relay_domains = relay.test\nvirtual_mailbox_domains = box.test\nvirtual_alias_domains = alias.test\n\
         relayhost = [hub.test]\nvirtual_transport = lmtp:unix:/run/lmtp\nlocal_transport = local\n",
        &[
            ("u@site.test", "local:site.test u@site.test"),
            ("u@relay.test", "relay:[hub.test] u@relay.test"),
            ("u@sub.relay.test", "relay:[hub.test] u@sub.relay.test"),
            ("u@box.test", "lmtp:unix:/run/lmtp u@box.test"),
            ("u@alias.test", "error:5.1.1 User unknown in virtual alias table u@alias.test"),
            ("u@x.test", "smtp:[hub.test] u@x.test"),
        ],
    );
    check(
        "default_transport = smtp:[gate.test]\nrelayhost = hub.test\n",
        &[("u@x.test", "smtp:[gate.test] u@x.test")],
    );
    check(
        "virtual_alias_domains = alias.test\nshow_user_unknown_table_name = no\n",
        &[("u@alias.test", "error:5.1.1 User unknown u@alias.test")],
    );
    check(
        "parent_domain_matches_subdomains =\nrelay_domains = relay.test\n",
        &[("u@sub.relay.test", "smtp:sub.relay.test u@sub.relay.test")],
    );
}

#[test]
fn transport_maps_override() {
    check(
        "relayhost = [hub.test]\nvirtual_alias_domains = alias.test\ntransport_maps = inline:{ user@a.test=one:, \
         a.test=two:hop, .a.test=three:, b.test=:[other.test], c.test=:, {err.test=error:5.7.1 go away}, \
         plus+ext@p.test=ext:, plus@p.test=noext:, alias.test=never:, site.test=mine: }\n",
        &[
            ("user@a.test", "one:a.test user@a.test"),
            ("user+x@a.test", "one:a.test user+x@a.test"),
            ("other@a.test", "two:hop other@a.test"),
            ("u@sub.a.test", "three:sub.a.test u@sub.a.test"),
            ("u@deep.sub.a.test", "three:deep.sub.a.test u@deep.sub.a.test"),
            ("u@b.test", "smtp:[other.test] u@b.test"),
            ("u@c.test", "smtp:[hub.test] u@c.test"),
            ("u@err.test", "error:5.7.1 go away u@err.test"),
            ("plus+ext@p.test", "ext:p.test plus+ext@p.test"),
            ("plus+other@p.test", "noext:p.test plus+other@p.test"),
            ("u@alias.test", "error:5.1.1 User unknown in virtual alias table u@alias.test"),
            ("u@site.test", "mine:site.test u@site.test"),
            ("u@else.test", "smtp:[hub.test] u@else.test"),
        ],
    );
    check(
        "transport_maps = inline:{*=star:, x.test=smtp:}\n",
        &[
            ("u@x.test", "smtp:x.test u@x.test"),
            ("u@sub.x.test", "star:sub.x.test u@sub.x.test"),
            ("u@site.test", "star:site.test u@site.test"),
        ],
    );
}

#[test]
fn the_sender_chooses() {
    let router = site(
        "relayhost = [hub.test]\nsender_dependent_relayhost_maps = inline:{s@x.test=[s.test], @d.test=[d.test], \
         d@x.test=DUNNO, <>=[null.test]}\n\
         sender_dependent_default_transport_maps = inline:{t@x.test=lmtp:inet:host, <>=DUNNO, n@x.test=slow:}\n",
    );
    for (sender, transport, nexthop) in [
        ("s@x.test", "smtp", "[s.test]"),
        ("s+ext@x.test", "smtp", "[s.test]"),
        ("any@d.test", "smtp", "[d.test]"),
        ("d@x.test", "smtp", "[hub.test]"),
        ("t@x.test", "lmtp", "inet:host"),
        ("n@x.test", "slow", "[hub.test]"),
        ("", "smtp", "[null.test]"),
    ] {
        let stop = stop(&router, sender, "u@y.test");
        assert_eq!((stop.transport.as_str(), stop.nexthop.as_str()), (transport, nexthop), "{sender}");
    }
}

#[test]
fn the_moved_are_told_of() {
    check(
        "relocated_maps = inline:{old@site.test=new@x.test}\n",
        &[
            ("old+ext@site.test", "error:5.1.6 User has moved to new@x.test old+ext@site.test"),
            ("u@site.test", "local:mx.site.test u@site.test"),
        ],
    );
}

#[test]
fn probes_have_their_own_parameters() {
    let router = site(
        "address_verify_relayhost =\nrelayhost = [hub.test]\naddress_verify_default_transport = direct:\n",
    );
    let (sender, recipient) = (Address::null(), Address::from("u@x.test"));
    let probe = now(router.resolve_probe(&sender, &recipient, &mut Trail::off())).unwrap();
    assert_eq!((probe.transport.as_str(), probe.nexthop.as_str()), ("direct", "x.test"));
}

#[test]
fn a_failing_table_is_temporary_and_the_trail_tells() {
    for settings in [
        "transport_maps = fail:x\n",
        "relay_domains = fail:x\n",
        "relocated_maps = fail:x\n",
        "sender_dependent_relayhost_maps = fail:x\n",
    ] {
        let router = site(settings);
        let answer = now(router.resolve(&Address::null(), &Address::from("u@x.test"), &mut Trail::off()));
        assert_eq!(answer.unwrap_err().smtp_code(), 451, "{settings}");
    }
    let router = site("transport_maps = inline:{x.test=slow:}\n");
    let mut trail = Trail::on();
    now(router.resolve(&Address::null(), &Address::from("u@x.test"), &mut trail)).unwrap();
    let told: Vec<_> =
        trail.steps().iter().map(|step| (step.parameter.as_str(), step.found.as_str())).collect();
    assert_eq!(told, [("default_transport", "smtp"), ("transport_maps", "slow:")]);
}

#[test]
fn recipients_are_listed_or_not() {
    let router = site(
        "local_recipient_maps = inline:{known=x}\nvirtual_mailbox_domains = box.test\n\
         virtual_mailbox_maps = inline:{known@box.test=x}\nrelay_domains = relay.test\n\
         relay_recipient_maps = inline:{known@relay.test=x, @all.relay.test=x}\nvirtual_alias_domains = alias.test\n\
         virtual_alias_maps = inline:{known@alias.test=x, mapped@site.test=y}\n\
         recipient_canonical_maps = inline:{canon@site.test=z}\nsender_canonical_maps = inline:{sent@site.test=z}\n\
         transport_maps = inline:{ {err.test=error:5.1.2 no such place}, else.test=: }\n",
    );
    let unknown = Listing::Unknown;
    for (address, listing) in [
        ("known@site.test", Listing::Listed),
        ("KNOWN+ext@Site.test", Listing::Listed),
        ("nobody@site.test", unknown(DomainClass::Local)),
        ("Postmaster@site.test", Listing::Listed),
        ("MAILER-DAEMON@local.test", Listing::Listed),
        ("mapped@site.test", Listing::Listed),
        ("canon@site.test", Listing::Listed),
        ("sent@site.test", unknown(DomainClass::Local)),
        ("known@box.test", Listing::Listed),
        ("nobody@box.test", unknown(DomainClass::VirtualMailbox)),
        ("known@relay.test", Listing::Listed),
        ("any@all.relay.test", Listing::Listed),
        ("nobody@relay.test", unknown(DomainClass::Relay)),
        ("known@alias.test", Listing::Listed),
        ("nobody@alias.test", unknown(DomainClass::VirtualAlias)),
        ("u@err.test", Listing::Refused),
        ("u@x.test", Listing::Listed),
    ] {
        let stop = stop(&router, "", address);
        let found = now(router.listed_recipient(&Address::from(address), &stop, &mut Trail::off())).unwrap();
        assert_eq!(found, listing, "{address}");
    }
    let stop = stop(&router, "", "sent@site.test");
    let found =
        now(router.listed_sender(&Address::from("sent@site.test"), &stop, &mut Trail::off())).unwrap();
    assert_eq!(found, Listing::Listed);
}
