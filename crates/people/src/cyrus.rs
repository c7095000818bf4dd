//! `smtpd_sasl_type = cyrus`: the file of options that Cyrus SASL reads for an application, such as Postfix's smtpd.conf.
//!
//! The library itself is not used. What the file says is done by password databases of ours: `pwcheck_method` is the
//! chain, `mech_list` the mechanisms.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use conf::words::{COMMA_SPACE, words};

use crate::Fields;
use crate::chain::{PassChain, PassLink, Rule};
use crate::databases::{Broken, PassDb, cyrus_sql, saslauthd, sasldb};
use crate::sasl::{self, Mechanism};

/// Where files of options lie when `cyrus_sasl_config_path` says nothing, besides `sasl` in the directory of main.cf.
const PLACES: &[&str] = &["/etc/postfix/sasl", "/etc/sasl2", "/etc/sasl", "/usr/lib/sasl2"];

/// Options that say how passwords are checked.
const KNOWN: &[&str] = &[
    "pwcheck_method",
    "mech_list",
    "saslauthd_path",
    "auxprop_plugin",
    "sasldb_path",
    "sql_engine",
    "sql_hostnames",
    "sql_user",
    "sql_passwd",
    "sql_database",
    "sql_select",
    "sql_usessl",
    // They change what is logged or written, not who may log in.
    "log_level",
    "sql_verbose",
    "sql_insert",
    "sql_update",
    "auto_transition",
    "canon_user_plugin",
];

/// An application of Cyrus SASL, as Postfix names itself.
#[derive(Clone, Debug)]
pub struct Application {
    /// `smtpd_sasl_path`: the name of the file without `.conf`.
    pub name: String,
    /// `cyrus_sasl_config_path`: directories, divided by colons.
    pub places: String,
    /// The directory of main.cf.
    pub config_directory: PathBuf,
    /// `smtpd_sasl_local_domain`: the realm that names without one get.
    pub local_domain: String,
    /// The realm under which passwords are kept where there is no other: `myhostname`.
    pub host: String,
    /// A second root for sockets, as servers may be confined to it: `queue_directory`.
    pub queue_directory: PathBuf,
}

impl Application {
    /// Where its file may be, the first that is there first.
    pub fn candidates(&self) -> Vec<PathBuf> {
        let named: Vec<_> =
            self.places.split(':').filter(|place| !place.is_empty()).map(PathBuf::from).collect();
        let usual = || {
            let own = std::iter::once(self.config_directory.join("sasl"));
            own.chain(PLACES.iter().map(PathBuf::from)).collect()
        };
        let places: Vec<PathBuf> = if named.is_empty() { usual() } else { named };
        let mut files: Vec<_> =
            places.iter().map(|place| place.join(format!("{}.conf", self.name))).collect();
        files.dedup();
        files
    }

    /// The file, and the others that it names.
    pub fn files(&self) -> Vec<PathBuf> {
        let Some(file) = self.file() else { return self.candidates() };
        let options = options(&file, &mut |_| ()).unwrap_or_default();
        let named = ["sasldb_path", "sql_database"].into_iter().filter_map(|name| options.get(name));
        let named = named.filter(|path| path.starts_with('/')).map(PathBuf::from);
        [file.clone(), sasldb::FILE.into()].into_iter().chain(named).collect()
    }

    fn file(&self) -> Option<PathBuf> {
        self.candidates().into_iter().find(|file| file.exists())
    }
}

/// What a file of options comes to.
pub(crate) struct Method {
    /// Who is asked for passwords.
    pub chain: PassChain,
    /// What is offered.
    pub mechanisms: Vec<&'static Mechanism>,
}

impl Method {
    /// Reads the file of an application. Whatever is wrong or not known is told with file, and does not make anybody's
    /// login right.
    pub fn read(application: &Application, told: &mut dyn FnMut(String)) -> Method {
        let Some(file) = application.file() else {
            let looked: Vec<_> =
                application.candidates().iter().map(|file| file.display().to_string()).collect();
            told(format!(
                "smtpd_sasl_type = cyrus: there is none of {}, so nobody can log in; write one with pwcheck_method, or \
                 set smtpd_sasl_type = facteur and passdb",
                looked.join(", ")
            ));
            return Method { chain: PassChain::default(), mechanisms: Vec::new() };
        };
        let shown = file.display().to_string();
        let mut told = |text: String| told(format!("{shown}: {text}"));
        let options = match options(&file, &mut told) {
            Ok(options) => options,
            Err(wrong) => {
                told(wrong.clone());
                // Nobody knows what stands in it: that is no reason to tell anybody that his password is wrong.
                let chain = PassChain { users: vec![broken(&shown, wrong)], ..PassChain::default() };
                return Method { chain, mechanisms: mechanisms(None, false, &mut told) };
            }
        };
        let mut chain = PassChain::default();
        let mut secrets = false;
        for method in words(options.get("pwcheck_method").unwrap_or("auxprop"), COMMA_SPACE) {
            let opened = match method {
                "saslauthd" => Ok(vec![daemon(application, &options)]),
                "auxprop" => {
                    secrets = true;
                    plugins(application, &options)
                }
                other => Err(format!("pwcheck_method: {other}: saslauthd and auxprop are known")),
            };
            match opened {
                Ok(databases) => chain.users.extend(databases.into_iter().map(link)),
                Err(wrong) => {
                    told(wrong.clone());
                    chain.users.push(broken(method, wrong));
                }
            }
        }
        Method { chain, mechanisms: mechanisms(options.get("mech_list"), secrets, &mut told) }
    }
}

