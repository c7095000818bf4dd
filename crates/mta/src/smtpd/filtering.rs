//! Messages that go through a filter before they are accepted (`smtpd_proxy_filter`): nothing is queued here.

use std::sync::Arc;

use bytes::Bytes;
use mail::{Blame, Detail, Refusal, Trouble};
use proto::smtp::Reply;
use proto::smtp::client::Stage;
use queue::{Body, Draft};

use super::proxy::{Filter, Passing, trouble};
use super::said::Said;
use super::session::{Content, Session};

/// Bytes of a spooled message that are read at a time.
const PIECE: usize = 64 * 1024;

/// What the filter is told, and how far that has come.
#[derive(Default)]
pub(super) struct Filtering {
    /// The client's MAIL command.
    mail_command: String,
    /// Its RCPT commands, where they are told later (`speed_adjust`).
    recipient_commands: Vec<String>,
    passing: Option<Passing>,
    /// The client is in the log.
    pub announced: bool,
}

/// Content on its way to the filter.
pub(super) enum Through {
    /// At once.
    Filter,
    /// It is kept until it is whole.
    Spool(Box<Draft>),
    /// Nowhere any more, for this reason.
    Nowhere(Refusal),
}

impl Filtering {
    /// A message that begins with this command.
    pub fn begin(mail_command: &str) -> Box<Filtering> {
        Box::new(Filtering { mail_command: mail_command.to_owned(), ..Filtering::default() })
    }

    async fn close(&mut self) {
        if let Some(passing) = self.passing.take() {
            passing.close().await;
        }
    }
}

impl Session {
    /// Opens the session with the filter, up to MAIL, unless it is open. The error is the reply for the client.
    pub(super) async fn open_filter(&mut self) -> Result<(), Reply> {
        let Some(filter) = self.service.filter.clone() else { return Ok(()) };
        if !filter.adjusts_speed && self.filtering().is_some_and(|filtering| filtering.passing.is_none()) {
            let passing = self.connect_filter(&filter).await?;
            if let Some(filtering) = self.filtering() {
                filtering.passing = Some(passing);
            }
        }
        self.open_message();
        Ok(())
    }

    async fn connect_filter(&mut self, filter: &Arc<Filter>) -> Result<Passing, Reply> {
        let local = self.rewrites_as_local().await.map_err(|refusal| Reply::from(&refusal))?;
        let origin = self.forward.as_ref().map_or(&self.peer.client, |forward| &forward.client).clone();
        let command = self.filtering().map(|filtering| filtering.mail_command.clone()).unwrap_or_default();
        Passing::open(filter, &origin, local, &command).await
    }

    fn filtering(&mut self) -> Option<&mut Filtering> {
        self.transaction.as_mut()?.filtering.as_deref_mut()
    }

    /// Tells the filter of a recipient. The error is the reply for the client.
    pub(super) async fn filter_recipient(&mut self, command: &str) -> Result<(), Reply> {
        let Some(filter) = self.service.filter.clone() else { return Ok(()) };
        self.open_filter().await?;
        let Some(filtering) = self.filtering() else { return Ok(()) };
        if filter.adjusts_speed {
            filtering.recipient_commands.push(command.to_owned());
            return Ok(());
        }
        match &mut filtering.passing {
            Some(passing) => passing.ask(Stage::Rcpt, command).await,
            None => Err(trouble()),
        }
    }

    /// Content begins. The error is the reply for the client.
    pub(super) async fn open_filtered_content(&mut self, chunks: bool) -> Result<(), Reply> {
        let Some(transaction) = &self.transaction else { return Ok(()) };
        let mut top: String =
            self.standing.orders.prepend.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        top.push_str(&self.received(transaction, None));
        let size = transaction.params.size.unwrap_or(0);
        let mut spool = self.service.house.queue.draft(size);
        let adjusts_speed = self.service.filter.as_ref().is_some_and(|filter| filter.adjusts_speed);
        let through = if adjusts_speed {
            match spool.write(top.as_bytes()) {
                Ok(()) => Through::Spool(Box::new(spool)),
                Err(failure) => Through::Nowhere(failure.into()),
            }
        } else {
            let passing = self.filtering().and_then(|filtering| filtering.passing.as_mut());
            let Some(passing) = passing else { return Err(trouble()) };
            passing.open_content().await?;
            passing.content(top.as_bytes()).await;
            Through::Filter
        };
        if let Some(transaction) = &mut self.transaction {
            transaction.size = 0;
            transaction.content = Content::Filtered { chunks, through };
        }
        Ok(())
    }

