//! TLS between servers that goes by what DNS says: signed zones, and a real unbound that validates them.

mod dane;
mod reports;
mod sts;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testbed::kept::outcome;
use testbed::{Address, Kept, address, neighbour, wait};

/// How far a zone can be believed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Signed, with a key that the resolver knows.
    Signed,
    /// Not signed, and nobody says that it should be.
    Insecure,
    /// Signed with signatures that have expired.
    Expired,
    /// Signed, and then something was put in the place of something else.
    Forged(&'static str, &'static str),
}

/// Zones, and the resolver that validates them. Dropped, it ends.
struct Zones {
    directory: tempfile::TempDir,
    address: Address,
    unbound: PathBuf,
    keygen: PathBuf,
    signer: PathBuf,
    running: Option<Kept>,
    zones: Vec<String>,
}

impl Zones {
    /// `None` where the programs are not installed, or port 53 is not ours to take.
    fn new() -> Option<Zones> {
        if !neighbour::root() {
            return None;
        }
        let [unbound, keygen, signer] = neighbour::installed(["unbound", "ldns-keygen", "ldns-signzone"])?;
        let directory = tempfile::Builder::new().prefix("facteur-zones-").tempdir().expect("/tmp is there");
        // The program reads the resolv.conf in it without root's rights.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let (running, zones) = (None, Vec::new());
        let address = Address::new(address().ip(), 53);
        Some(Zones { directory, address, unbound, keygen, signer, running, zones })
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> String {
        let child = Command::new(program)
            .args(arguments)
            .current_dir(self.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let output = outcome(child.expect("it starts"));
        assert!(
            output.status.success(),
            "{program:?} {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Writes a zone; `records` are below its name.
    fn put(&mut self, zone: &str, records: &str, state: State) {
        let text = format!(
            "$ORIGIN {zone}.\n$TTL 1\n@ SOA ns hostmaster 1 3600 600 86400 1\n@ NS ns\nns A 127.0.0.1\n{records}"
        );
        fs::write(self.path().join(zone), &text).expect("it is ours");
        let signed = self.path().join(format!("{zone}.signed"));
        if state == State::Insecure {
            fs::write(&signed, &text).expect("it is ours");
        } else {
            let anchor = self.path().join(format!("{zone}.key"));
            let name = self.path().join(format!("{zone}.name"));
            if !anchor.exists() {
                let made = self.run(&self.keygen, &["-a", "ECDSAP256SHA256", "-k", zone]);
                fs::copy(self.path().join(format!("{made}.key")), &anchor).expect("it was made");
                fs::write(&name, made).expect("it is ours");
            }
            let key = fs::read_to_string(&name).expect("it was written");
            match state {
                State::Expired => {
                    self.run(&self.signer, &["-i", "20200101", "-e", "20200201", zone, &key]);
                }
                _ => drop(self.run(&self.signer, &[zone, &key])),
            }
        }
        if let State::Forged(from, to) = state {
            let text = fs::read_to_string(&signed).expect("it was signed");
            assert!(text.contains(from), "{text}");
            fs::write(&signed, text.replace(from, to)).expect("it is ours");
        }
        if !self.zones.iter().any(|known| known == zone) {
            self.zones.push(zone.to_owned());
        }
    }

    /// Starts the resolver, or starts it again with the zones as they are now; gives the resolv.conf that names it.
    fn start(&mut self) -> String {
        self.running = None;
        let dir = self.path().display().to_string();
        let mut text = format!(
            "server:\n interface: {}@{}\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n directory: \"{dir}\"\n \
             pidfile: \"\"\n use-syslog: no\n logfile: \"{dir}/log\"\n module-config: \"validator iterator\"\n \
             do-not-query-localhost: no\n local-zone: \"test.\" nodefault\n",
            self.address.ip(),
            self.address.port()
        );
        for zone in &self.zones {
            if self.path().join(format!("{zone}.key")).exists() {
                text += &format!(" trust-anchor-file: \"{dir}/{zone}.key\"\n");
            }
        }
        text += "remote-control:\n control-enable: no\n";
        for zone in &self.zones {
            text += &format!(
                "auth-zone:\n name: \"{zone}.\"\n zonefile: \"{dir}/{zone}.signed\"\n for-upstream: yes\n \
                 for-downstream: no\n fallback-enabled: no\n"
            );
        }
        let conf = self.path().join("unbound.conf");
        fs::write(&conf, text).expect("it is ours");
        self.running = Some(Kept::quiet(Command::new(&self.unbound).args(["-d", "-c"]).arg(&conf)));
        let address = self.address;
        wait::until("unbound", || std::net::TcpStream::connect(address).ok().map(drop));
        let file = self.path().join("resolv.conf");
        fs::write(&file, format!("nameserver {}\n", address.ip())).expect("it is ours");
        file.display().to_string()
    }
}

/// The SHA-256 of the certificate in a file, as TLSA records have it.
fn digest(openssl: &Path, file: &Path) -> String {
    let child = Command::new(openssl)
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(file)
        .stdout(Stdio::piped())
        .spawn();
    let output = outcome(child.expect("it starts"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.rsplit('=').next().unwrap_or_default().trim().replace(':', "").to_lowercase()
}
