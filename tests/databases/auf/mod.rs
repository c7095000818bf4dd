//! The mail of auf.org as its documents describe it: people in PostgreSQL, copied to MariaDB, from where three
//! servers know aliases, mailboxes and logins; every message in two copies, one of them on the backup server; and a
//! bureau whose server is down, taken over and given back.

use std::fs;

use testbed::database::PASSWORD;
use testbed::{Client, Database, Instance, Site, wait};

mod site;

use site::{Auf, start};

/// The tables that the old script kept up to date.
const TABLES: &str = "\
CREATE TABLE users (username VARCHAR(100) PRIMARY KEY, password VARCHAR(200), maildir VARCHAR(100), quota INT);\n\
CREATE TABLE auforg_virtual (source VARCHAR(100), destination VARCHAR(100), password VARCHAR(200),\n\
  PRIMARY KEY (source, destination));\n\
CREATE TABLE auforg_vacation (email VARCHAR(100) PRIMARY KEY, body TEXT, own INT DEFAULT 0);\n\
INSERT INTO auforg_vacation VALUES ('by.hand@auf.org', 'kept', 0);\n";

/// The staff, as the intranet has it.
const STAFF: &str = "\
SET ROLE mail;\n\
CREATE TABLE staff (name text PRIMARY KEY, bureau text, crypt text, quota integer, absence text);\n\
INSERT INTO staff VALUES\n\
  ('anne.roy', 'ca', '$6$rounds=1000$facteur$CrUdWBgNlCQ.bwVclpj19uOvtDKGdqTv6aGvHGIowGJ4dLVN6ChzsK4ELiKtBtu3Dj.eSvS3HSPPuirgYvQra.', 100, NULL),\n\
  ('d''arcy.o''neil', 'sn', '$6$b', 200, 'En congé'), ('paul.ngo', 'sn', '$6$c', 100, NULL);\n";

fn plan(site: &Site, staff: &Database, mail: &Database) -> String {
    let source = format!("source = postgresql://mail:{PASSWORD}@{}/mail\n", staff.address());
    let target = format!("target = mysql://mail:{PASSWORD}@{}/mail\n", mail.address());
    let text = format!(
        "# Comptes : de l'intranet vers les tables du courrier\n\
         [users]\n{source}query = SELECT name AS username, crypt, name || '/' AS maildir, quota FROM staff\n\
         {target}table = users\nkey = username\ncolumns = username, password=crypt, maildir, quota\nmax_delete = 30%\n\n\
         [auforg_virtual]\n{source}query = SELECT name || '@auf.org' AS source, name || '@secours' AS destination, '!' AS password FROM staff\n\
         \x20 UNION ALL SELECT name || '@auf.org', name || '@' || bureau || '.auf.org', crypt FROM staff\n\
         {target}table = auforg_virtual\nkey = source, destination\nmax_delete = 30%\n\n\
         [auforg_vacation]\n{source}query = SELECT name || '@auf.org' AS email, absence AS body, 1 AS own FROM staff WHERE absence IS NOT NULL\n\
         {target}table = auforg_vacation\nkey = email\nwhere = own = 1\n"
    );
    site.put("synchro-mail-mysql.conf", &text).display().to_string()
}

