use std::fs;
use std::path::Path;

use super::*;

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn plan(text: &str) -> Plan {
    Plan::parse(text.as_bytes()).unwrap()
}

/// Two files with a table `users` in each.
fn two(dir: &Path, source: &str, target: &str) {
    for (name, rows) in [("source.db", source), ("target.db", target)] {
        let path = dir.join(name);
        let _ = fs::remove_file(&path);
        let file = rusqlite::Connection::open(path).unwrap();
        file.execute_batch(
            "CREATE TABLE users (name text PRIMARY KEY, password text, quota integer, own integer DEFAULT 1)",
        )
        .unwrap();
        if !rows.is_empty() {
            file.execute_batch(&format!("INSERT INTO users (name, password, quota) VALUES {rows}")).unwrap();
        }
    }
}

fn rows(dir: &Path) -> Vec<String> {
    let file = rusqlite::Connection::open(dir.join("target.db")).unwrap();
    let mut statement = file
        .prepare("SELECT name || '/' || coalesce(password, 'NULL') || '/' || quota FROM users ORDER BY name")
        .unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn section(dir: &Path, more: &str) -> String {
    format!(
        "# Accounts\n[users]\nsource = sqlite:{0}/source.db\nquery = SELECT name AS login, password, quota\n  FROM users\n\
         target = sqlite:{0}/target.db\ntable = users\nkey = name\ncolumns = name=login, password, quota\n{more}",
        dir.display()
    )
}

#[test]
fn the_target_becomes_what_the_source_is() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    two(
        dir,
        "('ann','h1',1),('o''b','h2',2),('new',NULL,3)",
        "('ann','h1',1),('o''b','old',9),('gone','x',1)",
    );
    let plan = plan(&section(dir, "max_delete = 50%\n"));
    let reports = block(run(&plan, false)).unwrap();
    assert_eq!(
        reports[0].summary(),
        "users: 3 rows in the source, 3 in the target: 1 to add, 1 to change, 1 to remove"
    );
    let lines: Vec<_> = reports[0].lines().collect();
    assert_eq!(
        lines,
        [
            "- name=gone",
            "+ name=new password=NULL quota=3",
            "~ name=o'b: password (changed, not shown), quota 9 -> 2"
        ]
    );
    assert_eq!(rows(dir), ["ann/h1/1", "gone/x/1", "o'b/old/9"]);
    block(run(&plan, true)).unwrap();
    assert_eq!(rows(dir), ["ann/h1/1", "new/NULL/3", "o'b/h2/2"]);
    assert!(block(run(&plan, true)).unwrap()[0].changes.is_empty());
}

#[test]
fn rows_that_are_not_ours_stay() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    two(dir, "('ann','h1',1)", "('hand','x',1)");
    let file = rusqlite::Connection::open(dir.join("target.db")).unwrap();
    file.execute_batch("UPDATE users SET own = 0").unwrap();
    block(run(&plan(&section(dir, "where = own = 1\n")), true)).unwrap();
    assert_eq!(rows(dir), ["ann/h1/1", "hand/x/1"]);
}

#[test]
fn too_many_removals_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let many: Vec<_> = (0..20).map(|n| format!("('u{n:02}','h',1)")).collect();
    for (source, share, fine) in [
        (&many[..18], "", true),
        (&many[..17], "", false),
        (&many[..17], "max_delete = 3\n", true),
        (&many[..0], "max_delete = 99%\n", false),
        (&many[..0], "max_delete = 100%\n", true),
    ] {
        two(dir, &source.join(","), &many.join(","));
        let done = block(run(&plan(&section(dir, share)), true));
        assert_eq!(done.is_ok(), fine, "{share} {done:?}");
        assert_eq!(rows(dir).len(), if fine { source.len() } else { 20 });
    }
}

#[test]
fn what_fails_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    two(dir, "('ann','h1',1)", "");
    let good = section(dir, "");
    for bad in [
        good.replace("[users]", "[broken]").replace("FROM users", "FROM missing"),
        good.replace("[users]", "[broken]").replace("table = users", "table = missing"),
        good.replace("[users]", "[broken]").replace("name=login", "name=nothing"),
        format!(
            "[broken]\nsource = csv:{}/none.csv\ntarget = csv:{}/out.csv\nkey = a\n",
            dir.display(),
            dir.display()
        ),
    ] {
        // Two sections; what the first did is undone when the second fails.
        let both = format!("{good}{bad}");
        let failed = block(run(&plan(&both), true));
        let words = failed.unwrap_err().to_string();
        assert!(words.starts_with("[broken] "), "{words}");
        assert_eq!(rows(dir), Vec::<String>::new(), "{bad}");
    }
    // Two rows of one key.
    two(dir, "('ann','h1',1),('bob','h1',1)", "");
    let words = block(run(&plan(&good.replace("key = name", "key = quota")), true)).unwrap_err().to_string();
    assert!(words.contains("two rows have the key 1"), "{words}");
}

#[test]
fn files_of_values_are_sources_and_targets() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (from, to) = (dir.join("from.csv"), dir.join("to.csv"));
    fs::write(&from, "name;mail\nann;\"a;b\"\nbob;\n").unwrap();
    let text = format!(
        "[x]\nsource = csv:{}\ntarget = csv:{}\nseparator = ;\nkey = name\nmax_delete = 1\n",
        from.display(),
        to.display()
    );
    block(run(&plan(&text), true)).unwrap();
    assert_eq!(fs::read_to_string(&to).unwrap(), "name;mail\nann;\"a;b\"\nbob;\n");
    fs::write(&from, "name;mail\nann;c\n").unwrap();
    let reports = block(run(&plan(&text), true)).unwrap();
    assert_eq!(reports[0].counts(), (0, 1, 1));
    assert_eq!(fs::read_to_string(&to).unwrap(), "name;mail\nann;c\n");
}

#[test]
fn mistakes_in_a_plan_have_a_line() {
    for (text, line, why) in [
        ("", 1, "no [section]"),
        ("a = b\n", 1, "before the first"),
        ("[x\n", 1, "[name]"),
        ("[x]\nsauce = y\n", 2, "unknown setting sauce"),
        ("[x]\nsource\n", 2, "missing '='"),
        ("\n[x]\nsource = sqlite:/x\n", 2, "needs target"),
        ("[x]\ntarget = sqlite:/x\ntable = t\nkey = a\nsource = nothing\nquery = q\n", 1, "postgresql://"),
        ("[x]\ntarget = sqlite:/x\ntable = t`\nkey = a\nsource = sqlite:/x\nquery = q\n", 1, "no name"),
        (
            "[x]\ntarget = sqlite:/x\ntable = t\nkey = a\nsource = sqlite:/x\nquery = q\nmax_delete = some\n",
            1,
            "max_delete",
        ),
        ("[x]\ntarget = sqlite:/x\ntable = t\nkey = a\nsource = ldap://h/dc=x\n", 1, "attributes"),
    ] {
        let (at, what) = Plan::parse(text.as_bytes()).unwrap_err();
        assert!(at == line && what.contains(why), "{text}: {at} {what}");
    }
}
