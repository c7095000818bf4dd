//! access(5): keys and actions.

use super::court;
use crate::Stage;

#[test]
fn actions() {
    let actions = [
        ("OK", "OK"),
        ("ok with words", "OK"),
        ("RELAY", "OK"),
        ("1234", "OK"),
        ("DUNNO", "OK"),
        ("REJECT", "559 5.7.1 <joe@here.test>: Recipient address rejected: Access denied"),
        ("reject go away", "559 5.7.1 <joe@here.test>: Recipient address rejected: go away"),
        ("REJECT 5.7.99 coded", "559 5.7.99 <joe@here.test>: Recipient address rejected: coded"),
        ("REJECT 4.1.8 of a sender", "559 5.1.2 <joe@here.test>: Recipient address rejected: of a sender"),
        ("DEFER", "459 4.7.1 <joe@here.test>: Recipient address rejected: Access denied"),
        ("450 4.2.1 later", "450 4.2.1 <joe@here.test>: Recipient address rejected: later"),
        ("550", "550 5.7.1 <joe@here.test>: Recipient address rejected: Access denied"),
        ("521 bye", "521 5.7.1 <joe@here.test>: Recipient address rejected: bye"),
        ("200 no", "451 4.3.5 Server configuration error"),
        ("FROBNICATE", "451 4.3.5 Server configuration error"),
        ("DEFER_IF_PERMIT", "459 4.7.1 <joe@here.test>: Recipient address rejected: Service unavailable"),
        ("DEFER_IF_REJECT maybe", "OK"),
        ("WARN x", "OK"),
        ("INFO", "OK"),
        (
            "reject_unauth_destination, reject",
            "554 5.7.1 <joe@here.test>: Recipient address rejected: Access denied",
        ),
        ("check_sender_access hash:x", "451 4.3.5 Server configuration error"),
    ];
    for (action, said) in actions {
        let settings = format!(
            "access_map_reject_code = 559\naccess_map_defer_code = 459\nsmtpd_recipient_restrictions = \
             check_recipient_access inline:{{ {{joe@here.test = {action}}} }}\n"
        );
        assert_eq!(court(&settings, "").rcpt("joe@here.test"), said, "{action}");
    }
}

#[test]
fn orders_for_the_message() {
    let settings = "smtpd_recipient_restrictions = check_recipient_access inline:{ {a@here.test = HOLD} \
                    {b@here.test = FILTER smtp:[f]} {c@here.test = REDIRECT x@y.test} {joe@here.test = BCC z@y.test} \
                    {d@relay.test = PREPEND X-A: b} {e@relay.test = PREPEND nothing} {f@relay.test = FILTER x} \
                    {g@relay.test = REDIRECT x} }\n";
    let mut court = court(settings, "");
    for recipient in ["a@here", "b@here", "c@here", "joe@here", "d@relay", "e@relay", "f@relay", "g@relay"] {
        assert_eq!(court.rcpt(&format!("{recipient}.test")), "OK");
    }
    let orders = &court.standing.orders;
    assert!(orders.hold && !orders.discard);
    assert_eq!(orders.filter.as_deref(), Some("smtp:[f]"));
    assert_eq!(orders.redirect.as_ref().map(|to| to.as_str()), Some("x@y.test"));
    assert_eq!(orders.bcc.iter().map(|to| to.as_str()).collect::<Vec<_>>(), ["z@y.test"]);
    assert_eq!(orders.prepend, ["X-A: b"]);
    court.standing.reset();
    assert_eq!(court.standing.orders, crate::Orders::default());
}

