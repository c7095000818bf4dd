//! Look-ups over TLS: data base servers with certificates, and with those of somebody else.

use testbed::database::PASSWORD;
use testbed::{Database, Site, address};

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
