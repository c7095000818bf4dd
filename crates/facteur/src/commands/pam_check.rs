//! The process that asks PAM: started by the program itself, for one login.

use std::ffi::OsString;

use super::Command;

/// The command.
pub const COMMAND: Command = Command {
    name: people::outside::COMMAND,
    summary: "ask PAM about a login; started by the program itself",
    run,
};

fn run(_: Vec<OsString>) -> u8 {
    match people::outside::pam_process() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("facteur pam-check: a login to check is expected on the standard input: {error}");
            1
        }
    }
}
