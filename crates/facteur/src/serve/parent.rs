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
use imap::accounts::owner_of_all;
use master::{Door, Front, Identity, Keeping, Lanes, Rules, Staff};
use net::Endpoint;
use nix::unistd::{Group, User};
use people::outside::{self, checker};

use store::params::Mailboxes;

use super::listening::endpoints;
use super::{
    FAILED, certificates, directories, give_up, keeper, kinds, log_target, own_keeper, raise_file_limit,
    seconds, worker,
};
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
    if let Err(what) = directories::prepare(&config.view).and_then(|()| certificates::prepare(&config.view)) {
        return give_up(&what);
    }
    raise_file_limit();
    let office = Office {
        directory,
        owner,
        writable: writable(&config.view),
        policy: RefCell::new(Policy::default()),
        checks: RefCell::default(),
        front: RefCell::default(),
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
    front: RefCell<Option<Front>>,
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
        match front(&config) {
            Ok(front) => *self.front.borrow_mut() = front,
            Err(what) => log::error!(target: "master", "{what}; nobody can read mail until it is right"),
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
        unconfined(missing);
        let door = Arc::new(door);
        lend(&door);
        deliver::hand::hire(door.clone());
        worker(self.directory, door)
    }

    fn check(&self, lanes: &Lanes) {
        logging::renumber();
        checker::serve(&self.checks.borrow(), lanes);
    }

    fn front(&self) -> Option<Front> {
        self.front.borrow().clone()
    }

    fn keep(&self, door: Door, lanes: Lanes) -> u8 {
        logging::renumber();
        let door = Arc::new(door);
        lend(&door);
        keeper::keep(self.directory, door, lanes)
    }

    fn take_logins(&self, door: Door, missing: Vec<String>) -> u8 {
        logging::renumber();
        unconfined(missing);
        let door = Arc::new(door);
        lend(&door);
        keeper::take_logins(self.directory, door)
    }

    fn keep_for(&self, who: Identity, door: Door, lanes: Lanes) -> u8 {
        logging::renumber();
        let door = Arc::new(door);
        let opens = door.clone();
        conf::secrets::lend(move |path| opens.open(path));
        own_keeper::keep_for(self.directory, who, door, lanes)
    }

    fn deliver(&self, who: Identity, lanes: &Lanes) {
        logging::renumber();
        deliver::hand::serve(who, &self.policy.borrow(), lanes, seconds);
    }
}

