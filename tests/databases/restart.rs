//! A data base that dies and comes back in the middle of the work: no mail is lost, none refused for good.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use testbed::database::PASSWORD;
use testbed::{Client, Database, Sink, Site};

fn survives(kind: &str, mut database: Database, settings: &str) {
    let sink = Sink::new();
    let file = format!("{kind}.cf");
    let table = format!("proxy:{kind}:$config_directory/{file}");
    let mx = Site::new("mx.test")
        .set("virtual_alias_domains", "va.test")
        .set("virtual_alias_maps", &table)
        .set("relayhost", &sink.nexthop())
        .set("minimal_backoff_time", "1s")
        .set("maximal_backoff_time", "2s")
        .set("queue_run_delay", "1s")
        .file(&file, &format!("{settings}retry_interval = 1\nconnect_timeout = 2\nquery_timeout = 2\n"))
        .start();
    let (ended, taken, later) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    let mut client = Client::greeted(mx.smtp());
                    client.hello();
                    client.expect(250, "MAIL FROM:<a@x.test>");
                    let reply = client.ask("RCPT TO:<one@va.test>");
                    match reply.code {
                        250 => {
                            client.expect(354, "DATA");
                            client.send(b"Subject: x\r\n\r\nx\r\n.\r\n");
                            let end = client.reply();
                            match end.code {
                                250 => taken.fetch_add(1, Ordering::Relaxed),
                                400..500 => later.fetch_add(1, Ordering::Relaxed),
                                _ => panic!("{end:?}"),
                            };
                        }
                        400..500 => {
                            later.fetch_add(1, Ordering::Relaxed);
                            thread::sleep(Duration::from_millis(50));
                        }
                        _ => panic!("refused for good: {reply:?}"),
                    }
                    client.ask("QUIT");
                }
            });
        }
        for _ in 0..2 {
            thread::sleep(Duration::from_millis(700));
            database.kill();
            thread::sleep(Duration::from_millis(1200));
            database.start();
            // It is found again by itself.
            let before = taken.load(Ordering::Relaxed);
            testbed::wait::until("mail after the restart", || {
                (taken.load(Ordering::Relaxed) > before).then_some(())
            });
        }
        ended.store(true, Ordering::Relaxed);
    });
    assert!(later.load(Ordering::Relaxed) > 0, "nothing came while it was away");
    let count = taken.load(Ordering::Relaxed);
    let arrived = sink.wait_for(count);
    let right = |to: &String| to.starts_with("<one@far.test>");
    assert!(
        arrived.iter().all(|message| message.recipients.iter().all(right)),
        "{:?}",
        arrived[0].recipients
    );
    let log = mx.log();
    assert!(!log.contains(PASSWORD) && !log.contains("status=bounced"), "{log}");
    assert!(log.contains(&database.address().to_string()), "the server is not named: {log}");
}

const ALIASES: &str = "CREATE TABLE alias (a VARCHAR(100), d VARCHAR(100)); INSERT INTO alias VALUES ('one@va.test','one@far.test');";

#[test]
fn mariadb_dies_and_comes_back() {
    let Some(database) = Database::mariadb() else { return };
    database.run(ALIASES);
    let hosts = database.address();
    let settings = format!(
        "hosts = {hosts}\nuser = mail\npassword = {PASSWORD}\ndbname = mail\nquery = SELECT d FROM alias WHERE a = '%s'\n"
    );
    survives("mysql", database, &settings);
}

#[test]
fn postgres_dies_and_comes_back() {
    let Some(database) = Database::postgres() else { return };
    database.run(&format!("SET ROLE mail; {ALIASES}"));
    let hosts = database.address();
    let settings = format!(
        "hosts = {hosts}\nuser = mail\npassword = {PASSWORD}\ndbname = mail\nquery = SELECT d FROM alias WHERE a = '%s'\n"
    );
    survives("pgsql", database, &settings);
}

#[test]
fn slapd_dies_and_comes_back() {
    let Some(database) = Database::slapd() else { return };
    database.run(
        "dn: cn=one,dc=test\nobjectClass: inetOrgPerson\nobjectClass: extensibleObject\ncn: one\nsn: x\n\
         mail: one@va.test\nuid: one@far.test\n",
    );
    let url = database.address();
    let settings = format!(
        "server_host = ldap://{url}\nbind_dn = cn=mail,dc=test\nbind_pw = {PASSWORD}\nsearch_base = dc=test\n\
         query_filter = (mail=%s)\nresult_attribute = uid\ntimeout = 2\n"
    );
    survives("ldap", database, &settings);
}