#[test]
fn addresses_are_searched_from_whole_to_part() {
    let keys = [
        ("full+x@far.test", "full+x@far.test"),
        ("full@far.test", "full+x@far.test"),
        ("far.test", "full+x@far.test"),
        ("far.test", "u@sub.far.test"),
        ("full+x@", "full+x@far.test"),
        ("full@", "full+x@far.test"),
    ];
    for (key, sender) in keys {
        let settings = format!(
            "recipient_delimiter = +\nsmtpd_sender_restrictions = check_sender_access inline:{{ {{{key} = REJECT}} }}\n"
        );
        let said = court(&settings, "").from(sender).rcpt("joe@here.test");
        assert!(said.starts_with("554 5.7.1 <"), "{key}: {said}");
    }
    let dotted = "parent_domain_matches_subdomains =\nsmtpd_sender_restrictions = \
                  check_sender_access inline:{ {.far.test = REJECT} }\n";
    assert_eq!(court(dotted, "").from("u@far.test").rcpt("joe@here.test"), "OK");
    assert!(court(dotted, "").from("u@a.far.test").rcpt("joe@here.test").starts_with("554"));
    let null = "smtpd_sender_restrictions = check_sender_access inline:{ {<> = REJECT} }\n";
    assert_eq!(
        court(null, "").from("").rcpt("joe@here.test"),
        "554 5.7.1 <>: Sender address rejected: Access denied"
    );
}

#[test]
fn clients_are_searched_by_name_then_by_address() {
    for key in ["client.test", "test", "192.0.2.1", "192.0.2", "192"] {
        let settings =
            format!("smtpd_client_restrictions = check_client_access inline:{{ {{{key} = REJECT}} }}\n");
        let said = court(&settings, "").rcpt("joe@here.test");
        assert_eq!(said, "554 5.7.1 <client.test[192.0.2.1]>: Client host rejected: Access denied", "{key}");
    }
    let first =
        "smtpd_client_restrictions = check_client_access inline:{ {test = DUNNO} {192.0.2.1 = REJECT} }\n";
    assert_eq!(court(first, "").rcpt("joe@here.test"), "OK");
}

#[test]
fn a_name_of_the_clients_choice_is_never_let_in() {
    let settings =
        "smtpd_client_restrictions = check_reverse_client_hostname_access inline:{client.test=OK}\n";
    assert_eq!(court(settings, "").rcpt("joe@here.test"), "451 4.3.5 Server configuration error");
    let zone = "far.test MX 10 mx.far.test\nmx.far.test A 192.0.2.9\n";
    let settings = "smtpd_sender_restrictions = check_sender_mx_access inline:{mx.far.test=OK}\n";
    assert_eq!(court(settings, zone).rcpt("joe@here.test"), "451 4.3.5 Server configuration error");
}

#[test]
fn a_table_that_fails_is_no_answer() {
    let settings = "smtpd_client_restrictions = check_client_access fail:x\n";
    let said = court(settings, "").rcpt("joe@here.test");
    assert_eq!(said, "451 4.3.5 <client.test[192.0.2.1]>: Client host rejected: Server configuration error");
    let warned = "smtpd_client_restrictions = warn_if_reject check_client_access fail:x\n";
    assert!(court(warned, "").rcpt("joe@here.test").starts_with("451 4.3.5"));
}

#[test]
fn statuses_are_put_into_words_for_what_is_judged() {
    let settings = "smtpd_helo_restrictions = check_helo_access inline:{ {helo.test = 550 5.1.8 x} }\n";
    assert_eq!(court(settings, "").rcpt("joe@here.test"), "550 5.0.0 <helo.test>: Helo command rejected: x");
    let settings = "smtpd_sender_restrictions = check_sender_access inline:{ {far.test = 550 5.1.2 x} }\n";
    let said = court(settings, "").rcpt("joe@here.test");
    assert_eq!(said, "550 5.1.8 <sender@far.test>: Sender address rejected: x");
}

#[test]
fn prepend_comes_too_late_at_the_end() {
    let settings =
        "smtpd_end_of_data_restrictions = check_sender_access inline:{ {far.test = PREPEND X: y} }\n";
    let mut court = court(settings, "");
    assert_eq!(court.at(Stage::EndOfData), "OK");
    assert!(court.standing.orders.prepend.is_empty());
}
