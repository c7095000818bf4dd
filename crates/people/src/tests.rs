//! Logins through whole chains.

use std::path::Path;
use std::sync::Arc;

use conf::{Block, Facts as MachineFacts, MainCf, Registry, View};

use super::*;
use crate::params::Logins;

/// People of a main.cf.
pub fn people(text: &str) -> People {
    let (people, mistakes) = read(text);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    people
}

fn read(text: &str) -> (People, Vec<conf::Mistake>) {
    let usual = "auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256\n";
    let usual = if text.contains("auth_mechanisms") { "" } else { usual };
    let text = format!("auth_failure_delay = 0\n{usual}{text}");
    let (main, mistakes) = MainCf::parse(&text, Path::new("main.cf"));
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let view = View::new(
        Registry::new(&[Logins::DECLARATIONS, conf::params::Paths::DECLARATIONS]),
        main,
        MachineFacts::default(),
    );
    let mut mistakes = Vec::new();
    let people = People::read(&view, Parts { clock: Arc::new(|| 1_000_000_000) }, &mut mistakes);
    (people, mistakes)
}

/// A session by IMAP, under TLS.
pub fn facts() -> Facts {
    Facts { remote: Some([192, 0, 2, 7].into()), tls: true, ..Facts::of("imap") }
}

/// How a login ends; its password stands in no log.
pub async fn login(people: &People, user: &str, password: &str) -> Result<Account, Why> {
    match people.authenticate(user, password, &facts()).await {
        Verdict::Ok(account) => Ok(account),
        Verdict::Failed(failure) => {
            assert!(!failure.log.contains(password), "no secret in the log: {failure}");
            Err(failure.why)
        }
    }
}

/// Writes a file, and gives its path.
pub fn file(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn a_passwd_file_is_both_databases_and_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let users =
        file(directory.path(), "users", "joe:{PLAIN}secret:1000:100::/home/joe::userdb_mail=mbox:~/mail\n");
    let people = people(&format!("passdb = passwd-file:{users}\nuserdb = passwd-file:{users}\n"));
    let joe = login(&people, "Joe", "secret").await.unwrap();
    assert_eq!((joe.user.as_str(), joe.uid, joe.mail.as_deref()), ("joe", Some(1000), Some("mbox:~/mail")));
    assert_eq!(login(&people, "joe", "wrong!").await, Err(Why::Credentials));
    assert_eq!(login(&people, "ann", "secret").await, Err(Why::Credentials));
    assert_eq!(people.users().await.unwrap(), ["joe"]);
    file(directory.path(), "users", "joe:{PLAIN}changed:1000:100::/home/joe\nann:{PLAIN}x1234:1:1::/\n");
    assert_eq!(login(&people, "joe", "secret").await, Err(Why::Credentials));
    assert!(login(&people, "ann", "x1234").await.is_ok());
    std::fs::remove_file(&users).unwrap();
    assert_eq!(
        login(&people, "joe", "changed").await,
        Err(Why::Temporary),
        "a missing file is no unknown user"
    );
    assert!(people.lookup("joe", &facts()).await.is_err());
}

#[tokio::test]
async fn the_chain_goes_on_and_stops_by_dovecots_rules() {
    let directory = tempfile::tempdir().unwrap();
    let one = file(directory.path(), "one", "joe:{PLAIN}secret:1:1::/1::x=1\nann:{PLAIN}secret:1:1::/\n");
    let two = file(directory.path(), "two", "joe:{PLAIN}geheim:1:1::/2::y=2\neve:{PLAIN}secret:1:1::/\n");
    let deny = file(directory.path(), "deny", "eve\n");
    let userdb = "userdb = static:uid=1\n";
    let chain = |passdb: &str| people(&format!("passdb = {passdb}\n{userdb}"));
    let both = chain(&format!("passwd-file:{one} passwd-file:{two}"));
    assert!(login(&both, "joe", "secret").await.is_ok());
    assert!(
        login(&both, "joe", "geheim").await.is_ok(),
        "the second database is asked after a wrong password"
    );
    let stops = chain(&format!("{{ passwd-file:{one}, result_failure=return }} passwd-file:{two}"));
    assert_eq!(login(&stops, "joe", "geheim").await, Err(Why::Credentials));
    let denied = chain(&format!("{{ passwd-file:{deny}, deny=yes }} passwd-file:{two}"));
    assert_eq!(login(&denied, "eve", "secret").await, Err(Why::Disabled));
    assert!(login(&denied, "joe", "geheim").await.is_ok());
    let must_pass_both = chain(&format!("{{ passwd-file:{one}, pass=yes }} passwd-file:{two}"));
    assert_eq!(login(&must_pass_both, "joe", "secret").await, Err(Why::Credentials));
    let broken = chain(&format!("{{ passwd-file:{one}, result_internalfail=return-fail }}"));
    assert!(login(&broken, "ann", "secret").await.is_ok());
    let only_unauthenticated = chain(&format!(
        "{{ passwd-file:{one}, result_success=continue-ok }} {{ passwd-file:{two}, skip=authenticated }}"
    ));
    assert!(login(&only_unauthenticated, "joe", "secret").await.is_ok());
    assert!(login(&only_unauthenticated, "eve", "secret").await.is_ok());
}

