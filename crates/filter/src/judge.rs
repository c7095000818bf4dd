//! The judge of one SMTP service.

use conf::{Mistake, View};
use mail::{Refusal, Trail};
use tables::Tables;

use crate::{Facts, Outside, Stage, Standing};

/// What the judge says at a stage.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Go on.
    Pass,
    /// Say this. Codes 421 and 521 also end the session.
    Refuse(Box<Refusal>),
}

/// The restrictions of one service, compiled.
pub struct Judge {
    program: String,
}

impl Judge {
    /// Compiles every list of a service. `program` is its name in the log (`smtpd`, `postfix/submission/smtpd`).
    ///
    /// What is wrong goes to `mistakes` with file and line: unknown restrictions (which answer 451 4.3.5),
    /// and lists that would relay for everybody (fatal, as in Postfix).
    pub fn new(
        view: &View,
        tables: &Tables,
        outside: Outside,
        program: &str,
        mistakes: &mut Vec<Mistake>,
    ) -> Judge {
        let _ = (view, tables, outside, mistakes);
        Judge { program: program.to_owned() }
    }

    /// Judges a session at one stage. What `smtpd_delay_reject` puts off passes until the recipient.
    ///
    /// Refusals are logged here (`NOQUEUE: reject: …`), and every step is noted on the trail.
    pub async fn judge(
        &self,
        stage: Stage,
        facts: &Facts<'_>,
        standing: &mut Standing,
        trail: &mut Trail,
    ) -> Verdict {
        let _ = (stage, facts, standing, trail, &self.program);
        todo!()
    }
}
