//! Attached files, and those inside archives, by `attachment_checks`.

use std::time::Duration;

use mail::logline::printable;
use mail::{Blame, Detail, Refusal, Trouble};
use scan::OnFailure;
use scan::attachments::{Attachments, Decision, File, OnLimit, Stop, Walk};

use super::{PIECE, failed, hold_as_it_is, log};
use crate::cleanup::Clean;
use crate::house::House;

/// How long looking may take. Unpacking is bounded by the budget; this is for a disk that hangs.
const WHOLE: Duration = Duration::from_secs(300);

/// Looks at the files of a message, and does what the tables say of them.
pub(crate) async fn check(
    house: &House,
    attachments: &Attachments,
    clean: &mut Clean<queue::Draft>,
) -> Result<(), Refusal> {
    let body = clean.content.body()?;
    let walk = Walk::new(attachments.budget.clone());
    let looking = tokio::task::spawn_blocking(move || look(walk, &body));
    let (files, stop) = match tokio::time::timeout(WHOLE, looking).await {
        Ok(Ok(looked)) => looked,
        _ => (Vec::new(), Some(Stop::Trouble(Trouble::new("looking at attached files takes too long")))),
    };
    for file in &files {
        match attachments.decide(file).await {
            Ok(None) => {}
            Ok(Some(decision)) => return decided(house, clean, file, decision),
            Err(trouble) => return failed(house, OnFailure::TempFail, clean, &trouble),
        }
    }
    match stop {
        None => Ok(()),
        Some(Stop::Trouble(trouble)) => failed(house, OnFailure::TempFail, clean, &trouble),
        Some(Stop::TooMuch(of)) => too_much(house, attachments.on_limit, clean, of),
    }
}

fn look(mut walk: Walk, body: &queue::Body) -> (Vec<File>, Option<Stop>) {
    let mut at = 0;
    loop {
        let piece = match body.read_at(at, PIECE) {
            Ok(piece) => piece,
            Err(failure) => return (walk.found(), Some(Stop::Trouble(failure.into()))),
        };
        if piece.is_empty() {
            return walk.finish();
        }
        at += piece.len() as u64;
        if let Err(stop) = walk.feed(&piece) {
            return (walk.found(), Some(stop));
        }
    }
}

fn decided(
    house: &House,
    clean: &mut Clean<queue::Draft>,
    file: &File,
    decision: Decision,
) -> Result<(), Refusal> {
    let named = |text: &str| match text.contains(&file.path) {
        true => text.to_owned(),
        false => format!("{text} ({})", file.path),
    };
    match decision {
        Decision::Reject(text) => {
            log(clean, "reject", &format!("5.7.1 {}", named(&text)));
            Err(Refusal::never(50, Detail(7, 1), Blame::Policy, printable(&text)))
        }
        Decision::Hold(text) => hold_as_it_is(house, clean, &named(&text)),
        Decision::Discard(text) => {
            log(clean, "discard", &named(&text));
            clean.discard = true;
            Ok(())
        }
    }
}

fn too_much(
    house: &House,
    action: OnLimit,
    clean: &mut Clean<queue::Draft>,
    of: &str,
) -> Result<(), Refusal> {
    let text = format!("attached archives hold too many {of}");
    match action {
        OnLimit::Accept => {
            log::info!(target: "cleanup", "{}: not looked at to the end: {text}", clean.id);
            Ok(())
        }
        OnLimit::Quarantine => hold_as_it_is(house, clean, &text),
        OnLimit::TempFail => {
            log(clean, "reject", &format!("4.7.1 {text}"));
            Err(Refusal::later(51, Detail(7, 1), Blame::Policy, text))
        }
        OnLimit::Reject => {
            log(clean, "reject", &format!("5.7.1 {text}"));
            Err(Refusal::never(50, Detail(7, 1), Blame::Policy, text))
        }
    }
}
