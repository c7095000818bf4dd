//! Logins: the same answers as a real Dovecot on the same files, a real Postfix that asks us, PAM, our own smtpd.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testbed::{Address, Client, Instance, Kept, Site, neighbour, wait};

/// Passwords of "secret" that Dovecot made, and settings of single accounts.
const USERS: &str = "\
argon2id:{ARGON2ID}$argon2id$v=19$m=1024,t=2,p=1$C5V8bA2QGd6Yw5K6nqfVGw$3fJbXy4GqS0v5yA8fM1r6i5sEwS3FvJq3VwYb1vUu5E
bcrypt:{BLF-CRYPT}$2y$05$IMsGREbhUaUu2N4loA.EJu0xL25TiIBU63HLg2Jezl8EwC9SaqTP6
sha256:{SHA256-CRYPT}$5$ieyLXU0hI.PEY1hr$u8sJG6UzdJKOgfMV5fHIGE5cNcLW8dF6P.xIV0u5NJ1
bare:$5$ieyLXU0hI.PEY1hr$u8sJG6UzdJKOgfMV5fHIGE5cNcLW8dF6P.xIV0u5NJ1
crypt:{CRYPT}$2y$05$hsePpd2nkphiqQlOboBou.1gjCuLdYpS8XE21hdSIEaF7cekvZxeW
md5crypt:{MD5-CRYPT}$1$4cPucu0H$Wkny9F9iQtnDKtrAnTH/q0
md5:{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69
ssha:{SSHA}sOwk6GzIgakLGx/XfcT87L41PLWt474E
ssha256:{SSHA256}WnO47Wpy/N3wLIVz25hU2hQpkerZbSOHEuxVCyW76OhvxSch
sha1:{SHA1}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4
smd5:{SMD5}6MA/P7NDKDjM6j9q4wdv6oEGcSc=
pbkdf2:{PBKDF2}$1$WbGrJIcBtLWCivmH$5000$8d2d60789c4744d04d1a2fe17865a2f9c6d1c874
scram:{SCRAM-SHA-256}4096,e7y1tajr1Agh9GG2IAZ60g==,yTb1CaZy38Ptg4YHNSQw51O9wceTAjIKMEI6NwZMUzo=,ciHVQ9jdpsB1ljirVA/WXmodbfzZl4XZ6GlDyukpilc=
cram:{CRAM-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56
plain:{PLAIN}secret
plainb64:{PLAIN.B64}c2VjcmV0
ldapmd5:{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==
hex:{SSHA.HEX}726964fbdcc92a925e8c7fb8b60f851ce745e5947761b5fc
des:{DES-CRYPT}t8BPOvdT1O3xM
empty:
none
net:{PLAIN}secret::::::allow_nets=192.0.2.0/24
othernet:{PLAIN}secret::::::allow_nets=198.51.100.7,2001:db8::/32
renamed:{PLAIN}secret::::::user=plain
free:::::::nopassword=y
joe@ex.test:{PLAIN}secret
denied:{PLAIN}secret
broken:{SSHA}x
unknown:{NOSUCH}x
";

/// Names, each asked with the right password and with a wrong one.
const NAMES: &[&str] = &[
    "argon2id",
    "bcrypt",
    "sha256",
    "bare",
    "crypt",
    "md5crypt",
    "md5",
    "ssha",
    "ssha256",
    "sha1",
    "smd5",
    "pbkdf2",
    "scram",
    "cram",
    "plain",
    "PLAIN",
    "plainb64",
    "ldapmd5",
    "hex",
    "des",
    "empty",
    "none",
    "net",
    "othernet",
    "renamed",
    "free",
    "joe@ex.test",
    "JOE@EX.TEST",
    "joe",
    "denied",
    "broken",
    "unknown",
    "nobody",
    "a'b",
    "x y",
    "%u",
    "second",
    "sql",
    "sql@ex.test",
    "sqlnull",
    "sqltwice",
];

/// What one asks, the real `doveadm auth test`, says of a login at a socket: its exit status and the user's name.
pub fn ask(doveadm: &Path, conf: &Path, socket: &Path, user: &str, password: &str) -> (bool, String) {
    let output = Command::new(doveadm)
        .arg("-c")
        .arg(conf)
        .args(["auth", "test", "-x", "rip=192.0.2.9", "-a"])
        .arg(socket)
        .args([user, password])
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let name = text.lines().find_map(|line| line.trim().strip_prefix("user=").map(str::to_owned));
    (output.status.success(), name.filter(|_| output.status.success()).unwrap_or_default())
}

/// The files that both are given: users, a deny list, and a data base with its queries.
fn files(folder: &Path, sqlite: bool) -> String {
    let put = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).expect("it is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("it is ours");
        path.display().to_string()
    };
    put("users", USERS);
    put("second", "second:{PLAIN}secret\nplain:{PLAIN}other\n");
    put("deny", "denied\n");
    let query = "driver = sqlite\nconnect = DB\ndefault_pass_scheme = PLAIN\n\
        password_query = SELECT username AS user, password FROM users \\\n\
        WHERE username = '%u' OR ('%n' = username AND '%d' = 'ex.test')\n";
    if sqlite {
        put("sql.conf", &query.replace("DB", &folder.join("users.db").display().to_string()));
    }
    folder.display().to_string()
}

#[test]
fn logins_have_the_same_end_as_with_a_real_dovecot() {
    let Some([dovecot, doveadm]) = neighbour::installed(["dovecot", "doveadm"]) else { return };
    if !neighbour::root() {
        return;
    }
    let sqlite = neighbour::installed(["sqlite3"]);
    let module = Path::new("/usr/lib/dovecot/modules/auth/libdriver_sqlite.so").exists()
        || Path::new("/usr/lib/dovecot/modules/libdriver_sqlite.so").exists();
    let with_sql = sqlite.is_some() && module;
    let site = Site::new("auth.test");
    let shared = site.path().join("shared");
    fs::create_dir(&shared).expect("it is ours");
    let dir = files(&shared, with_sql);
    if let Some([sqlite]) = sqlite.filter(|_| with_sql) {
        let made = Command::new(sqlite)
            .arg(shared.join("users.db"))
            .arg(
                "CREATE TABLE users (username TEXT, password TEXT);
                 INSERT INTO users VALUES ('sql', 'secret'), ('sqlnull', NULL), ('sqltwice', 'secret'), ('sqltwice', 'secret');",
            )
            .status();
        assert!(made.expect("it starts").success());
        fs::set_permissions(shared.join("users.db"), fs::Permissions::from_mode(0o644)).expect("it is ours");
    }
    // Dovecot, privately.
    let run = site.path().join("dovecot");
    fs::create_dir(&run).expect("it is ours");
    let sql = |text: &str| if with_sql { text.replace("DIR", &dir) } else { String::new() };
    let conf = format!(
        "base_dir = {run}/run\nstate_dir = {run}\nlog_path = {run}/log\nprotocols =\nssl = no\n\
         default_internal_user = nobody\ndefault_internal_group = nogroup\ndefault_login_user = nobody\n\
         auth_failure_delay = 0\nauth_mechanisms = plain\n\
         passdb {{\n driver = passwd-file\n deny = yes\n args = {dir}/deny\n}}\n\
         passdb {{\n driver = passwd-file\n args = {dir}/users\n}}\n\
         passdb {{\n driver = passwd-file\n args = {dir}/second\n}}\n{}\
         userdb {{\n driver = static\n args = uid=65534 gid=65534 home=/tmp allow_all_users=yes\n}}\n\
         service auth {{\n unix_listener {run}/auth {{\n  mode = 0666\n }}\n}}\n\
         service anvil {{\n unix_listener anvil-auth-penalty {{\n  mode = 0\n }}\n}}\n",
        sql("passdb {\n driver = sql\n args = DIR/sql.conf\n}\n"),
        run = run.display(),
    );
    let conf = site.put("dovecot.conf", &conf);
    let _real = Kept::new(
        Command::new(dovecot)
            .args(["-F", "-c"])
            .arg(&conf)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts"),
    );
    let theirs = run.join("auth");
    wait::until("dovecot", || theirs.exists().then_some(()));
    // Ours, with the same chain.
    let passdb = format!(
        "{{ passwd-file:{dir}/deny, deny=yes }} passwd-file:{dir}/users passwd-file:{dir}/second {}",
        sql("sql:DIR/sql.conf")
    );
    let ours = site
        .set("passdb", &passdb)
        .set("userdb", "static:uid=65534")
        .set("auth_failure_delay", "0")
        .service("login unix n - n - - auth")
        .start();
    let socket = ours.site().path().join("queue/public/login");
    let mut wrong = Vec::new();
    let mut cases = 0;
    for name in NAMES.iter().filter(|name| with_sql || !name.starts_with("sql")) {
        for password in ["secret", "wrong", "other"] {
            // Dovecot asks the next database for the new name of a user whose password was wrong here.
            if (*name, password) == ("renamed", "other") {
                continue;
            }
            let expected = ask(&doveadm, &conf, &theirs, name, password);
            let got = ask(&doveadm, &conf, &socket, name, password);
            cases += 1;
            if got != expected {
                wrong.push(format!("{name} {password}: Dovecot {expected:?}, ours {got:?}"));
            }
        }
    }
    assert!(cases >= 60, "{cases}");
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", ours.log());
    assert!(!ours.log().contains("secret") && !ours.log().contains("wrong"), "{}", ours.log());
}

/// Two logins by SMTP: PLAIN with a wrong and with the right password.
fn log_in(at: Address) -> (u16, u16) {
    let mut client = Client::greeted(at);
    assert!(client.hello().text.contains("AUTH PLAIN LOGIN"), "mechanisms");
    // joe, wrong
    let wrong = client.ask("AUTH PLAIN AGpvZQB3cm9uZw==").code;
    // joe, secret
    let right = client.ask("AUTH PLAIN AGpvZQBzZWNyZXQ=").code;
    (wrong, right)
}

fn with_accounts(site: Site) -> Site {
    let users = site.put("users", "joe:{SSHA}sOwk6GzIgakLGx/XfcT87L41PLWt474E\n");
    site.set("passdb", &format!("passwd-file:{}", users.display()))
        .set("auth_failure_delay", "0")
        .set("auth_mechanisms", "plain login")
}

#[test]
fn smtpd_checks_logins_by_itself_and_over_our_socket() {
    let own = with_accounts(Site::new("own.test"))
        .set("smtpd_sasl_auth_enable", "yes")
        .set("smtpd_sasl_type", "facteur")
        .start();
    assert_eq!(log_in(own.smtp()), (535, 235));
    let log = own.wait_log(&["SASL PLAIN authentication failed: ", "sasl_username=joe"]);
    assert!(!log.contains("secret") && !log.contains("AGpvZQ"), "{log}");
    let socket = with_accounts(Site::new("socket.test"))
        .set("smtpd_sasl_auth_enable", "yes")
        .set("smtpd_sasl_type", "dovecot")
        .set("smtpd_sasl_path", "public/login")
        .service("login unix n - n - - auth")
        .start();
    assert_eq!(log_in(socket.smtp()), (535, 235));
}

#[test]
fn accounts_of_the_directory_log_in_and_get_mail() {
    let site = Site::new("directory.test")
        .set("smtpd_sasl_auth_enable", "yes")
        .set("smtpd_sasl_type", "facteur")
        .set("auth_failure_delay", "0")
        .set("auth_mechanisms", "plain login")
        .set("virtual_alias_maps", "directory:aliases");
    let running = site.start();
    assert_eq!(log_in(running.smtp()).1, 454, "there is no directory yet");
    let made = running.run_with("user", &["add", "joe", "--scheme", "SSHA512"], b"secret\n");
    assert_eq!(made.status, 0, "{made:?}");
    let made = running.run("alias", &["add", "team@box.test", "ann@box.test", "bob@box.test"]);
    assert_eq!(made.status, 0, "{made:?}");
    assert_eq!(log_in(running.smtp()), (535, 235));
    running.send("a@x.test", &["team@box.test"], "Subject: team\n\nx\n");
    running.maildir("ann").one();
    running.maildir("bob").one();
    let shown = running.run("user", &["show", "joe", "--json"]);
    assert!(shown.out.contains("\"SSHA512\"") && !shown.out.contains("{SSHA512}"), "{shown:?}");
}

/// A file of /etc/pam.d that does not outlive its test.
pub struct PamService(PathBuf);

impl PamService {
    /// A service that knows joe with the password "secret", and its name.
    pub fn asking(folder: &Path, name: &str) -> (PamService, String) {
        let script = folder.join("check-password");
        let text = "#!/bin/sh\npassword=$(tr -d '\\0')\n[ \"$PAM_USER $password\" = 'joe secret' ]\n";
        fs::write(&script, text).expect("it is ours");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let name = format!("facteur-test-{name}-{}", std::process::id());
        let file = PamService(Path::new("/etc/pam.d").join(&name));
        let text = format!(
            "auth [success=1 default=ignore] pam_exec.so expose_authtok quiet {}\n\
             auth requisite pam_deny.so\nauth required pam_permit.so\naccount required pam_permit.so\n",
            script.display()
        );
        fs::write(&file.0, text).expect("root may");
        (file, name)
    }
}

impl Drop for PamService {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn pam_is_asked_in_a_process_of_its_own() {
    let Some([_]) = neighbour::installed(["x86_64-linux-gnu/security/pam_exec.so"]) else { return };
    if !neighbour::root() {
        return;
    }
    let site = Site::new("pam.test");
    let (_file, name) = PamService::asking(site.path(), "pam");
    let running: Instance = site
        .set("smtpd_sasl_auth_enable", "yes")
        .set("smtpd_sasl_type", "facteur")
        .set("passdb", &format!("pam:{name}"))
        .set("auth_failure_delay", "0")
        .set("auth_mechanisms", "plain login")
        .start();
    assert_eq!(log_in(running.smtp()), (535, 235), "{}", running.log());
    assert!(!running.log().contains("secret"), "{}", running.log());
}
