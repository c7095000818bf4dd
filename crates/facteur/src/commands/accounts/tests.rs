use super::*;

fn run(folder: &std::path::Path, verbs: &[Verb], line: &str) -> Result<(), String> {
    let words = line.split(' ').map(OsString::from).chain(["-c".into(), folder.into()]).collect();
    work("test", verbs, words)
}

#[test]
fn accounts_are_made_and_changed_by_commands() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("d.sqlite");
    std::fs::write(folder.path().join("main.cf"), format!("directory_database = {}\n", file.display()))
        .unwrap();
    let user = |line: &str| run(folder.path(), user::VERBS, line);
    assert!(user("list").unwrap_err().contains("facteur user add"));
    user("add joe@x.org --hash {PLAIN}x --quota 1G --role admin").unwrap();
    assert!(user("add joe@x.org --no-password").is_err());
    assert!(user("add ann@x.org --hash nothing").is_err());
    assert!(user("add ann@x.org --scheme NOSUCH").is_err());
    user("set joe@x.org --home /x").unwrap();
    user("disable joe@x.org").unwrap();
    let directory = Directory::new(&file.display().to_string()).unwrap();
    let joe = wait(directory.account("joe@x.org")).unwrap().unwrap();
    assert!(joe.disabled);
    assert_eq!(
        (joe.role.as_str(), joe.home.as_deref(), joe.quota.as_deref()),
        ("admin", Some("/x"), Some("1G"))
    );
    user("enable joe@x.org").unwrap();
    user("show joe@x.org --json").unwrap();
    assert!(user("show").unwrap_err().contains("missing"));
    assert!(user("show a b").unwrap_err().contains("too many"));
    assert!(user("show ann").is_err());
    assert!(user("nosuch").unwrap_err().contains("usage"));
    run(folder.path(), alias::VERBS, "add team@x.org joe@x.org").unwrap();
    assert_eq!(wait(directory.aliases()).unwrap().len(), 1);
    assert_eq!(wait(directory.domains()).unwrap(), ["x.org"]);
    assert!(
        run(folder.path(), domain::VERBS, "delete x.org").unwrap_err().contains("1 accounts and 1 aliases")
    );
    run(folder.path(), app_password::VERBS, "add joe@x.org phone --scope imap,smtp --expires 90d").unwrap();
    let app = wait(directory.app_passwords("joe@x.org")).unwrap().remove(0);
    assert_eq!(app.scope, ["imap", "smtp"]);
    assert!(app.expires.is_some_and(|expires| expires > now() + 89 * 86_400));
    run(folder.path(), app_password::VERBS, "delete joe@x.org phone").unwrap();
    run(folder.path(), totp::VERBS, "add joe@x.org --json").unwrap();
    run(folder.path(), totp::VERBS, "show joe@x.org").unwrap();
    assert!(run(folder.path(), totp::VERBS, "check joe@x.org 12345").unwrap_err().contains("not the code"));
    run(folder.path(), totp::VERBS, "delete joe@x.org").unwrap();
    assert!(
        run(folder.path(), totp::VERBS, "show joe@x.org").unwrap_err().contains("has no one-time passwords")
    );
    run(folder.path(), alias::VERBS, "delete team@x.org").unwrap();
    user("delete joe@x.org").unwrap();
    run(folder.path(), domain::VERBS, "delete x.org").unwrap();
    run(folder.path(), schema::VERBS, "migrate --to 1").unwrap();
    run(folder.path(), schema::VERBS, "migrate").unwrap();
}
