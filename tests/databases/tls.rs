//! Look-ups over TLS: data base servers with certificates, and with those of somebody else.

use std::process::Command;

use testbed::database::PASSWORD;
use testbed::{Database, Site, address, neighbour};

/// What `postmap -q x` says of a table: its exit status and what it found.
fn ask(site: &Site, kind: &str, name: &str, settings: &str) -> (i32, String) {
    let file = site.put(name, settings);
    let said = site.run_with("postmap", &["-q", "x", &format!("{kind}:{}", file.display())], b"");
    assert!(!said.err.contains(PASSWORD), "{}", said.err);
    (said.status, said.out.trim().to_owned())
}

#[test]
fn mariadb_is_asked_over_tls() {
    let Some(mut database) = Database::mariadb() else { return };
    let ca = database.with_tls();
    let site = Site::bare(address());
    site.put("main.cf", "compatibility_level = 3.6\n");
    let other = site.put("other.pem", &testbed::tls::certificate("other.test").0);
    let head = format!(
        "hosts = {}\nuser = mail\npassword = {PASSWORD}\ndbname = mail\nretry_interval = 1\n\
         query = SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_version'\n",
        database.address()
    );
    assert_eq!(ask(&site, "mysql", "clear.cf", &head), (1, String::new()), "nobody asked for TLS");
    let verified = |ca: &str| format!("{head}tls_CAfile = {ca}\ntls_verify_cert = yes\n");
    let found = ask(&site, "mysql", "right.cf", &verified(&ca.display().to_string()));
    assert!(found.0 == 0 && found.1.starts_with("TLSv1."), "{found:?}");
    let wrong = ask(&site, "mysql", "wrong.cf", &verified(&other.display().to_string()));
    assert_eq!(wrong, (1, String::new()));
}

#[test]
fn postgres_is_asked_over_tls() {
    let Some(mut database) = Database::postgres() else { return };
    let ca = database.with_tls();
    let site = Site::bare(address());
    site.put("main.cf", "compatibility_level = 3.6\n");
    let other = site.put("other.pem", &testbed::tls::certificate("other.test").0);
    let settings = |rest: &str| {
        format!(
            "hosts = postgresql://mail:{PASSWORD}@{}/mail?{rest}\ndbname = mail\nretry_interval = 1\n\
             query = SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND version <> ''\n",
            database.address()
        )
    };
    assert_eq!(ask(&site, "pgsql", "clear.cf", &settings("sslmode=disable")), (1, String::new()));
    for rest in ["sslmode=require", &format!("sslmode=verify-full&sslrootcert={}", ca.display())] {
        let found = ask(&site, "pgsql", "right.cf", &settings(rest));
        assert!(found.0 == 0 && found.1.starts_with("TLSv1."), "{rest}: {found:?}");
    }
    let wrong = format!("sslmode=verify-full&sslrootcert={}", other.display());
    assert_eq!(ask(&site, "pgsql", "wrong.cf", &settings(&wrong)), (1, String::new()));
}

#[test]
fn slapd_is_asked_over_tls() {
    let Some(mut database) = Database::slapd() else { return };
    database.run("dn: cn=x,dc=test\nobjectClass: inetOrgPerson\ncn: x\nsn: x\nuid: found\nmail: x\n\n");
    let secure = database.with_ldaps();
    let ca = database.with_tls();
    let site = Site::bare(address());
    let dir = site.path().display().to_string();
    site.put(
        "main.cf",
        &format!("compatibility_level = 3.6\nqueue_directory = {dir}\ndata_directory = {dir}\n"),
    );
    let other = site.put("other.pem", &testbed::tls::certificate("other.test").0);
    let found = (0, "found".to_owned());
    let nothing = (1, String::new());
    let head =
        "search_base = dc=test\nquery_filter = (mail=%s)\nresult_attribute = uid\nversion = 3\ntimeout = 5\n";
    let bound = format!("{head}bind_dn = cn=mail,dc=test\nbind_pw = {PASSWORD}\n");
    for (name, start, settings, expected) in [
        ("clear", "ldap", head.to_owned(), &nothing),
        (
            "start",
            "ldap",
            format!("{head}start_tls = yes\ntls_ca_cert_file = {}\ntls_require_cert = yes\n", ca.display()),
            &found,
        ),
        (
            "bound",
            "ldap",
            format!("{bound}start_tls = yes\ntls_ca_cert_file = {}\ntls_require_cert = yes\n", ca.display()),
            &found,
        ),
        (
            "wrong",
            "ldap",
            format!(
                "{head}start_tls = yes\ntls_ca_cert_file = {}\ntls_require_cert = yes\n",
                other.display()
            ),
            &nothing,
        ),
        (
            "ldaps",
            "ldaps",
            format!("{head}tls_ca_cert_file = {}\ntls_require_cert = yes\n", ca.display()),
            &found,
        ),
        (
            "other",
            "ldaps",
            format!("{head}tls_ca_cert_file = {}\ntls_require_cert = yes\n", other.display()),
            &nothing,
        ),
    ] {
        let at = if start == "ldaps" { secure } else { database.address() };
        let settings = format!("server_host = {start}://{at}\n{settings}");
        assert_eq!(ask(&site, "ldap", &format!("{name}.cf"), &settings), *expected, "{name}");
        let Some([postmap]) = neighbour::installed(["postmap"]) else { continue };
        let table = format!("ldap:{}/{name}.cf", site.conf().display());
        let mut command = Command::new(postmap);
        command.args(["-c".as_ref(), site.conf().as_os_str(), "-q".as_ref(), "x".as_ref(), table.as_ref()]);
        let theirs = command.output().expect("it starts");
        let theirs = (theirs.status.code(), String::from_utf8_lossy(&theirs.stdout).trim().to_owned());
        assert_eq!(theirs, (Some(expected.0), expected.1.clone()), "{name}: Postfix's");
    }
}
