//! Data base servers of the distribution, each started privately in a directory and on an address of its own.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::unistd::User;
use tempfile::TempDir;

use crate::{Address, address, kept, neighbour, wait};

/// The password of every server that has one; it must never stand in a log.
pub const PASSWORD: &str = "s3cret-of-the-tests";

/// A server at work. Dropped, it is killed, and everything of it is removed.
pub struct Database {
    directory: TempDir,
    address: Address,
    program: PathBuf,
    arguments: Vec<String>,
    account: Option<(u32, u32)>,
    client: Vec<String>,
    child: Option<Child>,
}

/// Where these programs are; PostgreSQL's lie in a directory of their version.
fn programs<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let bins: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    let found = names.map(|name| bins.iter().map(|bin| bin.join(name)).find(|file| file.exists()));
    if found.iter().all(Option::is_some) {
        return Some(found.map(|file| file.expect("all are there")));
    }
    neighbour::installed(names)
}

/// Whose rights a server gets that refuses to run as root.
fn account(name: &str) -> Option<(u32, u32)> {
    if !nix::unistd::getuid().is_root() {
        return None;
    }
    let user = User::from_name(name).ok().flatten()?;
    Some((user.uid.as_raw(), user.gid.as_raw()))
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

impl Database {
    fn new(program: PathBuf, account: Option<(u32, u32)>) -> Database {
        let directory = tempfile::Builder::new().prefix("facteur-db-").tempdir().expect("/tmp is there");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        if let Some((uid, gid)) = account {
            chown(directory.path(), Some(uid), Some(gid)).expect("root may");
        }
        let (arguments, client) = (Vec::new(), Vec::new());
        Database { directory, address: address(), program, arguments, account, client, child: None }
    }

    /// MariaDB with a data base `mail`; user `mail` with [`PASSWORD`] may do everything in it.
    pub fn mariadb() -> Option<Database> {
        let [server, install, client] = programs(["mariadbd", "mariadb-install-db", "mariadb"])?;
        let mut database = Database::new(server, account("mysql"));
        let dir = database.path().display().to_string();
        let data = format!("--datadir={dir}/data");
        database.once(
            &install,
            &["--no-defaults", &data, "--auth-root-authentication-method=normal", "--skip-test-db"],
        );
        let socket = format!("--socket={dir}/socket");
        let (host, port) = (
            format!("--bind-address={}", database.address.ip()),
            format!("--port={}", database.address.port()),
        );
        database.arguments = words(&[
            "--no-defaults",
            &data,
            &socket,
            &host,
            &port,
            "--character-set-server=utf8mb4",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-buffer-pool-size=16M",
            "--performance-schema=0",
        ]);
        database.client = words(&[
            &client.display().to_string(),
            "--no-defaults",
            "-uroot",
            &socket,
            "--default-character-set=utf8mb4",
        ]);
        database.start();
        for host in ["%", "localhost"] {
            database.run(&format!(
                "CREATE USER 'mail'@'{host}' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON mail.* TO 'mail'@'{host}';"
            ));
        }
        database.run("CREATE DATABASE mail;");
        database.client.push("mail".to_owned());
        Some(database)
    }

    /// PostgreSQL with a data base `mail` that user `mail` with [`PASSWORD`] owns.
    pub fn postgres() -> Option<Database> {
        let [server, init] = programs(["postgres", "initdb"])?;
        let [client] = programs(["psql"])?;
        let mut database = Database::new(server, account("postgres"));
        let dir = database.path().display().to_string();
        let data = format!("{dir}/data");
        database
            .once(&init, &["-D", &data, "-A", "trust", "-N", "-E", "UTF8", "--locale=C", "-U", "postgres"]);
        let rules =
            "local all postgres trust\nlocal all all scram-sha-256\nhost all all 127.0.0.0/8 scram-sha-256\n";
        fs::write(format!("{data}/pg_hba.conf"), rules).expect("it is there");
        let (host, port) =
            (format!("listen_addresses={}", database.address.ip()), database.address.port().to_string());
        database.arguments = words(&["-D", &data, "-k", &dir, "-p", &port, "-c", &host, "-c", "fsync=off"]);
        let client = client.display().to_string();
        database.client = words(&[
            &client,
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            &dir,
            "-p",
            &port,
            "-U",
            "postgres",
            "-d",
            "postgres",
        ]);
        database.start();
        database.run(&format!("CREATE ROLE mail LOGIN PASSWORD '{PASSWORD}'"));
        database.run("CREATE DATABASE mail OWNER mail");
        *database.client.last_mut().expect("it names the data base") = "mail".to_owned();
        database.run("SET ROLE mail");
        Some(database)
    }

    /// Gives a data base server a certificate for its address, and starts it again; the file of the authority. OpenLDAP then
    /// answers nobody in clear.
    pub fn with_tls(&mut self) -> PathBuf {
        let (authority, chain) = crate::tls::certificate(&self.address.ip().to_string());
        let split = chain.find("-----BEGIN CERTIFICATE").expect("a key, then a certificate");
        let [ca, key, certificate] =
            [("ca.pem", authority.as_str()), ("key.pem", &chain[..split]), ("cert.pem", &chain[split..])]
                .map(|(name, text)| {
                    let path = self.path().join(name);
                    fs::write(&path, text).expect("it is ours");
                    path
                });
        if let Some((uid, gid)) = self.account {
            chown(&key, Some(uid), Some(gid)).expect("root may");
        }
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("it is ours");
        let (key, certificate) = (key.display(), certificate.display());
        if self.program.ends_with("slapd") {
            let file = self.path().join("slapd.conf");
            let rest = fs::read_to_string(&file).expect("it was written");
            let tls = format!(
                "TLSCACertificateFile {}\nTLSCertificateFile {certificate}\nTLSCertificateKeyFile {key}\n",
                ca.display()
            );
            fs::write(&file, format!("{tls}security ssf=64\n{rest}")).expect("it is ours");
        }
        let more = match self.program.file_name().and_then(|name| name.to_str()) {
            Some("slapd") => Vec::new(),
            Some("postgres") => vec![
                "-cssl=on".to_owned(),
                format!("-cssl_key_file={key}"),
                format!("-cssl_cert_file={certificate}"),
            ],
            _ => vec![
                format!("--ssl-ca={}", ca.display()),
                format!("--ssl-key={key}"),
                format!("--ssl-cert={certificate}"),
            ],
        };
        self.arguments.extend(more);
        self.kill();
        self.start();
        ca
    }

    /// OpenLDAP with `dc=test`; `cn=mail,dc=test` with [`PASSWORD`] may do everything.
    pub fn slapd() -> Option<Database> {
        let [server, client] = programs(["slapd", "ldapadd"])?;
        let mut database = Database::new(server, None);
        let dir = database.path().display().to_string();
        fs::create_dir(format!("{dir}/data")).expect("it is ours");
        let schemas: String = ["core", "cosine", "inetorgperson", "misc"]
            .iter()
            .map(|name| format!("include /etc/ldap/schema/{name}.schema\n"))
            .collect();
        let text = format!(
            "{schemas}modulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile {dir}/pid\ndatabase mdb\nmaxsize 16777216\n\
             suffix dc=test\nrootdn cn=mail,dc=test\nrootpw {PASSWORD}\ndirectory {dir}/data\n\
             access to attrs=userPassword by anonymous auth by * none\naccess to * by * read\n"
        );
        let file = format!("{dir}/slapd.conf");
        fs::write(&file, text).expect("it is ours");
        let url = format!("ldap://{}", database.address);
        database.arguments = words(&["-f", &file, "-h", &url, "-d", "0"]);
        let client = client.display().to_string();
        database.client = words(&[&client, "-x", "-H", &url, "-D", "cn=mail,dc=test", "-w", PASSWORD]);
        database.start();
        database.run("dn: dc=test\nobjectClass: domain\ndc: test\n");
        Some(database)
    }

    /// Has OpenLDAP listen on another port of its host, too, under TLS from the start.
    pub fn with_ldaps(&mut self) -> Address {
        let free = std::net::TcpListener::bind((self.address.ip(), 0)).expect("a host of ours");
        let at = free.local_addr().expect("a bound socket has an address");
        let url = self.arguments.iter_mut().find(|word| word.starts_with("ldap://")).expect("it is slapd");
        url.push_str(&format!(" ldaps://{at}"));
        at
    }

    /// memcached, empty.
    pub fn memcached() -> Option<Database> {
        let [server] = programs(["memcached"])?;
        let mut database = Database::new(server, None);
        let (host, port) = (database.address.ip().to_string(), database.address.port().to_string());
        database.arguments =
            words(&["-l", &host, "-p", &port, "-U", "0", "-m", "16", "-t", "1", "-u", "nobody"]);
        database.start();
        Some(database)
    }

    /// Redis, empty, behind [`PASSWORD`].
    pub fn redis() -> Option<Database> {
        let [server, client] = programs(["redis-server", "redis-cli"])?;
        let mut database = Database::new(server, None);
        let (host, port) = (database.address.ip().to_string(), database.address.port().to_string());
        database.arguments =
            words(&["--bind", &host, "--port", &port, "--requirepass", PASSWORD, "--save", ""]);
        database.client = words(&[
            &client.display().to_string(),
            "-h",
            &host,
            "-p",
            &port,
            "-a",
            PASSWORD,
            "--no-auth-warning",
        ]);
        database.start();
        Some(database)
    }

    /// Its directory; the socket of MariaDB and PostgreSQL lies in it.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where it listens.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Has its own client do this; gives what it printed.
    pub fn run(&self, text: &str) -> String {
        let (status, out) = self.ask(text);
        assert!(status, "{text}: {out}");
        out
    }

    fn ask(&self, text: &str) -> (bool, String) {
        let mut child = Command::new(&self.client[0])
            .args(&self.client[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("its client starts");
        let mut pipe = child.stdin.take().expect("it was asked for");
        // A client that cannot connect does not read.
        let _ = pipe.write_all(text.as_bytes());
        drop(pipe);
        let output = kept::outcome(child);
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// Starts it, again after [`Database::kill`], and waits until it answers.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log =
            File::options().create(true).append(true).open(self.path().join("log")).expect("it is ours");
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("an open file"))
            .stderr(log);
        self.child = Some(self.with_rights(&mut command).spawn().expect("the server starts"));
        let answers = wait::within(Duration::from_secs(60), || {
            if let Some(status) = self.child.as_mut()?.try_wait().expect("our child") {
                panic!("it ended with {status}: {}", self.log());
            }
            // MariaDB and PostgreSQL listen before they answer.
            if self.client.iter().any(|word| word.ends_with("mariadb") || word.ends_with("psql")) {
                return self.ask("SELECT 1;").0.then_some(());
            }
            std::net::TcpStream::connect(self.address).is_ok().then_some(())
        });
        assert!(answers.is_some(), "it does not answer: {}", self.log());
    }

    /// Ends it without giving it any time (SIGKILL).
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("our child");
        child.wait().expect("our child");
        // What PostgreSQL leaves would be taken for another server at work.
        let _ = fs::remove_file(self.path().join("data/postmaster.pid"));
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    fn with_rights<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        // A MariaDB that starts clears its temporary directory of what others have there.
        command.env("TMPDIR", self.path());
        match self.account {
            Some((uid, gid)) => command.uid(uid).gid(gid),
            None => command,
        }
    }

    /// Runs a program that prepares the directory.
    fn once(&self, program: &Path, arguments: &[&str]) {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        let output = self.with_rights(&mut command).output().expect("it starts");
        assert!(output.status.success(), "{output:?}");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            // PostgreSQL's helpers and shared memory go with it, at once.
            kept::end(child, nix::sys::signal::Signal::SIGINT);
        }
    }
}
