//! `passwd-file:/file`, in Dovecot's format: `user:password:uid:gid:(gecos):home:(shell):extra_field=value …`.
//!
//! Fields may be left out from the end. Extra fields are divided by blanks; those with `userdb_` before their name are
//! the user database's. The file is read again when it has changed. Its name may contain `%` variables
//! (`/etc/passwd.%d`): then there is a file for each of their values.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use mail::Trouble;

use super::{Kind, Opening, PassDb, Request, Row, Secret, UserDb, elsewhere};
use crate::expand::{check, expand};
use crate::{Boxed, Fields};

/// The kind.
pub const KIND: Kind = Kind {
    name: "passwd-file",
    doc: "A text file with a line for each user, as passwd(5) with extra fields.",
    passdb: Some(|opening| Ok(Arc::new(open(opening)?))),
    userdb: Some(|opening| Ok(Arc::new(open(opening)?))),
};

/// Most files that are remembered where the name has variables.
const FILES: usize = 256;

struct PasswdFile {
    name: String,
    username: String,
    scheme: String,
    files: Arc<Mutex<HashMap<PathBuf, Arc<Content>>>>,
}

/// One line.
#[derive(Clone, Debug, Default)]
struct Entry {
    password: String,
    /// Fields of the password database.
    passdb: Fields,
    /// Fields of the user database.
    userdb: Fields,
}

/// A file, and by what one sees that it has changed.
struct Content {
    stamp: Stamp,
    entries: HashMap<String, Entry>,
    /// The names as they stand.
    order: Vec<String>,
}

type Stamp = (u64, u64, i64, i64);

fn open(opening: &Opening<'_>) -> Result<PasswdFile, String> {
    opening.only(&["scheme", "username_format"])?;
    let name = opening.path()?.to_string_lossy().into_owned();
    let username = opening.option("username_format", "%u");
    for template in [&name, &username] {
        check(template)?;
    }
    let file =
        PasswdFile { name, username, scheme: opening.option("scheme", "CRYPT"), files: Arc::default() };
    if !file.name.contains('%') {
        file.content(Path::new(&file.name)).map_err(|trouble| trouble.to_string())?;
    }
    Ok(file)
}

impl PasswdFile {
    /// The file as it is now.
    fn content(&self, path: &Path) -> Result<Arc<Content>, Trouble> {
        read(&self.files, path)
    }

    fn path_and_key(&self, request: &Request<'_>) -> Result<(PathBuf, String), Trouble> {
        let vars = request.vars();
        let wrong = |wrong: String| Trouble::new(format!("{}: {wrong}", self.name));
        // What a client sends must not lead to another file.
        let safe = |value: &str| value.replace('/', "_");
        let path = expand(&self.name, &vars, &safe).map_err(wrong)?;
        let key = expand(&self.username, &vars, &str::to_owned).map_err(wrong)?;
        Ok((PathBuf::from(path), key))
    }

    async fn entry(&self, request: &Request<'_>) -> Result<Option<Entry>, Trouble> {
        let (path, key) = self.path_and_key(request)?;
        // Whether it is still the same costs one look, which is less than the way to another thread and back.
        if let Some(content) = unchanged(&self.files, &path) {
            return Ok(content.entries.get(&key).cloned());
        }
        let files = self.files.clone();
        let content = elsewhere(move || read(&files, &path)).await?;
        Ok(content.entries.get(&key).cloned())
    }
}

/// The file as it was read, if it has not changed since.
fn unchanged(files: &Mutex<HashMap<PathBuf, Arc<Content>>>, path: &Path) -> Option<Arc<Content>> {
    let known = files.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()?;
    let meta = std::fs::metadata(path).ok()?;
    (known.stamp == stamp(&meta)).then_some(known)
}

fn stamp(meta: &std::fs::Metadata) -> Stamp {
    (meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec())
}

fn read(files: &Mutex<HashMap<PathBuf, Arc<Content>>>, path: &Path) -> Result<Arc<Content>, Trouble> {
    let trouble = |error: std::io::Error| Trouble::from_error(path.display().to_string(), error);
    let file = conf::secrets::open(path).map_err(trouble)?;
    let stamp = stamp(&file.metadata().map_err(trouble)?);
    let known = files.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
    if let Some(content) = known.filter(|content| content.stamp == stamp) {
        return Ok(content);
    }
    let text = std::io::read_to_string(file).map_err(trouble)?;
    let content = Arc::new(Content::parse(&text, stamp));
    let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
    if files.len() >= FILES {
        files.clear();
    }
    files.insert(path.to_owned(), content.clone());
    Ok(content)
}

