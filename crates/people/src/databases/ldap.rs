//! `ldap:/etc/dovecot/dovecot-ldap.conf.ext`: a directory, by a file of Dovecot's as it stands. The password is
//! compared with what an entry holds, or the directory is asked by binding as the user (`auth_bind`).

use std::sync::Arc;
use std::time::Duration;

use mail::Trouble;
use tables::ldap::filter::{encode, escape, escape_name};
use tables::ldap::{Bind, Directory, Entry, NO_SUCH_OBJECT, Place, Scope, Search, Settings, Url};
use tables::sql::Tls;

use super::ldap_attributes::Attributes;
use super::{Checked, Kind, Opening, PassDb, Password, Request, Row, Secret, UserDb, dovecot_conf, has_port};
use crate::expand::{Vars, check, expand};
use crate::{Boxed, Fields};

/// The kind.
pub const KIND: Kind = Kind {
    name: "ldap",
    doc: "An LDAP directory, by a dovecot-ldap.conf.ext as Dovecot reads it; passwords by comparison or by binding.",
    passdb: Some(|opening| Ok(Arc::new(open(opening)?))),
    userdb: Some(|opening| Ok(Arc::new(open(opening)?))),
};

const SETTINGS: &[&str] = &[
    "hosts",
    "uris",
    "dn",
    "dnpass",
    "sasl_bind",
    "sasl_mech",
    "sasl_authz_id",
    "tls",
    "tls_ca_cert_file",
    "tls_ca_cert_dir",
    "tls_cert_file",
    "tls_key_file",
    "tls_require_cert",
    "auth_bind",
    "auth_bind_userdn",
    "ldap_version",
    "base",
    "deref",
    "scope",
    "user_attrs",
    "user_filter",
    "pass_attrs",
    "pass_filter",
    "iterate_attrs",
    "iterate_filter",
    "default_pass_scheme",
    // Without effect: nothing here blocks, and there is no library to be told.
    "blocking",
    "debug_level",
    "ldaprc_path",
    "tls_cipher_suite",
];

/// Dovecot's own defaults.
const FILTER: &str = "(&(objectClass=posixAccount)(uid=%u))";
const USER_ATTRIBUTES: &str = "homeDirectory=home,uidNumber=uid,gidNumber=gid";
const PASS_ATTRIBUTES: &str = "uid=user,userPassword=password";
const ITERATE_ATTRIBUTES: &str = "uid=user";
const ITERATE_FILTER: &str = "(objectClass=posixAccount)";
const SCHEME: &str = "CRYPT";

/// For connecting, and for each answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connections kept without use, seconds; bytes of one answer; connections at one time.
const IDLE: Duration = Duration::from_secs(60);
const LARGEST: usize = 16 << 20;
const CONNECTIONS: usize = 20;

struct Ldap {
    file: String,
    directory: Directory,
    base: String,
    scope: Scope,
    dereference: u32,
    scheme: String,
    /// `auth_bind`, with `auth_bind_userdn` where the entry need not be searched for.
    bind: Option<Option<String>>,
    pass: (String, Attributes),
    user: (String, Attributes),
    iterate: (String, Attributes),
}