/// `name: value`, one a line. Names that nobody knows are told.
fn options(file: &Path, told: &mut dyn FnMut(String)) -> Result<Fields, String> {
    let bytes = conf::secrets::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    let mut fields = Fields::default();
    for (number, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            told(format!("line {}: \"name: value\" is expected", number + 1));
            continue;
        };
        let name = name.trim().to_ascii_lowercase();
        if !KNOWN.contains(&name.as_str()) {
            told(format!("line {}: {name} is not known here and has no effect", number + 1));
        }
        fields.set(&name, value.trim());
    }
    Ok(fields)
}

type Database = (String, Arc<dyn PassDb>);

fn daemon(application: &Application, options: &Fields) -> Database {
    let socket = options.get("saslauthd_path").unwrap_or(saslauthd::SOCKET);
    let beneath = application.queue_directory.join(socket.trim_start_matches('/'));
    let sockets = vec![beneath, PathBuf::from(socket)];
    (format!("saslauthd:{socket}"), Arc::new(saslauthd::Saslauthd::of(sockets)))
}

/// The databases of `auxprop_plugin`.
fn plugins(application: &Application, options: &Fields) -> Result<Vec<Database>, String> {
    let realm = [&application.local_domain, &application.host].into_iter().find(|realm| !realm.is_empty());
    let realm = realm.map(String::as_str).unwrap_or_default();
    let plugin = |name: &str| -> Result<Database, String> {
        match name {
            "sasldb" => {
                let file = options.get("sasldb_path").unwrap_or(sasldb::FILE);
                Ok((format!("sasldb:{file}"), Arc::new(sasldb::Sasldb::of(file.into(), realm))))
            }
            "sql" => Ok(("sql".to_owned(), Arc::new(cyrus_sql::CyrusSql::read(options, realm)?))),
            other => Err(format!("auxprop_plugin: {other}: sasldb and sql are known")),
        }
    };
    words(options.get("auxprop_plugin").unwrap_or("sasldb"), COMMA_SPACE).into_iter().map(plugin).collect()
}

fn link((name, database): Database) -> PassLink {
    let rule = Rule::take(name, &mut Fields::default()).expect("no option can be wrong");
    PassLink { rule, database }
}

/// A method that cannot be used: whoever is not found by another one is told to come back.
fn broken(name: &str, wrong: String) -> PassLink {
    link((name.to_owned(), Arc::new(Broken(wrong))))
}

/// What is offered: of `mech_list` what works. A daemon is told a password and knows none, so that without one at hand
/// only mechanisms that send it can work.
fn mechanisms(listed: Option<&str>, secrets: bool, told: &mut dyn FnMut(String)) -> Vec<&'static Mechanism> {
    const OFFERED: &[&str] = &["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"];
    let works = |mechanism: &&Mechanism| secrets || mechanism.is_plaintext();
    let known = || OFFERED.iter().filter_map(|name| sasl::find(name));
    let Some(listed) = listed else { return known().filter(works).collect() };
    let mut found = Vec::new();
    for name in words(listed, COMMA_SPACE) {
        match known().find(|mechanism| mechanism.name.eq_ignore_ascii_case(name)) {
            Some(mechanism) if works(&mechanism) => found.push(mechanism),
            Some(_) => told(format!(
                "mech_list: {name} is not offered: it needs passwords in clear, which saslauthd does not tell"
            )),
            None => told(format!("mech_list: {name} is not offered; known: {}", OFFERED.join(" "))),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Method, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("smtpd.conf"), text).unwrap();
        let application = Application {
            name: "smtpd".to_owned(),
            places: format!("/nowhere:{}", folder.path().display()),
            config_directory: "/etc/postfix".into(),
            local_domain: String::new(),
            host: "mx.test".to_owned(),
            queue_directory: "/spool".into(),
        };
        let mut told = Vec::new();
        let method = Method::read(&application, &mut |text| told.push(text));
        (method, told)
    }

    fn names(method: &Method) -> (Vec<&str>, Vec<&str>) {
        (
            method.chain.users.iter().map(|link| link.rule.name.as_str()).collect(),
            method.mechanisms.iter().map(|mechanism| mechanism.name).collect(),
        )
    }

    #[test]
    fn what_debian_tells_to_write_is_understood() {
        let (method, told) = read("pwcheck_method: saslauthd\nmech_list: plain login\n");
        let databases = vec!["saslauthd:/var/run/saslauthd/mux"];
        assert_eq!(names(&method), (databases, vec!["PLAIN", "LOGIN"]));
        assert!(told.is_empty(), "{told:?}");
    }

    #[test]
    fn without_a_list_that_is_offered_which_works() {
        let (method, _) = read("pwcheck_method: saslauthd auxprop\nsasldb_path: /x/sasldb2\n");
        let databases = vec!["saslauthd:/var/run/saslauthd/mux", "sasldb:/x/sasldb2"];
        assert_eq!(
            names(&method),
            (databases, vec!["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"])
        );
        let (method, _) = read("pwcheck_method: saslauthd\n");
        assert_eq!(names(&method).1, ["PLAIN", "LOGIN"]);
    }

    #[test]
    fn what_is_not_known_is_told_with_the_file() {
        let text = "pwcheck_method: authdaemond\nkeytab: /x\nnonsense\nmech_list: digest-md5\n";
        let (method, told) = read(text);
        assert_eq!(names(&method), (vec!["authdaemond"], vec![]), "it fails, and knows nobody");
        let said = told.join("\n");
        for part in ["smtpd.conf: line 2: keytab", "line 3: \"name: value\"", "authdaemond", "digest-md5"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let (method, told) = read("pwcheck_method: saslauthd\nmech_list: PLAIN CRAM-MD5 GSSAPI\n");
        assert_eq!(names(&method).1, ["PLAIN"]);
        assert_eq!(told.len(), 2, "{told:?}");
    }
}
