//! `facteur explain`: every step with its parameter, table, key and line.

use testbed::Site;

/// All of these stand in the text, one behind the other.
fn has(text: &str, steps: &[&str]) {
    let mut rest = text;
    for step in steps {
        let at = rest.find(step).unwrap_or_else(|| panic!("{step} is not there, or too early:\n{text}"));
        rest = &rest[at + step.len()..];
    }
}

#[test]
fn the_way_of_a_message_is_told_table_by_table() {
    let site = Site::new("mx.test");
    let table = |name: &str, text: &str| format!("texthash:{}", site.put(name, text).display());
    let aliases = site.put("aliases", "staff: ann, bob\nbob: \"|/bin/true\", far@else.test\n");
    let settings = [
        ("mydestination", "mx.test".to_owned()),
        ("sender_canonical_maps", table("senders", "# old names\nann@old.test ann@new.test\n")),
        ("recipient_canonical_maps", table("recipients", "office@mx.test team@lists.test\n")),
        ("virtual_alias_domains", "lists.test".to_owned()),
        ("virtual_alias_maps", table("virtual", "team@lists.test staff@mx.test, x@far.test\n")),
        ("transport_maps", table("transport", "far.test smtp:[192.0.2.9]:2525\n")),
        ("smtp_generic_maps", table("generic", "ann@new.test ann@public.test\n")),
        ("recipient_bcc_maps", table("copies", "team@lists.test archive@far.test\n")),
        ("alias_maps", format!("hash:{}", aliases.display())),
        ("local_recipient_maps", "$alias_maps".to_owned()),
        ("smtpd_client_restrictions", format!("check_client_access {}", table("clients", "192.0.2 OK\n"))),
        ("smtpd_recipient_restrictions", "reject_unauth_destination".to_owned()),
        ("always_bcc", "all@far.test".to_owned()),
    ];
    let site = settings.into_iter().fold(site, |site, (name, value)| site.set(name, &value));
    let words = ["--client", "192.0.2.7", "--client-name", "c.test", "--helo", "c.test"];
    let asked = [&words[..], &["--sender", "ann@old.test", "office@mx.test"]].concat();
    let mx = site.start();
    let told = mx.run("explain", &asked);
    assert_eq!(told.status, 0, "{told:?}");
    has(
        &told.out,
        &[
            "smtpd_client_restrictions texthash:",
            "[192.0.2] (",
            "ACCEPTED",
            "[ann@old.test] (",
            "senders, line 2): ann@new.test",
            "sender replaced by <ann@new.test>",
            "recipient_canonical_maps texthash:",
            "recipient replaced by <team@lists.test>",
            "virtual_alias_maps texthash:",
            "virtual, line 1): staff@mx.test, x@far.test",
            "virtual alias of <staff@mx.test>",
            "class Local, transport local",
            "alias_maps hash:",
            "[staff]",
            "[bob]",
            "[ann]",
            "virtual alias of <x@far.test>",
            "transport, line 1): smtp:[192.0.2.9]:2525",
            "class Default, transport smtp, next hop [192.0.2.9]:2525",
            "smtp_generic_maps texthash:",
            "sender leaves as <ann@public.test>",
            "always_bcc: a copy for <all@far.test>",
            "recipient_bcc_maps texthash:",
            "a copy for <archive@far.test>",
            "<archive@far.test>: class Default",
        ],
    );
    let refused = mx.run("explain", &[&words[..], &["x@nobody.test"]].concat());
    assert_eq!(refused.status, 2, "{refused:?}");
    has(
        &refused.out,
        &["smtpd_relay_restrictions defer_unauth_destination", "REFUSED at RCPT TO: 454 4.7.1"],
    );
}
