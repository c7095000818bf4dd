//! Certificates from Pebble, the ACME server that authorities test with, by each of the three proofs.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testbed::{Address, Kept, Site, address, neighbour, wait};

/// Pebble, and the name server that it asks; both end with this.
struct Authority {
    folder: tempfile::TempDir,
    url: String,
    /// Where every name leads.
    host: String,
    ports: (u16, u16),
    management: Address,
    _pebble: Kept,
    _names: Kept,
}

/// What it says goes into a file.
fn quiet(command: &mut Command, log: &Path) -> Kept {
    let file = || fs::File::options().create(true).append(true).open(log).expect("it is ours");
    command.stdin(Stdio::null()).stdout(file()).stderr(file());
    Kept::new(command.spawn().expect("it starts"))
}

impl Authority {
    fn start() -> Option<Authority> {
        let [pebble, names, _, _] =
            neighbour::installed(["pebble", "pebble-challtestsrv", "openssl", "curl"])?;
        let folder = tempfile::Builder::new().prefix("facteur-acme-").tempdir().expect("/tmp is there");
        let [at, manage, host, other, dns, management] = std::array::from_fn(|_| address());
        let (ca, chain) = testbed::tls::certificate_of(&[&at.ip().to_string()]);
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("it is ours");
            path
        };
        put("ca.pem", &ca);
        let chain = put("chain.pem", &chain);
        let config = put(
            "pebble.json",
            &format!(
                "{{ \"pebble\": {{ \"listenAddress\": \"{at}\", \"managementListenAddress\": \"{manage}\",
                    \"certificate\": \"{0}\", \"privateKey\": \"{0}\", \"httpPort\": {1}, \"tlsPort\": {2},
                    \"ocspResponderURL\": \"\", \"externalAccountBindingRequired\": false }} }}",
                chain.display(),
                host.port(),
                other.port()
            ),
        );
        let log = folder.path().join("log");
        let mut command = Command::new(names);
        command.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", "", "-defaultIPv4"]);
        command.arg(host.ip().to_string()).args(["-dns01", &dns.to_string()]);
        let names = quiet(command.args(["-management", &management.to_string()]), &log);
        let mut command = Command::new(pebble);
        command.args(["-config".as_ref(), config.as_os_str()]).args(["-dnsserver", &dns.to_string()]);
        // One nonce in twenty is refused, as a busy authority does.
        command.envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "5")]);
        let pebble = quiet(&mut command, &log);
        for place in [at, management] {
            wait::within(wait::LIMIT, || std::net::TcpStream::connect(place).ok())
                .unwrap_or_else(|| panic!("{place}: {}", fs::read_to_string(&log).unwrap_or_default()));
        }
        Some(Authority {
            folder,
            url: format!("https://{at}/dir"),
            host: host.ip().to_string(),
            ports: (host.port(), other.port()),
            management,
            _pebble: pebble,
            _names: names,
        })
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn site(&self, proof: &str) -> Site {
        Site::new("mx.test")
            .set("acme_domains", "mx.test, Other.test")
            .set("acme_directory_url", &self.url)
            .set("acme_CAfile", &self.ca().display().to_string())
            .set("acme_contact_address", "postmaster@mx.test")
            .set("acme_challenge_type", proof)
            .set("smtpd_tls_security_level", "may")
            .set("smtpd_tls_chain_files", "${acme_certificate_directory}/chain.pem")
            .service(&format!("{}:{} inet n - n - - acmed", self.host, self.ports.0))
            .service(&format!("{}:{} inet n - n - - acmed", self.host, self.ports.1))
    }
}