fn open(opening: &Opening<'_>) -> Result<Ldap, String> {
    opening.only(&[])?;
    let path = opening.path()?;
    let settings = dovecot_conf::read(&path, SETTINGS)?;
    let given = |name: &str| settings.get(name).filter(|value| !value.is_empty());
    let setting = |name: &str, default: &str| given(name).unwrap_or(default).to_owned();
    let yes = |name: &str| given(name).is_some_and(|value| value == "yes");
    let query = |name: &str, filter: &str, attributes: &str| {
        let filter = setting(&format!("{name}_filter"), filter);
        check(&filter).map_err(|wrong| format!("{name}_filter: {wrong}"))?;
        let attributes = Attributes::parse(&setting(&format!("{name}_attrs"), attributes))
            .map_err(|wrong| format!("{name}_attrs: {wrong}"))?;
        Ok::<_, String>((filter, attributes))
    };
    let scope = setting("scope", "subtree");
    let deref = setting("deref", "never");
    let names = ["never", "searching", "finding", "always"];
    let base = given("base").ok_or("base is missing: where the directory's entries begin")?.to_owned();
    let bind = yes("auth_bind").then(|| given("auth_bind_userdn").map(str::to_owned));
    for template in [Some(&base), bind.as_ref().and_then(Option::as_ref)].into_iter().flatten() {
        check(template)?;
    }
    Ok(Ldap {
        directory: Directory::new(connection(&settings)?, "auth"),
        scope: Scope::named(&scope)
            .ok_or_else(|| format!("scope = {scope}: base, onelevel or subtree is expected"))?,
        dereference: names
            .iter()
            .position(|name| *name == deref)
            .and_then(|at| u32::try_from(at).ok())
            .ok_or_else(|| format!("deref = {deref}: {} is expected", names.join(", ")))?,
        scheme: setting("default_pass_scheme", SCHEME),
        pass: query("pass", FILTER, PASS_ATTRIBUTES)?,
        user: query("user", FILTER, USER_ATTRIBUTES)?,
        iterate: query("iterate", ITERATE_FILTER, ITERATE_ATTRIBUTES)?,
        file: path.display().to_string(),
        base,
        bind,
    })
}

/// Which servers, and as whom.
fn connection(settings: &Fields) -> Result<Settings, String> {
    let text = |name: &str| settings.get(name).unwrap_or_default();
    let mut servers: Vec<(Place, String)> = Vec::new();
    let uris = text("uris").split_ascii_whitespace().map(str::to_owned);
    let hosts = text("hosts").split_ascii_whitespace().map(|host| format!("ldap://{host}"));
    for url in uris.chain(hosts) {
        let place = Url::parse(&url).and_then(|url| url.place);
        servers.push((place.ok_or_else(|| format!("no LDAP server: {url}"))?, url));
    }
    if servers.is_empty() {
        return Err("hosts or uris is missing".to_owned());
    }
    let (user, password) = (text("dn").to_owned(), text("dnpass").to_owned());
    let authorize = text("sasl_authz_id").to_owned();
    let bind = match (text("sasl_bind"), text("sasl_mech").to_ascii_uppercase().as_str()) {
        ("yes", "EXTERNAL") => Bind::External { authorize },
        ("yes", "" | "PLAIN") => Bind::Plain { authorize, user, password },
        ("yes", other) => return Err(format!("sasl_mech = {other}: only EXTERNAL and PLAIN are supported")),
        _ => Bind::Simple { dn: user, password },
    };
    let verify = !matches!(text("tls_require_cert"), "never" | "allow");
    let file = |name: &str| Some(text(name)).filter(|path| !path.is_empty()).map(Into::into);
    Ok(Settings {
        servers,
        bind: Some(bind),
        version: if text("ldap_version") == "2" { 2 } else { 3 },
        start_tls: text("tls") == "yes",
        tls: Tls {
            ca_file: file("tls_ca_cert_file"),
            ca_path: file("tls_ca_cert_dir"),
            cert_file: file("tls_cert_file"),
            key_file: file("tls_key_file"),
            verify_chain: verify,
            verify_name: verify,
            ..Tls::default()
        },
        connections: CONNECTIONS,
        timeout: PATIENCE,
        idle: IDLE,
        bytes: LARGEST,
        chase: false,
    })
}

impl Ldap {
    async fn entries(
        &self,
        query: &(String, Attributes),
        vars: &Vars<'_>,
        size_limit: u32,
    ) -> Result<Vec<Entry>, Trouble> {
        let wrong = |wrong: String| self.trouble(&wrong);
        let (filter, attributes) = query;
        let base = expand(&self.base, vars, &escape_name).map_err(wrong)?;
        let filter = encode(&expand(filter, vars, &escape).map_err(wrong)?).map_err(wrong)?;
        let search = Search {
            base: &base,
            scope: self.scope,
            filter,
            attributes: attributes.names(),
            size_limit,
            time_limit: 0,
            dereference: self.dereference,
        };
        let found = self.directory.search(&search).await.map_err(|trouble| wrong(trouble.to_string()))?;
        match found.code {
            0 | NO_SUCH_OBJECT => Ok(found.entries),
            // Size limit exceeded: two are one too many, whatever they are.
            4 if size_limit > 0 => Ok(found.entries),
            _ => Err(self.trouble(&found.text)),
        }
    }

