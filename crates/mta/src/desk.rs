//! What the office lends its agents: the way back into the queue, and the way to another agent.

use std::sync::{Arc, OnceLock, Weak};

use deliver::{Boxed, Letter, Pass, Reinject, Report, Request};
use mail::{Blame, Detail, QueueId, Refusal, Trouble};

use crate::cleanup::{Skip, received};
use crate::house::House;
use crate::road::{Message, Orders, accept};

/// Stands between the agents, which are built first, and the house, which is built of them.
#[derive(Default)]
pub struct Desk {
    house: OnceLock<Weak<House>>,
}

impl Desk {
    /// A desk without a house.
    pub fn new() -> Arc<Desk> {
        Arc::default()
    }

    /// Tells it which house it stands in. Only the first call counts.
    pub fn settle_in(&self, house: &Arc<House>) {
        let _ = self.house.set(Arc::downgrade(house));
    }

    fn house(&self) -> Result<Arc<House>, Trouble> {
        let house = self.house.get().and_then(Weak::upgrade);
        house.ok_or_else(|| Trouble::new("the queue is not open"))
    }
}

impl Reinject for Desk {
    fn resubmit(&self, letter: Letter) -> Boxed<'_, Result<QueueId, Trouble>> {
        Box::pin(async move {
            let house = self.house()?;
            let setup = house.setup();
            let now = house.now();
            let id = house.queue.new_id(now);
            let date = mail::date::rfc5322(now, &setup.zone);
            let received = received::local(&setup.myhostname, &setup.mail_name, None, &id, &date);
            let mut prepend = received;
            prepend.push_str(&String::from_utf8_lossy(&letter.prepend));
            let size_hint = letter.content.len();
            let message = Message {
                id,
                envelope: letter.envelope,
                orders: Orders::default(),
                origin: "local".to_owned(),
                skip: Skip { checks: true, milters: true, guards: true, bcc: true, ..Skip::default() },
                arrival: now,
                stranger: None,
                prepend,
                size_hint,
            };
            match accept(&house, &setup, message, letter.content.chunks()).await {
                Ok(queued) => Ok(queued.id().clone()),
                Err(refusal) => Err(Trouble::new(format!("{}: {}", refusal.status(), refusal.log_text()))),
            }
        })
    }
}

impl Pass for Desk {
    fn pass(&self, request: Request) -> Boxed<'_, Report> {
        Box::pin(async move {
            let house = match self.house() {
                Ok(house) => house,
                Err(trouble) => return Report::all(&request, &Refusal::from(trouble), "none"),
            };
            let setup = house.setup();
            let Some(carrier) = setup.carriers.get(&request.transport) else {
                let refusal = Refusal::later(51, Detail(3, 0), Blame::Admin, "mail transport unavailable");
                return Report::all(&request, &refusal, "none");
            };
            let mut report = carrier.agent.deliver(request).await;
            for one in &mut report.delivered {
                one.program.get_or_insert_with(|| carrier.program.clone());
            }
            report
        })
    }
}
