//! Restrictions about HELO names, senders and recipients.

use super::court;
use crate::{NameLookup, Stage};

#[test]
fn forms_of_the_helo_name() {
    let invalid = |helo: &str| format!("501 5.5.2 <{helo}>: Helo command rejected: Invalid name");
    let fqdn =
        |helo: &str| format!("504 5.5.2 <{helo}>: Helo command rejected: need fully-qualified hostname");
    let literal = |helo: &str| format!("501 5.5.2 <{helo}>: Helo command rejected: invalid ip address");
    for (helo, said) in [
        ("host.test", "OK".to_owned()),
        ("host.test.", "OK".to_owned()),
        ("nodots", fqdn("nodots")),
        ("127.0.0.1", fqdn("127.0.0.1")),
        ("-dash.test", invalid("-dash.test")),
        ("a b", invalid("a b")),
        ("[127.0.0.1]", "OK".to_owned()),
        ("[IPv6:::1]", "OK".to_owned()),
        ("[127.0.0.1", literal("[127.0.0.1")),
        ("[nonsense]", literal("[nonsense]")),
    ] {
        let list = "smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname\n";
        assert_eq!(court(list, "").helo(helo).rcpt("joe@here.test"), said, "{helo}");
    }
    let naked = "smtpd_helo_restrictions = permit_naked_ip_address, reject\n";
    assert_eq!(court(naked, "").helo("192.0.2.1").rcpt("joe@here.test"), "OK");
    assert!(court(naked, "").helo("192.0.2").rcpt("joe@here.test").starts_with("501 5.5.2"));
    assert!(court(naked, "").helo("host.test").rcpt("joe@here.test").starts_with("554"));
}

#[test]
fn full_domains() {
    let settings = "smtpd_recipient_restrictions = reject_non_fqdn_sender, reject_non_fqdn_recipient\n";
    let sender = |sender: &str| court(settings, "").from(sender).rcpt("joe@here.test");
    assert_eq!(sender("a@b"), "504 5.5.2 <a@b>: Sender address rejected: need fully-qualified address");
    assert_eq!(sender("user"), "504 5.5.2 <user>: Sender address rejected: need fully-qualified address");
    assert_eq!(sender(""), "OK");
    assert_eq!(sender("a@[192.0.2.1]"), "OK");
    assert_eq!(court(settings, "").rcpt("postmaster"), "OK");
    assert!(court(settings, "").rcpt("joe").starts_with("504 5.5.2 <joe>: Recipient"));
}

#[test]
fn relaying() {
    let relay = |list: &str, recipient: &str| {
        court(&format!("smtpd_relay_restrictions = {list}\n"), "").rcpt(recipient)
    };
    let denied = "554 5.7.1 <a@far.test>: Relay access denied";
    assert_eq!(relay("reject_unauth_destination", "a@far.test"), denied);
    assert_eq!(
        relay("defer_unauth_destination", "a@far.test"),
        "454 4.7.1 <a@far.test>: Relay access denied"
    );
    assert_eq!(relay("reject_unauth_destination", "a@here.test"), "OK");
    assert_eq!(relay("reject_unauth_destination", "x@relay.test"), "OK");
    assert!(relay("reject_unauth_destination", "a%far.test@here.test").starts_with("554 5.7.1"));
    assert_eq!(relay("permit_auth_destination, reject", "a@here.test"), "OK");
    assert!(relay("permit_auth_destination, reject", "a@far.test").starts_with("554 5.7.1"));
    let old = relay("check_relay_domains", "a@far.test");
    assert_eq!(old, "554 5.7.1 <a@far.test>: Recipient address rejected: Relay access denied");
    let broken = relay("reject_unauth_destination", "a@broken.test");
    assert_eq!(broken, "451 4.3.0 <a@broken.test>: Temporary lookup failure");
    let mut trusted = court("", "");
    trusted.peer.ip = Some([10, 1, 2, 3].into());
    assert_eq!(trusted.rcpt("a@far.test"), "OK");
    let mut ours = court("smtpd_relay_restrictions = permit_inet_interfaces, reject\n", "");
    ours.peer.ip = Some([192, 0, 2, 25].into());
    assert_eq!(ours.rcpt("a@far.test"), "OK");
}

