//! What one configuration says of checks and signatures.

use std::net::IpAddr;
use std::path::PathBuf;

use conf::{Block, Mistake, Severity, View};

use crate::Checks;
use crate::canon::Canon;
use crate::dkim::{Recipe, SignAs};
use crate::dmarc::Policy;
use crate::opendkim::{Dataset, Hosts, KeyEntry, KeyTable, OpenDkim, SigningTable};
use crate::params::Sign;

/// What one configuration says. Never changes.
#[derive(Debug)]
pub struct Settings {
    /// What is found out about mail from strangers.
    pub checks: Checks,
    /// Our name in Authentication-Results.
    pub authserv_id: String,
    /// The strongest DMARC policy that is followed.
    pub dmarc_action: Policy,
    /// How our own mail is signed; `None`: it is not.
    pub signing: Option<Signing>,
    /// With which key mail from strangers is sealed.
    pub arc_seal: Option<SignAs>,
    /// Domains whose seals are believed.
    pub trusted_sealers: Vec<String>,
}

/// How our own mail is signed.
#[derive(Debug)]
pub struct Signing {
    /// How.
    pub recipe: Recipe,
    /// Hosts whose mail is ours, beside those that Postfix knows.
    pub internal: Hosts,
    keys: KeyTable,
    senders: SigningTable,
}

impl Signing {
    /// The keys for a sender (`user@domain` of From). None: his mail is not signed.
    pub fn keys(&self, sender: &str) -> Vec<SignAs> {
        let apparent = sender.rsplit_once('@').map_or(sender, |(_, domain)| domain).to_ascii_lowercase();
        let mut keys = Vec::new();
        for (name, identity) in self.senders.find(sender) {
            let name = if name == "%" { apparent.as_str() } else { name };
            let Some(key) = self.keys.get(name) else { continue };
            let domain = if key.domain == "%" { apparent.clone() } else { key.domain.clone() };
            let identity = identity.map(|identity| identity.replace('%', &apparent));
            let fits = |identity: &String| {
                let host = identity.rsplit_once('@').map_or("", |(_, host)| host).to_ascii_lowercase();
                crate::dkim::is_within(&host, &domain)
            };
            keys.push(SignAs {
                identity: identity.filter(fits),
                domain,
                selector: key.selector.clone(),
                key: key.key.clone(),
            });
        }
        keys
    }

    /// Every key with its name, in the order of names. Where the domain is that of the sender, it is `%`.
    pub fn all(&self) -> Vec<(String, SignAs)> {
        self.keys.all()
    }

    /// Is it mail of ours by the client alone?
    pub fn is_internal(&self, address: IpAddr, name: &str) -> bool {
        self.internal.contains(address, name)
    }
}

/// A setting of main.cf, or else of opendkim.conf.
struct Sources<'a> {
    view: &'a View,
    file: Option<OpenDkim>,
}

impl Sources<'_> {
    fn text(&self, parameter: &str, setting: &str) -> Option<String> {
        let own = self.view.get(parameter);
        match own.trim() {
            "" => self.file.as_ref()?.get(setting).map(str::to_owned),
            own => Some(own.to_owned()),
        }
    }

    fn dataset(&self, parameter: &str, setting: &str, mistakes: &mut Vec<Mistake>) -> Option<Dataset> {
        let text = self.text(parameter, setting)?;
        match Dataset::read(&text) {
            Ok(dataset) => Some(dataset),
            Err(wrong) => {
                mistakes.push(self.mistake(parameter, setting, wrong));
                None
            }
        }
    }

    fn mistake(&self, parameter: &str, setting: &str, text: String) -> Mistake {
        match &self.file {
            Some(file) if self.view.get(parameter).trim().is_empty() => file.mistake(setting, text),
            _ => {
                let place = self.view.place(parameter);
                let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
                Mistake::new(Severity::Error, place, format!("{parameter}: {text}"))
            }
        }
    }
}

