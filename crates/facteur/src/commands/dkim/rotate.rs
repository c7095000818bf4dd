//! `facteur dkim rotate`: another key takes over, and at no time is mail signed with one that nobody can look up.
//!
//! Called once, it makes the next key and says what to publish. Called again when that is published, it has mail
//! signed with it; the old record stays until the last mail signed with it has been read.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use conf::View;
use lexopt::Arg::{Long, Short};
use sign::dkim::{PrivateKey, Published, generate, published};
use sign::opendkim::{OpenDkim, file_of};

use super::{USAGE, record};
use crate::config::{self, Config};

/// The two tables, as they stand.
struct Tables {
    keys: PathBuf,
    senders: PathBuf,
}

/// A line of the key table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    name: String,
    selector: String,
    file: PathBuf,
}

/// One step of a rotation.
pub fn run(words: Vec<OsString>) -> Result<u8, String> {
    let (domain, directory) = options(words)?;
    let view = Config::main_only(&config::directory(directory.as_deref()), "postfix").view;
    let tables = Tables::of(&view)?;
    let [keys, senders] = [&tables.keys, &tables.senders].map(|path| read(path));
    let (keys, senders) = (keys?, senders?);
    let ours = keys_of(&keys, &domain);
    let used = |key: &&Key| names(&senders).any(|name| name == key.name);
    let now = ours.iter().find(used).ok_or(format!("no key of {domain} is in use: make one with genkey"))?;
    match ours.iter().rev().find(|key| !used(key) && key.name != now.name && newer(key, now)) {
        None => prepare(&tables, &keys, &domain, now),
        Some(next) => take_over(&view, &tables, &senders, &domain, (now, next)),
    }
}

/// Makes the next key, which nobody uses yet.
fn prepare(tables: &Tables, text: &str, domain: &str, now: &Key) -> Result<u8, String> {
    let old = load(now)?;
    let pem = generate(old.algorithm(), 2048)?;
    let date = jiff::Timestamp::try_from(net::clock::wall()).unwrap_or_default();
    let selector = (0..100)
        .map(|number| match number {
            0 => date.strftime("%Y%m%d").to_string(),
            number => format!("{}n{number}", date.strftime("%Y%m%d")),
        })
        .find(|selector| !keys_of(text, domain).iter().any(|key| key.selector == *selector))
        .ok_or("too many keys in a day")?;
    let file = now.file.with_file_name(format!("{selector}.{domain}.private"));
    create(&file, &pem, &now.file)?;
    let mut text = text.trim_end().to_owned();
    text.push_str(&format!("\n{selector}._domainkey.{domain} {domain}:{selector}:{}\n", file.display()));
    replace(&tables.keys, &text)?;
    let key = PrivateKey::read(&pem)?;
    println!("The next key is in {} and in {}. Publish its record:\n", file.display(), tables.keys.display());
    print!("{}", record::zone(domain, &selector, &key));
    println!("\nMail is signed as before. When the record is known everywhere, call this once more.");
    Ok(0)
}

/// Has mail signed with the next key, if the DNS knows it.
fn take_over(
    view: &View,
    tables: &Tables,
    senders: &str,
    domain: &str,
    (now, next): (&Key, &Key),
) -> Result<u8, String> {
    let key = load(next)?;
    let name = format!("{}._domainkey.{domain}", next.selector);
    let resolver = super::resolver(view)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    match runtime.block_on(published(&resolver, &name, &key)) {
        Published::Same => {}
        other => {
            let why = match other {
                Published::Unknown(why) | Published::Other(why) => why,
                _ => "it is not published".to_owned(),
            };
            println!("Not yet: {name}: {why}. Publish this, and call once more:\n");
            print!("{}", record::zone(domain, &next.selector, &key));
            return Ok(1);
        }
    }
    replace(&tables.senders, &switched(senders, &now.name, &next.name))?;
    println!("{}: mail is signed with {} after \"postfix reload\".", tables.senders.display(), next.name);
    println!("Leave the record {}._domainkey.{domain} for a week; then it and its key may go.", now.selector);
    Ok(0)
}

impl Tables {
    fn of(view: &View) -> Result<Tables, String> {
        let config = view.get("dkim_config");
        let file = (!config.is_empty()).then(|| OpenDkim::read(Path::new(&config), &mut Vec::new()));
        let path = |parameter: &str, setting: &str| {
            let own = view.get(parameter);
            let text = match own.trim() {
                "" => file.as_ref().and_then(|file| file.get(setting)).unwrap_or_default(),
                own => own,
            };
            file_of(text).ok_or(format!("{parameter} ({setting}) names no file that could be changed"))
        };
        let keys = path("dkim_key_table", "KeyTable")?;
        Ok(Tables { keys, senders: path("dkim_signing_table", "SigningTable")? })
    }
}

