//! Other people's programs that tests talk to: used where they are installed, and demanded in CI.

use std::path::PathBuf;

const PLACES: &[&str] =
    &["/usr/sbin", "/usr/bin", "/usr/lib/postfix/sbin", "/usr/lib", "/usr/local/bin", "/bin"];

/// Where these programs are, in the order asked for. When one is missing, says which, and the test is to return;
/// with `CI=true` in the environment that is a failure, so that no test is skipped for ever.
pub fn installed<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let found = names
        .map(|name| PLACES.iter().map(|place| PathBuf::from(place).join(name)).find(|file| file.exists()));
    let missing: Vec<_> =
        names.iter().zip(&found).filter(|(_, file)| file.is_none()).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Some(found.map(|file| file.expect("none is missing")));
    }
    skip(&format!("not installed: {}", missing.join(", ")));
    None
}

/// Whether the caller is root; says so when that is why a test is skipped.
pub fn root() -> bool {
    let root = nix::unistd::getuid().is_root();
    if !root {
        skip("only root can run this");
    }
    root
}

/// Says why a test is skipped; in CI that is a failure.
pub fn skip(reason: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "in CI nothing is skipped, but {reason}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Past the capture of the test harness: a skipped test must be seen.
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{test}: skipped, {reason}");
}
