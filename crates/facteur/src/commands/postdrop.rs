//! postdrop(1): the helper by which Postfix's sendmail writes into the maildrop. Ours needs none.

use std::ffi::OsString;

use super::Command;

/// The command.
pub const COMMAND: Command =
    Command { name: "postdrop", summary: "not used here: says what to call in its place", run };

/// sysexits.h: the service is not available.
const EX_UNAVAILABLE: u8 = 69;

/// Refuses: what it would read is Postfix's own format, between two of Postfix's programs.
fn run(_words: Vec<OsString>) -> u8 {
    eprintln!("postdrop: fatal: messages are taken by sendmail(1), which needs no helper; call that");
    EX_UNAVAILABLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_silence_for_success() {
        assert_eq!(run(vec!["-r".into()]), EX_UNAVAILABLE);
    }
}
