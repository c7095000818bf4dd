//! Restrictions that ask the DNS. Doubt is never "no".

use super::court;

#[test]
fn unknown_domains() {
    let zone = "hasa.test A 192.0.2.9\nhasmx.test MX 10 mx.test\nnull.test MX 0 .\ntmp.test FAIL\n\
                half.test FAIL MX\nhalf.test A 192.0.2.9\n";
    let list = "smtpd_sender_restrictions = reject_unknown_sender_domain\n\
                smtpd_recipient_restrictions = reject_unknown_recipient_domain\nsmtpd_relay_restrictions =\n\
                smtpd_data_restrictions = reject\nunknown_address_reject_code = 550\n";
    let sender = |sender: &str| court(list, zone).from(sender).rcpt("joe@here.test");
    for good in ["a@hasa.test", "a@hasmx.test", "a@half.test", "a@[192.0.2.1]", "a@here.test", ""] {
        assert_eq!(sender(good), "OK", "{good}");
    }
    assert_eq!(sender("a@no.test"), "550 5.1.8 <a@no.test>: Sender address rejected: Domain not found");
    assert_eq!(sender("a@tmp.test"), "450 4.1.8 <a@tmp.test>: Sender address rejected: Domain not found");
    assert_eq!(
        sender("a@null.test"),
        "550 5.7.27 <a@null.test>: Sender address rejected: Domain null.test does not accept mail (nullMX)"
    );
    let recipient = |recipient: &str| court(list, zone).from("").rcpt(recipient);
    assert_eq!(recipient("u@no.test"), "550 5.1.2 <u@no.test>: Recipient address rejected: Domain not found");
    assert_eq!(
        recipient("u@null.test"),
        "556 5.1.10 <u@null.test>: Recipient address rejected: Domain null.test does not accept mail (nullMX)"
    );
    let at_once = format!("{list}unknown_address_tempfail_action = defer\nsmtpd_delay_reject = no\n");
    let mut court = court(&at_once, zone).from("a@tmp.test");
    assert!(court.at(crate::Stage::Sender).starts_with("450 4.1.8"));
}

#[test]
fn unknown_helo_names() {
    let zone = "hasa.test A 192.0.2.9\nhasmx.test MX 10 mx.test\ntmp.test FAIL\n";
    let list = "smtpd_helo_restrictions = reject_unknown_helo_hostname\nunknown_hostname_reject_code = 550\n";
    let said = |helo| court(list, zone).helo(helo).rcpt("joe@here.test");
    for good in ["hasa.test", "hasmx.test", "[192.0.2.1]"] {
        assert_eq!(said(good), "OK", "{good}");
    }
    assert_eq!(said("no.test"), "550 5.7.1 <no.test>: Helo command rejected: Host not found");
    assert_eq!(said("tmp.test"), "450 4.7.1 <tmp.test>: Helo command rejected: Host not found");
    assert!(said("[1.2.3]").starts_with("501 5.5.2"));
}

#[test]
fn lists_of_addresses() {
    let zone = "1.2.0.192.bl.test A 127.0.0.2\n1.2.0.192.bl.test TXT see web\n1.2.0.192.tmp.test FAIL\n";
    let said = |list: &str| {
        let settings = format!("smtpd_client_restrictions = {list}\n");
        court(&settings, zone).rcpt("joe@here.test")
    };
    let blocked = "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.test; see web";
    assert_eq!(said("reject_rbl_client bl.test"), blocked);
    assert_eq!(said("reject_rbl_client bl.test=127.0.0.[1..3]"), blocked);
    assert_eq!(said("reject_rbl_client bl.test=127.0.0.4"), "OK");
    assert_eq!(said("reject_rbl_client other.test"), "OK");
    assert_eq!(said("reject_rbl_client tmp.test"), "OK");
    assert_eq!(said("permit_dnswl_client bl.test, reject"), "OK");
    let denied = "<client.test[192.0.2.1]>: Client host rejected: Access denied";
    assert_eq!(said("permit_dnswl_client other.test, reject"), format!("554 5.7.1 {denied}"));
    assert_eq!(
        said("permit_dnswl_client tmp.test, reject"),
        "450 4.7.1 <192.0.2.1>: Client host rejected: Service unavailable"
    );
    let old = court("maps_rbl_domains = bl.test\nsmtpd_client_restrictions = reject_maps_rbl\n", zone);
    let mut old = old;
    assert_eq!(old.rcpt("joe@here.test"), blocked);
}

