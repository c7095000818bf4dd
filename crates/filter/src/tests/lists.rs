//! Lists, their order, and what puts a decision off.

use mail::Trail;

use super::court;
use crate::Stage;

#[test]
fn the_first_decision_of_a_list_stands() {
    for (list, said) in [
        ("", "OK"),
        ("permit, reject", "OK"),
        ("reject", "554 5.7.1 <joe@here.test>: Recipient address rejected: Access denied"),
        ("defer", "450 4.3.2 <joe@here.test>: Recipient address rejected: Try again later"),
        ("warn_if_reject reject", "OK"),
        (
            "warn_if_reject reject, reject",
            "554 5.7.1 <joe@here.test>: Recipient address rejected: Access denied",
        ),
        (
            "defer_if_permit",
            "450 4.7.0 <joe@here.test>: Recipient address rejected: defer_if_permit requested",
        ),
        (
            "defer_if_permit, permit",
            "450 4.7.0 <joe@here.test>: Recipient address rejected: defer_if_permit requested",
        ),
        ("defer_if_permit, reject", "554 5.7.1 <joe@here.test>: Recipient address rejected: Access denied"),
        (
            "defer_if_reject, reject",
            "450 4.7.0 <joe@here.test>: Recipient address rejected: defer_if_reject requested",
        ),
        ("defer_if_reject, permit", "OK"),
        ("sleep 0, reject_plaintext_session", "450 4.7.1 Session encryption is required"),
        ("frobnicate, permit", "451 4.3.5 Server configuration error"),
        ("warn_if_reject frobnicate, permit", "451 4.3.5 Server configuration error"),
        ("check_recipient_access", "451 4.3.5 Server configuration error"),
        ("sleep", "451 4.3.5 Server configuration error"),
        ("reject_rbl_client", "OK"),
        (
            "inline:{joe@here.test=REJECT}",
            "554 5.7.1 <joe@here.test>: Recipient address rejected: Access denied",
        ),
    ] {
        let mut court = court(&format!("smtpd_recipient_restrictions = {list}\n"), "");
        assert_eq!(court.rcpt("joe@here.test"), said, "{list}");
    }
}

#[test]
fn refusals_wait_for_the_recipient_or_do_not() {
    let lists = "smtpd_client_restrictions = check_client_access inline:{ {192.0.2.1=REJECT client} }\n\
                 smtpd_helo_restrictions = check_helo_access inline:{ {helo.test=REJECT helo} }\n\
                 smtpd_sender_restrictions = check_sender_access inline:{ {far.test=REJECT sender} }\n";
    let stages = [Stage::Client, Stage::Helo, Stage::Sender, Stage::Recipient];
    let said = |settings: &str| {
        let mut court = court(settings, "");
        court.recipient = Some("joe@here.test".into());
        stages.map(|stage| court.at(stage))
    };
    let client = "554 5.7.1 <client.test[192.0.2.1]>: Client host rejected: client";
    assert_eq!(said(lists), ["OK", "OK", "OK", client]);
    assert_eq!(
        said(&format!("{lists}smtpd_delay_reject = no\n")),
        [
            client,
            "554 5.7.1 <helo.test>: Helo command rejected: helo",
            "554 5.7.1 <sender@far.test>: Sender address rejected: sender",
            "OK"
        ]
    );
}

#[test]
fn a_deferral_of_an_early_stage_is_said_at_the_recipient() {
    let mut court = court("smtpd_delay_reject = no\nsmtpd_client_restrictions = defer_if_permit\n", "");
    assert_eq!(court.at(Stage::Client), "OK");
    let put_off = "450 4.7.0 <client.test[192.0.2.1]>: Client host rejected: defer_if_permit requested";
    assert_eq!(court.rcpt("joe@here.test"), put_off);
    assert_eq!(court.rcpt("joe@elsewhere.test"), "554 5.7.1 <joe@elsewhere.test>: Relay access denied");
}

#[test]
fn classes_are_lists_with_names() {
    let settings = "smtpd_restriction_classes = strict, mild, round\nstrict = reject\n\
                    mild = warn_if_reject strict, permit\nround = round\n\
                    smtpd_recipient_restrictions = check_recipient_access \
                    inline:{ {a@here.test = strict} {b@here.test = mild} {c@here.test = round} }, permit\n";
    let mut court = court(settings, "");
    assert_eq!(
        court.rcpt("a@here.test"),
        "554 5.7.1 <a@here.test>: Recipient address rejected: Access denied"
    );
    assert_eq!(court.rcpt("b@here.test"), "OK");
    assert_eq!(court.rcpt("c@here.test"), "451 4.3.5 Server configuration error");
}

