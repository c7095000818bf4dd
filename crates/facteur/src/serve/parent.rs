//! Started as root: the root parent's view of the rest of the program ([`master`]).

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conf::params::Process;
use conf::{Block, ServiceKind, View};
use deliver::hand::Policy;
use master::{Door, Identity, Lanes, Rules, Staff};
use nix::unistd::User;
use people::outside::{self, checker};

use super::{FAILED, directories, give_up, keeper, log_target, raise_file_limit, seconds, worker};
use crate::commands::postfix::{pid_file, remove_pid_file, write_pid_file};
use crate::config::Config;
use crate::logging;

/// Runs until SIGTERM: this process keeps root, others do the work.
pub fn run(directory: &Path, verbose: bool, ready: impl FnOnce()) -> u8 {
    let config = Config::read(directory, "master");
    if let Err(what) =
        logging::start_simple(log_target(&config.view), &config.view.get("syslog_name"), verbose)
    {
        eprintln!("postfix: fatal: {what}");
        return FAILED;
    }
    let owner = match owner(&config.view) {
        Ok(owner) => owner,
        Err(what) => return give_up(&what),
    };
    if let Err(what) = directories::prepare(&config.view) {
        return give_up(&what);
    }
    raise_file_limit();
    let office = Office {
        directory,
        owner,
        writable: writable(&config),
        policy: RefCell::new(Policy::default()),
        checks: RefCell::default(),
        keeper: Cell::new(None),
        pid_file: pid_file(&config),
        ready: Cell::new(Some(ready)),
    };
    let status = master::run(&office);
    remove_pid_file(&office.pid_file);
    status.unwrap_or_else(|error| give_up(&format!("the root process cannot go on: {error}")))
}

struct Office<'a, F> {
    directory: &'a Path,
    owner: Identity,
    writable: Vec<PathBuf>,
    policy: RefCell<Policy>,
    checks: RefCell<checker::Allowed>,
    keeper: Cell<Option<Identity>>,
    pid_file: PathBuf,
    ready: Cell<Option<F>>,
}

impl<F: FnOnce()> Staff for Office<'_, F> {
    fn rules(&self) -> Option<Rules> {
        let config = Config::read(self.directory, "master");
        if config.mistakes.iter().any(|mistake| mistake.severity == conf::Severity::Fatal) {
            return None;
        }
        *self.policy.borrow_mut() = Policy::read(&config.view, &config.master);
        *self.checks.borrow_mut() = checks(&config);
        match keeper::owner(&config.view, &config.master) {
            Ok(owner) => self.keeper.set(owner),
            Err(what) => log::error!(target: "master", "{what}; mailboxes are left to mail_owner"),
        }
        Some(rules(&config))
    }

    fn owner(&self) -> (Identity, Vec<PathBuf>) {
        (self.owner, self.writable.clone())
    }

    fn open_log(&self) -> io::Result<Option<File>> {
        logging::reopen();
        logging::file()
    }

    fn ready(&self) {
        if let Err(error) = write_pid_file(&self.pid_file) {
            log::error!(target: "master", "cannot write {}: {error}", self.pid_file.display());
        }
        if let Some(ready) = self.ready.take() {
            ready();
        }
    }

    fn work(&self, door: Door, missing: Vec<String>) -> u8 {
        logging::renumber();
        for what in missing {
            log::warn!(target: "master", "the kernel does not confine this process as far as it could: {what}");
        }
        let door = Arc::new(door);
        lend(&door);
        deliver::hand::hire(door.clone());
        worker(self.directory, door)
    }

    fn check(&self, lanes: &Lanes) {
        logging::renumber();
        checker::serve(&self.checks.borrow(), lanes);
    }

    fn keeper(&self) -> Option<Identity> {
        self.keeper.get()
    }

    fn keep(&self, door: Door, lanes: Lanes) -> u8 {
        logging::renumber();
        let door = Arc::new(door);
        lend(&door);
        keeper::keep(self.directory, door, lanes)
    }

    fn deliver(&self, who: Identity, lanes: &Lanes) {
        logging::renumber();
        deliver::hand::serve(who, &self.policy.borrow(), lanes, seconds);
    }
}

/// Every `passdb`: main.cf's and those of services.
fn passdbs(config: &Config) -> Vec<String> {
    let overridden = config.master.services.iter().flat_map(|service| &service.overrides);
    let overridden =
        overridden.filter(|(name, _)| name == "passdb").map(|(_, value)| config.view.expand(value));
    std::iter::once(config.view.get("passdb")).chain(overridden).collect()
}

fn checks(config: &Config) -> checker::Allowed {
    checker::Allowed::read(passdbs(config).iter().map(String::as_str))
}

/// Where the worker may write: in the queue, and where mailboxes are that are read through it because nobody else
/// keeps them.
fn writable(config: &Config) -> Vec<PathBuf> {
    let view = &config.view;
    let mut directories: Vec<PathBuf> =
        ["queue_directory", "data_directory"].map(|name| view.get(name).into()).to_vec();
    if matches!(keeper::owner(view, &config.master), Ok(Some(_))) {
        return directories;
    }
    let reads = |service: &conf::Service| ["imapd", "pop3d", "lmtpd"].contains(&service.command.as_str());
    for service in config.master.services.iter().filter(|service| reads(service)) {
        let view = view.for_service(service);
        directories.extend(fixed(&view.get("mail_location")));
        directories.extend(
            Some(view.get("virtual_mailbox_base")).filter(|base| !base.is_empty()).map(PathBuf::from),
        );
    }
    directories
}