#[test]
fn unlisted_addresses() {
    let unknown =
        "550 5.1.1 <x@here.test>: Recipient address rejected: User unknown in local recipient table";
    assert_eq!(court("", "").rcpt("x@here.test"), unknown);
    assert_eq!(court("smtpd_reject_unlisted_recipient = no\n", "").rcpt("x@here.test"), "OK");
    let asked =
        "smtpd_reject_unlisted_recipient = no\nsmtpd_recipient_restrictions = reject_unlisted_recipient\n";
    assert_eq!(court(asked, "").rcpt("x@here.test"), unknown);
    let quiet = "show_user_unknown_table_name = no\nunknown_local_recipient_reject_code = 450\n";
    let said = court(quiet, "").rcpt("x@here.test");
    assert_eq!(said, "450 4.1.1 <x@here.test>: Recipient address rejected: User unknown");
    let said = court("", "").rcpt("x@alias.test");
    assert_eq!(
        said,
        "550 5.1.1 <x@alias.test>: Recipient address rejected: User unknown in virtual alias table"
    );
    let sender = "550 5.1.0 <x@here.test>: Sender address rejected: User unknown in local recipient table";
    for settings in
        ["smtpd_reject_unlisted_sender = yes\n", "smtpd_sender_restrictions = reject_unlisted_sender\n"]
    {
        assert_eq!(court(settings, "").from("x@here.test").rcpt("joe@here.test"), sender);
        assert_eq!(court(settings, "").from("").rcpt("joe@here.test"), "OK");
    }
}

#[test]
fn probes() {
    let recipient = |settings: &str, recipient: &str| {
        let settings = format!("smtpd_recipient_restrictions = reject_unverified_recipient\n{settings}");
        court(&settings, "").rcpt(recipient)
    };
    assert_eq!(recipient("", "good@relay.test"), "OK");
    assert_eq!(
        recipient("unverified_recipient_reject_code = 550\n", "bad@relay.test"),
        "550 5.1.1 <bad@relay.test>: Recipient address rejected: undeliverable address: host x said: 550 no"
    );
    assert_eq!(
        recipient("", "later@relay.test"),
        "450 4.1.1 <later@relay.test>: Recipient address rejected: unverified address: host x said: 450 wait"
    );
    assert_eq!(
        recipient("unverified_recipient_reject_reason = no such user\n", "slow@relay.test"),
        "450 4.1.1 <slow@relay.test>: Recipient address rejected: unverified address: no such user"
    );
    assert_eq!(recipient("unverified_recipient_defer_code = 250\n", "later@relay.test"), "OK");
    assert!(recipient("", "broken@relay.test").starts_with("450 4.1.1"));
    let sender = court("smtpd_sender_restrictions = reject_unverified_sender\n", "").from("later@far.test");
    let mut sender = sender;
    assert!(sender.rcpt("joe@here.test").starts_with("450 4.1.7 <later@far.test>: Sender address rejected"));
}

#[test]
fn who_may_use_a_sender_address() {
    let maps =
        "smtpd_sender_login_maps = inline:{ {sender@far.test = ann, joe} }\nsmtpd_sasl_auth_enable = yes\n";
    let said = |list: &str, login: &str, sender: &str| {
        let mut court = court(&format!("{maps}smtpd_sender_restrictions = {list}\n"), "").from(sender);
        court.peer.client.sasl_username = login.to_owned();
        court.rcpt("joe@here.test")
    };
    let not_owned = "553 5.7.1 <sender@far.test>: Sender address rejected: not owned by user bob";
    let not_in = "553 5.7.1 <sender@far.test>: Sender address rejected: not logged in";
    for (list, login, sender, wanted) in [
        ("reject_sender_login_mismatch", "joe", "sender@far.test", "OK"),
        ("reject_sender_login_mismatch", "bob", "sender@far.test", not_owned),
        ("reject_sender_login_mismatch", "", "sender@far.test", not_in),
        ("reject_sender_login_mismatch", "", "free@far.test", "OK"),
        ("reject_authenticated_sender_login_mismatch", "", "sender@far.test", "OK"),
        ("reject_unauthenticated_sender_login_mismatch", "bob", "sender@far.test", "OK"),
        ("reject_unauthenticated_sender_login_mismatch", "", "sender@far.test", not_in),
        ("reject_known_sender_login_mismatch", "bob", "free@far.test", "OK"),
        ("reject_known_sender_login_mismatch", "bob", "sender@far.test", not_owned),
        ("reject_known_sender_login_mismatch", "", "sender@far.test", not_in),
        ("reject_known_sender_login_mismatch", "", "free@far.test", "OK"),
        ("reject_sender_login_mismatch", "bob", "", "OK"),
    ] {
        assert_eq!(said(list, login, sender), wanted, "{list} {login} {sender}");
    }
    let unowned = said("reject_authenticated_sender_login_mismatch", "bob", "free@far.test");
    assert_eq!(unowned, "553 5.7.1 <free@far.test>: Sender address rejected: not owned by user bob");
}

