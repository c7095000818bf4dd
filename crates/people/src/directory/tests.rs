use super::*;

/// A new directory in this folder.
async fn made(folder: &tempfile::TempDir) -> Directory {
    let directory = Directory::new(&folder.path().join("d.sqlite").display().to_string()).unwrap();
    directory.create().await.unwrap();
    directory
}

fn change(password: &str) -> Change {
    Change { password: Some(password.to_owned()), ..Change::default() }
}

#[tokio::test]
async fn accounts_come_change_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let directory = made(&folder).await;
    assert!(
        directory.add_account("Joe@example.org", &change("{PLAIN}x"), 100).await.unwrap(),
        "a new domain"
    );
    assert!(!directory.add_account("ann@example.org", &Change::default(), 100).await.unwrap());
    assert!(directory.add_account("joe@EXAMPLE.org", &Change::default(), 100).await.is_err());
    let joe = directory.account("JOE@example.org").await.unwrap().unwrap();
    assert_eq!((joe.name.as_str(), joe.password.as_deref()), ("joe@example.org", Some("{PLAIN}x")));
    let closed = Change {
        disabled: Some(true),
        quota: Some("1G".into()),
        home: Some("/x".into()),
        ..Change::default()
    };
    directory.change_account("joe@example.org", &closed, 200).await.unwrap();
    directory
        .change_account("joe@example.org", &Change { home: Some(String::new()), ..Change::default() }, 300)
        .await
        .unwrap();
    let joe = directory.account("joe@example.org").await.unwrap().unwrap();
    assert!(joe.disabled && joe.home.is_none() && joe.password.is_some());
    assert_eq!((joe.quota.as_deref(), joe.created, joe.changed), (Some("1G"), 100, 300));
    assert_eq!(directory.accounts(Some("example.org")).await.unwrap().len(), 2);
    assert_eq!(directory.accounts(Some("xample.org")).await.unwrap().len(), 0);
    for wrong in ["", "@x", "a b", "a@", "x/y", "a\nb"] {
        assert!(directory.add_account(wrong, &Change::default(), 1).await.is_err(), "{wrong}");
    }
    assert!(directory.delete_domain("example.org").await.is_err(), "it is in use");
    for name in ["joe@example.org", "ann@example.org"] {
        directory.delete_account(name).await.unwrap();
    }
    assert!(directory.delete_account("joe@example.org").await.is_err());
    directory.delete_domain("example.org").await.unwrap();
}

#[tokio::test]
async fn aliases_with_several_targets_are_groups() {
    let folder = tempfile::tempdir().unwrap();
    let directory = made(&folder).await;
    let targets = ["a@x.org".to_owned(), "b@x.org".to_owned()];
    directory.add_alias("team@x.org", &targets, 1).await.unwrap();
    directory.add_alias("Team@x.org", &targets[..1], 1).await.unwrap();
    let aliases = directory.aliases().await.unwrap();
    assert_eq!(aliases, [Alias { address: "team@x.org".into(), targets: targets.to_vec() }]);
    directory.delete_alias("team@x.org", &targets[..1]).await.unwrap();
    assert_eq!(directory.aliases().await.unwrap()[0].targets, ["b@x.org"]);
    directory.delete_alias("team@x.org", &[]).await.unwrap();
    assert!(directory.delete_alias("team@x.org", &[]).await.is_err());
    assert!(directory.add_alias("x@y", &["a b".to_owned()], 1).await.is_err());
}