#[test]
fn replies_of_lists_are_templates() {
    let zone = "1.2.0.192.bl.test A 127.0.0.2\n";
    let settings = "smtpd_client_restrictions = reject_rbl_client bl.test\nmaps_rbl_reject_code = 550\n\
                    rbl_reply_maps = inline:{ {bl.test = $$rbl_code 5.7.9 $$helo_name is on $$rbl_domain} }\n";
    let said = court(settings, zone).helo("$client_name").rcpt("joe@here.test");
    assert_eq!(said, "550 5.7.9 $client_name is on bl.test");
    let wrong = "smtpd_client_restrictions = reject_rbl_client bl.test\ndefault_rbl_reply = go away\n";
    assert_eq!(court(wrong, zone).rcpt("joe@here.test"), "450 4.7.1 Service unavailable");
}

#[test]
fn lists_of_domains() {
    let zone = "far.test.s.test A 127.0.1.3\nhere.test.r.test A 127.0.0.2\nhelo.test.h.test A 127.0.0.2\n\
                client.test.c.test A 127.0.0.2\nclient.test.tmp.test FAIL\n";
    let said = |list: &str| {
        let settings = format!("smtpd_recipient_restrictions = {list}\n");
        court(&settings, zone).rcpt("joe@here.test")
    };
    let blocked =
        |what: &str, zone: &str| format!("554 5.7.1 Service unavailable; {what} blocked using {zone}");
    for (list, what, zone) in [
        ("reject_rhsbl_sender s.test=127.0.1.[2..4]", "Sender address [sender@far.test]", "s.test"),
        ("reject_rhsbl_recipient r.test", "Recipient address [joe@here.test]", "r.test"),
        ("reject_rhsbl_helo h.test", "Helo command [helo.test]", "h.test"),
        ("reject_rhsbl_client c.test", "Client host [client.test]", "c.test"),
        ("reject_rhsbl_reverse_client c.test", "Unverified Client host [client.test]", "c.test"),
    ] {
        assert_eq!(said(list), blocked(what, zone), "{list}");
    }
    assert_eq!(said("permit_rhswl_client c.test, reject"), "OK");
    assert!(said("permit_rhswl_client tmp.test, reject").starts_with("450 4.7.1 <client.test>"));
    let nameless = court("smtpd_recipient_restrictions = reject_rhsbl_client c.test\n", zone);
    let mut nameless = nameless.nameless(crate::NameLookup::Never);
    assert_eq!(nameless.rcpt("joe@here.test"), "OK");
}

#[test]
fn servers_of_a_domain() {
    let zone = "far.test MX 10 mx.bad.test\nmx.bad.test A 192.0.2.9\nfar.test NS ns.bad.test\n\
                ns.bad.test A 192.0.2.8\nfar.test A 192.0.2.7\nself.test A 192.0.2.9\n\
                helo.test A 192.0.2.6\nclient.test A 192.0.2.1\ntmp.test FAIL\n";
    let said = |restriction: &str, key: &str, sender: &str| {
        let settings =
            format!("smtpd_recipient_restrictions = {restriction} inline:{{ {{{key} = REJECT}} }}\n");
        court(&settings, zone).from(sender).rcpt("joe@here.test")
    };
    let sender = |name: &str| format!("554 5.7.1 <{name}>: Sender address rejected: Access denied");
    for (restriction, key, from) in [
        ("check_sender_mx_access", "mx.bad.test", "u@far.test"),
        ("check_sender_mx_access", "192.0.2.9", "u@far.test"),
        ("check_sender_mx_access", "192.0.2", "u@self.test"),
        ("check_sender_ns_access", "ns.bad.test", "u@far.test"),
        ("check_sender_ns_access", "192.0.2.8", "u@sub.far.test"),
        ("check_sender_a_access", "192.0.2.7", "u@far.test"),
        ("check_sender_a_access", "192.0.2.5", "u@[192.0.2.5]"),
    ] {
        assert_eq!(said(restriction, key, from), sender(from), "{restriction} {key}");
    }
    assert_eq!(said("check_sender_mx_access", "192.0.2.9", "u@tmp.test"), "OK");
    assert_eq!(said("check_sender_mx_access", "192.0.2.9", ""), "OK");
    let helo = "554 5.7.1 <helo.test>: Helo command rejected: Access denied";
    assert_eq!(said("check_helo_a_access", "192.0.2.6", ""), helo);
    let client = "554 5.7.1 <client.test[192.0.2.1]>: Client host rejected: Access denied";
    assert_eq!(said("check_client_a_access", "192.0.2.1", ""), client);
    let reverse = "554 5.7.1 <client.test>: Unverified Client host rejected: Access denied";
    assert_eq!(said("check_reverse_client_hostname_a_access", "192.0.2.1", ""), reverse);
}

