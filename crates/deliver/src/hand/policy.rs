//! What a deliverer does, whoever asks: it checks each job against the configuration that the root parent has read,
//! and against the files of its user. A worker that was taken over can deliver mail, and nothing else.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use conf::params::Process;
use conf::{Block, MasterCf, Service, View};
use mail::addresses::{mailboxes, parse};
use master::Identity;
use nix::unistd::{Uid, User};

use crate::agents::{local, pipe};
use crate::child::ChildJob;
use crate::command;
use crate::environment;
use crate::mailbox::{MailboxJob, OpenAs, Place};
use crate::spawn;

/// Largest text of configuration that is searched, in bytes, and most files that include each other.
const LARGEST: u64 = 64 << 20;
const FILES: usize = 200;

/// The program of a service, or `acme_dns_hook`: its user, and the words of its command; of pipe those before the first
/// macro.
#[derive(Clone, Debug)]
struct Program {
    who: Identity,
    words: Vec<String>,
    /// Nothing may follow these words: spawn.
    whole: bool,
}

impl Program {
    fn is(&self, who: Identity, argv: &[String]) -> bool {
        self.who == who && argv.starts_with(&self.words) && (!self.whole || argv.len() == self.words.len())
    }
}

/// The rules for jobs.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    spool: PathBuf,
    home_mailbox: String,
    virtual_base: String,
    forward: Vec<String>,
    /// `mailbox_command`.
    command: String,
    shell: Vec<String>,
    programs: Vec<Program>,
    /// Texts whose entries name commands behind `|`, files and `:include:` files: aliases.
    aliases: Vec<PathBuf>,
    /// Texts whose values are commands: `mailbox_command_maps`.
    commands: Vec<PathBuf>,
    /// Some tables have no text to be searched (databases, patterns): commands and files that they name are not
    /// checked.
    unchecked: bool,
    /// The same of virtual mailboxes without `virtual_mailbox_base`.
    anywhere: bool,
    environment: HashSet<String>,
}

impl Policy {
    /// Reads the rules.
    pub fn read(view: &View, master: &MasterCf) -> Policy {
        let process = Process::read(view, &mut Vec::new());
        let mut unchecked = false;
        let mut texts = |parameters: &[&str]| {
            let mut texts = Vec::new();
            for word in parameters.iter().flat_map(|name| words(&view.get(name))) {
                match word.split_once(':') {
                    Some(("hash" | "btree" | "lmdb" | "dbm" | "cdb" | "texthash", path)) => {
                        texts.push(path.into())
                    }
                    // Their values stand in main.cf, or in a table of users that names no command.
                    Some(("unix" | "environ" | "internal" | "fail", _)) => {}
                    _ => unchecked = true,
                }
            }
            texts
        };
        let aliases = texts(&["alias_maps"]);
        let commands = texts(&["mailbox_command_maps"]);
        // Virtual mailboxes are named by tables of every kind; their directory is what confines them.
        let virtual_base = view.get("virtual_mailbox_base");
        let is_virtual = !view.get("virtual_mailbox_maps").is_empty();
        // Their names are filled in at delivery.
        let raw = |name| view.unexpanded(name).map(std::borrow::Cow::into_owned).unwrap_or_default();
        let exported = environment::exported(&process, view);
        Policy {
            spool: view.get("mail_spool_directory").into(),
            home_mailbox: view.get("home_mailbox"),
            anywhere: is_virtual && virtual_base.is_empty(),
            virtual_base: if is_virtual { virtual_base } else { String::new() },
            forward: words(&raw("forward_path")),
            command: raw("mailbox_command"),
            shell: words(&view.get("local_command_shell")),
            programs: programs(view, master),
            aliases,
            commands,
            unchecked,
            environment: exported.into_iter().map(|(name, _)| name).collect(),
        }
    }

    /// May this mailbox or file be written?
    pub(super) fn may_write(&self, who: Identity, job: &MailboxJob) -> Result<(), String> {
        let (path, ours) = match &job.place {
            Place::Maildir(place) => (&place.directory, false),
            Place::Mbox(place) => (&place.path, place.open_as == OpenAs::Ourselves),
        };
        let plain = path.is_absolute() && !path.components().any(|part| part == Component::ParentDir);
        let fits = if who.uid == 0 {
            ours && self.is_own_spool_file(path, job.rights.uid)
        } else {
            !ours && job.rights.uid == who.uid && self.is_mailbox(who, path)
        };
        if plain && fits {
            return Ok(());
        }
        log::warn!(target: "local", "refused to write {} as user {}: the configuration names no such file",
            path.display(), who.uid);
        Err("the file is none that the configuration names".to_owned())
    }