/// The directory above the first part of a `mail_location` that differs from user to user.
fn fixed(location: &str) -> Option<PathBuf> {
    let path = location.split_once(':')?.1.split(':').next()?;
    let path = if path.contains('%') { path.split('%').next()?.rsplit_once('/')?.0 } else { path };
    (path.len() > 1 && path.starts_with('/')).then(|| PathBuf::from(path))
}

/// What this process may not do, the root process does for it.
fn lend(door: &Arc<Door>) {
    let (opens, listens) = (door.clone(), door.clone());
    conf::secrets::lend(move |path| opens.open(path));
    net::listener::lend(move |address| listens.listen(address));
    let checks = door.clone();
    outside::lend(move |job| checker::send(checks.checker()?, job));
}

fn owner(view: &View) -> Result<Identity, String> {
    let name = Process::read(view, &mut Vec::new()).mail_owner;
    let user = User::from_name(&name).map_err(|error| format!("mail_owner {name}: {}", error.desc()))?;
    let user =
        user.ok_or_else(|| format!("mail_owner: there is no user {name:?}: make one, or name another"))?;
    let who = Identity { uid: user.uid.as_raw(), gid: user.gid.as_raw() };
    if who.uid == 0 || who.gid == 0 {
        return Err(format!("mail_owner: {name} has the rights of root: name an unprivileged user"));
    }
    Ok(who)
}

/// What the configuration allows the worker to ask for.
fn rules(config: &Config) -> Rules {
    let view = &config.view;
    let queue = PathBuf::from(view.get("queue_directory"));
    // What the worker can change itself is no name that it could be given more by.
    let own = [queue.clone(), view.get("data_directory").into()];
    let mut files: HashSet<PathBuf> = view.main().parts().iter().cloned().collect();
    files.extend(["main.cf", "master.cf"].map(|name| view.facts().config_directory.join(name)));
    for setting in view.main().standing() {
        named_files(&view.get(&setting.name), &mut files);
    }
    for name in view.registry().names() {
        named_files(&view.get(name), &mut files);
    }
    let separators = [',', ' ', '\t', '\r', '\n', '{', '}'];
    if passdbs(config).iter().any(|passdb| passdb.split(separators).any(|word| word == "shadow")) {
        files.insert("/etc/shadow".into());
    }
    let mut ports = HashSet::new();
    for service in &config.master.services {
        for (_, value) in &service.overrides {
            named_files(&view.expand(value), &mut files);
        }
        if service.kind == ServiceKind::Inet {
            let port = service.name.rsplit(':').next().unwrap_or_default();
            ports.extend(net::listener::port(port, Path::new("/etc/services")));
        }
    }
    files.extend(sign::named_files(view));
    files.retain(|file| !own.iter().any(|own| file.starts_with(own)));
    let (named, roots) = deliver::hand::named_rights(view, &config.master);
    Rules {
        files,
        drops: vec![queue.join("maildrop")],
        ports,
        named,
        groups: spool_group(view).into_iter().collect(),
        virtual_from: view
            .get("virtual_minimum_uid")
            .trim()
            .parse()
            .ok()
            .filter(|_| !view.get("virtual_mailbox_maps").is_empty()),
        roots,
        checks: !checks(config).is_empty(),
    }
}

/// Absolute paths in a value: alone, or behind the type of a table.
fn named_files(value: &str, files: &mut HashSet<PathBuf>) {
    for word in value.split([',', ' ', '\t', '\r', '\n', '{', '}', '=']) {
        let path = if word.starts_with('/') {
            Some(word)
        } else {
            word.split_once(":/").map(|(type_, _)| &word[type_.len() + 1..])
        };
        files.extend(path.map(PathBuf::from));
    }
}

/// The group of a mail spool that a group may write.
fn spool_group(view: &View) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::metadata(view.get("mail_spool_directory")).ok()?;
    (meta.mode() & 0o020 != 0).then(|| meta.gid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_lie_below_what_all_have_in_common() {
        let fixed = |location: &str| fixed(location).map(|path| path.display().to_string());
        assert_eq!(fixed("maildir:/var/vmail/%d/%n:LAYOUT=fs").as_deref(), Some("/var/vmail"));
        assert_eq!(fixed("facteur:/srv/mail/%u").as_deref(), Some("/srv/mail"));
        assert_eq!(fixed("maildir:~/Maildir"), None);
        assert_eq!(fixed("mbox:/%u"), None);
    }

    #[test]
    fn files_are_found_in_values() {
        let mut files = HashSet::new();
        named_files("hash:/a/b, proxy:mysql:/c {/d} relative texthash:e, /f", &mut files);
        let mut found: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        found.sort();
        assert_eq!(found, ["/a/b", "/c", "/d", "/f"]);
    }
}
