//! The environment of programs: `export_environment`, and what is known of a message.

use conf::View;
use conf::params::Process;

use crate::command;

/// `export_environment`: `NAME=value` as it stands, `NAME` from our own environment; and always our own PATH.
pub fn exported(process: &Process, view: &View) -> Vec<(String, String)> {
    let mut out = vec![("PATH".to_owned(), command::PATH.to_owned())];
    for entry in &process.export_environment {
        let (name, value) = match entry.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None if entry == "MAIL_CONFIG" => (entry.as_str(), Some(view.get("config_directory"))),
            None => (entry.as_str(), imported(process, entry)),
        };
        if let Some(value) = value.filter(|_| name != "PATH") {
            out.retain(|(known, _)| known != name);
            out.push((name.to_owned(), value));
        }
    }
    out
}

/// `import_environment` decides what we have ourselves.
fn imported(process: &Process, name: &str) -> Option<String> {
    process.import_environment.iter().find_map(|entry| match entry.split_once('=') {
        Some((own, value)) => (own == name).then(|| value.to_owned()),
        None => (entry == name).then(|| std::env::var(name).ok())?,
    })
}