    /// As root: only the file in the spool, or in its home, that has the user's own name.
    fn is_own_spool_file(&self, path: &Path, uid: u32) -> bool {
        let Some(user) = account(uid) else { return false };
        path == self.spool.join(&user.name)
            || (uid == 0 && !self.home_mailbox.is_empty() && path == user.dir.join(&self.home_mailbox))
    }

    fn is_mailbox(&self, who: Identity, path: &Path) -> bool {
        let home = || account(who.uid).map(|user| user.dir.join(&self.home_mailbox));
        path.starts_with(&self.spool)
            || (!self.virtual_base.is_empty() && path.starts_with(&self.virtual_base))
            || (!self.home_mailbox.is_empty() && home().is_some_and(|home| path == home))
            || self.unchecked
            || self.anywhere
            || self.named(who, &path.to_string_lossy())
            || self.named(who, &format!("/{}", path.to_string_lossy().trim_start_matches('/')))
            || self.named_in_home(who, &path.to_string_lossy())
    }

    /// Does an entry `~/name` mean this file?
    fn named_in_home(&self, who: Identity, path: &str) -> bool {
        let home = account(who.uid).map(|user| user.dir.to_string_lossy().into_owned());
        let within = home.and_then(|home| path.strip_prefix(&home)?.strip_prefix('/').map(str::to_owned));
        within.is_some_and(|name| self.named(who, &format!("~/{name}")))
    }

    /// May this program be run?
    pub(super) fn may_run(&self, who: Identity, job: &ChildJob) -> bool {
        if job.rights.uid != who.uid || job.rights.gid != who.gid || !self.known_environment(job) {
            return false;
        }
        if self.unchecked || self.programs.iter().any(|program| program.is(who, &job.argv)) {
            return true;
        }
        let line = self.line(&job.argv);
        (!line.is_empty() && squeezed(&line) == squeezed(&self.command))
            || self.is_mailbox_command(&line)
            || self.named(who, &format!("|{line}"))
    }

    /// Variables change what a program does: only those that local gives it.
    fn known_environment(&self, job: &ChildJob) -> bool {
        job.environment.iter().all(|(name, value)| match name.as_str() {
            "PATH" => value == command::PATH,
            name => local::VARIABLES.contains(&name) || self.environment.contains(name),
        })
    }

    /// The command line that became these words.
    fn line(&self, argv: &[String]) -> String {
        let shell: Vec<&str> = match self.shell.is_empty() {
            true => vec!["/bin/sh", "-c"],
            false => self.shell.iter().map(String::as_str).collect(),
        };
        match argv.split_last() {
            Some((line, first)) if first == shell => line.clone(),
            _ => argv.join(" "),
        }
    }

    fn is_mailbox_command(&self, line: &str) -> bool {
        self.commands.iter().any(|file| {
            let text = text(file).unwrap_or_default();
            let mut values = text.lines().filter_map(|line| line.split_once([' ', '\t']));
            values.any(|(_, value)| squeezed(value) == squeezed(line))
        })
    }

    /// Is this a `.forward` file of this user, as `forward_path` names them?
    pub(super) fn is_forward(&self, who: Identity, file: &Path) -> bool {
        let file = file.to_string_lossy();
        self.forward_prefixes(who)
            .iter()
            .any(|prefix| file.strip_prefix(prefix.as_str()).is_some_and(|rest| !rest.contains('/')))
    }

    /// What the names of `.forward` files begin with: `forward_path` up to the first name that is not the user's.
    fn forward_prefixes(&self, who: Identity) -> Vec<String> {
        let Some(user) = account(who.uid) else { return Vec::new() };
        let home = user.dir.to_string_lossy().into_owned();
        let expand = |word: &String| {
            let word = word.replace("$home", &home).replace("${home}", &home);
            let word = word.replace("$user", &user.name).replace("${user}", &user.name);
            word.split('$').next().unwrap_or_default().to_owned()
        };
        // A whole directory is no prefix.
        self.forward
            .iter()
            .map(expand)
            .filter(|prefix| prefix.starts_with('/') && !prefix.ends_with('/'))
            .collect()
    }

    /// Do the aliases or the user's `.forward` files include this file?
    pub(super) fn is_included(&self, who: Identity, file: &Path) -> bool {
        self.named(who, &format!(":include:{}", file.display()))
    }

