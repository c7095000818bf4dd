//! What a command is answered, and whether it counts as an error of the client.

use mail::Refusal;

use super::transcript;
use crate::bounce::Class;
use proto::smtp::Reply;
use proto::smtp::server::Answer;

/// An answer.
#[derive(Debug)]
pub(super) struct Said {
    /// What the machine does.
    pub answer: Answer,
    /// Did the command succeed? If not, the client's errors are counted.
    pub ok: bool,
    /// Is it left out of the command's successes though it is no error (XCLIENT)?
    pub uncounted: bool,
    /// What the postmaster calls it, if it is no success.
    pub trouble: Class,
}

impl Said {
    /// It succeeded.
    pub fn ok(reply: Reply) -> Said {
        Said::new(Answer::Say(reply), true)
    }

    /// It failed, and that is an error of the client.
    pub fn error(reply: Reply) -> Said {
        Said::new(Answer::Say(reply), false)
    }

    /// Any answer.
    pub fn new(answer: Answer, ok: bool) -> Said {
        Said { answer, ok, uncounted: false, trouble: Class::Protocol }
    }

    /// The judge, the queue or the road said no.
    pub fn refused(refusal: &Refusal) -> Said {
        Said { trouble: transcript::class(refusal), ..Said::error(Reply::from(refusal)) }
    }

    /// The reply, if words are said.
    pub fn reply_mut(&mut self) -> Option<&mut Reply> {
        match &mut self.answer {
            Answer::Say(reply) | Answer::Close(reply) | Answer::SkipChunk { reply, .. } => Some(reply),
            _ => None,
        }
    }
}
