//! `reject_greylisted`: who comes for the first time is put off.

use std::sync::OnceLock;

use conf::{Mistake, View};
use gate::greylist::{Question, Settings};
use sign::spf::{self, Verdict};

use super::spf::Lent;
use crate::Stage;
use crate::access::{self, Source};
use crate::case::Case;
use crate::restriction::{Restriction, Rule, Step, Wanted};

/// `reject_greylisted`
pub const RULE: Restriction = Restriction {
    name: "reject_greylisted",
    argument: Wanted::Nothing,
    since: Stage::Recipient,
    doc: "Puts off a client that has not written to this recipient for this sender yet, as postgrey does (greylist_delay).",
    run,
};

/// What the configuration says of it, read when it is first asked for: an access table may name a restriction that
/// stands in no list.
pub(crate) struct Greylisting {
    view: View,
    settings: OnceLock<Settings>,
}

impl Greylisting {
    /// Reads the settings where a list names the restriction; what is wrong goes to `mistakes`.
    pub fn new(view: &View, asked: bool, mistakes: &mut Vec<Mistake>) -> Greylisting {
        let settings = OnceLock::new();
        if asked {
            settings.get_or_init(|| Settings::read(view, mistakes));
        }
        Greylisting { view: view.clone(), settings }
    }

    fn settings(&self) -> &Settings {
        self.settings.get_or_init(|| Settings::read(&self.view, &mut Vec::new()))
    }
}

fn run<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let facts = case.facts;
    let (Some(client), Some(sender), Some(recipient)) = (facts.peer.ip, facts.sender, facts.recipient) else {
        return Step::DUNNO;
    };
    let Some(memory) = case.judge.outside.greylist.clone() else { return Step::DUNNO };
    Step::later(async move {
        let judge = case.judge;
        let settings = judge.greylisting.settings();
        let question = Question {
            client,
            name: &facts.peer.client.name,
            sender: sender.as_str(),
            recipient: recipient.as_str(),
            instance: facts.instance,
            queue_id: facts.id.map_or("", |id| id.as_str()),
        };
        let policy = match settings.wants_policy(&memory, &question) {
            true => permitted_by(case, client, sender.as_str()).await,
            false => None,
        };
        let answer = if case.standing.silent {
            settings.look(&memory, &question, policy.as_deref())
        } else {
            let answer = settings.ask(&memory, &question, policy.as_deref());
            log::info!(target: "=postgrey", "{}", answer.log);
            answer
        };
        case.note("greylist", &answer.key, None, &answer.action);
        let source = Source { table: "greylist", key: &answer.key };
        access::act(case, &answer.action, source).await
    })
}

/// The domain whose sender policy permits the client.
async fn permitted_by(case: &Case<'_>, client: std::net::IpAddr, sender: &str) -> Option<String> {
    let question = spf::Question {
        client,
        helo: case.facts.helo.unwrap_or_default(),
        sender,
        receiver: &case.judge.settings.myhostname,
    };
    let answer = spf::check(&Lent(&*case.judge.outside.dns), &question, 0).await;
    (answer.verdict == Verdict::Pass).then_some(answer.domain)
}