#[test]
fn the_mail_of_auf_org_runs_from_its_own_lines() {
    let Some(staff) = Database::postgres() else { return };
    let Some(mut mail) = Database::mariadb() else { return };
    staff.run(STAFF);
    mail.run(TABLES);
    let auf = start(&mail);
    let plan = plan(auf.smtp.site(), &staff, &mail);

    // The copy: first shown, then made.
    let shown = auf.smtp.run("facteur", &["sync", "--dry-run", &plan]);
    let shown = if shown.status == 0 { shown } else { auf.smtp.run("sync", &["--dry-run", &plan]) };
    assert_eq!(shown.status, 0, "{shown:?}");
    assert!(
        shown
            .out
            .contains("users: 3 rows in the source, 0 in the target: 3 to add, 0 to change, 0 to remove"),
        "{}",
        shown.out
    );
    assert!(shown.out.contains("+ email=d'arcy.o'neil@auf.org body=En congé own=1"), "{}", shown.out);
    assert!(!shown.out.contains("$6$"), "{}", shown.out);
    assert_eq!(mail.run("SELECT count(*) FROM users;"), "count(*)\n0\n");
    let done = auf.smtp.run("sync", &[&plan]);
    assert!(done.status == 0 && done.out.contains("added 6, changed 0, removed 0"), "{done:?}");
    assert_eq!(mail.run("SELECT count(*) FROM auforg_vacation;"), "count(*)\n2\n");

    // Both copies of each message: the bureau's server and the backup mailbox.
    auf.smtp.send(
        "friend@elsewhere.test",
        &["paul.ngo@auf.org", "d'arcy.o'neil@auf.org"],
        "Subject: two copies\n\nx\n",
    );
    assert!(auf.boxes.maildir("paul.ngo").one().contains("Subject: two copies\n"));
    assert!(auf.boxes.maildir("d'arcy.o'neil").one().contains("Subject: two copies\n"));
    assert!(auf.dakar.maildir("paul").one().contains("Subject: two copies\n"));
    assert!(auf.dakar.maildir("darcy").one().contains("Subject: two copies\n"));
    // Anne's both are here, in one mailbox; an exception leads to her through two tables.
    auf.smtp.send("friend@elsewhere.test", &["old.name@auf.org"], "Subject: by another name\n\nx\n");
    auf.boxes.maildir("anne.roy").wait_for(2);
    // What looks like Mailman goes to the lists.
    auf.smtp.send("friend@elsewhere.test", &["tous-request@auf.org"], "Subject: help\n\nx\n");
    assert!(auf.lists.one().recipients[0].starts_with("<tous-request@listes.auf.org>"));

    // Who is not listed neither sends nor receives; sub-domains are relayed, the domain itself is not.
    let mut client = Client::greeted(auf.smtp.smtp());
    client.hello();
    for (sender, recipient, code) in [
        ("nobody@auf.org", "anne.roy@auf.org", 550),
        ("anne.roy@auf.org", "nobody@auf.org", 550),
        ("x@y.test", "' OR '1'='1@auf.org", 550),
        ("anne.roy@auf.org", "anyone@sn.auf.org", 250),
        ("x@y.test", "anyone@elsewhere.test", 554),
    ] {
        client.expect(250, &format!("MAIL FROM:<{sender}>"));
        let recipient = if recipient.contains(' ') { "\"' OR '1'='1\"@auf.org" } else { recipient };
        assert_eq!(client.ask(&format!("RCPT TO:<{recipient}>")).code, code, "{sender} {recipient}");
        client.ask("RSET");
    }
    client.ask("QUIT");
    submission(&auf);
    takeover(&auf);

    // Somebody leaves, somebody moves; too many at once is refused, and a source that fails changes nothing.
    staff.run("DELETE FROM staff WHERE name = 'paul.ngo'; UPDATE staff SET bureau = 'ca', quota = 500 WHERE name LIKE 'd%'");
    let done = auf.smtp.run("sync", &[&plan]);
    assert_eq!(done.status, 1, "three of six aliases are more than 30%: {done:?}");
    assert_eq!(mail.run("SELECT count(*) FROM users;"), "count(*)\n3\n");
    let text =
        fs::read_to_string(&plan).expect("it was written").replace("max_delete = 30%", "max_delete = 60%");
    fs::write(&plan, &text).expect("it is ours");
    let done = auf.smtp.run("sync", &[&plan]);
    assert!(done.status == 0 && done.out.contains("added 0, changed 1, removed 1"), "{done:?}");
    fs::write(&plan, text.replace("FROM staff WHERE absence", "FROM gone WHERE absence"))
        .expect("it is ours");
    staff.run("DELETE FROM staff");
    let failed = auf.smtp.run("sync", &[&plan]);
    assert!(
        failed.status == 1 && failed.err.contains("[auforg_vacation] source: query failed"),
        "{failed:?}"
    );
    assert!(!failed.err.contains(PASSWORD), "{failed:?}");
    assert_eq!(mail.run("SELECT count(*) FROM users;"), "count(*)\n2\n");

    // The tables are away: later, not never; and back.
    mail.kill();
    let mut client = Client::greeted(auf.smtp.smtp());
    client.hello();
    client.expect(250, "MAIL FROM:<x@y.test>");
    client.expect(451, "RCPT TO:<anne.roy@auf.org>");
    client.ask("QUIT");
    mail.start();
    wait::until("the tables to be back", || {
        let mut client = Client::greeted(auf.smtp.smtp());
        client.hello();
        client.expect(250, "MAIL FROM:<x@y.test>");
        let code = client.ask("RCPT TO:<anne.roy@auf.org>").code;
        client.ask("QUIT");
        (code == 250).then_some(())
    });
    let why = auf.smtp.run("explain", &["--client-name", "y.test", "anne.roy@auf.org"]).out;
    assert!(
        why.contains("mysql server unix:")
            && why.contains("SELECT destination FROM auforg_virtual WHERE source = 'anne.roy@auf.org'"),
        "{why}"
    );
    for instance in [&auf.smtp, &auf.boxes] {
        assert!(!instance.log().contains(PASSWORD));
    }
}