#[test]
fn soft_bounce_and_codes_from_the_configuration() {
    let mut soft = court("soft_bounce = yes\nsmtpd_recipient_restrictions = reject\n", "");
    assert!(soft.rcpt("joe@here.test").starts_with("454 4.7.1 "));
    let mut coded = court("reject_code = 421\nsmtpd_recipient_restrictions = reject\n", "");
    assert!(coded.rcpt("joe@here.test").starts_with("421 4.7.1 "));
    let mut wrong = court("reject_code = 300\nsmtpd_recipient_restrictions = reject\n", "");
    assert_eq!(wrong.rcpt("joe@here.test"), "450 4.7.1 Service unavailable");
}

#[test]
fn data_and_end_of_data() {
    let settings = "smtpd_data_restrictions = reject_unauth_pipelining, reject_multi_recipient_bounce\n\
                    smtpd_end_of_data_restrictions = check_sender_access inline:{far.test=DISCARD}\n";
    let mut talker = court(settings, "");
    talker.improper_pipelining = true;
    let improper = "503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP command pipelining";
    assert_eq!(talker.at(Stage::Data), improper);
    let mut notice = court(settings, "").from("");
    notice.recipients = 1;
    assert_eq!(notice.at(Stage::Data), "OK");
    notice.recipients = 2;
    assert_eq!(notice.at(Stage::Data), "550 5.5.3 <DATA>: Data command rejected: Multi-recipient bounce");
    let mut dropped = court(settings, "");
    assert_eq!(dropped.at(Stage::EndOfData), "OK");
    assert!(dropped.standing.orders.discard);
}

#[test]
fn etrn_has_a_list_of_its_own() {
    let settings = "smtpd_helo_restrictions = check_helo_access inline:{helo.test=DUNNO}\n\
                    smtpd_etrn_restrictions = check_etrn_access inline:{site.test=REJECT}\n";
    let mut court = court(settings, "");
    assert_eq!(court.at(Stage::Etrn), "554 5.7.1 <site.test>: Etrn command rejected: Access denied");
}

#[test]
fn nobody_runs_an_open_relay() {
    for (settings, open) in [
        ("", false),
        ("smtpd_relay_restrictions =\n", true),
        ("smtpd_relay_restrictions = permit_mynetworks\n", true),
        ("smtpd_relay_restrictions = permit, reject_unauth_destination\n", true),
        ("smtpd_relay_restrictions = warn_if_reject reject\n", true),
        ("smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = defer\n", false),
        ("smtpd_restriction_classes = c\nc = reject\nsmtpd_relay_restrictions = c\n", false),
    ] {
        assert_eq!(court(settings, "").judge.open_relay().is_some(), open, "{settings}");
    }
}

#[test]
fn mistakes_have_their_place() {
    let settings = "smtpd_delay_reject = no\nsmtpd_client_restrictions = reject_unauth_destination\n\
                    smtpd_recipient_restrictions = frobnicate, reject_unknown_client,\n  reject_rbl_client x=1.2.3\n\
                    smtpd_sender_restrictions = check_sender_access inline:{nonsense}\n";
    let mistakes = court(settings, "").mistakes;
    let shown: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    for (line, part) in [
        ("main.cf, line 8: ", "reject_unauth_destination looks at something that is not known here"),
        ("main.cf, line 9: ", "unknown smtpd restriction: \"frobnicate\""),
        ("main.cf, line 9: ", "now called reject_unknown_client_hostname"),
        ("main.cf, line 9: ", "bad DNS list address pattern"),
        ("main.cf, line 11: ", "inline:{nonsense}"),
    ] {
        assert!(shown.iter().any(|one| one.starts_with(line) && one.contains(part)), "{part}: {shown:#?}");
    }
}

#[test]
fn every_step_is_noted() {
    let mut court = court(
        "smtpd_recipient_restrictions = check_recipient_access inline:{ {joe@here.test=REJECT no} }, permit\n",
        "",
    );
    court.recipient = Some("joe@here.test".into());
    let mut trail = Trail::on();
    court.with_trail(Stage::Recipient, &mut trail);
    let steps: Vec<String> = trail.steps().iter().map(ToString::to_string).collect();
    let has = |part: &str| steps.iter().any(|step| step.contains(part));
    assert!(has("smtpd_client_restrictions: empty: no opinion"), "{steps:#?}");
    assert!(has("[joe@here.test]: REJECT no"), "{steps:#?}");
    assert!(has("check_recipient_access: 554 5.7.1"), "{steps:#?}");
}
