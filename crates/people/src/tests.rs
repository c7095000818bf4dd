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
    let text = format!(
        "auth_failure_delay = 0\nauth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256\n{text}"
    );
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

fn facts() -> Facts {
    Facts { remote: Some([192, 0, 2, 7].into()), tls: true, ..Facts::of("imap") }
}

async fn login(people: &People, user: &str, password: &str) -> Result<Account, Why> {
    match people.authenticate(user, password, &facts()).await {
        Verdict::Ok(account) => Ok(account),
        Verdict::Failed(failure) => {
            assert!(!failure.log.contains(password), "no secret in the log: {failure}");
            Err(failure.why)
        }
    }
}

fn file(directory: &Path, name: &str, text: &str) -> String {
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