/// Nothing without TLS, nothing without a login; the login works with and without the domain.
fn submission(auf: &Auf) {
    let mut client = Client::greeted(auf.submission);
    client.hello();
    client.expect(530, "MAIL FROM:<anne.roy@auf.org>");
    client.starttls(&auf.smtp.site().authority(), "smtp.ca.auf.org");
    client.hello();
    client.expect(250, "MAIL FROM:<anne.roy@auf.org>");
    client.expect(554, "RCPT TO:<paul.ngo@sn.auf.org>");
    client.ask("QUIT");
    for (login, code) in [
        // anne.roy, anne.roy@auf.org, anne.roy@sn.auf.org, nobody, ' OR '1'='1: all with the password "secret".
        ("AGFubmUucm95AHNlY3JldA==", 235),
        ("AGFubmUucm95QGF1Zi5vcmcAc2VjcmV0", 235),
        ("AGFubmUucm95QHNuLmF1Zi5vcmcAc2VjcmV0", 535),
        ("AG5vYm9keQBzZWNyZXQ=", 535),
        ("ACcgT1IgJzEnPScxAHNlY3JldA==", 535),
        // anne.roy with "wrong".
        ("AGFubmUucm95AHdyb25n", 535),
    ] {
        let mut client = Client::greeted(auf.submission);
        client.hello();
        client.starttls(&auf.smtp.site().authority(), "smtp.ca.auf.org");
        client.hello();
        client.expect(code, &format!("AUTH PLAIN {login}"));
        if code == 235 {
            client.expect(250, "MAIL FROM:<anne.roy@auf.org>");
            client.expect(250, "RCPT TO:<anyone@elsewhere.test>");
            client.ask("RSET");
        }
        client.ask("QUIT");
    }
}