    /// A piece of content for the filter.
    pub(super) async fn feed_filter(&mut self, bytes: &[u8]) {
        let limit = self.setup.message_size_limit;
        let Some(transaction) = &mut self.transaction else { return };
        let Content::Filtered { through, .. } = &mut transaction.content else { return };
        transaction.size += bytes.len() as u64;
        let passing = transaction.filtering.as_mut().and_then(|filtering| filtering.passing.as_mut());
        if limit > 0 && transaction.size > limit && !matches!(through, Through::Nowhere(_)) {
            log::warn!(target: &self.service.program, "NOQUEUE: queue file size limit exceeded");
            let text = "Error: message file too big";
            *through = Through::Nowhere(Refusal::never(52, Detail(3, 4), Blame::Peer, text));
            // Without its end the filter cannot take it for a whole message.
            if let Some(filtering) = &mut transaction.filtering {
                filtering.passing = None;
            }
            return;
        }
        match (&mut *through, passing) {
            (Through::Filter, Some(passing)) => passing.content(bytes).await,
            (Through::Spool(spool), _) => {
                if let Err(failure) = spool.write(bytes) {
                    *through = Through::Nowhere(failure.into());
                }
            }
            _ => {}
        }
    }

    /// The content is complete: what the filter says of it is what the client hears.
    pub(super) async fn end_filtered(&mut self, through: Through, size: u64) -> Said {
        if let Through::Nowhere(refusal) = &through {
            return self.not_taken(refusal);
        }
        if let Some(said) = self.judge_end(size).await {
            if let Some(filtering) = self.filtering() {
                filtering.close().await;
            }
            return said;
        }
        let reply = match through {
            Through::Spool(spool) => self.replay(*spool).await.unwrap_or_else(|reply| reply),
            _ => match self.filtering().and_then(|filtering| filtering.passing.as_mut()) {
                Some(passing) => passing.end_content().await,
                None => trouble(),
            },
        };
        if let Some(filtering) = self.filtering() {
            filtering.close().await;
        }
        self.forget_message();
        if reply.code / 100 != 2 {
            return Said::error(reply);
        }
        self.errors = 0;
        self.junk = 0;
        Said::ok(reply)
    }

    /// Tells the filter of a whole message at once. `Err` is what it refused it with before its end.
    async fn replay(&mut self, mut spool: Draft) -> Result<Reply, Reply> {
        let Some(filter) = self.service.filter.clone() else { return Err(trouble()) };
        let failed = |trouble: Trouble| Reply::from(&Refusal::from(trouble));
        let body = spool.body().map_err(|failure| failed(failure.into()))?;
        let mut passing = self.connect_filter(&filter).await?;
        let commands = self.filtering().map(|filtering| std::mem::take(&mut filtering.recipient_commands));
        for command in commands.unwrap_or_default() {
            if let Err(reply) = passing.ask(Stage::Rcpt, &command).await {
                passing.close().await;
                return Err(reply);
            }
        }
        passing.open_content().await?;
        let mut offset = 0;
        while offset < body.len() {
            let piece = read(&body, offset).await.map_err(failed)?;
            offset += piece.len() as u64;
            passing.content(&piece).await;
        }
        let reply = passing.end_content().await;
        passing.close().await;
        Ok(reply)
    }
}

/// A piece of a spooled message, read away from the async threads unless it is in memory.
async fn read(body: &Body, offset: u64) -> Result<Bytes, Trouble> {
    let failed =
        |error: &dyn std::fmt::Display| Trouble::new(format!("cannot read a spooled message: {error}"));
    if let Some(bytes) = body.in_memory() {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        return Ok(bytes.slice(from..));
    }
    let body = body.clone();
    let read = tokio::task::spawn_blocking(move || body.read_at(offset, PIECE)).await;
    let piece = read.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    if piece.is_empty() {
        return Err(failed(&"it is shorter than it was"));
    }
    Ok(piece)
}