impl Settings {
    /// Reads the parameters, and the files they name. `None`: nothing of all this is wanted.
    pub fn read(view: &View, mistakes: &mut Vec<Mistake>) -> Option<Settings> {
        let read = Sign::read(view, mistakes);
        let file =
            (!read.dkim_config.as_os_str().is_empty()).then(|| OpenDkim::read(&read.dkim_config, mistakes));
        let sources = Sources { view, file };
        let mut checks = Checks::default();
        for word in &read.sender_authentication {
            match word.to_ascii_lowercase().as_str() {
                "spf" => checks.spf = true,
                "dkim" => checks.dkim = true,
                "arc" => checks.arc = true,
                "dmarc" => checks.dmarc = true,
                _ => {
                    let text = format!("\"{word}\" is none of spf, dkim, arc, dmarc");
                    mistakes.push(sources.mistake("sender_authentication", "", text));
                }
            }
        }
        let mode = sources.file.as_ref().and_then(|file| file.get("Mode")).unwrap_or("sv").to_owned();
        if sources.file.is_some() && mode.contains('v') && read.sender_authentication.is_empty() {
            checks.dkim = true;
        }
        let dmarc_action = Policy::parse(&read.dmarc_policy_action).unwrap_or(Policy::None);
        if dmarc_action > Policy::None && !checks.dmarc {
            let text = "has no effect without \"dmarc\" in sender_authentication".to_owned();
            mistakes.push(sources.mistake("dmarc_policy_action", "", text));
        }
        if !read.arc_trusted_sealers.is_empty() && !checks.dmarc {
            let text = "has no effect without \"dmarc\" in sender_authentication".to_owned();
            mistakes.push(sources.mistake("arc_trusted_sealers", "", text));
        }
        let signing = mode.contains('s').then(|| signing(&sources, &read, mistakes)).flatten();
        let mut arc_seal = None;
        let seal_domain = read.arc_seal_domain.trim();
        if !seal_domain.is_empty() {
            let keys = signing.as_ref().map(|signing| signing.keys(&format!("postmaster@{seal_domain}")));
            arc_seal = keys.and_then(|keys| keys.into_iter().next());
            if arc_seal.is_none() {
                let text = format!("the signing table has no key for {seal_domain}");
                mistakes.push(sources.mistake("arc_seal_domain", "", text));
            }
        }
        let file_id = sources.file.as_ref().and_then(|file| file.get("AuthservID"));
        let authserv_id = match file_id {
            Some(id) if !view.is_set("authserv_id") && id != "HOSTNAME" => id.to_owned(),
            _ => read.authserv_id.trim().to_owned(),
        };
        (checks.any() || signing.is_some()).then_some(Settings {
            checks,
            authserv_id,
            dmarc_action,
            signing,
            arc_seal,
            trusted_sealers: read.arc_trusted_sealers.clone(),
        })
    }
}

fn signing(sources: &Sources<'_>, read: &Sign, mistakes: &mut Vec<Mistake>) -> Option<Signing> {
    let recipe = recipe(sources, read, mistakes);
    let mut internal = Hosts::default();
    if let Some(dataset) = sources.dataset("dkim_internal_hosts", "InternalHosts", mistakes) {
        internal = Hosts::read(&dataset, mistakes);
    }
    let (keys, senders);
    if let Some(dataset) = sources.dataset("dkim_key_table", "KeyTable", mistakes) {
        keys = KeyTable::read(&dataset, mistakes);
        let Some(table) = sources.dataset("dkim_signing_table", "SigningTable", mistakes) else {
            let text = "a key table needs a signing table".to_owned();
            mistakes.push(sources.mistake("dkim_key_table", "KeyTable", text));
            return None;
        };
        let multiple = sources.file.as_ref().is_none_or(|file| file.yes("MultipleSignatures"));
        senders = SigningTable::read(&table, &keys, multiple, mistakes);
    } else {
        let file = sources.file.as_ref()?;
        let (domains, selector, path) = (file.get("Domain")?, file.get("Selector")?, file.get("KeyFile")?);
        let domains: Vec<String> = match Dataset::read(domains) {
            Ok(dataset) => dataset.lines.into_iter().map(|line| line.text).collect(),
            Err(wrong) => {
                mistakes.push(file.mistake("Domain", wrong));
                return None;
            }
        };
        let key = match KeyEntry::File(path.into()).read() {
            Ok(key) => key,
            Err(wrong) => {
                mistakes.push(file.mistake("KeyFile", wrong));
                return None;
            }
        };
        // OpenDKIM signs with the domain of the sender, or the one above it that is listed.
        keys = KeyTable::single("KeyFile", selector, key);
        senders = SigningTable::of_domains(&domains, file.yes("SubDomains"), "KeyFile");
    }
    Some(Signing { recipe, internal, keys, senders })
}