    /// Does a text that may name files and commands have this entry? For a user these are the aliases and the user's
    /// `.forward` files, and the files that either includes; for root the aliases.
    fn named(&self, who: Identity, entry: &str) -> bool {
        let entry = squeezed(entry);
        let mut todo = self.aliases.clone();
        for prefix in self.forward_prefixes(who) {
            let (directory, name) = prefix.rsplit_once('/').unwrap_or(("/", &prefix));
            let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
            let ours = entries.filter(|found| found.file_name().to_string_lossy().starts_with(name));
            todo.extend(ours.map(|found| found.path()).take(FILES));
        }
        let mut seen = HashSet::new();
        while let Some(file) = todo.pop().filter(|_| seen.len() < FILES) {
            let Some(text) = text(&file).filter(|_| seen.insert(file)) else { continue };
            for line in text.lines() {
                let unquoted = is_word(line, &entry);
                let line = squeezed(line);
                if unquoted || has_entry(&line, &entry) {
                    return true;
                }
                let included = line.split(":include:").skip(1).filter_map(|rest| rest.split(',').next());
                todo.extend(included.filter(|path| path.starts_with('/')).map(PathBuf::from));
            }
        }
        false
    }
}

/// Is `entry` a whole entry of this squeezed line: behind its start, a colon or a comma, up to a comma or the end?
fn has_entry(line: &str, entry: &str) -> bool {
    line.match_indices(entry).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + entry.len()..]);
        let starts = before.is_empty() || before.ends_with([':', ',']);
        starts && !before.ends_with(":include:") && (after.is_empty() || after.starts_with(','))
    })
}

/// Is it a word of the line, or of what stands behind its first colon, as local divides lists? An entry without quotes
/// ends at a blank.
fn is_word(line: &str, entry: &str) -> bool {
    let value = line.split_once(':').map_or("", |(_, value)| value);
    [line, value].iter().any(|text| {
        let tokens = parse(text.as_bytes(), 0);
        mailboxes(&tokens).any(|word| squeezed(&String::from_utf8_lossy(word.internal())) == entry)
    })
}

/// Without blanks, quotes and backslashes: the same entry is written in several ways.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\\')).collect()
}

