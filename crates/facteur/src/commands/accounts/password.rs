//! Asking for a password, and making what is stored of it.

use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::AsFd;

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use people::schemes;

use super::options::Options;

/// What stands for a password when nothing is said.
const SCHEME: &str = "ARGON2ID";

/// What is to be stored: `--hash` as it is, nothing with `--no-password`, or a password that is asked for.
///
/// # Errors
/// A sentence.
pub fn stored(options: &Options, user: &str) -> Result<String, String> {
    if options.has("no-password") {
        return Ok(String::new());
    }
    if let Some(hash) = options.value("hash") {
        return match schemes::scheme_of(hash, "") {
            Some(_) => Ok(hash.to_owned()),
            None => Err("--hash: {SCHEME} is expected before it, such as {SHA512-CRYPT}$6$...".to_owned()),
        };
    }
    let scheme = options.value("scheme").unwrap_or(SCHEME);
    if schemes::find(scheme.split('.').next().unwrap_or_default()).is_none() {
        let known: Vec<&str> = schemes::SCHEMES.iter().map(|scheme| scheme.name).collect();
        return Err(format!("--scheme {scheme}: unknown; known: {}", known.join(" ")));
    }
    let password = ask()?;
    if password.is_empty() {
        return Err("an empty password is none; --no-password closes the account to passwords".to_owned());
    }
    let stored = schemes::generate(scheme, &password, user)?;
    if let Some(weak) = schemes::find(scheme).filter(|scheme| scheme.strength != schemes::Strength::Strong) {
        eprintln!("warning: {} can be guessed or read by whoever steals the directory", weak.name);
    }
    Ok(stored)
}

/// The first line of the input; at a terminal, twice and unseen.
fn ask() -> Result<String, String> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return line();
    }
    let hidden = Hidden::hide()?;
    let mut asked = [String::new(), String::new()];
    for (answer, prompt) in asked.iter_mut().zip(["Password: ", "Once more: "]) {
        eprint!("{prompt}");
        let _ = io::stderr().flush();
        *answer = line()?;
        eprintln!();
    }
    drop(hidden);
    let [first, second] = asked;
    if first == second { Ok(first) } else { Err("the two passwords differ".to_owned()) }
}

fn line() -> Result<String, String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| format!("reading the password: {error}"))?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Hidden(Termios);

impl Hidden {
    fn hide() -> Result<Hidden, String> {
        let stdin = io::stdin();
        let before = tcgetattr(stdin.as_fd()).map_err(|error| format!("terminal: {error}"))?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(stdin.as_fd(), SetArg::TCSAFLUSH, &silent).map_err(|error| format!("terminal: {error}"))?;
        Ok(Hidden(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin().as_fd(), SetArg::TCSAFLUSH, &self.0);
    }
}