/// Whose name stands below the certificate that a client is shown.
fn shown(at: Address, begin: &str) -> String {
    let script = format!(
        "openssl s_client -connect {at} {begin} -servername mx.test </dev/null 2>/dev/null | openssl x509 -noout -issuer"
    );
    let output = Command::new("sh").args(["-c", &script]).output().expect("it starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn pebble_gives_certificates_by_each_proof() {
    let Some(authority) = Authority::start() else { return };
    let hook = authority.folder.path().join("hook");
    let manage = authority.management;
    let text = format!(
        "#!/bin/sh\ncase $1 in add) word=set-txt ;; *) word=clear-txt ;; esac\n\
         exec curl -sS -f --max-time 20 -d \"{{\\\"host\\\":\\\"$2.\\\",\\\"value\\\":\\\"$3\\\"}}\" http://{manage}/$word\n"
    );
    fs::write(&hook, text).expect("it is ours");
    for file in [hook.as_path(), authority.folder.path()] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(file, mode).expect("it is ours");
    }
    for proof in ["http-01", "tls-alpn-01", "dns-01"] {
        let site = authority.site(proof).set("acme_dns_hook", &hook.display().to_string());
        let mx = site.start();
        mx.wait_log(&["acme[", "new certificate for mx.test, other.test from"]);
        let chain = mx.site().path().join("queue/acme/chain.pem");
        let first = fs::read(&chain).expect("it is there");
        let status = mx.run("acme", &["status"]);
        assert!(status.out.contains("mx.test, other.test until 20"), "{proof}: {status:?}");
        let idle = mx.run("acme", &["renew"]);
        assert!(idle.status == 0 && idle.out.starts_with("not due: "), "{proof}: {idle:?}");
        let forced = mx.run("acme", &["renew", "--force"]);
        assert_eq!(forced.status, 0, "{proof}: {forced:?}");
        assert!(fs::read(&chain).expect("it is there") != first, "{proof}");
        if proof == "http-01" {
            // Services read it again by themselves.
            wait::until("the new certificate", || {
                shown(mx.smtp(), "-starttls smtp").contains("Pebble").then_some(())
            });
        }
        let left = fs::read_dir(mx.site().path().join("queue/acme")).expect("it is there").flatten();
        let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("answer-")), "{left:?}");
    }
}

#[test]
fn until_then_there_is_a_certificate_of_our_own() {
    let Some([_]) = neighbour::installed(["openssl"]) else { return };
    let nobody = address();
    let mx = Site::new("mx.test")
        .set("acme_domains", "mx.test")
        .set("acme_directory_url", &format!("https://{nobody}/dir"))
        .set("smtpd_tls_security_level", "may")
        .set("smtpd_tls_chain_files", "${acme_certificate_directory}/chain.pem")
        .start();
    mx.wait_log(&["acme[", "no new certificate: ", "trying again in 60 s"]);
    assert!(
        shown(mx.smtp(), "-starttls smtp").contains("issuer=CN = mx.test\n"),
        "{}",
        shown(mx.smtp(), "-starttls smtp")
    );
    let status = mx.run("acme", &["status"]);
    assert!(status.out.contains("self-signed, until"), "{status:?}");
    let failed = mx.run("acme", &["renew"]);
    assert!(failed.status == 1 && failed.err.contains(&nobody.to_string()), "{failed:?}");
}

#[test]
fn who_takes_logins_shows_a_renewed_certificate() {
    let Some([_]) = neighbour::installed(["openssl"]) else { return };
    if !neighbour::root() {
        return;
    }
    let (nobody, imaps) = (address(), address());
    let site = Site::new("mx.test");
    let users = site.put("users", "ann@box.test:{PLAIN}secret:61401:61401::/nowhere::\n");
    let mx = site
        .set("acme_domains", "mx.test")
        .set("acme_directory_url", &format!("https://{nobody}/dir"))
        .set("smtpd_tls_chain_files", "${acme_certificate_directory}/chain.pem")
        .set("passdb", &format!("passwd-file:{}", users.display()))
        .set("userdb", &format!("passwd-file:{}", users.display()))
        .service(&format!("{}:{} inet n - n - - imapd -o ssl_wrappermode=yes", imaps.ip(), imaps.port()))
        .start();
    wait::until("our own certificate", || shown(imaps, "").contains("CN = mx.test").then_some(()));
    // As a renewal does it: a new file in the place of the old one, for the same readers.
    let chain = mx.site().path().join("queue/acme/chain.pem");
    let new = chain.with_extension("new");
    let was = fs::metadata(&chain).expect("it is there");
    fs::write(&new, testbed::tls::certificate("mx.test").1).expect("root may");
    fs::set_permissions(&new, was.permissions()).expect("root may");
    chown(&new, Some(was.uid()), Some(was.gid())).expect("root may");
    fs::rename(&new, &chain).expect("root may");
    wait::until("the new certificate", || shown(imaps, "").contains("an authority for tests").then_some(()));
}
