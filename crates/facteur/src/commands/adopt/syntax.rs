//! Dovecot's configuration as a tree: `name = value`, `kind name { … }`, `!include`; 2.3 and 2.4 write them alike.
//!
//! Both the files and what `doveconf -n` prints are read. What is wrong is told with file and line, and the rest is
//! read on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files included in files, at most so deep.
const DEEPEST: usize = 8;
/// Blocks in blocks, at most so deep.
const NESTED: usize = 16;

/// What doveconf prints in place of a secret.
const HIDDEN: &str = "# hidden, use -P to show it";

/// Where something stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl std::fmt::Display for At {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}", self.file.display(), self.line)
    }
}

/// `name = value`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub value: String,
    pub at: At,
}

/// `kind name { … }`, or the whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// `passdb`, `service`, …
    pub kind: String,
    /// What stands between the kind and the brace.
    pub name: String,
    pub settings: Vec<Setting>,
    pub blocks: Vec<Block>,
    pub at: At,
}

impl Block {
    /// The last value of a setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.settings.iter().rev().find(|setting| setting.name == name).map(|setting| setting.value.as_str())
    }

    /// The blocks of a kind.
    pub fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Block> {
        self.blocks.iter().filter(move |block| block.kind == kind)
    }

    /// A setting at the place of this block. `$name` in it is what another setting says so far.
    fn set(&mut self, name: &str, value: String, at: At) {
        let said = |word: &str| match word.strip_prefix('$') {
            Some(other) if !other.is_empty() => self.get(other).unwrap_or_default().to_owned(),
            _ => word.to_owned(),
        };
        let value = match value.contains('$') {
            true => value.split(' ').map(said).collect::<Vec<_>>().join(" ").trim().to_owned(),
            false => value,
        };
        self.settings.push(Setting { name: name.to_owned(), value, at });
    }

    /// Where the block of this kind and name is among the blocks: one that is written in two places is one.
    fn enter(&mut self, kind: &str, name: &str, at: &At) -> usize {
        // Databases without a name are asked in turn, and each is one of its own.
        let alone = matches!(kind, "passdb" | "userdb") && name.is_empty();
        let known = self.blocks.iter().position(|block| block.kind == kind && block.name == name);
        known.filter(|_| !alone).unwrap_or_else(|| {
            let (kind, name) = (kind.to_owned(), name.to_owned());
            self.blocks.push(Block { kind, name, at: at.clone(), ..Block::default() });
            self.blocks.len() - 1
        })
    }
}

/// A configuration, read.
#[derive(Debug, Default)]
pub struct Tree {
    pub root: Block,
    /// Settings whose values doveconf does not tell.
    pub hidden: Vec<Setting>,
    /// What could not be read: sentences with file and line.
    pub mistakes: Vec<String>,
}

/// Reads a file and what it includes.
///
/// # Errors
/// The file itself cannot be read.
pub fn read(file: &Path) -> Result<Tree, String> {
    let text =
        fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    Ok(parse(&text, file))
}

/// Reads a text, such as what `doveconf -n` prints. Included files are looked for beside `file`.
pub fn parse(text: &str, file: &Path) -> Tree {
    let mut tree = Tree::default();
    let mut reader = Reader { hidden: Vec::new(), mistakes: Vec::new(), open: BTreeSet::new(), depth: 0 };
    reader.read(text, file, &mut tree.root);
    Tree { hidden: reader.hidden, mistakes: reader.mistakes, ..tree }
}

struct Reader {
    hidden: Vec<Setting>,
    mistakes: Vec<String>,
    /// Files being read.
    open: BTreeSet<PathBuf>,
    depth: usize,
}