#[test]
fn backup_exchangers() {
    let zone = "back.test MX 10 mx1.test\nback.test MX 20 mx.here.test\nmx1.test A 192.0.2.1\n\
                far.test MX 10 mx2.test\nfar.test MX 20 us.test\nmx2.test A 198.51.100.1\n\
                us.test A 192.0.2.25\nother.test MX 10 mx1.test\ntmp.test FAIL\nalias.far.test A 192.0.2.25\n";
    let said = |networks: &str, recipient: &str| {
        let settings = format!(
            "smtpd_relay_restrictions = permit_mx_backup, reject_unauth_destination\n\
             permit_mx_backup_networks = {networks}\n"
        );
        court(&settings, zone).rcpt(recipient)
    };
    let denied = |recipient: &str| format!("554 5.7.1 <{recipient}>: Relay access denied");
    assert_eq!(said("", "u@back.test"), "OK");
    assert_eq!(said("", "u@far.test"), "OK");
    assert_eq!(said("192.0.2.0/28", "u@back.test"), "OK");
    assert_eq!(said("192.0.2.0/28", "u@far.test"), denied("u@far.test"));
    assert_eq!(said("", "u@other.test"), denied("u@other.test"));
    assert_eq!(said("", "u@alias.far.test"), "OK");
    assert_eq!(
        said("", "u@tmp.test"),
        "450 4.4.4 <u@tmp.test>: Recipient address rejected: Unable to look up mail exchanger information: \
         Host not found, try again"
    );
}

#[test]
fn records_that_are_not_seen() {
    let zone = "1.2.0.192.bl.test A 127.0.0.2\nfar.test A 192.0.2.9\nfar.test MX 10 mx.test\n";
    let list = "smtpd_dns_reply_filter = regexp:{{/^[^ ]* [0-9]+ IN A 127/ IGNORE} {/ IN MX 10 mx.test.$/ IGNORE}}\n\
                smtpd_client_restrictions = reject_rbl_client bl.test\n\
                smtpd_sender_restrictions = reject_unknown_sender_domain\n";
    let said = court(list, zone).rcpt("joe@here.test");
    assert_eq!(said, "OK", "the list has no answer, and the domain still has an address");
    let nothing = "smtpd_dns_reply_filter = static:IGNORE\nunknown_address_reject_code = 550\n\
                   smtpd_sender_restrictions = reject_unknown_sender_domain\n";
    assert!(court(nothing, zone).rcpt("joe@here.test").starts_with("450 4.1.8"));
}

#[test]
fn sender_policies() {
    let zone = "good.test TXT v=spf1 ip4:192.0.2.1 -all\nbad.test TXT v=spf1 ip4:198.51.100.0/24 -all exp=why.%{d}\n\
                why.bad.test TXT not from %{i}\ntmp.test FAIL\nhelo.test TXT v=spf1 -all\n";
    let list = "smtpd_sender_restrictions = reject_spf_fail\n";
    let said = |sender: &str| court(list, zone).from(sender).rcpt("joe@here.test");
    for passed in ["a@good.test", "a@tmp.test", "a@none.test"] {
        assert_eq!(said(passed), "OK", "{passed}");
    }
    assert_eq!(
        said("a@bad.test"),
        "550 5.7.23 <a@bad.test>: Sender address rejected: 192.0.2.1 may not send mail for bad.test (SPF): \
         not from 192.0.2.1"
    );
    // Notices have no sender: the name of HELO stands for it.
    assert!(
        said("")
            .starts_with("550 5.7.23 <>: Sender address rejected: 192.0.2.1 may not send mail for helo.test")
    );
    let mut court = court(list, zone).from("a@good.test");
    for recipient in ["joe@here.test", "a@here.test"] {
        assert_eq!(court.rcpt(recipient), "OK");
    }
    let lines: Vec<_> =
        court.standing.orders.prepend.iter().filter(|line| line.starts_with("Received-SPF")).collect();
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].starts_with("Received-SPF: pass (mx.here.test: ip4:192.0.2.1 of good.test)"),
        "{lines:?}"
    );
}

#[test]
fn policies_of_helo_names() {
    let zone = "helo.test TXT v=spf1 -all exp=why.helo.test\nwhy.helo.test TXT not %{i}\n\
                mine.test TXT v=spf1 ip4:192.0.2.1 -all\ntmp.test FAIL\nfar.test TXT v=spf1 -all\n";
    let list = "smtpd_helo_restrictions = reject_spf_helo_fail\n";
    let said = |helo: &'static str| court(list, zone).helo(helo).from("a@far.test").rcpt("joe@here.test");
    for passed in ["mine.test", "tmp.test", "none.test", "[192.0.2.1]", "single"] {
        assert_eq!(said(passed), "OK", "{passed}");
    }
    assert_eq!(
        said("helo.test"),
        "550 5.7.23 <helo.test>: Helo command rejected: 192.0.2.1 may not use this name (SPF): not 192.0.2.1"
    );
}
