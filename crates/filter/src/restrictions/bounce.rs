//! `reject_multi_recipient_bounce`: a notice has one reader.

use crate::Stage;
use crate::case::Case;
use crate::restriction::{Restriction, Rule, Step, Wanted};

/// `reject_multi_recipient_bounce`
pub const RULE: Restriction = Restriction {
    name: "reject_multi_recipient_bounce",
    argument: Wanted::Nothing,
    since: Stage::Sender,
    doc: "Refuses mail of the null sender to several recipients.",
    run,
};

fn run<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let null_sender = case.facts.sender.is_some_and(mail::Address::is_null);
    // At RCPT the recipient that is being judged is not counted yet.
    let most = usize::from(case.facts.command != Stage::Recipient.name());
    if !null_sender || case.facts.recipients <= most {
        return Step::DUNNO;
    }
    let code = case.judge.settings.codes.multi_recipient_bounce_reject_code;
    Step::Ready(case.reject(code, (5, 3), "Multi-recipient bounce"))
}