impl Content {
    fn parse(text: &str, stamp: Stamp) -> Content {
        let mut content = Content { stamp, entries: HashMap::new(), order: Vec::new() };
        for line in text.lines().map(|line| line.trim_end_matches('\r')) {
            if line.is_empty() || line.starts_with(['#', ':']) {
                continue;
            }
            let (user, rest) = line.split_once(':').unwrap_or((line, ""));
            if content.entries.insert(user.to_owned(), Entry::parse(rest)).is_none() {
                content.order.push(user.to_owned());
            }
        }
        content
    }
}

impl Entry {
    /// What stands behind the user's name.
    fn parse(rest: &str) -> Entry {
        let mut entry = Entry::default();
        let mut parts = rest.splitn(7, ':');
        let mut next = || parts.next().unwrap_or_default();
        entry.password = password(next());
        for name in ["uid", "gid"] {
            let value = next();
            if !value.is_empty() {
                entry.userdb.set(name, value);
            }
        }
        let (_gecos, home, _shell) = (next(), next(), next());
        if !home.is_empty() {
            entry.userdb.set("home", home);
        }
        for field in next().split(' ').filter(|field| !field.is_empty()) {
            let (name, value) = field.split_once('=').unwrap_or((field, "yes"));
            entry.passdb.set(name, value);
            if let Some(name) = name.strip_prefix("userdb_") {
                entry.userdb.set(name, value);
            }
        }
        entry
    }
}

/// `hash[13]` and `hash[34]` are old forms of `{DES-CRYPT}hash` and `{PLAIN-MD5}hash`.
fn password(text: &str) -> String {
    let old = text.strip_suffix(']').and_then(|text| text.rsplit_once('['));
    match old {
        Some((hash, "13")) => format!("{{DES-CRYPT}}{hash}"),
        Some((hash, "34")) => format!("{{PLAIN-MD5}}{hash}"),
        _ => text.to_owned(),
    }
}

impl PassDb for PasswdFile {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Row>, Trouble>> {
        Box::pin(async move {
            let entry = self.entry(request).await?;
            Ok(entry.map(|entry| Row {
                password: Some(Secret(entry.password)).filter(|it| !it.0.is_empty()),
                fields: entry.passdb,
            }))
        })
    }

    fn default_scheme(&self) -> &str {
        &self.scheme
    }
}

impl UserDb for PasswdFile {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Fields>, Trouble>> {
        Box::pin(async move {
            let Some(entry) = self.entry(request).await? else { return Ok(None) };
            let vars = request.vars();
            let mut fields = Fields::default();
            for (name, value) in entry.userdb.iter() {
                // Values in the file may name the user: home=/var/vmail/%d/%n.
                let value = expand(value, &vars, &str::to_owned).unwrap_or_else(|_| value.to_owned());
                fields.set(name, value);
            }
            Ok(Some(fields))
        })
    }

    fn users(&self) -> Boxed<'_, Result<Option<Vec<String>>, Trouble>> {
        Box::pin(async move {
            if self.name.contains('%') {
                return Ok(None);
            }
            let (files, path) = (self.files.clone(), PathBuf::from(&self.name));
            let content = elsewhere(move || read(&files, &path)).await?;
            Ok(Some(content.order.clone()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_dovecot_reads_them() {
        let text = "# comment\n:not this\n\njoe:{PLAIN}x:1000:100::/home/joe::userdb_mail=mbox:~/m nodelay allow_nets=10.0.0.0/8\r\nbob\nann:$1$a$b\nold:abc[13]\n";
        let content = Content::parse(text, (0, 0, 0, 0));
        assert_eq!(content.order, ["joe", "bob", "ann", "old"]);
        let joe = &content.entries["joe"];
        assert_eq!(joe.password, "{PLAIN}x");
        let userdb: Vec<_> = joe.userdb.iter().collect();
        assert_eq!(userdb, [("uid", "1000"), ("gid", "100"), ("home", "/home/joe"), ("mail", "mbox:~/m")]);
        assert_eq!(joe.passdb.get("allow_nets"), Some("10.0.0.0/8"));
        assert!(joe.passdb.is_on("nodelay"));
        assert_eq!(content.entries["ann"].password, "$1$a$b");
        assert_eq!(content.entries["old"].password, "{DES-CRYPT}abc");
        assert!(content.entries["bob"].password.is_empty());
    }
}