    /// The one entry of a user.
    async fn entry(&self, query: &(String, Attributes), vars: &Vars<'_>) -> Result<Option<Entry>, Trouble> {
        let mut entries = self.entries(query, vars, 2).await?;
        match entries.len() {
            0 | 1 => Ok(entries.pop()),
            _ => Err(self.trouble(&format!("the search found more than one entry for {}", vars.user))),
        }
    }

    fn fields(
        &self,
        query: &(String, Attributes),
        entry: &Entry,
        vars: &Vars<'_>,
    ) -> Result<Fields, Trouble> {
        query.1.fields(entry, vars).map_err(|wrong| self.trouble(&wrong))
    }

    async fn bind(&self, name: &str, password: &Password) -> Result<bool, Trouble> {
        let asked = self.directory.check_password(name, password.text()).await;
        asked.map_err(|trouble| self.trouble(&trouble.to_string()))
    }

    fn trouble(&self, what: &str) -> Trouble {
        Trouble::new(format!("ldap:{}: {what}", self.file))
    }
}

impl PassDb for Ldap {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Row>, Trouble>> {
        Box::pin(async move {
            let vars = request.vars();
            let Some(entry) = self.entry(&self.pass, &vars).await? else { return Ok(None) };
            let mut fields = self.fields(&self.pass, &entry, &vars)?;
            let password = fields.remove("password").filter(|password| !password.is_empty());
            Ok(Some(Row { password: password.filter(|_| self.bind.is_none()).map(Secret), fields }))
        })
    }

    fn check<'a>(
        &'a self,
        request: &'a Request<'a>,
        password: &'a Password,
    ) -> Boxed<'a, Result<Checked, Trouble>> {
        Box::pin(async move {
            let vars = request.vars();
            let (name, fields) = match &self.bind {
                None => return Ok(Checked::Compare),
                Some(Some(template)) => {
                    let name = expand(template, &vars, &escape_name).map_err(|wrong| self.trouble(&wrong))?;
                    (name, Fields::default())
                }
                Some(None) => {
                    let Some(entry) = self.entry(&self.pass, &vars).await? else {
                        return Ok(Checked::Unknown);
                    };
                    let mut fields = self.fields(&self.pass, &entry, &vars)?;
                    fields.remove("password");
                    (entry.dn, fields)
                }
            };
            Ok(if self.bind(&name, password).await? { Checked::Right(fields) } else { Checked::Wrong })
        })
    }

    fn asks_port(&self) -> bool {
        has_port(&self.pass.0) || has_port(&self.base)
    }

    fn default_scheme(&self) -> &str {
        &self.scheme
    }
}

impl UserDb for Ldap {
    fn find<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Option<Fields>, Trouble>> {
        Box::pin(async move {
            let vars = request.vars();
            let Some(entry) = self.entry(&self.user, &vars).await? else { return Ok(None) };
            self.fields(&self.user, &entry, &vars).map(Some)
        })
    }

    fn users(&self) -> Boxed<'_, Result<Option<Vec<String>>, Trouble>> {
        Box::pin(async move {
            let vars = Vars::default();
            let mut users = Vec::new();
            for entry in self.entries(&self.iterate, &vars, 0).await? {
                let fields = self.fields(&self.iterate, &entry, &vars)?;
                let user = fields.get("user").or_else(|| fields.get("username"));
                let missing = || self.trouble("iterate_attrs gives no user");
                users.push(user.ok_or_else(missing)?.to_owned());
            }
            Ok(Some(users))
        })
    }
}
