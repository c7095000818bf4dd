//! Who comes for the first time.

use mail::Trail;

use super::court;
use crate::Stage;

const LISTS: &str = "greylist_whitelist_clients =\ngreylist_whitelist_recipients =\n";

#[test]
fn a_stranger_is_put_off_unless_something_else_refuses_for_good() {
    let settings = |list: &str| format!("{LISTS}smtpd_recipient_restrictions = {list}\n");
    let put_off = "450 4.2.0 <joe@here.test>: Recipient address rejected: Greylisted, \
                   see http://postgrey.schweikert.ch/help/here.test.html";
    let mut court = court(&settings("reject_greylisted"), "");
    assert!(!court.mistakes.iter().any(|mistake| mistake.text.contains("greylist")), "{:?}", court.mistakes);
    assert_eq!(court.rcpt("joe@here.test"), put_off);
    let mut court = super::court(&settings("reject_greylisted, reject"), "");
    assert_eq!(
        court.rcpt("joe@here.test"),
        "554 5.7.1 <joe@here.test>: Recipient address rejected: Access denied"
    );
    let mut court = super::court(&settings("permit_mynetworks, reject_greylisted"), "");
    court.peer.ip = Some([10, 0, 0, 1].into());
    court.peer.client.address = "10.0.0.1".to_owned();
    assert_eq!(court.rcpt("joe@here.test"), "OK");
}

#[test]
fn the_trail_names_the_key_and_explaining_remembers_nothing() {
    let mut court = court(&format!("{LISTS}smtpd_recipient_restrictions = reject_greylisted\n"), "");
    court.standing.silent = true;
    court.recipient = Some(mail::Address::from("joe@here.test"));
    let mut trail = Trail::on();
    court.with_trail(Stage::Recipient, &mut trail);
    let steps: Vec<String> = trail.steps().iter().map(ToString::to_string).collect();
    assert!(steps.iter().any(|step| step.contains("192.0.2.0/sender@far.test/joe@here.test")), "{steps:?}");
    let memory = court.judge.outside.greylist.clone().unwrap();
    assert!(memory.list("").is_empty());
}

#[test]
fn a_table_may_name_it_and_the_policy_of_the_sender_makes_two_networks_one_client() {
    let zone = "far.test TXT v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.0/24 -all";
    let settings =
        "smtpd_recipient_restrictions = check_recipient_access inline:{joe@here.test=reject_greylisted}\n";
    let mut court = court(&format!("{LISTS}{settings}"), zone);
    assert!(court.rcpt("joe@here.test").starts_with("450 4.2.0 "));
    let memory = court.judge.outside.greylist.clone().unwrap();
    assert_eq!(memory.list("spf:far.test/").len(), 1);
    assert_eq!(court.rcpt("postmaster@here.test"), "OK");
}
