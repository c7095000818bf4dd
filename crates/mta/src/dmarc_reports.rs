//! Aggregate reports of DMARC: what we saw goes out once a day, what others saw of our domains is kept.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use conf::{Mistake, View};
use mail::logline::printable;
use mail::{Address, Envelope, Recipient, Refusal, Trouble};
use net::dns::Resolver;
use sign::aggregate::{Letter, Received, Seen, Settings, Store, finished};

use crate::cleanup::{Clean, Skip};
use crate::house::{CLEANUP, House, Setup};
use crate::road::{Message, Orders, accept};

/// How often it is looked whether something is owed, and how soon after the start.
const PAUSE: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(5);

/// Everybody's day ends at the same time; ours is told within so many seconds after it.
const SPREAD: i64 = 4 * 3600;

/// Bytes of a message that is read as a report.
const MOST: usize = 25 << 20;

const DAY: i64 = 86_400;

/// What one configuration says of reports, and the file, once it is open.
pub(crate) struct Reports {
    settings: Settings,
    resolver: Resolver,
    store: Mutex<Option<Arc<Store>>>,
}

impl Reports {
    /// Reads the parameters. `None`: nothing is kept or sent.
    pub(crate) fn read(view: &View, resolver: &Resolver, mistakes: &mut Vec<Mistake>) -> Option<Reports> {
        let settings = Settings::read(view, mistakes);
        let reports = Reports { settings, resolver: resolver.clone(), store: Mutex::default() };
        reports.settings.any().then_some(reports)
    }

    fn store(&self) -> Result<Arc<Store>, Trouble> {
        let mut open = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = &*open {
            return Ok(store.clone());
        }
        let store = Arc::new(Store::open(&self.settings.database)?);
        *open = Some(store.clone());
        Ok(store)
    }

    /// Works with the file where it may block.
    async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Store) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let reports = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&*reports.store()?)).await;
        done.unwrap_or_else(|_| Err(Trouble::new("the file of reports cannot be used")))
    }

    /// Keeps what was seen of a message. A report is not worth a message: it may fail.
    pub(crate) async fn note(self: &Arc<Self>, now: i64, seen: Seen) {
        if !self.settings.sends {
            return;
        }
        if let Err(trouble) = self.with(move |store| store.note(now.div_euclid(DAY), &seen)).await {
            log::warn!(target: "cleanup", "DMARC report: {trouble}");
        }
    }

    /// Keeps the report in a message to an address for them. The message goes its way, whatever is in it.
    pub(crate) async fn take(
        self: &Arc<Self>,
        house: &House,
        clean: &mut Clean<queue::Draft>,
        proven: Option<String>,
    ) -> Result<(), Refusal> {
        let is_for_us =
            |address: &Address| self.settings.addresses.contains(&address.as_str().to_lowercase());
        let mut recipients = clean.envelope.recipients.iter();
        if !recipients.any(|one| is_for_us(&one.address) || is_for_us(&one.original)) {
            return Ok(());
        }
        let (body, now) = (clean.content.body()?, house.now().as_second());
        if body.len() > MOST as u64 {
            log::info!(target: "cleanup", "{}: DMARC report: the message is too large to be one", clean.id);
            return Ok(());
        }
        let kept = self.with(move |store| {
            let message = body.read_at(0, MOST).map_err(Trouble::from)?;
            let report = match Received::of_message(&message) {
                Ok(report) => report,
                Err(why) => return Ok(Err(why)),
            };
            let kept = store.keep(&report, proven.as_deref().unwrap_or_default(), now)?;
            Ok(Ok((kept, report.organization, report.domain)))
        });
        let id = &clean.id;
        match kept.await {
            Ok(Ok((kept, from, about))) => {
                let (from, about) = (printable(&from), printable(&about));
                match kept {
                    Some(number) => {
                        log::info!(target: "cleanup", "{id}: DMARC report {number} of {from} about {about}");
                    }
                    None => {
                        log::info!(target: "cleanup", "{id}: DMARC report of {from} about {about}: known already")
                    }
                }
            }
            Ok(Err(why)) => log::info!(target: "cleanup", "{id}: DMARC report: {why}"),
            Err(trouble) => log::warn!(target: "cleanup", "{id}: DMARC report: {trouble}"),
        }
        Ok(())
    }

    /// Sends what is owed for past days.
    async fn send(self: &Arc<Self>, house: &Arc<House>, setup: &Setup) -> Result<(), Trouble> {
        let now = house.now().as_second();
        let late = self.settings.host.bytes().fold(7, |sum, byte| (sum * 31 + i64::from(byte)) % SPREAD);
        let today = (now - late).div_euclid(DAY);
        let store = self.with(|_| Ok(())).await.and_then(|()| self.store())?;
        for pending in self.with(move |store| store.pending(today)).await? {
            let (id, domain) = (pending.id, printable(&pending.domain));
            let owed = match finished(&store, &self.resolver, &self.settings, pending).await {
                Ok(owed) => owed,
                Err(trouble) => {
                    log::info!(target: "cleanup", "DMARC report about {domain} waits: {trouble}");
                    continue;
                }
            };
            for address in &owed.too_large {
                log::warn!(target: "cleanup", "DMARC report about {domain} is too large for <{address}>");
            }
            for Letter { to, text } in owed.letters {
                let queued = submit(house, setup, &self.settings.sender, &to, text).await;
                let queued = queued.map_err(|refusal| Trouble::new(refusal.log_text().to_owned()))?;
                log::info!(target: "cleanup", "{queued}: DMARC report about {domain} for <{}>", printable(&to));
                self.with(move |store| store.sent(id, &to)).await?;
            }
            self.with(move |store| store.done(id)).await?;
        }
        Ok(())
    }
}

/// Puts a report in the queue, as mail of ours.
async fn submit(
    house: &Arc<House>,
    setup: &Setup,
    sender: &str,
    to: &str,
    text: String,
) -> Result<mail::QueueId, Refusal> {
    let now = house.now();
    let envelope = Envelope {
        sender: sender.into(),
        recipients: vec![Recipient::new(to)],
        rewrite_local: true,
        origin: "dmarc".to_owned(),
        ..Envelope::default()
    };
    let message = Message {
        id: house.queue.new_id(now),
        envelope,
        orders: Orders::default(),
        origin: "local".to_owned(),
        skip: Skip { checks: true, milters: true, bcc: true, ..Skip::default() },
        arrival: now,
        stranger: None,
        prepend: String::new(),
        size_hint: text.len() as u64,
    };
    let content = std::iter::once(Ok(Bytes::from(text)));
    accept(house, setup, message, content).await.map(|queued| queued.id().clone())
}

/// Sends what is owed until the program ends.
pub async fn run(house: Arc<House>) {
    let mut pause = SOON;
    loop {
        tokio::time::sleep(pause).await;
        pause = PAUSE;
        let setup = house.setup();
        let Some(reports) = &setup.cleaner(CLEANUP).reports else { continue };
        if !reports.settings.sends {
            continue;
        }
        if let Err(trouble) = reports.send(&house, &setup).await {
            log::warn!(target: "cleanup", "DMARC reports wait: {trouble}");
        }
    }
}