fn words(text: &str) -> Vec<String> {
    text.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn account(uid: u32) -> Option<User> {
    User::from_uid(Uid::from_raw(uid)).ok().flatten()
}

/// A text, unless it is no plain file or this process may not read it.
fn text(file: &Path) -> Option<String> {
    let found = std::fs::metadata(file).ok().filter(|found| found.is_file() && found.len() <= LARGEST);
    found.and_then(|_| std::fs::read(file).ok()).map(|text| String::from_utf8_lossy(&text).into_owned())
}

/// Users and groups that the configuration names, and the root directories of pipe services.
pub fn named_rights(view: &View, master: &MasterCf) -> (HashSet<Identity>, HashSet<PathBuf>) {
    let mut named: HashSet<Identity> =
        programs(view, master).into_iter().map(|program| program.who).collect();
    let default = local::default_rights(&view.get("default_privs")).ok();
    named.extend(default.map(|rights| Identity { uid: rights.uid, gid: rights.gid }));
    let pipes = master.services.iter().filter(|service| service.command == "pipe");
    (named, pipes.filter_map(pipe::root_of).collect())
}

fn programs(view: &View, master: &MasterCf) -> Vec<Program> {
    let program = |service: &Service| {
        let mail_owner = view.with_overrides(&service.overrides).get("mail_owner");
        let whole = service.command == "spawn";
        let (rights, argv) = match service.command.as_str() {
            "pipe" => pipe::command_of(service, &mail_owner)?,
            "spawn" => spawn::command_of(service, &mail_owner)?,
            _ => return None,
        };
        let words = argv.into_iter().take_while(|word| whole || !word.contains('$')).collect();
        Some(Program { who: Identity { uid: rights.uid, gid: rights.gid }, words, whole })
    };
    let hook = view.get("acme_dns_hook");
    let rights =
        (!hook.is_empty()).then(|| local::default_rights(&view.get("acme_dns_hook_user")).ok()).flatten();
    let hook = rights.map(|rights| {
        let who = Identity { uid: rights.uid, gid: rights.gid };
        Program { who, words: vec![hook], whole: false }
    });
    master.services.iter().filter_map(program).chain(hook).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::{Locking, MboxPlace, Unexplained};
    use crate::privilege::Rights;

    /// A user that every system has, and that has no `.forward`.
    const NOBODY: Identity = Identity { uid: 65534, gid: 65534 };

    fn policy(directory: &Path) -> Policy {
        let (aliases, list) = (directory.join("aliases"), directory.join("list"));
        let text =
            format!("a: \"|/bin/x \\\"one two\\\"\", /srv/file\nb:\n  :include:{}, ~/box\n", list.display());
        std::fs::write(&aliases, text).unwrap();
        std::fs::write(&list, "|/bin/listed\n").unwrap();
        Policy {
            spool: "/var/mail".into(),
            virtual_base: "/vhosts".to_owned(),
            aliases: vec![aliases],
            programs: [(["/bin/pipe", "-f"], false), (["/bin/spawn", "-s"], true)]
                .map(|(words, whole)| Program {
                    who: NOBODY,
                    words: words.map(str::to_owned).to_vec(),
                    whole,
                })
                .to_vec(),
            ..Policy::default()
        }
    }

    fn runs(policy: &Policy, argv: &[&str], environment: &[(&str, &str)]) -> bool {
        let own = |text: &&str| (*text).to_owned();
        let job = ChildJob {
            rights: Rights { uid: NOBODY.uid, gid: NOBODY.gid },
            argv: argv.iter().map(own).collect(),
            environment: environment.iter().map(|(name, value)| (own(name), own(value))).collect(),
            directory: "/".into(),
            chroot: None,
            file_limit: 0,
        };
        policy.may_run(NOBODY, &job)
    }

    #[test]
    fn commands_that_nobody_named_do_not_run() {
        let directory = tempfile::tempdir().unwrap();
        let policy = policy(directory.path());
        assert!(runs(&policy, &["/bin/sh", "-c", "/bin/x \"one two\""], &[("HOME", "/")]));
        assert!(runs(&policy, &["/bin/listed"], &[("PATH", command::PATH)]), "from an included file");
        assert!(runs(&policy, &["/bin/pipe", "-f", "s@x", "r@x"], &[]));
        assert!(runs(&policy, &["/bin/spawn", "-s"], &[]));
        for (argv, environment) in [
            (&["/bin/sh", "-c", "cat /etc/passwd"][..], &[][..]),
            (&["/bin/x", "one"], &[]),
            (&["/bin/sh", "-c", ""], &[]),
            (&["/bin/pipe", "-x"], &[]),
            (&["/bin/spawn", "-s", "more"], &[]),
            (&["/srv/file"], &[]),
            (&["/bin/listed"], &[("LD_PRELOAD", "/tmp/evil.so")]),
            (&["/bin/listed"], &[("PATH", "/tmp")]),
        ] {
            assert!(!runs(&policy, argv, environment), "{argv:?} {environment:?}");
        }
    }

    #[test]
    fn files_that_nobody_named_are_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let policy = policy(directory.path());
        let may = |who: Identity, path: &str, open_as| {
            let locking = Locking {
                kinds: Vec::new(),
                attempts: 1,
                delay: std::time::Duration::ZERO,
                stale: std::time::Duration::ZERO,
                dotlock_may_fail: true,
            };
            let unexplained = Unexplained::LATER;
            let path = PathBuf::from(path);
            let place = MboxPlace { path, locking, open_as, strict_owner: false, special: true, unexplained };
            let rights = Rights { uid: NOBODY.uid, gid: NOBODY.gid };
            let job = MailboxJob { rights, place: Place::Mbox(place), head: Vec::new(), limit: 0 };
            policy.may_write(who, &job).is_ok()
        };
        let root = Identity { uid: 0, gid: 0 };
        let nobody = account(NOBODY.uid).expect("every system has nobody");
        let (name, home) = (nobody.name, nobody.dir.display().to_string());
        for (who, path, open_as, expected) in [
            (NOBODY, "/var/mail/nobody", OpenAs::User, true),
            (NOBODY, "/vhosts/a/b", OpenAs::User, true),
            (NOBODY, "/srv/file", OpenAs::User, true),
            (NOBODY, "/vhosts/../home/x", OpenAs::User, false),
            (NOBODY, "/home/x/.ssh/authorized_keys", OpenAs::User, false),
            (NOBODY, "/srv/fil", OpenAs::User, false),
            (NOBODY, &format!("{home}/box"), OpenAs::User, true),
            (NOBODY, &format!("{home}/other"), OpenAs::User, false),
            (NOBODY, "/box", OpenAs::User, false),
            (NOBODY, "/var/mail/nobody", OpenAs::Ourselves, false),
            (root, &format!("/var/mail/{name}"), OpenAs::Ourselves, true),
            (root, "/var/mail/root", OpenAs::Ourselves, false),
            (root, "/srv/file", OpenAs::Ourselves, false),
            (root, "/var/mail/nobody", OpenAs::User, false),
        ] {
            assert_eq!(may(who, path, open_as), expected, "{} {path} {open_as:?}", who.uid);
        }
    }
}