#[test]
fn logins_and_certificates_open_the_relay() {
    let logins =
        "smtpd_sasl_auth_enable = yes\nsmtpd_relay_restrictions = permit_sasl_authenticated, reject\n";
    let mut court_ = court(logins, "");
    assert!(court_.rcpt("a@far.test").starts_with("554"));
    court_.peer.client.sasl_username = "joe".to_owned();
    assert_eq!(court_.rcpt("a@far.test"), "OK");
    let mut off = court("smtpd_relay_restrictions = permit_sasl_authenticated, reject\n", "");
    off.peer.client.sasl_username = "joe".to_owned();
    assert!(off.rcpt("a@far.test").starts_with("554"));
    let listed =
        "relay_clientcerts = inline:{AA:BB=x}\nsmtpd_relay_restrictions = permit_tls_clientcerts, reject\n";
    let all = "relay_clientcerts = inline:{EE:FF=x}\nsmtpd_relay_restrictions = permit_tls_all_clientcerts, reject\n";
    for (settings, trusted, print, said) in [
        (listed, false, "AA:BB", true),
        (listed, true, "CC:DD", false),
        (all, true, "CC:DD", true),
        (all, false, "AA:BB", false),
        (all, false, "EE:FF", true),
    ] {
        let mut court = court(settings, "");
        let fingerprint = print.to_owned();
        let certificate = crate::Certificate { fingerprint, trusted, ..Default::default() };
        court.peer.tls = Some(Box::new(crate::Tls { certificate: Some(certificate), ..Default::default() }));
        assert_eq!(court.rcpt("a@far.test") == "OK", said, "{settings}");
    }
}

#[test]
fn tables_of_logins_and_certificates() {
    let settings = "smtpd_sasl_auth_enable = yes\nsmtpd_recipient_restrictions = \
                    check_sasl_access inline:{joe=REJECT}, check_ccert_access inline:{AA=REJECT}\n";
    let mut login = court(settings, "");
    login.peer.client.sasl_username = "joe".to_owned();
    assert_eq!(login.rcpt("joe@here.test"), "554 5.7.1 <joe>: SASL login name rejected: Access denied");
    let mut certificate = court(settings, "");
    let print = crate::Certificate {
        fingerprint: "AA".to_owned(),
        subject: "joe's".to_owned(),
        ..Default::default()
    };
    certificate.peer.tls = Some(Box::new(crate::Tls { certificate: Some(print), ..Default::default() }));
    assert_eq!(
        certificate.rcpt("joe@here.test"),
        "554 5.7.1 <joe's>: Client certificate rejected: Access denied"
    );
    assert_eq!(court(settings, "").rcpt("joe@here.test"), "OK");
}

#[test]
fn clients_without_a_name() {
    let list =
        "unknown_client_reject_code = 550\nsmtpd_client_restrictions = reject_unknown_client_hostname\n";
    let said = |lookup| court(list, "").nameless(lookup).rcpt("joe@here.test");
    let never = "550 5.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]";
    assert_eq!(said(NameLookup::Never), never);
    assert_eq!(said(NameLookup::Later), never.replace("550 5", "450 4"));
    assert_eq!(court(list, "").rcpt("joe@here.test"), "OK");
    let reverse = "smtpd_client_restrictions = reject_unknown_reverse_client_hostname\n";
    assert_eq!(court(reverse, "").nameless(NameLookup::Never).rcpt("joe@here.test"), "OK");
    let mut nothing = court(reverse, "");
    nothing.peer.client.reverse_name = "unknown".to_owned();
    let said = nothing.rcpt("joe@here.test");
    assert_eq!(said, "450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]");
}

#[test]
fn a_bounce_has_one_recipient() {
    let list = "smtpd_recipient_restrictions = reject_multi_recipient_bounce\n";
    let mut court = court(list, "").from("");
    assert_eq!(court.rcpt("a@here.test"), "OK");
    court.recipients = 1;
    let said = court.rcpt("b@here.test");
    assert_eq!(said, "550 5.5.3 <b@here.test>: Recipient address rejected: Multi-recipient bounce");
    court.sender = Some("x@far.test".into());
    assert_eq!(court.at(Stage::Recipient), "OK");
}
