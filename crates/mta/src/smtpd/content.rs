//! DATA and BDAT: the content of a message, and the one place where it is accepted.

use filter::{Stage, Verdict};
use mail::{Blame, Detail, Refusal};
use proto::smtp::server::Answer;
use proto::smtp::{Command, Reply};

use super::said::Said;
use super::session::{Content, Session, facts};
use crate::road::Queued;

/// Stages of a message as logs name them.
const IN_DATA: &str = "DATA content";
const IN_CHUNKS: &str = "BDAT content";
const AFTER: &str = "END-OF-MESSAGE";

impl Session {
    /// DATA.
    pub(super) async fn data(&mut self, command: &Command<'_>) -> Said {
        match &self.transaction {
            Some(transaction) if transaction.in_chunks() => {
                return Said::error(Reply::new(503, (5, 1), "Error: DATA after BDAT"));
            }
            Some(transaction) if transaction.recipients.is_empty() => {
                return Said::error(Reply::new(554, (5, 1), "Error: no valid recipients"));
            }
            Some(_) => {}
            None => return Said::error(Reply::new(503, (5, 1), "Error: need RCPT command")),
        }
        if !command.args().is_empty() {
            return Said::error(Reply::new(501, (5, 4), "Syntax: DATA"));
        }
        if let Some(said) = self.judge_content(Stage::Data, "DATA").await {
            return said;
        }
        if let Err(reply) = self.open_content(false).await {
            return Said::error(reply);
        }
        self.stage = IN_DATA;
        // The command succeeds, or not, at the end of the content.
        let mut said = Said::new(Answer::Data(Reply::plain(354, "End data with <CR><LF>.<CR><LF>")), true);
        said.uncounted = true;
        said
    }

    /// BDAT.
    pub(super) async fn bdat(&mut self, command: &Command<'_>) -> Said {
        if self.discarded.has("chunking") {
            let reply = Reply::new(521, (5, 1), "Error: command not implemented");
            return Said::error(reply);
        }
        let Some((size, last)) = chunk(command) else {
            let id = self.message_name();
            log::warn!(
                target: self.program(),
                "{id}: malformed BDAT command syntax from {}: {}",
                self.peer.label(), mail::logline::printable(command.line)
            );
            return Said::error(Reply::new(521, (5, 4), "Syntax: BDAT count [LAST]"));
        };
        let skip = |reply: Reply| Said::new(Answer::SkipChunk { size, reply }, false);
        match &self.transaction {
            None => return skip(Reply::new(503, (5, 1), "Error: need RCPT command")),
            Some(transaction) if transaction.recipients.is_empty() => {
                return skip(Reply::new(554, (5, 1), "Error: no valid recipients"));
            }
            Some(transaction) => {
                let limit = self.setup.message_size_limit;
                if limit > 0 && transaction.size.saturating_add(size) > limit {
                    let id = self.message_name();
                    log::warn!(
                        target: self.program(),
                        "{id}: BDAT request from {} exceeds message size limit", self.peer.label()
                    );
                    return skip(Reply::new(552, (3, 4), "Chunk exceeds message size limit"));
                }
                if !transaction.in_chunks() {
                    if let Some(said) = self.judge_content(Stage::Data, "BDAT").await {
                        return match said.answer {
                            Answer::Say(reply) => skip(reply),
                            _ => said,
                        };
                    }
                    if let Err(reply) = self.open_content(true).await {
                        return skip(reply);
                    }
                }
            }
        }
        self.stage = IN_CHUNKS;
        self.chunk = size;
        let mut said = Said::new(Answer::Chunk { size, last }, true);
        said.uncounted = true;
        said
    }

    /// A piece of content came.
    pub(super) async fn feed(&mut self, bytes: &[u8]) {
        let Some(transaction) = &mut self.transaction else { return };
        let receiving = match &mut transaction.content {
            Content::None => return,
            Content::Filtered { .. } => return Box::pin(self.feed_filter(bytes)).await,
            Content::Coming { receiving, .. } => receiving,
        };
        transaction.size += bytes.len() as u64;
        let Ok(open) = &mut **receiving else { return };
        let Err(refusal) = open.feed(bytes).await else { return };
        if refusal.detail == Detail(3, 4) {
            let id = transaction.id.as_ref().map(ToString::to_string).unwrap_or_default();
            log::warn!(target: &self.service.program, "{id}: queue file size limit exceeded");
        }
        **receiving = Err(refusal);
    }

