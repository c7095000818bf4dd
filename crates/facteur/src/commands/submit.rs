//! Mail that a command sends: by sendmail, as anybody's.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Hands a message to sendmail. With the null sender, `<>`, nobody answers it.
///
/// # Errors
/// It was not taken: a sentence.
pub fn submit(sender: &str, recipient: &str, text: &str, config: &Path) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(program)
        .args(["sendmail", "-i", "-f", sender, "-C"])
        .arg(config)
        .args(["--", recipient])
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let written = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(text.as_bytes()));
    let ended = child.wait().map_err(|error| error.to_string())?;
    written.map_err(|error| error.to_string())?;
    if ended.success() { Ok(()) } else { Err(format!("sendmail: {ended}")) }
}
