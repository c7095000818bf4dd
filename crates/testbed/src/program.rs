//! The program under test.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The program file, built once for all tests of this process. `FACTEUR_BIN` names another one.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("FACTEUR_BIN") {
        Some(given) => PathBuf::from(given),
        None => build(),
    })
}

/// `facteur NAME`, to which arguments can be added.
pub fn command(name: &str) -> Command {
    let mut command = Command::new(program());
    command.arg(name).env_remove("MAIL_CONFIG");
    command
}

/// Cargo builds a test, but not the program of another package; so the test does, as it was built itself.
fn build() -> PathBuf {
    let here = std::env::current_exe().expect("a test has a file");
    // target/debug/deps/all-0123456789abcdef
    let place = here.ancestors().nth(2).expect("tests lie in deps below the profile's directory");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "facteur"]);
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace is above");
    command.current_dir(manifest).env("CARGO_TARGET_DIR", place.parent().expect("a profile lies in target"));
    match place.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => {}
        Some(profile) => {
            command.args(["--profile", profile]);
        }
    }
    let status = command.status().expect("cargo can be run");
    assert!(status.success(), "the program could not be built");
    place.join("facteur")
}