/// Lines that say something.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).filter(|line| !line.is_empty())
}

/// The keys of a domain that are in files, in the order of the table.
fn keys_of(table: &str, domain: &str) -> Vec<Key> {
    let key = |line: &str| {
        let (name, rest) = line.split_once(char::is_whitespace)?;
        let mut parts = rest.trim().splitn(3, ':');
        let (of, selector, file) = (parts.next()?, parts.next()?, parts.next()?);
        let fits = of.eq_ignore_ascii_case(domain) && file.starts_with('/');
        fits.then(|| Key { name: name.to_owned(), selector: selector.to_owned(), file: file.into() })
    };
    lines(table).filter_map(key).collect()
}

/// Names of keys in a signing table.
fn names(table: &str) -> impl Iterator<Item = &str> {
    lines(table).filter_map(|line| line.split([' ', '\t', ':']).filter(|word| !word.is_empty()).nth(1))
}

/// Was a key made by us after another? Its selector begins with a date.
fn newer(key: &Key, than: &Key) -> bool {
    let dated = |key: &Key| {
        let date = key.selector.get(..8).filter(|date| date.bytes().all(|byte| byte.is_ascii_digit()));
        date.map(|_| key.selector.clone())
    };
    match (dated(key), dated(than)) {
        (Some(key), Some(than)) => key > than,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// The signing table with another key in the place of one.
fn switched(table: &str, from: &str, to: &str) -> String {
    let line = |line: &str| match (names(line).next(), line.split_once([' ', '\t'])) {
        (Some(name), Some((sender, rest))) if name == from => {
            format!("{sender}{}{}", &line[sender.len()..=sender.len()], rest.replacen(from, to, 1))
        }
        _ => line.to_owned(),
    };
    table.lines().map(|one| line(one) + "\n").collect()
}

fn load(key: &Key) -> Result<PrivateKey, String> {
    PrivateKey::read(&read(&key.file)?).map_err(|wrong| format!("{}: {wrong}", key.file.display()))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// A new secret, with the owner and the mode of another.
fn create(path: &Path, text: &str, like: &Path) -> Result<(), String> {
    let written = fs::metadata(like).and_then(|like| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        std::os::unix::fs::chown(path, Some(like.uid()), Some(like.gid()))?;
        file.set_permissions(fs::Permissions::from_mode(like.mode() & 0o640))?;
        file.sync_all()
    });
    written.map_err(|error| format!("{}: {error}", path.display()))
}

/// Another content for a table, all at once, with its owner and mode.
fn replace(path: &Path, text: &str) -> Result<(), String> {
    let beside = path.with_extension("new");
    let written = fs::metadata(path).and_then(|old| {
        fs::write(&beside, text)?;
        std::os::unix::fs::chown(&beside, Some(old.uid()), Some(old.gid()))?;
        fs::set_permissions(&beside, fs::Permissions::from_mode(old.mode()))?;
        fs::File::open(&beside)?.sync_all()?;
        fs::rename(&beside, path)
    });
    written.map_err(|error| format!("{}: {error}", path.display()))
}

fn options(words: Vec<OsString>) -> Result<(String, Option<PathBuf>), String> {
    let (mut domain, mut directory) = (None, None);
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Short('d') | Long("domain") => domain = Some(super::super::value(&mut parser)?),
            Short('c') => directory = Some(PathBuf::from(super::super::value(&mut parser)?)),
            _ => return Err(USAGE.to_owned()),
        }
    }
    let domain = domain.and_then(|domain| domain.into_string().ok()).ok_or("-d domain is missing")?;
    Ok((domain.to_ascii_lowercase(), directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = "# keys\nmail._domainkey.a.test a.test:mail:/k/mail.private\n\
                        20261121._domainkey.a.test a.test:20261121:/k/new.private\n\
                        other a.test:x:MIIabc\nb b.test:mail:/k/b.private\n";

    #[test]
    fn the_next_key_is_the_dated_one() {
        let keys = keys_of(KEYS, "a.test");
        assert_eq!(keys.iter().map(|key| key.selector.as_str()).collect::<Vec<_>>(), ["mail", "20261121"]);
        assert!(newer(&keys[1], &keys[0]) && !newer(&keys[0], &keys[1]));
    }

    #[test]
    fn only_the_name_of_the_key_is_changed() {
        let table = "# mail signs\n*@a.test  mail:%\nmail b\nmail@b.test\tmail\n";
        assert_eq!(names(table).collect::<Vec<_>>(), ["mail", "b", "mail"]);
        let expected = "# mail signs\n*@a.test  new:%\nmail b\nmail@b.test\tnew\n";
        assert_eq!(switched(table, "mail", "new"), expected);
    }
}