    /// The end of DATA, or of a chunk.
    pub(super) async fn end_of_content(&mut self, last: bool) -> Said {
        let chunked = self.transaction.as_ref().is_some_and(|transaction| transaction.in_chunks());
        if !last {
            self.went_well(chunked);
            return Said::ok(Reply::new(250, (0, 0), format!("Ok: {} bytes", self.chunk)));
        }
        self.stage = AFTER;
        let said = self.end_of_message(chunked).await;
        if said.ok {
            self.went_well(chunked);
        }
        said
    }

    async fn end_of_message(&mut self, chunked: bool) -> Said {
        let Some(transaction) = &mut self.transaction else {
            return Said::error(Reply::new(503, (5, 1), "Error: need MAIL command"));
        };
        let size = std::mem::take(&mut transaction.size);
        let receiving = match std::mem::replace(&mut transaction.content, Content::None) {
            Content::None => return Said::error(Reply::new(503, (5, 1), "Error: need RCPT command")),
            Content::Filtered { through, .. } => return Box::pin(self.end_filtered(through, size)).await,
            Content::Coming { receiving, .. } => receiving,
        };
        let mut receiving = match *receiving {
            Ok(receiving) => receiving,
            Err(refusal) => return self.not_taken(&refusal),
        };
        let before = self.standing.orders.clone();
        if let Some(said) = self.judge_end(size).await {
            // Postfix keeps the envelope: the client must say RSET before it begins another message.
            return said;
        }
        if self.standing.orders != before {
            let mut late = self.standing.orders.clone();
            late.bcc.drain(..before.bcc.len());
            receiving.take_orders(late);
        }
        match receiving.accept(self.content_milters()).await {
            Ok(queued) => self.taken(&queued, chunked.then_some(size)),
            Err(refusal) => self.not_taken(&refusal),
        }
    }

    /// The message is on disk: only now, and only with the proof of it, may we say 250.
    fn taken(&mut self, queued: &Queued, size: Option<u64>) -> Said {
        self.forget_message();
        self.errors = 0;
        self.junk = 0;
        if let Some(transcript) = &mut self.transcript {
            transcript.all_is_well();
        }
        let text = match size {
            Some(size) => format!("Ok: {size} bytes queued as {}", queued.id()),
            None => format!("Ok: queued as {}", queued.id()),
        };
        Said::ok(Reply::new(250, (0, 0), text))
    }

    pub(super) fn not_taken(&mut self, refusal: &Refusal) -> Said {
        if matches!(refusal.blame, Blame::Ourselves | Blame::Admin) {
            let id = self.message_name();
            log::warn!(target: self.program(), "{id}: {}", mail::logline::printable(refusal.log_text()));
        }
        let said = self.refused(refusal, &self.facts(AFTER));
        self.forget_message();
        said
    }

    /// Asks the judge about DATA or BDAT.
    async fn judge_content(&mut self, stage: Stage, command: &str) -> Option<Said> {
        let mut trail = self.trail();
        let facts = facts(&self.peer, self.transaction.as_deref(), command, self.improper_pipelining);
        let verdict = self.service.judge.judge(stage, &facts, &mut self.standing, &mut trail).await;
        match verdict {
            Verdict::Pass => self.tell_data(command).await.map(Said::error),
            Verdict::Refuse(refusal) => Some(self.refused(&refusal, &self.facts(command))),
        }
    }

    pub(super) async fn judge_end(&mut self, size: u64) -> Option<Said> {
        let mut trail = self.trail();
        let mut facts = facts(&self.peer, self.transaction.as_deref(), AFTER, self.improper_pipelining);
        facts.size = size;
        let verdict =
            self.service.judge.judge(Stage::EndOfData, &facts, &mut self.standing, &mut trail).await;
        match verdict {
            Verdict::Pass => None,
            Verdict::Refuse(refusal) => Some(self.refused(&refusal, &self.facts(AFTER))),
        }
    }

    fn went_well(&mut self, chunked: bool) {
        let verb = if chunked { proto::smtp::Verb::Bdat } else { proto::smtp::Verb::Data };
        self.tally.went_well(Some(verb));
    }

    fn message_name(&self) -> String {
        let id = self.transaction.as_ref().and_then(|transaction| transaction.id.as_ref());
        id.map_or_else(|| "NOQUEUE".to_owned(), ToString::to_string)
    }
}

/// `BDAT size [LAST]`.
fn chunk(command: &Command<'_>) -> Option<(u64, bool)> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    match command.args() {
        [size] => Some((number(size.text())?, false)),
        [size, last] if last.is("LAST") => Some((number(size.text())?, true)),
        _ => None,
    }
}
