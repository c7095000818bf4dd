//! The mail of auf.org as its documents describe it: people in PostgreSQL, copied to MariaDB, from where three
//! servers know aliases and mailboxes; every message in two copies, one of them on the backup server.

use std::fs;

use testbed::database::PASSWORD;
use testbed::{Client, Database, Instance, Sink, Site, address, wait};

/// The tables that the old script kept up to date.
const TABLES: &str = "\
CREATE TABLE users (username VARCHAR(100) PRIMARY KEY, password VARCHAR(100), maildir VARCHAR(100), quota INT);\n\
CREATE TABLE auforg_virtual (source VARCHAR(100), destination VARCHAR(100), password VARCHAR(100),\n\
  PRIMARY KEY (source, destination));\n\
CREATE TABLE auforg_vacation (email VARCHAR(100) PRIMARY KEY, body TEXT, own INT DEFAULT 0);\n\
INSERT INTO auforg_vacation VALUES ('by.hand@auf.org', 'kept', 0);\n";

/// The staff, as the intranet has it.
const STAFF: &str = "\
SET ROLE mail;\n\
CREATE TABLE staff (name text PRIMARY KEY, bureau text, crypt text, quota integer, absence text);\n\
INSERT INTO staff VALUES ('anne.roy', 'ca', '$6$a', 100, NULL), ('d''arcy.o''neil', 'sn', '$6$b', 200, 'En congé'),\n\
  ('paul.ngo', 'sn', '$6$c', 100, NULL);\n";

fn plan(site: &Site, staff: &Database, mail: &Database) -> String {
    let source = format!("source = postgresql://mail:{PASSWORD}@{}/mail\n", staff.address());
    let target = format!("target = mysql://mail:{PASSWORD}@{}/mail\n", mail.address());
    let text = format!(
        "# Comptes : de l'intranet vers les tables du courrier\n\
         [users]\n{source}query = SELECT name || '@secours' AS username, crypt, name || '/' AS maildir, quota FROM staff\n\
         {target}table = users\nkey = username\ncolumns = username, password=crypt, maildir, quota\nmax_delete = 30%\n\n\
         [auforg_virtual]\n{source}query = SELECT name || '@auf.org' AS source, name || '@secours' AS destination, '!' AS password FROM staff\n\
         \x20 UNION ALL SELECT name || '@auf.org', name || '@' || bureau || '.auf.org', crypt FROM staff\n\
         {target}table = auforg_virtual\nkey = source, destination\nmax_delete = 30%\n\n\
         [auforg_vacation]\n{source}query = SELECT name || '@auf.org' AS email, absence AS body, 1 AS own FROM staff WHERE absence IS NOT NULL\n\
         {target}table = auforg_vacation\nkey = email\nwhere = own = 1\n"
    );
    site.put("synchro-mail-mysql.conf", &text).display().to_string()
}

fn lookup(site: Site, mail: &Database, name: &str, query: &str) -> Site {
    let hosts = format!("unix:{}/socket", mail.path().display());
    let text = format!(
        "hosts = {hosts}\nuser = mail\npassword = {PASSWORD}\ndbname = mail\nretry_interval = 1\nquery = {query}\n"
    );
    site.file(name, &text)
}

struct Auf {
    smtp: Instance,
    boxes: Instance,
    lists: Sink,
    dakar: Sink,
    submission: testbed::Address,
}

fn start(mail: &Database) -> Auf {
    let (lists, dakar, submission) = (Sink::new(), Sink::new(), address());
    let boxes = lookup(
        Site::new("imap.ca.auf.org"),
        mail,
        "virtual_mailbox_maps.cf",
        "SELECT maildir FROM users WHERE username = '%u@secours'",
    )
    .set("virtual_mailbox_domains", "ca.auf.org, secours")
    .set("virtual_mailbox_maps", "proxy:mysql:$config_directory/virtual_mailbox_maps.cf")
    .start();
    let smtp = lookup(Site::new("smtp.ca.auf.org"), mail, "auforg_virtual.cf", "SELECT destination FROM auforg_virtual WHERE source = '%s'")
        .with_tls("smtp.ca.auf.org")
        .set("mydestination", "")
        .set("mynetworks", "127.255.0.0/16")
        .set("virtual_mailbox_domains", "")
        .set("virtual_alias_domains", "auf.org")
        .set(
            "virtual_alias_maps",
            "proxy:mysql:$config_directory/auforg_virtual.cf, hash:$config_directory/virtual-auf.org, \
             regexp:$config_directory/virtual-mailman",
        )
        .file("virtual-auf.org", "postmaster@auf.org anne.roy@ca.auf.org\nold.name@auf.org anne.roy@auf.org\n")
        .file("virtual-mailman", "/^(.+-(admin|bounces|confirm|join|leave|owner|request|subscribe|unsubscribe))@auf\\.org$/ $1@listes.auf.org\n")
        // a lire comme "tous les sous-domaines de auf.org SAUF auf.org lui-meme
        .set("relay_domains", ".auf.org,!auf.org")
        .set(
            "parent_domain_matches_subdomains",
            "debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks,qmqpd_authorized_clients,smtpd_access_maps",
        )
        .set("smtpd_reject_unlisted_sender", "yes")
        .set("unverified_sender_reject_code", "550")
        .set("smtpd_relay_restrictions", "permit_mynetworks, reject_unauth_destination")
        .set("transport_maps", "hash:$config_directory/transport")
        .file(
            "transport",
            &format!(
                "ca.auf.org smtp:{0}\nsecours smtp:{0}\nlistes.auf.org smtp:{1}\nsn.auf.org smtp:{2}\n",
                boxes.nexthop(),
                lists.nexthop(),
                dakar.nexthop()
            ),
        )
        .service(&format!(
            "{}:{} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject",
            submission.ip(),
            submission.port()
        ))
        .start();
    Auf { smtp, boxes, lists, dakar, submission }
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
    let abroad = auf.dakar.wait_for(1);
    let mut there: Vec<_> = abroad
        .iter()
        .flat_map(|taken| &taken.recipients)
        .map(|to| to.split('>').next().unwrap_or_default().to_owned())
        .collect();
    there.sort();
    assert_eq!(there, ["<d'arcy.o'neil@sn.auf.org", "<paul.ngo@sn.auf.org"]);
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
    // Submission: nothing without TLS, nothing without a login.
    let mut client = Client::greeted(auf.submission);
    client.hello();
    client.expect(530, "MAIL FROM:<anne.roy@auf.org>");
    client.starttls(&auf.smtp.site().authority(), "smtp.ca.auf.org");
    client.hello();
    client.expect(250, "MAIL FROM:<anne.roy@auf.org>");
    client.expect(554, "RCPT TO:<anyone@elsewhere.test>");
    client.ask("QUIT");

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
