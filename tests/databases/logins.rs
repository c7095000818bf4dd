//! Logins against data bases end as with a real Dovecot on the same files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testbed::database::PASSWORD;
use testbed::{Database, Kept, Site, neighbour, wait};

use crate::logins::ask;

/// Names that are there, that are not, and that a stranger would like to try.
const NAMES: &[&str] = &[
    "anne",
    "anne@auf.test",
    "ANNE",
    "anne@other.test",
    "plain",
    "null",
    "twice",
    "o'neil",
    "*",
    "a)(uid=*",
    "anne' OR '1'='1",
    "\\",
    "a\\' OR 1=1 -- ",
    "josé",
];

/// The same chain for a real Dovecot and for us; the end of every login must be the same.
struct Comparison {
    dovecot: PathBuf,
    doveadm: PathBuf,
    cases: usize,
    wrong: Vec<String>,
}

impl Comparison {
    fn new() -> Option<Comparison> {
        let [dovecot, doveadm] = neighbour::installed(["dovecot", "doveadm"])?;
        neighbour::root().then_some(Comparison { dovecot, doveadm, cases: 0, wrong: Vec::new() })
    }

    /// `kind` is the driver, `settings` the text of its file.
    fn compare(&mut self, kind: &str, settings: &str) {
        let site = Site::new("auth.test");
        let run = site.path().join("dovecot");
        fs::create_dir(&run).expect("it is ours");
        let file = run.join("settings.conf");
        fs::write(&file, settings).expect("it is ours");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("it is ours");
        let (shown, file) = (run.display(), file.display());
        let conf = site.put(
            "dovecot.conf",
            &format!(
                "base_dir = {shown}/run\nstate_dir = {shown}\nlog_path = {shown}/log\nprotocols =\nssl = no\n\
                 default_internal_user = nobody\ndefault_internal_group = nogroup\ndefault_login_user = nobody\n\
                 auth_failure_delay = 0\nauth_mechanisms = plain\nauth_username_chars =\nauth_username_format = %u\n\
                 passdb {{\n driver = {kind}\n args = {file}\n}}\n\
                 userdb {{\n driver = static\n args = uid=65534 gid=65534 home=/tmp allow_all_users=yes\n}}\n\
                 service auth {{\n unix_listener {shown}/auth {{\n  mode = 0666\n }}\n}}\n\
                 service anvil {{\n unix_listener anvil-auth-penalty {{\n  mode = 0\n }}\n}}\n"
            ),
        );
        let theirs = run.join("auth");
        let _real = Kept::new(
            Command::new(&self.dovecot)
                .args(["-F", "-c"])
                .arg(&conf)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts"),
        );
        let passdb = format!("{kind}:{file}");
        let ours = site
            .set("passdb", &passdb)
            .set("userdb", "static:uid=65534")
            .set("auth_failure_delay", "0")
            .set("auth_username_chars", "")
            .set("auth_username_format", "%u")
            .service("login unix n - n - - auth")
            .start();
        wait::until("dovecot", || theirs.exists().then_some(()));
        let socket = ours.site().path().join("queue/public/login");
        // The first question may come before Dovecot's own connection to the data base.
        let ready = |socket: &Path| ask(&self.doveadm, &conf, socket, "anne", "secret").0.then_some(());
        wait::until("a login there", || ready(&theirs));
        wait::until("a login here", || ready(&socket));
        for name in NAMES {
            for password in ["secret", "wrong"] {
                let expected = ask(&self.doveadm, &conf, &theirs, name, password);
                let got = ask(&self.doveadm, &conf, &socket, name, password);
                self.cases += 1;
                if got != expected {
                    self.wrong.push(format!(
                        "{kind} {name} {password}: Dovecot {expected:?}, ours {got:?}\n{settings}"
                    ));
                }
            }
        }
        let log = ours.log();
        assert!(!log.contains(PASSWORD) && !log.contains("secret"), "{log}");
    }

    fn end(self, least: usize) {
        assert!(self.cases >= least, "{}", self.cases);
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
    }
}

const USERS: &str = "CREATE TABLE users (username VARCHAR(100), password VARCHAR(100));\n\
    INSERT INTO users VALUES ('anne', '{SSHA}sOwk6GzIgakLGx/XfcT87L41PLWt474E'), ('plain', 'secret'), ('null', NULL),\n\
    ('empty', ''), ('twice', 'secret'), ('twice', 'secret'), ('o''neil', 'secret'), ('josé', 'secret');\n";

/// The query of auf.org, which logs in with and without the domain.
const QUERY: &str =
    "SELECT username as user, password FROM users WHERE username='%u' or ('%n'=username and '%d'='auf.test')";

#[test]
fn mariadb_and_postgres_as_dovecot() {
    let Some(mut comparison) = Comparison::new() else { return };
    let Some(mariadb) = Database::mariadb() else { return };
    mariadb.run(USERS);
    let common = format!("default_pass_scheme = PLAIN\npassword_query = {QUERY}\n");
    comparison.compare(
        "sql",
        &format!(
            "driver = mysql\nconnect = host={} port={} dbname=mail user=mail password={PASSWORD}\n{common}",
            mariadb.address().ip(),
            mariadb.address().port()
        ),
    );
    drop(mariadb);
    let Some(postgres) = Database::postgres() else { return };
    postgres.run(&format!("SET ROLE mail; {USERS}"));
    comparison.compare(
        "sql",
        &format!(
            "driver = pgsql\nconnect = host={} port={} dbname=mail user=mail password={PASSWORD}\n{common}",
            postgres.address().ip(),
            postgres.address().port()
        ),
    );
    comparison.end(56);
}

#[test]
fn ldap_by_comparison_and_by_binding_as_dovecot() {
    let Some(mut comparison) = Comparison::new() else { return };
    if !Path::new("/usr/lib/dovecot/modules/auth/libauthdb_ldap.so").exists() {
        eprintln!("dovecot-ldap is not installed: skipped");
        return;
    }
    let Some(slapd) = Database::slapd() else { return };
    let entry = |name: &str, uid: &str, password: &str| {
        let password =
            if password.is_empty() { String::new() } else { format!("userPassword: {password}\n") };
        format!(
            "dn: cn={name},dc=test\nobjectClass: inetOrgPerson\ncn: {name}\nsn: x\nuid: {uid}\n{password}\n"
        )
    };
    slapd.run(
        &[
            entry("anne", "anne", "{SSHA}sOwk6GzIgakLGx/XfcT87L41PLWt474E"),
            entry("plain", "plain", "secret"),
            entry("null", "null", ""),
            entry("twice1", "twice", "secret"),
            entry("twice2", "twice", "secret"),
            entry("o'neil", "o'neil", "secret"),
        ]
        .concat(),
    );
    let common = format!(
        "hosts = {}\nbase = dc=test\npass_filter = (&(objectClass=inetOrgPerson)(uid=%n))\n\
         pass_attrs = uid=user,userPassword=password\ndefault_pass_scheme = PLAIN\n",
        slapd.address()
    );
    let bound = format!("{common}dn = cn=mail,dc=test\ndnpass = {PASSWORD}\n");
    comparison.compare("ldap", &bound);
    comparison.compare("ldap", &format!("{bound}auth_bind = yes\n"));
    comparison.compare("ldap", &format!("{common}auth_bind = yes\nauth_bind_userdn = cn=%n,dc=test\n"));
    comparison.end(84);
}