#[tokio::test]
async fn fields_close_and_open_accounts() {
    let directory = tempfile::tempdir().unwrap();
    let users = file(
        directory.path(),
        "users",
        "net:{PLAIN}secret::::::allow_nets=10.0.0.0/8,192.0.2.0/24\nother:{PLAIN}secret::::::allow_nets=10.0.0.0/8\n\
         closed:{PLAIN}secret::::::nologin reason=On_leave\nfree:::::::nopassword\nalias:{PLAIN}secret::::::user=joe@example.org\n",
    );
    let people = people(&format!("passdb = passwd-file:{users}\nuserdb = static:home=/var/vmail/%d/%n\n"));
    assert!(login(&people, "net", "secret").await.is_ok());
    assert_eq!(login(&people, "other", "secret").await, Err(Why::Credentials));
    let closed = people.authenticate("closed", "secret", &facts()).await;
    let Verdict::Failed(closed) = closed else { panic!("{closed:?}") };
    assert_eq!((closed.why, closed.say()), (Why::NotAllowed, "On_leave"));
    assert!(login(&people, "free", "anything").await.is_ok());
    let alias = login(&people, "alias", "secret").await.unwrap();
    assert_eq!(
        (alias.user.as_str(), alias.home.as_deref()),
        ("joe@example.org", Some("/var/vmail/example.org/joe"))
    );
}

#[tokio::test]
async fn master_users_log_in_for_others() {
    let directory = tempfile::tempdir().unwrap();
    let masters = file(directory.path(), "masters", "root:{PLAIN}master:::::\n");
    let users = file(directory.path(), "users", "joe:{PLAIN}secret:1:1::/home/joe\n");
    let people = people(&format!(
        "auth_master_user_separator = *\npassdb = {{ passwd-file:{masters}, master=yes, pass=yes }} passwd-file:{users}\n\
         userdb = passwd-file:{users}\nauth_username_chars =\n"
    ));
    let joe = login(&people, "joe*root", "master").await.unwrap();
    assert_eq!((joe.user.as_str(), joe.master.as_deref()), ("joe", Some("root")));
    assert_eq!(login(&people, "joe*root", "secret").await, Err(Why::Credentials));
    assert_eq!(login(&people, "nobody*root", "master").await, Err(Why::Credentials));
    assert_eq!(login(&people, "root", "master").await, Err(Why::Credentials), "he is no user himself");
    let mut exchange = people.begin("PLAIN", facts()).unwrap();
    let progress = exchange.step(Some(b"joe\0root\0master")).await;
    assert!(matches!(progress, Progress::Done(Verdict::Ok(account)) if account.user == "joe"));
}

#[tokio::test]
async fn passwords_in_clear_want_encryption() {
    let people = people("passdb = static:password=secret\nuserdb = static:uid=1\n");
    let clear = Facts { tls: false, ..facts() };
    let names = |facts: &Facts| people.mechanisms(facts).iter().map(|it| it.name).collect::<Vec<_>>();
    assert_eq!(names(&facts()), ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]);
    assert_eq!(names(&clear), ["CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]);
    assert!(people.begin("plain", clear.clone()).is_none());
    let here = Facts { remote: Some([127, 0, 0, 1].into()), ..clear.clone() };
    assert!(people.begin("plain", here).is_some());
    let Verdict::Failed(failure) = people.authenticate("joe", "secret", &clear).await else { panic!() };
    assert_eq!(failure.why, Why::NotAllowed);
    let bound = Facts { binding: Binding { exporter: Some(vec![1; 32]), server_end_point: None }, ..facts() };
    assert!(names(&bound).contains(&"SCRAM-SHA-256-PLUS"));
}

#[tokio::test]
async fn what_cannot_be_opened_is_told_and_is_trouble() {
    let (people, mistakes) = read("passdb = passwd-file:/nowhere/at/all nosuch:x\nuserdb = static\n");
    let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("/nowhere/at/all") && told[1].contains("no such kind: nosuch"), "{told:?}");
    assert_eq!(login(&people, "joe", "secret").await, Err(Why::Temporary));
}