impl Reader {
    fn read(&mut self, text: &str, file: &Path, root: &mut Block) {
        // The way to the block that is open, by kind and name; `enter` finds each again.
        let mut path: Vec<(usize, String)> = Vec::new();
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let at = At { file: file.to_owned(), line: number + 1 };
            let mut whole = uncommented(line).to_owned();
            while whole.ends_with('\\') {
                whole.pop();
                let Some((_, more)) = lines.next() else { break };
                whole.truncate(whole.trim_end().len());
                whole.push(' ');
                whole.push_str(uncommented(more).trim());
            }
            let line = whole.trim();
            if line.is_empty() {
                continue;
            }
            if line == "}" {
                if path.pop().is_none() {
                    self.mistakes.push(format!("{at}: a brace closes nothing"));
                }
                continue;
            }
            let mut block = &mut *root;
            for (index, _) in &path {
                block = &mut block.blocks[*index];
            }
            if let Some(included) = line.strip_prefix("!include") {
                let (pattern, must) = match included.strip_prefix("_try") {
                    Some(pattern) => (pattern.trim(), false),
                    None => (included.trim(), true),
                };
                self.include(pattern, must, &at, block);
            } else if let Some(inside) = line.strip_suffix('{') {
                if path.len() == NESTED {
                    self.mistakes.push(format!("{at}: blocks are nested too deep"));
                    return;
                }
                let (kind, name) = head(inside.trim());
                path.push((block.enter(kind, name, &at), kind.to_owned()));
            } else if line.ends_with('=') && text.lines().nth(number).is_some_and(|raw| raw.contains(HIDDEN))
            {
                let name = line.trim_end_matches('=').trim_end().to_owned();
                self.hidden.push(Setting { name, value: String::new(), at });
            } else if let Some((name, value)) = line.split_once('=') {
                block.set(name.trim(), unquoted(value.trim()), at);
            } else {
                self.mistakes.push(format!("{at}: \"{line}\" is neither a setting nor a block"));
            }
        }
        if let Some((_, kind)) = path.last() {
            self.mistakes.push(format!("{}: the block {kind} is not closed", file.display()));
        }
    }

    fn include(&mut self, pattern: &str, must: bool, at: &At, block: &mut Block) {
        let beside = at.file.parent().unwrap_or(Path::new("")).join(pattern);
        let files = match matching(&beside) {
            Ok(files) => files,
            Err(error) => {
                self.mistakes.push(format!("{at}: cannot include {pattern}: {error}"));
                return;
            }
        };
        for file in files {
            if self.depth == DEEPEST || !self.open.insert(file.clone()) {
                self.mistakes.push(format!("{at}: {} includes itself", file.display()));
                continue;
            }
            match fs::read_to_string(&file) {
                Ok(text) => {
                    self.depth += 1;
                    self.read(&text, &file, block);
                    self.depth -= 1;
                }
                Err(error) if must || error.kind() != std::io::ErrorKind::NotFound => {
                    self.mistakes.push(format!("{at}: cannot read {}: {error}", file.display()));
                }
                Err(_) => {}
            }
            self.open.remove(&file);
        }
    }
}

/// The files that a pattern with `*` in its last part stands for, sorted; without one, the file itself.
fn matching(pattern: &Path) -> std::io::Result<Vec<PathBuf>> {
    let name = pattern.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some((front, back)) = name.split_once('*') else { return Ok(vec![pattern.to_owned()]) };
    let mut files = Vec::new();
    let entries = match fs::read_dir(pattern.parent().unwrap_or(Path::new("."))) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let file = entry.file_name();
        let Some(file) = file.to_str() else { continue };
        let fits = file.len() >= front.len() + back.len() && file.starts_with(front) && file.ends_with(back);
        if fits && !file.starts_with('.') {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Without a comment: `#` at the beginning or after a blank, outside quotes.
fn uncommented(line: &str) -> &str {
    let mut quoted = false;
    let mut before = ' ';
    for (at, letter) in line.char_indices() {
        match letter {
            '"' if before != '\\' => quoted = !quoted,
            '#' if !quoted && before.is_whitespace() => return line[..at].trim_end(),
            _ => {}
        }
        before = letter;
    }
    line.trim_end()
}

fn unquoted(value: &str) -> String {
    match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) => inside.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => value.to_owned(),
    }
}

