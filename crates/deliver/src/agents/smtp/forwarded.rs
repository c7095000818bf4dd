//! Mail that is forwarded leaves with a sender of ours (SRS): the host it goes to may refuse mail of a domain that does not
//! name us, and what it has to say later comes back to us, who know whom to tell.

use std::sync::Arc;

use conf::View;
use mail::logline::printable;
use mail::{Address, Recipient, Trail, Trouble};
use net::clock;
use route::{DomainClass, Router};
use sign::srs::Srs;

use crate::{Feedback, Report, Request};

/// Rewrites the senders of one service.
pub struct Forwarding {
    srs: Srs,
    router: Arc<Router>,
    program: Arc<str>,
}

impl Forwarding {
    /// As the service's parameters have it. What is wrong with them is told where the office reads them.
    pub fn read(view: &View, router: &Arc<Router>, program: &Arc<str>) -> Option<Forwarding> {
        let srs = Srs::read(view, &mut Vec::new())?;
        Some(Forwarding { srs, router: router.clone(), program: program.clone() })
    }

    /// Divides a request into what keeps its sender and what gets another: a transaction has one sender.
    pub async fn divide(&self, request: Request) -> Result<Vec<Request>, Trouble> {
        let Some(sender) = self.other_sender(&request.sender).await? else { return Ok(vec![request]) };
        let (mut forwarded, mut kept) = (Vec::new(), Vec::new());
        for target in &request.targets {
            let away = self.is_forwarded(&target.recipient)
                && self.class(&target.recipient.address).await? == DomainClass::Default;
            if away { &mut forwarded } else { &mut kept }.push(target.clone());
        }
        if forwarded.is_empty() {
            return Ok(vec![request]);
        }
        log::info!(
            target: &self.program,
            "{}: forwarded mail of <{}> leaves as <{}>",
            request.id, printable(request.sender.as_str()), printable(sender.as_str())
        );
        let mut requests = vec![Request { sender, targets: forwarded, ..request.clone() }];
        if !kept.is_empty() {
            requests.push(Request { targets: kept, ..request });
        }
        Ok(requests)
    }

    /// The sender that a foreign one becomes.
    async fn other_sender(&self, sender: &Address) -> Result<Option<Address>, Trouble> {
        let now = clock::wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        let other = self.srs.forward(sender.as_str(), i64::try_from(now).unwrap_or(i64::MAX));
        match other {
            Some(other) if self.class(sender).await? == DomainClass::Default => Ok(Some(other.into())),
            _ => Ok(None),
        }
    }

    async fn class(&self, address: &Address) -> Result<DomainClass, Trouble> {
        match address.domain() {
            Some(domain) => self.router.class(domain, &mut Trail::off()).await,
            None => Ok(DomainClass::Local),
        }
    }

    fn is_forwarded(&self, recipient: &Recipient) -> bool {
        self.srs.always() || is_another(recipient)
    }
}

/// Did the client name somebody else? `ORCPT` tells so even behind a content filter.
fn is_another(recipient: &Recipient) -> bool {
    let same = |other: &str| {
        let address = recipient.address.as_str();
        other.trim_end_matches('.').eq_ignore_ascii_case(address.trim_end_matches('.'))
    };
    let orcpt = recipient.orcpt.as_deref().and_then(|orcpt| orcpt.split_once(';'));
    let orcpt = orcpt.filter(|(kind, _)| kind.eq_ignore_ascii_case("rfc822")).map(|(_, address)| address);
    let original = recipient.original.as_str();
    !original.is_empty() && !same(original) || orcpt.is_some_and(|address| !same(address))
}

/// The answers to both halves of a request as one.
pub fn together(reports: Vec<Report>) -> Report {
    let mut whole = Report::default();
    for (nth, report) in reports.into_iter().enumerate() {
        whole.delivered.extend(report.delivered);
        whole.transcripts.extend(report.transcripts);
        // It is dead when nobody got through.
        if nth == 0 || matches!(report.feedback, Feedback::Alive) {
            whole.feedback = report.feedback;
        }
    }
    whole
}