fn unconfined(missing: Vec<String>) {
    for what in missing {
        log::warn!(target: "master", "the kernel does not confine this process as far as it could: {what}");
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

/// Where the worker may write.
fn writable(view: &View) -> Vec<PathBuf> {
    ["queue_directory", "data_directory", "acme_certificate_directory"]
        .map(|name| view.get(name).into())
        .to_vec()
}

/// To whom those come who read mail.
fn front(config: &Config) -> Result<Option<Front>, String> {
    let view = &config.view;
    if let Some(owner) = owner_of_all(view)? {
        return Ok(kinds::reaches_mailboxes(&config.master).then_some(Front::Keeper(owner)));
    }
    if !kinds::has_readers(&config.master) {
        return Ok(None);
    }
    let who = front_user(view)?;
    Ok(Some(Front::Logins {
        who,
        readable: readable(config),
        writable: vec![view.get("data_directory").into()],
    }))
}

/// Whose rights that process has.
pub fn front_user(view: &View) -> Result<Identity, String> {
    if let Some(owner) = owner_of_all(view)? {
        return Ok(owner);
    }
    match Mailboxes::read(view, &mut Vec::new()).default_login_user.as_str() {
        "" => owner(view),
        name => unprivileged("default_login_user", name),
    }
}

/// Where the process that takes logins may read: programs and settings of the system, our configuration, and the files
/// that it names. No home and no mail spool is among them.
fn readable(config: &Config) -> Vec<PathBuf> {
    let system = [
        "/etc",
        "/usr",
        "/lib",
        "/lib64",
        "/proc",
        "/run",
        "/dev/urandom",
        "/dev/random",
        "/var/lib/sss",
        "/var/db/nscd",
    ];
    let mut readable: Vec<PathBuf> = system.map(PathBuf::from).to_vec();
    readable.push(config.view.facts().config_directory.clone());
    let mut files = HashSet::new();
    named(config, &mut files);
    for file in files.iter().filter(|file| file.is_file()) {
        readable.push(file.clone());
        let compiled = ["lmdb", "db", "cdb"].map(|end| PathBuf::from(format!("{}.{end}", file.display())));
        readable.extend(compiled);
    }
    // Certificates are put in each other's place there: the rule is for the directory.
    readable.push(config.view.get("acme_certificate_directory").into());
    readable.retain(|path| path.exists());
    readable
}

/// Who may have a keeper of his own.
fn keeping(config: &Config) -> Keeping {
    let view = &config.view;
    let params = Mailboxes::read(view, &mut Vec::new());
    let number = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    let range = |first: i64, last: i64| number(first)..=(if last == 0 { u32::MAX - 1 } else { number(last) });
    let group = |name: &String| match name.parse() {
        Ok(gid) => Some(gid),
        Err(_) => Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw()),
    };
    Keeping {
        uids: range(params.first_valid_uid, params.last_valid_uid),
        gids: range(params.first_valid_gid, params.last_valid_gid),
        named: keeper::usual(view).into_iter().collect(),
        groups: params.mail_access_groups.iter().filter_map(group).collect(),
        most: usize::try_from(params.mailbox_process_limit).unwrap_or(usize::MAX),
    }
}

/// The mail spool, where `mail_privileged_group` is its group and may write to it.
fn privileged_spool(view: &View) -> Option<PathBuf> {
    let name = Mailboxes::read(view, &mut Vec::new()).mail_privileged_group;
    let group = Group::from_name(&name).ok().flatten()?;
    let spool = std::fs::canonicalize(view.get("mail_spool_directory")).ok()?;
    (spool_group(view) == Some(group.gid.as_raw())).then_some(spool)
}

/// Sockets of services of those who read mail.
fn sockets(config: &Config) -> HashSet<PathBuf> {
    let services = config.master.services.iter().filter(|service| {
        service.kind != ServiceKind::Inet && ["imapd", "pop3d"].contains(&service.command.as_str())
    });
    let places = services.flat_map(|service| endpoints(&config.view, service, &mut Vec::new()));
    places
        .filter_map(|place| match place {
            Endpoint::Unix(path) => Some(path),
            Endpoint::Tcp(_) => None,
        })
        .collect()
}

/// What this process may not do, the root process does for it.
fn lend(door: &Arc<Door>) {
    let (opens, listens, sockets) = (door.clone(), door.clone(), door.clone());
    conf::secrets::lend(move |path| opens.open(path));
    net::listener::lend(move |address| listens.listen(address));
    net::listener::lend_sockets(move |path| sockets.socket(path));
    let checks = door.clone();
    outside::lend(move |job| checker::send(checks.checker()?, job));
}

/// mail_owner.
pub fn owner(view: &View) -> Result<Identity, String> {
    unprivileged("mail_owner", &Process::read(view, &mut Vec::new()).mail_owner)
}

fn unprivileged(parameter: &str, name: &str) -> Result<Identity, String> {
    let user = User::from_name(name).map_err(|error| format!("{parameter} {name}: {}", error.desc()))?;
    let user =
        user.ok_or_else(|| format!("{parameter}: there is no user {name:?}: make one, or name another"))?;
    let who = Identity { uid: user.uid.as_raw(), gid: user.gid.as_raw() };
    if who.uid == 0 || who.gid == 0 {
        return Err(format!("{parameter}: {name} has the rights of root: name an unprivileged user"));
    }
    Ok(who)
}

/// What the configuration allows the worker to ask for.
fn rules(config: &Config) -> Rules {
    let view = &config.view;
    let queue = PathBuf::from(view.get("queue_directory"));
    // What the worker can change itself is no name that it could be given more by.
    let own = [queue.clone(), view.get("data_directory").into()];
    let mut configuration: HashSet<PathBuf> = view.main().parts().iter().cloned().collect();
    configuration.extend(["main.cf", "master.cf"].map(|name| view.facts().config_directory.join(name)));
    let mut files = configuration.clone();
    named(config, &mut files);
    let separators = [',', ' ', '\t', '\r', '\n', '{', '}'];
    if passdbs(config).iter().any(|passdb| passdb.split(separators).any(|word| word == "shadow")) {
        files.insert("/etc/shadow".into());
    }
    let mut ports = HashSet::new();
    for service in &config.master.services {
        if service.kind == ServiceKind::Inet {
            let port = service.name.rsplit(':').next().unwrap_or_default();
            ports.extend(net::listener::port(port, Path::new("/etc/services")));
        }
    }
    files.extend(sign::named_files(view));
    for service in &config.master.services {
        files.extend(mta::smtpd::sasl_files(&view.with_overrides(&service.overrides)));
    }
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
        configuration,
        keepers: keeping(config),
        sockets: sockets(config),
        spool: privileged_spool(view),
    }
}

/// Files that parameters name.
fn named(config: &Config, files: &mut HashSet<PathBuf>) {
    let view = &config.view;
    for setting in view.main().standing() {
        named_files(&view.get(&setting.name), files);
    }
    for name in view.registry().names() {
        named_files(&view.get(name), files);
    }
    for (name, value) in config.master.services.iter().flat_map(|service| &service.overrides) {
        named_files(&view.expand(value), files);
        if name == "tls_server_sni_maps" {
            named_chains(&view.expand(value), files);
        }
    }
    named_chains(&view.get("tls_server_sni_maps"), files);
}

/// Files with keys that the source texts of `tls_server_sni_maps` name.
fn named_chains(maps: &str, files: &mut HashSet<PathBuf>) {
    let mut texts = HashSet::new();
    named_files(maps, &mut texts);
    for line in texts.iter().filter_map(|text| std::fs::read_to_string(text).ok()).flat_map(lines) {
        named_files(&line, files);
    }
}

fn lines(text: String) -> Vec<String> {
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// Absolute paths in a value: alone, or behind the type of a table.
fn named_files(value: &str, files: &mut HashSet<PathBuf>) {
    for word in value.split([',', ' ', '\t', '\r', '\n', '{', '}', '=', '<']) {
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
    fn files_are_found_in_values() {
        let mut files = HashSet::new();
        named_files("hash:/a/b, proxy:mysql:/c {/d} relative texthash:e, /f", &mut files);
        let mut found: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        found.sort();
        assert_eq!(found, ["/a/b", "/c", "/d", "/f"]);
    }
}