/// A site's SQLite data base, and the dovecot-sql.conf.ext beside it.
/// A dovecot-sql.conf.ext with people in SQLite.
pub fn sql_site(directory: &Path, rest: &str) -> String {
    let database = directory.join("users.db");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE users (username TEXT, password TEXT, uid INTEGER, gid INTEGER, home TEXT, quota TEXT);
             INSERT INTO users VALUES ('joe@auf.org', '{PLAIN}secret', 5000, 5001, '/var/vmail/joe', '*:storage=1G');
             INSERT INTO users VALUES ('ann', '{PLAIN}geheim', 5000, 5001, '/var/vmail/ann', NULL);
             INSERT INTO users VALUES ('twice', '{PLAIN}x1234', 1, 1, '', NULL);
             INSERT INTO users VALUES ('twice', '{PLAIN}x1234', 1, 1, '', NULL);
             INSERT INTO users VALUES ('none', NULL, 1, 1, '', NULL);",
        )
        .unwrap();
    let text = format!("driver = sqlite\nconnect = {}\n{rest}", database.display());
    file(directory, "dovecot-sql.conf.ext", &text)
}

#[tokio::test]
async fn sql_queries_of_a_site_are_taken_as_they_stand() {
    let directory = tempfile::tempdir().unwrap();
    let conf = sql_site(
        directory.path(),
        "default_pass_scheme = PLAIN\n\
         password_query = SELECT username as user, password FROM users \\\n WHERE username='%u' or (%n=username and %d='auf.org')\n\
         user_query = SELECT home, uid, gid, quota AS quota_rule FROM users WHERE username = '%u'\n\
         iterate_query = SELECT DISTINCT username AS user FROM users\n",
    );
    let people = people(&format!("passdb = sql:{conf}\nuserdb = sql:{conf}\nauth_username_chars =\n"));
    let joe = login(&people, "joe@auf.org", "secret").await.unwrap();
    assert_eq!((joe.uid, joe.home.as_deref()), (Some(5000), Some("/var/vmail/joe")));
    assert_eq!(joe.quota, ["*:storage=1G"]);
    // With the domain or without: the name becomes the one that is stored.
    assert_eq!(login(&people, "ann@auf.org", "geheim").await.unwrap().user, "ann");
    assert!(login(&people, "ann", "geheim").await.is_ok());
    assert_eq!(login(&people, "ann@other.org", "geheim").await, Err(Why::Credentials));
    for name in ["x' OR '1'='1", "x'; DROP TABLE users; --", "joe@auf.org'--", "\\", "%u", "\u{2019}"] {
        assert_eq!(login(&people, name, "secret").await, Err(Why::Credentials), "{name}");
    }
    assert_eq!(login(&people, "twice", "x1234").await, Err(Why::Temporary));
    assert_eq!(login(&people, "none", "x1234").await, Err(Why::Credentials));
    assert_eq!(people.users().await.unwrap(), ["joe@auf.org", "ann", "twice", "none"]);
    assert!(people.lookup("nobody", &facts()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_prefetch_saves_the_second_query() {
    let directory = tempfile::tempdir().unwrap();
    let conf = sql_site(
        directory.path(),
        "password_query = SELECT password, home AS userdb_home, uid AS userdb_uid FROM users WHERE username = '%u'\n",
    );
    let people = people(&format!("passdb = sql:{conf}\nuserdb = prefetch\n"));
    let joe = login(&people, "joe@auf.org", "secret").await.unwrap();
    assert_eq!((joe.uid, joe.home.as_deref()), (Some(5000), Some("/var/vmail/joe")));
}

#[tokio::test]
async fn scram_and_cram_know_the_secret_and_do_not_tell_who_exists() {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    let directory = tempfile::tempdir().unwrap();
    let scram = schemes::generate("SCRAM-SHA-256", "pencil", "user").unwrap();
    let users =
        file(directory.path(), "users", &format!("user:{scram}\nplain:{{PLAIN}}pencil\nhash:{{SSHA}}x\n"));
    let people = people(&format!("passdb = passwd-file:{users}\nuserdb = static:uid=1\n"));
    for (user, password, right) in [
        ("user", "pencil", true),
        ("plain", "pencil", true),
        ("user", "pen", false),
        ("nobody", "pencil", false),
    ] {
        let mut exchange = people.begin("SCRAM-SHA-256", facts()).unwrap();
        let Progress::Ask(empty) = exchange.step(None).await else { panic!() };
        assert!(empty.is_empty());
        let first = format!("n,,n={user},r=abc");
        let Progress::Ask(server) = exchange.step(Some(first.as_bytes())).await else { panic!("{user}") };
        let server = String::from_utf8(server).unwrap();
        let part = |name: &str| {
            server
                .split(',')
                .find_map(|it| it.strip_prefix(name))
                .unwrap_or_else(|| panic!("{server}"))
                .to_owned()
        };
        let (nonce, salt) = (part("r="), BASE64_STANDARD.decode(part("s=")).unwrap());
        let rounds: u32 = part("i=").parse().unwrap();
        let functions = schemes::scram::SHA_256;
        let salted = ::pbkdf2::pbkdf2_hmac_array::<sha2::Sha256, 32>(password.as_bytes(), &salt, rounds);
        let client = (functions.mac)(&salted, b"Client Key");
        let without = format!("c=biws,r={nonce}");
        let message = format!("n={user},r=abc,{server},{without}");
        let signature = (functions.mac)(&(functions.digest)(&client), message.as_bytes());
        let proof: Vec<u8> = client.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let last = format!("{without},p={}", BASE64_STANDARD.encode(proof));
        match exchange.step(Some(last.as_bytes())).await {
            Progress::Ask(ours) if right => {
                let key = (functions.mac)(&salted, b"Server Key");
                let expected = BASE64_STANDARD.encode((functions.mac)(&key, message.as_bytes()));
                assert_eq!(String::from_utf8(ours).unwrap(), format!("v={expected}"));
                let end = exchange.step(Some(b"")).await;
                assert!(matches!(end, Progress::Done(Verdict::Ok(account)) if account.user == user));
            }
            Progress::Done(Verdict::Failed(failure)) if !right => assert_eq!(failure.why, Why::Credentials),
            other => panic!("{user} {password}: {other:?}"),
        }
    }
    // The salt of somebody unknown does not change from login to login.
    let mut salts = Vec::new();
    for _ in 0..2 {
        let mut exchange = people.begin("SCRAM-SHA-256", facts()).unwrap();
        let Progress::Ask(server) = exchange.step(Some(b"n,,n=nobody,r=abc")).await else { panic!() };
        salts.push(String::from_utf8(server).unwrap().split(',').nth(1).unwrap().to_owned());
    }
    assert_eq!(salts[0], salts[1]);
    let mut exchange = people.begin("CRAM-MD5", facts()).unwrap();
    let Progress::Ask(challenge) = exchange.step(None).await else { panic!() };
    let secret = schemes::generate("CRAM-MD5", "pencil", "").unwrap();
    let secret = schemes::secret(schemes::find("CRAM-MD5").unwrap(), "", &secret, "").unwrap();
    let digest = expand::hex(&schemes::cram_md5::response(&secret, &challenge).unwrap());
    let end = exchange.step(Some(format!("plain {digest}").as_bytes())).await;
    assert!(matches!(end, Progress::Done(Verdict::Ok(account)) if account.user == "plain"));
    let mut exchange = people.begin("CRAM-MD5", facts()).unwrap();
    exchange.step(None).await;
    let end = exchange.step(Some(b"hash 00112233445566778899aabbccddeeff")).await;
    assert!(matches!(end, Progress::Done(Verdict::Failed(failure)) if failure.why == Why::NoSecret));
}

#[tokio::test]
async fn channel_binding_ties_a_login_to_its_session() {
    let people = people("passdb = static:password=pencil\nuserdb = static:uid=1\n");
    let bound = Facts { binding: Binding { exporter: Some(vec![7; 32]), server_end_point: None }, ..facts() };
    for (mechanism, first, broken) in [
        ("SCRAM-SHA-256-PLUS", "p=tls-exporter,,n=joe,r=abc", None),
        ("SCRAM-SHA-256-PLUS", "p=tls-unique,,n=joe,r=abc", Some("not possible")),
        ("SCRAM-SHA-256-PLUS", "n,,n=joe,r=abc", Some("without a channel binding")),
        ("SCRAM-SHA-256", "y,,n=joe,r=abc", Some("hidden")),
        ("SCRAM-SHA-256", "p=tls-exporter,,n=joe,r=abc", Some("without SCRAM-PLUS")),
        ("SCRAM-SHA-256", "n,,n=joe", Some("no sense")),
        ("SCRAM-SHA-256", "n,,m=x,n=joe,r=abc", Some("no sense")),
    ] {
        let mut exchange = people.begin(mechanism, bound.clone()).unwrap();
        match (exchange.step(Some(first.as_bytes())).await, broken) {
            (Progress::Ask(_), None) => {}
            (Progress::Done(Verdict::Failed(failure)), Some(words)) => {
                assert!(failure.log.contains(words), "{first}: {failure}");
            }
            (other, _) => panic!("{first}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_of_dovecots_protocol_is_served() {
    use proto::dovecot::{Event, Machine, Request};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let directory = tempfile::tempdir().unwrap();
    let users = file(directory.path(), "users", "joe:{PLAIN}secret\nclosed:{PLAIN}secret::::::nologin\n");
    let people = people(&format!("passdb = passwd-file:{users}\n"));
    let (mut ours, theirs) = tokio::io::duplex(4096);
    let served =
        tokio::spawn(server::serve(people, theirs, Arc::new(|verdict, _| Box::pin(async { verdict }))));
    let mut client = Machine::new();
    ours.write_all(&client.hello(7)).await.unwrap();
    let mut said = async |client: &mut Machine, bytes: Vec<u8>| {
        ours.write_all(&bytes).await.unwrap();
        loop {
            if let Some(event) = client.advance().unwrap() {
                return event;
            }
            let mut buffer = [0; 512];
            let length = ours.read(&mut buffer).await.unwrap();
            assert!(length > 0, "the server hung up");
            client.feed(&buffer[..length]);
        }
    };
    assert_eq!(said(&mut client, Vec::new()).await, Event::Ready);
    let names: Vec<_> = client.mechanisms().iter().map(|mechanism| mechanism.name.clone()).collect();
    assert_eq!(names, ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]);
    let refused = |user: Option<&str>, reason: Option<&str>| Event::Refused {
        user: user.map(str::to_owned),
        reason: reason.map(str::to_owned),
        temporary: false,
    };
    let request = |mechanism, initial| Request {
        mechanism,
        service: "smtp",
        local: "127.0.0.1",
        remote: "192.0.2.1",
        secured: false,
        initial,
    };
    for (initial, expected) in [
        ("AGpvZQBzZWNyZXQ=", Event::Accepted { user: Some("joe".into()) }),
        ("AGpvZQB3cm9uZw==", refused(Some("joe"), None)),
        ("AGNsb3NlZABzZWNyZXQ=", refused(Some("closed"), None)),
        ("AA==", refused(None, None)),
        ("!", refused(None, Some("Invalid base64 data"))),
    ] {
        let begin = client.begin(&request("PLAIN", Some(initial)));
        assert_eq!(said(&mut client, begin).await, expected, "{initial}");
    }
    let begin = client.begin(&request("LOGIN", None));
    assert_eq!(said(&mut client, begin).await, Event::Ask("VXNlcm5hbWU6".into()));
    let answer = client.answer("am9l");
    assert_eq!(said(&mut client, answer).await, Event::Ask("UGFzc3dvcmQ6".into()));
    let answer = client.answer("c2VjcmV0");
    assert_eq!(said(&mut client, answer).await, Event::Accepted { user: Some("joe".into()) });
    let begin = client.begin(&request("NOSUCH", None));
    assert!(matches!(said(&mut client, begin).await, Event::Refused { .. }));
    drop(ours);
    served.await.unwrap();
}

#[tokio::test]
async fn the_directory_has_app_passwords_and_closed_accounts() {
    use crate::directory::{Change, Directory};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("directory.sqlite");
    let people = people(&format!("directory_database = {}\n", path.display()));
    assert_eq!(login(&people, "joe@x.org", "secret").await, Err(Why::Temporary), "there is no directory yet");
    let directory = Directory::new(&path.display().to_string()).unwrap();
    directory.create().await.unwrap();
    let hash = schemes::generate("SSHA512", "secret", "").unwrap();
    let change =
        Change { password: Some(hash), quota: Some("1G".into()), uid: Some(5000), ..Change::default() };
    directory.add_account("joe@x.org", &change, 1).await.unwrap();
    let joe = login(&people, "Joe@X.org", "secret").await.unwrap();
    assert_eq!(
        (joe.user.as_str(), joe.uid, joe.quota.join(" ").as_str()),
        ("joe@x.org", Some(5000), "*:storage=1G")
    );
    let phone = directory.add_app_password("joe@x.org", "phone", &["imap".into()], None, 1).await.unwrap();
    let smtp = directory.add_app_password("joe@x.org", "printer", &["smtp".into()], None, 1).await.unwrap();
    let old = directory.add_app_password("joe@x.org", "old", &[], Some(999_999_999), 1).await.unwrap();
    assert_eq!(login(&people, "joe@x.org", &phone).await.unwrap().user, "joe@x.org");
    assert_eq!(login(&people, "joe@x.org", &smtp).await, Err(Why::Credentials), "not for imap");
    assert_eq!(login(&people, "joe@x.org", &old).await, Err(Why::Credentials), "too late");
    let used: Vec<_> =
        directory.app_passwords("joe@x.org").await.unwrap().iter().map(|app| app.last_used).collect();
    assert_eq!(used, [None, Some(1_000_000_000), None]);
    assert_eq!(people.users().await.unwrap(), ["joe@x.org"]);
    directory
        .change_account("joe@x.org", &Change { disabled: Some(true), ..Change::default() }, 2)
        .await
        .unwrap();
    assert_eq!(login(&people, "joe@x.org", "secret").await, Err(Why::Disabled));
    assert_eq!(login(&people, "joe@x.org", &phone).await, Err(Why::Disabled));
    assert!(people.lookup("joe@x.org", &facts()).await.unwrap().is_some(), "mail still arrives");
    directory.delete_account("joe@x.org").await.unwrap();
    assert_eq!(login(&people, "joe@x.org", "secret").await, Err(Why::Credentials));
}

#[tokio::test]
async fn a_cache_saves_questions_where_it_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let conf = sql_site(
        folder.path(),
        "default_pass_scheme = PLAIN\npassword_query = SELECT password FROM users WHERE username = '%u'\n",
    );
    let main = format!("passdb = sql:{conf}\nuserdb = static:uid=1\n");
    let people = |more: &str| people(&format!("{main}{more}"));
    let (cached, fresh) = (people("auth_cache_size = 100000\n"), people(""));
    for people in [&cached, &fresh] {
        assert!(login(people, "joe@auf.org", "secret").await.is_ok());
        assert_eq!(login(people, "joe@auf.org", "changed").await, Err(Why::Credentials));
    }
    let database = rusqlite::Connection::open(folder.path().join("users.db")).unwrap();
    database.execute("UPDATE users SET password = 'changed' WHERE username = 'joe@auf.org'", []).unwrap();
    assert!(login(&cached, "joe@auf.org", "secret").await.is_ok(), "believed for auth_cache_ttl");
    assert_eq!(login(&cached, "joe@auf.org", "changed").await, Err(Why::Credentials));
    assert_eq!(login(&fresh, "joe@auf.org", "secret").await, Err(Why::Credentials));
    assert!(login(&fresh, "joe@auf.org", "changed").await.is_ok());
}

#[tokio::test]
async fn a_table_holds_passwords_and_a_token_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let table = file(directory.path(), "passwords", "joe {PLAIN}secret\nann secret\n");
    let people = people(&format!(
        "auth_mechanisms = plain xoauth2\npassdb = {{ table:texthash:{table}, scheme=PLAIN }}\nuserdb = static:uid=1\n"
    ));
    assert!(login(&people, "joe", "secret").await.is_ok());
    assert!(login(&people, "ann", "secret").await.is_ok());
    assert_eq!(login(&people, "ann", "wrong!").await, Err(Why::Credentials));
    assert_eq!(login(&people, "nobody", "secret").await, Err(Why::Credentials));
    // A client that sends the password as a token hears why it fails, and fails with its next response.
    let mut exchange = people.begin("XOAUTH2", facts()).unwrap();
    let response = b"user=joe\x01auth=Bearer secret\x01\x01";
    match exchange.step(Some(response)).await {
        Progress::Ask(why) => assert!(why.starts_with(b"{\"status\":\"invalid_token\""), "{why:?}"),
        Progress::Done(verdict) => panic!("{verdict:?}"),
    }
    match exchange.step(Some(b"")).await {
        Progress::Done(Verdict::Failed(failure)) => assert_eq!(failure.why, Why::Credentials),
        other => panic!("{other:?}"),
    }
    // A password in clear, and a token, only pass where nobody listens.
    let clear = Facts { tls: false, ..facts() };
    assert!(people.begin("XOAUTH2", clear).is_none());
}
