//! The directory in a data base of a server: the same commands, logins and tables as with a file.

use testbed::database::PASSWORD;
use testbed::{Client, Database, Instance, Site};

/// The status and output of a command that reads `input`.
fn run(at: &Instance, command: &str, words: &[&str], input: &str) -> (i32, String) {
    let said = at.run_with(command, words, input.as_bytes());
    assert!(!(said.out.clone() + &said.err).contains(PASSWORD), "{said:?}");
    (said.status, said.out + &said.err)
}

fn works(scheme: &str, mut database: Database, others: &str) {
    let site = Site::new("directory.test");
    let uri = format!("{scheme}://mail:{PASSWORD}@{}/mail\n", database.address());
    let file = site.put("directory.uri", &uri);
    let mx = site
        .set("directory_database", &format!("<{}", file.display()))
        .set("smtpd_sasl_auth_enable", "yes")
        .set("smtpd_sasl_type", "facteur")
        .set("disable_plaintext_auth", "no")
        .set("auth_failure_delay", "0")
        .set("auth_username_chars", "")
        .set("virtual_alias_maps", "directory:aliases")
        .start();
    let right = |command: &str, words: &[&str], input: &str| {
        let (status, out) = run(&mx, command, words, input);
        assert_eq!(status, 0, "{command} {words:?}: {out}");
        out
    };
    let wrong = |command: &str, words: &[&str], expected: &str| {
        let (status, out) = run(&mx, command, words, "secret\n");
        assert!(status == 1 && out.contains(expected), "{command} {words:?}: {status} {out}");
    };

    // Tables of somebody else's stay as they are.
    database.run(others);
    wrong("user", &["add", "joe@x.test"], "has a table accounts that is not ours");
    database.run("DROP TABLE accounts;");

    // Names that must not be mistaken for each other, nor for a part of a question.
    for name in
        ["Joe@x.test", "o'neil@x.test", "jose@x.test", "josé@x.test", "back\\slash@x.test", "per%cent@x.test"]
    {
        right("user", &["add", name, "--scheme", "SSHA512", "--quota", "1G", "--role", "admin"], "secret\n");
    }
    wrong("user", &["add", "jOE@x.test"], "there is an account of that name");
    right("user", &["add", "ann@y_test", "--no-password"], "");
    right("user", &["add", "ann@yxtest", "--no-password"], "");
    assert_eq!(right("user", &["list", "--domain", "y_test"], ""), "ann@y_test\n");
    assert_eq!(right("user", &["list", "--domain", "x.test"], "").lines().count(), 6);
    right("user", &["set", "joe@x.test", "--home", "/h", "--quota", ""], "");
    right("user", &["set", "joe@x.test", "--home", "/h", "--quota", ""], "");
    let shown = right("user", &["show", "JOE@x.test", "--json"], "");
    assert!(shown.contains("\"home\": \"/h\"") && shown.contains("\"quota\": null"), "{shown}");
    wrong("user", &["set", "nobody@x.test", "--home", "/h"], "there is no such account");
    right("domain", &["add", "Empty.test"], "");
    wrong("domain", &["add", "empty.test"], "the domain is there");
    assert_eq!(right("domain", &["list"], ""), "empty.test\nx.test\ny_test\nyxtest\n");
    right("alias", &["add", "team@box.test", "ann@box.test", "bob@box.test"], "");
    right("alias", &["add", "Team@box.test", "ann@box.test"], "");
    assert_eq!(right("alias", &["list"], ""), "team@box.test\tann@box.test, bob@box.test\n");

    // Logins, with the password and with one of a program, in time and out of it.
    let phone = right("app-password", &["add", "joe@x.test", "phone", "--scope", "smtp"], "");
    let mail = right("app-password", &["add", "joe@x.test", "mail", "--scope", "imap"], "");
    wrong("app-password", &["add", "joe@x.test", "phone"], "there is an app password named");
    let log_in = |name: &str, password: &str| {
        let mut client = Client::greeted(mx.smtp());
        client.hello();
        let response = base64(format!("\0{name}\0{}", password.trim()).as_bytes());
        let code = client.ask(&format!("AUTH PLAIN {response}")).code;
        client.ask("QUIT");
        code
    };
    for (name, password, code) in [
        ("joe@x.test", "secret", 235),
        ("Joe@X.test", "secret", 235),
        ("o'neil@x.test", "secret", 235),
        ("josé@x.test", "secret", 235),
        ("joe@x.test", "wrong", 535),
        ("joe@x.test ", "secret", 535),
        ("jos_@x.test", "secret", 535),
        ("' OR '1'='1", "secret", 535),
        ("\\", "secret", 535),
        ("ann@y_test", "", 535),
        ("joe@x.test", &phone, 235),
        ("joe@x.test", &mail, 535),
    ] {
        assert_eq!(log_in(name, password), code, "{name}");
    }
    let listed = right("app-password", &["list", "joe@x.test"], "");
    assert!(listed.contains("phone\tsmtp\tno end\tlast used 20"), "{listed}");
    assert!(listed.contains("mail\timap\tno end\tnever used"), "{listed}");
    let secret = right("totp", &["add", "joe@x.test"], "");
    assert!(secret.starts_with("otpauth://totp/directory.test:joe%40x.test?secret="), "{secret}");
    wrong("totp", &["check", "joe@x.test", "000"], "not the code of now");

    // Mail by its aliases.
    mx.send("a@x.test", &["team@box.test"], "Subject: team\n\nx\n");
    mx.maildir("ann").one();
    mx.maildir("bob").one();

    // Back and forward: what an older version holds is still there.
    assert_eq!(right("directory", &["migrate", "--to", "1"], ""), "schema 3 is now schema 1\n");
    assert_eq!(right("directory", &["migrate"], ""), "schema 1 is now schema 3\n");
    assert_eq!(right("app-password", &["list", "joe@x.test"], ""), "");
    right("user", &["show", "joe@x.test"], "");
    database.run("UPDATE directory_schema SET version = 99;");
    wrong("user", &["list"], "made by a newer release (schema 99");
    wrong("directory", &["migrate", "--to", "2"], "schema 99 is not known");
    database.run("UPDATE directory_schema SET version = 3;");

    // Away, nobody is told "no such user"; and back.
    database.kill();
    assert_eq!(log_in("joe@x.test", "secret"), 454);
    wrong("user", &["list"], &database.address().to_string());
    database.start();
    testbed::wait::until("a login after the restart", || {
        (log_in("joe@x.test", "secret") == 235).then_some(())
    });
    right("app-password", &["add", "o'neil@x.test", "x"], "");
    right("user", &["delete", "o'neil@x.test"], "");
    wrong("domain", &["delete", "x.test"], "has 5 accounts and 0 aliases");
    assert!(!mx.log().contains(PASSWORD));
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letters = bytes.chunks(3).flat_map(|three| {
        let value = (0..3).fold(0u32, |value, n| value << 8 | u32::from(*three.get(n).unwrap_or(&0)));
        let letter = move |n: usize| char::from(LETTERS[(value >> (18 - 6 * n) & 63) as usize]);
        (0..4).map(move |n| if n <= three.len() { letter(n) } else { '=' })
    });
    letters.collect()
}

#[test]
fn the_directory_is_in_mariadb() {
    let Some(database) = Database::mariadb() else { return };
    works("mysql", database, "CREATE TABLE accounts (x INT);");
}

#[test]
fn the_directory_is_in_postgres() {
    let Some(database) = Database::postgres() else { return };
    works("postgresql", database, "SET ROLE mail; CREATE TABLE accounts (x INT);");
}