/// The server of a bureau is down: its mail goes to the backup mailboxes, and to it when it is back.
fn takeover(auf: &Auf) {
    let domain = |at: &Instance, words: &[&str]| {
        let said = at.run("domain", words);
        assert_eq!(said.status, 0, "{said:?}");
        said.out
    };
    let via = format!("smtp:{}", auf.boxes.nexthop());
    let shown = domain(&auf.boxes, &["takeover", "sn.auf.org", "--to", "secours"]);
    assert!(
        shown.contains("NAME@sn.auf.org goes to NAME@secours") && shown.contains("Nothing was done"),
        "{shown}"
    );
    let wrong = auf.boxes.run("domain", &["takeover", "sn.auf.org", "--to", "elsewhere.test"]);
    assert!(wrong.status == 1 && wrong.err.contains("no mailboxes here"), "{wrong:?}");
    domain(&auf.boxes, &["takeover", "sn.auf.org", "--to", "secours", "--yes"]);
    domain(&auf.smtp, &["takeover", "sn.auf.org", "--via", &via, "--yes"]);
    assert!(domain(&auf.smtp, &["takeover"]).starts_with(&format!("sn.auf.org\tvia {via}\tsince 20")));
    // By the alias in both copies, and directly; who is not there is refused where the mailboxes are.
    let before = auf.boxes.maildir("paul.ngo").messages().len();
    auf.smtp.send("friend@elsewhere.test", &["paul.ngo@auf.org"], "Subject: meanwhile\n\nby the alias\n");
    auf.smtp.send("friend@elsewhere.test", &["paul.ngo@sn.auf.org"], "Subject: meanwhile\n\n.direct\n");
    auf.boxes.maildir("paul.ngo").wait_for(before + 3);
    let mut client = auf.boxes.client();
    client.hello();
    client.expect(250, "MAIL FROM:<friend@elsewhere.test>");
    client.expect(550, "RCPT TO:<nobody@sn.auf.org>");
    client.expect(250, "RCPT TO:<d'arcy.o'neil@sn.auf.org>");
    client.ask("QUIT");
    assert_eq!(auf.dakar.maildir("paul").messages().len(), 1);
    // Back: what came for the bureau goes there, the copy that everybody has stays.
    domain(&auf.smtp, &["giveback", "sn.auf.org", "--yes"]);
    let shown = domain(&auf.boxes, &["giveback", "sn.auf.org"]);
    assert!(shown.contains("2 messages for 1 people came for it meanwhile"), "{shown}");
    let done = domain(&auf.boxes, &["giveback", "sn.auf.org", "--yes"]);
    assert!(done.ends_with("Moved: 2 messages\n"), "{done}");
    let mut came = auf.dakar.maildir("paul").wait_for(3);
    came.retain(|message| message.contains("Subject: meanwhile\n"));
    assert!(
        came.iter().all(|message| message.starts_with("Return-Path: <friend@elsewhere.test>\n")),
        "{came:?}"
    );
    assert!(came.iter().any(|message| message.contains("\n\n.direct\n")), "{came:?}");
    let kept = wait::until("the mailbox without them", || {
        Some(auf.boxes.maildir("paul.ngo").messages()).filter(|kept| kept.len() == before + 1)
    });
    assert!(kept.iter().all(|message| message.contains("\nDelivered-To: paul.ngo@secours\n")), "{kept:?}");
    assert_eq!(domain(&auf.boxes, &["takeover"]), "");
}

#[test]
fn the_running_program_copies_at_intervals() {
    let Some(mail) = Database::mariadb() else { return };
    mail.run("CREATE TABLE users (name VARCHAR(100) PRIMARY KEY, quota INT) ENGINE=MyISAM;");
    let site = Site::new("mx.test");
    let people = site.put("people.csv", "name,quota\nann,1\n");
    let text = format!(
        "[users]\nsource = csv:{}\ntarget = mysql://mail:{PASSWORD}@{}/mail\ntable = users\nkey = name\n",
        people.display(),
        mail.address()
    );
    let mx = site
        .file("copy.conf", &text)
        .set("sync_files", "$config_directory/copy.conf")
        .set("sync_interval", "1s")
        .start();
    mx.wait_log(&["sync[", "[users] target: users is kept by MyISAM, which has no transactions"]);
    mail.run("ALTER TABLE users ENGINE=InnoDB");
    mx.wait_log(&["sync[", "users: 1 rows in the source, 0 in the target: added 1, changed 0, removed 0"]);
    mx.site().put("people.csv", "name,quota\nann,2\nbob,3\n");
    mx.wait_log(&["sync[", "added 1, changed 1, removed 0"]);
    assert!(!mx.log().contains(PASSWORD));
}