/// `kind name` before a brace; the name may be quoted, or be missing.
fn head(text: &str) -> (&str, &str) {
    let (kind, name) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let name = name.trim();
    (kind, name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_blocks_are_read() {
        let tree = parse(
            "# 2.3.19\nmail_location = maildir:~/Maildir # here\nlogin_greeting = \"Hello # you\"\n\
             passdb {\n  driver = pam\n}\npassdb {\n driver = shadow\n}\n\
             namespace inbox {\n  mailbox Sent {\n    special_use = \\Sent\n  }\n}\n\
             namespace inbox {\n separator = /\n}\n\
             protocols = imap \\\n  pop3\n",
            Path::new("x.conf"),
        );
        assert_eq!(tree.mistakes, Vec::<String>::new());
        let root = &tree.root;
        assert_eq!(root.get("mail_location"), Some("maildir:~/Maildir"));
        assert_eq!(root.get("login_greeting"), Some("Hello # you"));
        assert_eq!(root.get("protocols"), Some("imap pop3"));
        let drivers: Vec<_> = root.all("passdb").filter_map(|block| block.get("driver")).collect();
        assert_eq!(drivers, ["pam", "shadow"]);
        let inbox: Vec<_> = root.all("namespace").collect();
        assert_eq!((inbox.len(), inbox[0].get("separator")), (1, Some("/")));
        assert_eq!(inbox[0].blocks[0].get("special_use"), Some("\\Sent"));
        assert_eq!(inbox[0].blocks[0].at.line, 11);
    }

    #[test]
    fn files_are_included_in_order() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str| directory.path().join(name);
        fs::create_dir(file("conf.d")).expect("made");
        fs::write(file("conf.d/20-b.conf"), "ssl = required\n").expect("written");
        fs::write(file("conf.d/10-a.conf"), "ssl = no\nlisten = *\n").expect("written");
        fs::write(file("dovecot.conf"), "!include conf.d/*.conf\n!include_try local.conf\n")
            .expect("written");
        let tree = read(&file("dovecot.conf")).expect("read");
        assert_eq!((tree.root.get("ssl"), tree.root.get("listen")), (Some("required"), Some("*")));
        assert!(tree.mistakes.is_empty(), "{:?}", tree.mistakes);
    }

    #[test]
    fn a_setting_grows_by_its_own_name() {
        let text = "protocols = $protocols imap\nprotocols = $protocols lmtp\nx = US$\n";
        let tree = parse(text, Path::new("x.conf"));
        assert_eq!((tree.root.get("protocols"), tree.root.get("x")), (Some("imap lmtp"), Some("US$")));
    }

    #[test]
    fn what_doveconf_hides_is_asked_for() {
        let tree = parse("ssl = yes\nssl_key = # hidden, use -P to show it\n", Path::new("(input)"));
        let hidden: Vec<_> =
            tree.hidden.iter().map(|setting| (setting.name.as_str(), setting.at.line)).collect();
        assert_eq!((tree.root.get("ssl_key"), hidden), (None, vec![("ssl_key", 2)]));
    }

    #[test]
    fn what_is_wrong_is_named_and_the_rest_is_read() {
        let tree =
            parse("}\nnonsense\nssl = yes\n!include gone.conf\nservice x {\n", Path::new("/nowhere/d.conf"));
        assert_eq!(tree.root.get("ssl"), Some("yes"));
        assert_eq!(tree.mistakes.len(), 4, "{:?}", tree.mistakes);
        assert!(tree.mistakes[0].starts_with("/nowhere/d.conf:1: "), "{:?}", tree.mistakes);
    }

    #[test]
    fn a_file_that_includes_itself_ends() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("d.conf");
        fs::write(&file, "ssl = yes\n!include d.conf\n").expect("written");
        let tree = read(&file).expect("read");
        assert_eq!(tree.mistakes.len(), 1, "{:?}", tree.mistakes);
    }
}
