//! `facteur dkim genkey`: a new key, as opendkim-genkey(8) makes one.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use lexopt::Arg::{Long, Short};
use sign::dkim::{Algorithm, PrivateKey, generate};

use super::{USAGE, record};

struct Wanted {
    domain: String,
    selector: String,
    directory: PathBuf,
    algorithm: Algorithm,
    bits: usize,
}

/// Makes the key, says what to publish and what to write in the tables.
pub fn run(words: Vec<OsString>) -> Result<u8, String> {
    let wanted = options(words)?;
    let pem = generate(wanted.algorithm, wanted.bits)?;
    let key = PrivateKey::read(&pem)?;
    let Wanted { domain, selector, directory, .. } = &wanted;
    let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.clone());
    let private = directory.join(format!("{selector}.private"));
    write(&private, &pem, 0o600)?;
    let zone = record::zone(domain, selector, &key);
    let public = directory.join(format!("{selector}.txt"));
    write(&public, &zone, 0o644)?;
    println!(
        "The key is in {}; keep it secret. Publish this record in the zone {domain}:\n",
        private.display()
    );
    println!("{zone}");
    println!("Key table (dkim_key_table):");
    println!("{selector}._domainkey.{domain} {domain}:{selector}:{}\n", private.display());
    println!("Signing table (dkim_signing_table):\n{domain} {selector}._domainkey.{domain}");
    Ok(0)
}

/// Writes a file that is not there yet: no key is ever overwritten.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), String> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| format!("{}: {error}", path.display()))
}

fn options(words: Vec<OsString>) -> Result<Wanted, String> {
    let mut domain = None;
    let mut wanted = Wanted {
        domain: String::new(),
        selector: "default".to_owned(),
        directory: PathBuf::from("."),
        algorithm: Algorithm::Rsa,
        bits: 2048,
    };
    let mut parser = lexopt::Parser::from_args(words);
    let text = |parser: &mut lexopt::Parser| {
        let value = super::super::value(parser)?;
        value.into_string().map_err(|_| "arguments are plain text".to_owned())
    };
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Short('d') | Long("domain") => domain = Some(text(&mut parser)?),
            Short('s') | Long("selector") => wanted.selector = text(&mut parser)?,
            Short('D') | Long("directory") => wanted.directory = text(&mut parser)?.into(),
            Short('b') | Long("bits") => {
                let bits = text(&mut parser)?;
                wanted.bits = bits.parse().map_err(|_| format!("\"{bits}\" is no number of bits"))?;
            }
            Short('a') | Long("algorithm") => {
                wanted.algorithm = match text(&mut parser)?.as_str() {
                    "rsa" => Algorithm::Rsa,
                    "ed25519" => Algorithm::Ed25519,
                    other => return Err(format!("\"{other}\" is not rsa or ed25519")),
                };
            }
            _ => return Err(USAGE.to_owned()),
        }
    }
    wanted.domain = domain.ok_or("-d domain is missing")?;
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    for text in [&wanted.domain, &wanted.selector] {
        if !plain(text) || text.starts_with('.') {
            return Err(format!("\"{text}\" is no name for the DNS"));
        }
    }
    Ok(wanted)
}
