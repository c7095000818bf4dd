//! `facteur dkim show` and `check`: the keys of the configuration, and what of them the DNS knows.

use std::ffi::OsString;
use std::path::Path;

use conf::{Severity, View};
use sign::dkim::{Published, SignAs, published};

use super::{USAGE, record};
use crate::config::{self, Config};

/// Prints the record of every key.
pub fn show(words: Vec<OsString>) -> Result<u8, String> {
    for (name, key) in keys(&view(words)?)? {
        println!("; {name} ({})", key.key.algorithm());
        print!("{}", record::zone(&key.domain, &key.selector, &key.key));
    }
    Ok(0)
}

/// Compares every key with its record; 1 when one is not as it must be.
pub fn check(words: Vec<OsString>) -> Result<u8, String> {
    let view = view(words)?;
    let keys = keys(&view)?;
    let resolver = super::resolver(&view)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let mut status = 0;
    for (name, key) in keys {
        if key.domain == "%" {
            println!("{name}: signs for the domain of each sender; check with its name in the KeyTable");
            continue;
        }
        let record = format!("{}._domainkey.{}", key.selector, key.domain);
        let (good, said) = match runtime.block_on(published(&resolver, &record, &key.key)) {
            Published::Same => (true, "is published".to_owned()),
            Published::Other(why) => (false, format!("{why}: publish what \"facteur dkim show\" prints")),
            Published::Missing => {
                (false, "is not published: publish what \"facteur dkim show\" prints".to_owned())
            }
            Published::Unknown(why) => (false, format!("the DNS does not answer: {why}")),
        };
        println!("{record}: {said}");
        status |= u8::from(!good);
    }
    Ok(status)
}

fn view(words: Vec<OsString>) -> Result<View, String> {
    let mut directory = None;
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            lexopt::Arg::Short('c') => directory = Some(super::super::value(&mut parser)?),
            _ => return Err(USAGE.to_owned()),
        }
    }
    let directory = config::directory(directory.as_deref().map(Path::new));
    Ok(Config::main_only(&directory, "postfix").view)
}

fn keys(view: &View) -> Result<Vec<(String, SignAs)>, String> {
    let mut mistakes = Vec::new();
    let settings = sign::Settings::read(view, &mut mistakes);
    for mistake in &mistakes {
        eprintln!("facteur dkim: {mistake}");
    }
    if mistakes.iter().any(|mistake| mistake.severity == Severity::Fatal) {
        return Err("the configuration cannot be used".to_owned());
    }
    let signing = settings.and_then(|settings| settings.signing);
    let signing =
        signing.ok_or("no keys: set dkim_config, or dkim_key_table and dkim_signing_table, in main.cf")?;
    Ok(signing.all())
}