fn recipe(sources: &Sources<'_>, read: &Sign, mistakes: &mut Vec<Mistake>) -> Recipe {
    let mut recipe = Recipe::default();
    if let Some(text) = sources.text("dkim_canonicalization", "Canonicalization") {
        match Canon::pair(&text.to_ascii_lowercase()) {
            Some(canon) => recipe.canon = canon,
            None => {
                let wrong = format!("\"{text}\" is not simple or relaxed, alone or as header/body");
                mistakes.push(sources.mistake("dkim_canonicalization", "Canonicalization", wrong));
            }
        }
    } else if sources.file.is_some() {
        recipe.canon = (Canon::Simple, Canon::Simple);
    }
    recipe.oversign.clone_from(&read.dkim_oversign_headers);
    let Some(file) = &sources.file else { return recipe };
    let mut list = |name: &str| -> Option<Vec<String>> {
        let dataset = Dataset::read(file.get(name)?);
        let dataset = dataset.map_err(|wrong| mistakes.push(file.mistake(name, wrong))).ok()?;
        Some(dataset.lines.into_iter().map(|line| line.text).collect())
    };
    if let Some(more) = list("OversignHeaders")
        && recipe.oversign.is_empty()
    {
        recipe.oversign = more;
    }
    if let Some(names) = list("SignHeaders") {
        let (add, plain): (Vec<String>, Vec<String>) =
            names.into_iter().partition(|name| name.starts_with('+'));
        let (remove, plain): (Vec<String>, Vec<String>) =
            plain.into_iter().partition(|name| name.starts_with('-'));
        if !plain.is_empty() && !plain.iter().any(|name| name == "*") {
            recipe.headers = plain;
        }
        recipe.headers.extend(add.iter().map(|name| name[1..].to_owned()));
        recipe.headers.retain(|name| !remove.iter().any(|gone| gone[1..].eq_ignore_ascii_case(name)));
    }
    recipe.lifetime = file.get("SignatureTTL").and_then(|text| text.parse().ok());
    recipe
}

/// Every file that the configuration of signatures names: what the process that keeps root may open for the others.
pub fn named_files(view: &View) -> Vec<PathBuf> {
    let read = Sign::read(view, &mut Vec::new());
    let mut files = Vec::new();
    let file = (!read.dkim_config.as_os_str().is_empty()).then(|| {
        files.push(read.dkim_config.clone());
        OpenDkim::read(&read.dkim_config, &mut Vec::new())
    });
    let sources = Sources { view, file };
    let sets = [
        ("dkim_key_table", "KeyTable"),
        ("dkim_signing_table", "SigningTable"),
        ("dkim_internal_hosts", "InternalHosts"),
    ];
    for (parameter, setting) in sets {
        files.extend(sources.text(parameter, setting).and_then(|text| crate::opendkim::file_of(&text)));
    }
    let from_file = |setting: &str| sources.file.as_ref().and_then(|file| file.get(setting));
    for setting in ["Domain", "OversignHeaders", "SignHeaders"] {
        files.extend(from_file(setting).and_then(crate::opendkim::file_of));
    }
    files.extend(from_file("KeyFile").map(PathBuf::from));
    if let Some(dataset) = sources.dataset("dkim_key_table", "KeyTable", &mut Vec::new()) {
        files.extend(crate::opendkim::key_files(&dataset));
    }
    files.extend(crate::srs::secret_file(view));
    files
}