#[tokio::test]
async fn migrations_go_forward_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.sqlite");
    let directory = made(&folder).await;
    directory.add_account("joe@x.org", &change("{PLAIN}x"), 1).await.unwrap();
    directory.add_app_password("joe@x.org", "phone", &[], None, 1).await.unwrap();
    assert_eq!(directory.migrate(1).await.unwrap(), VERSION);
    let tables = |path: &Path| {
        let connection = rusqlite::Connection::open(path).unwrap();
        let mut query =
            connection.prepare("SELECT count(*) FROM sqlite_master WHERE type = 'table'").unwrap();
        query.query_row([], |row| row.get::<_, u32>(0)).unwrap()
    };
    assert_eq!(tables(&path), 3);
    // The next use goes forward again; what version 1 holds is still there.
    assert!(
        Directory::new(&path.display().to_string()).unwrap().account("joe@x.org").await.unwrap().is_some()
    );
    assert_eq!(tables(&path), 5);
    for version in (0..VERSION).rev().chain(0..=VERSION) {
        directory.migrate(version).await.unwrap();
    }
    assert_eq!(tables(&path), 5);
    assert!(directory.migrate(VERSION + 1).await.is_err());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let newer =
        Directory::new(&path.display().to_string()).unwrap().account("joe").await.unwrap_err().to_string();
    assert!(newer.contains("newer release"), "{newer}");
    let missing = Directory::new("/no/such/file").unwrap().account("joe").await.unwrap_err().to_string();
    assert!(missing.contains("facteur user add"), "{missing}");
}

/// The look-up tables know the same schema.
#[tokio::test]
async fn tables_read_what_is_written_here() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.sqlite");
    let shown = path.display().to_string();
    let main_cf = tables::MainCf::new(move |name| (name == "directory_database").then(|| shown.clone()));
    let tables = tables::Tables::new(tables::Settings { main_cf, ..tables::Settings::default() });
    let maps = |name: &str| tables.maps("test", &format!("directory:{name}")).unwrap();
    let ask = async |name: &str, key: &str| maps(name).find(key).await.unwrap().map(|found| found.value);
    assert!(maps("accounts").find("joe@x.org").await.is_err(), "no file is trouble");
    let directory = made(&folder).await;
    directory.add_account("joe@x.org", &Change::default(), 1).await.unwrap();
    directory.add_alias("team@x.org", &["joe@x.org".into(), "ann@y.org".into()], 1).await.unwrap();
    assert_eq!(ask("accounts", "Joe@X.org").await.as_deref(), Some("joe@x.org"));
    assert_eq!(ask("aliases", "team@x.org").await.as_deref(), Some("ann@y.org, joe@x.org"));
    assert_eq!(ask("domains", "x.org").await.as_deref(), Some("x.org"));
    assert_eq!(ask("domains", "y.org").await, None);
    assert_eq!(ask("accounts", "x' OR 1=1 --").await, None);
}

#[tokio::test]
async fn codes_are_taken_once() {
    let folder = tempfile::tempdir().unwrap();
    let directory = made(&folder).await;
    assert!(directory.set_totp("joe@x.org", "x.org", 1).await.is_err(), "there is no such account");
    directory.add_account("joe@x.org", &Change::default(), 1).await.unwrap();
    assert_eq!(directory.totp("joe@x.org").await.unwrap(), None);
    let secret = directory.set_totp("Joe@x.org", "Mail & more", 1).await.unwrap();
    let uri = format!(
        "otpauth://totp/Mail%20%26%20more:joe%40x.org?secret={}&issuer=Mail%20%26%20more",
        secret.base32
    );
    assert_eq!(secret.uri, uri);
    let code = |time: u64| totp::code_of(&secret.base32, time);
    let check = async |code: &str, now| directory.check_totp("joe@x.org", code, now).await.unwrap();
    assert!(!check("", 3000).await && !check("1234567", 3000).await);
    assert!(!check(&code(3000 - 90), 3000).await, "too old");
    assert!(check(&code(3000), 3000).await);
    assert!(!check(&code(3000), 3001).await, "it was used");
    assert!(!check(&code(2970), 3001).await, "older than one that was used");
    assert!(check(&code(3030), 3001).await, "a clock that is fast");
    assert_eq!(directory.totp("joe@x.org").await.unwrap(), Some(Totp { created: 1, last_used: Some(3030) }));
    directory.delete_totp("joe@x.org").await.unwrap();
    assert!(directory.delete_totp("joe@x.org").await.is_err());
    assert!(!check(&code(4000), 4000).await);
}
