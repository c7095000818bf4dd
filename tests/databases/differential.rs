//! Every type of table answers as Postfix's `postmap -q` on the same files.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use testbed::database::PASSWORD;
use testbed::{Database, Site, address, neighbour};

/// Keys that a stranger may choose, besides those that are in the tables.
const HOSTILE: &[&str] = &[
    "nobody@ex.test",
    "x' OR '1'='1",
    "x\" OR \"1\"=\"1",
    "x'; DROP TABLE t; --",
    "\\",
    "\\'",
    "a\\' OR 1=1 -- ",
    "%s%d%1",
    "per%cent@ex.test",
    "*",
    "b*",
    "x)(uid=*",
    "we*ird(x)@ex.test",
    "\\2a",
    "a,ou=x",
    "#",
    " ",
    "@",
    "@ex.test",
    "a@",
    "a@b@ex.test",
    "line\nend@ex.test",
    "tab\t@ex.test",
    "josé@ex.test",
    "JOSÉ@ex.test",
    "o'brien@ex.test",
    "back\\slash@ex.test",
    "dq\"x@ex.test",
    "`x`",
    "$$",
    "E'x'",
    "/* x */",
    "-- x",
    "\u{1a}@ex.test",
    "ctl\u{1}@ex.test",
];

/// Keys that are there.
const KNOWN: &[&str] =
    &["one@ex.test", "ONE@Ex.Test", "two@ex.test", "null@ex.test", "empty@ex.test", "plain", "ex.test"];

struct Comparison {
    site: Site,
    postmap: std::path::PathBuf,
    cases: usize,
}

impl Comparison {
    fn new() -> Option<Comparison> {
        let [postmap] = neighbour::installed(["postmap"])?;
        let site = Site::bare(address());
        let dir = site.path().display().to_string();
        // The real one must not look elsewhere.
        site.put(
            "main.cf",
            &format!("compatibility_level = 3.6\nqueue_directory = {dir}\ndata_directory = {dir}\n"),
        );
        Some(Comparison { site, postmap, cases: 0 })
    }

    /// Is the type there in this Postfix?
    fn has(&self, kind: &str) -> bool {
        let types =
            Command::new(self.postmap.with_file_name("postconf")).arg("-m").output().expect("it starts");
        let has = String::from_utf8_lossy(&types.stdout).lines().any(|line| line == kind);
        if !has {
            neighbour::skip(&format!("this Postfix has no {kind} tables"));
        }
        has
    }

    fn compare(&mut self, kind: &str, name: &str, settings: &str, keys: &[&str]) {
        let file = self.site.put(&format!("{kind}-{name}.cf"), settings);
        let table = format!("{kind}:{}", file.display());
        for key in keys {
            let ours = self.site.run_with("postmap", &["-q", key, &table], b"");
            let theirs = Command::new(&self.postmap)
                .args([
                    "-c".as_ref(),
                    self.site.conf().as_os_str(),
                    "-q".as_ref(),
                    key.as_ref(),
                    table.as_ref(),
                ])
                .output()
                .expect("it starts");
            let expected = (theirs.status.code(), String::from_utf8_lossy(&theirs.stdout).into_owned());
            assert_eq!(
                (Some(ours.status), ours.out.clone()),
                expected,
                "{table} {key:?}\nours: {}\ntheirs: {}",
                ours.err,
                String::from_utf8_lossy(&theirs.stderr)
            );
            assert!(!ours.err.contains(PASSWORD), "{}", ours.err);
            self.cases += 1;
        }
    }

    /// Many keys at once, on standard input.
    fn compare_lines(&mut self, table: &str, keys: &str) {
        self.compare_bytes(table, keys.as_bytes());
    }

    /// Keys that fit no command line, and one that is there behind them.
    fn compare_long_and_broken(&mut self, table: &str) {
        let mut keys = Vec::new();
        for key in [
            &b"\xff\xfe@ex.test"[..],
            b"one\xc3@ex.test",
            &[b'x'; 65_000],
            &[b'\''; 65_000],
            &[b'*'; 65_000],
            "é".repeat(30_000).as_bytes(),
            b"one@ex.test",
        ] {
            keys.extend_from_slice(key);
            keys.push(b'\n');
        }
        self.compare_bytes(table, &keys);
        // A NUL ends a key there; here such a key is nobody's.
        let ours = self.site.run_with("postmap", &["-q", "-", table], b"one@ex.test\0x\n");
        assert_eq!(ours.out, "", "{table}");
    }

    fn compare_bytes(&mut self, table: &str, keys: &[u8]) {
        let ours = self.site.run_with("postmap", &["-q", "-", table], keys);
        let mut child = Command::new(&self.postmap)
            .args(["-c".as_ref(), self.site.conf().as_os_str(), "-q".as_ref(), "-".as_ref(), table.as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        // It may give up at a key.
        let _ = child.stdin.take().expect("it was asked for").write_all(keys);
        let theirs = testbed::kept::outcome(child);
        assert_eq!(ours.out, String::from_utf8_lossy(&theirs.stdout), "{table}: {}", ours.err);
        self.cases += keys.split(|byte| *byte == b'\n').count();
    }
}

const ROWS: &str = "CREATE TABLE t (k VARCHAR(100), v VARCHAR(200));\n\
    INSERT INTO t VALUES ('one@ex.test','first'),('two@ex.test','a@x.test'),('two@ex.test','b'),('null@ex.test',NULL),\n\
    ('empty@ex.test',''),('plain','word'),('o''brien@ex.test','quote'),('per%cent@ex.test','percent'),\n\
    ('we*ird(x)@ex.test','weird'),('dq\"x@ex.test','double'),('#','hash'),('line\nend@ex.test','newline');\n";

const KEYS: &str = "one@ex.test\ntwo@ex.test\nnobody@ex.test\nplain\no'brien@ex.test\nper%cent@ex.test\n#\n";

fn sql_settings(kind: &str, hosts: &str) -> Vec<(&'static str, String)> {
    let head = format!("hosts = {hosts}\nuser = mail\npassword = {PASSWORD}\ndbname = mail\n");
    let head = if kind == "sqlite" { hosts.to_owned() } else { head };
    [
        ("s", "query = SELECT v FROM t WHERE k = '%s' ORDER BY v\n"),
        ("ud", "query = SELECT v FROM t WHERE k = '%u@%d'\nresult_format = <%s> %U at %D\n"),
        ("parts", "query = SELECT '%1/%2/%u/%%'\ndomain = ex.test\n"),
        ("old", "select_field = v\ntable = t\nwhere_field = k\nadditional_conditions = AND v <> 'b'\n"),
        ("limit", "query = SELECT v FROM t WHERE k = '%s'\nexpansion_limit = 1\n"),
        ("format", "query = SELECT v FROM t WHERE k = '%s'\nresult_format = %u:%d\n"),
        ("wrong", "query = SELECT v FROM missing WHERE k = '%s'\n"),
    ]
    .map(|(name, rest)| (name, format!("{head}{rest}")))
    .into()
}

fn compare_sql(comparison: &mut Comparison, kind: &str, hosts: &str, keep: impl Fn(&str) -> bool) {
    for (name, settings) in sql_settings(kind, hosts) {
        let keys: Vec<_> = KNOWN.iter().chain(HOSTILE).copied().filter(|key| keep(key)).collect();
        let few = if name == "s" { &keys[..] } else { &keys[..9] };
        comparison.compare(kind, name, &settings, few);
    }
    let table = format!("{kind}:{}/{kind}-s.cf", comparison.site.conf().display());
    comparison.compare_lines(&table, KEYS);
    comparison.compare_long_and_broken(&table);
}

#[test]
fn mysql_answers_as_postfix() {
    let Some(mut comparison) = Comparison::new() else { return };
    let Some(database) = Database::mariadb() else { return };
    if !comparison.has("mysql") {
        return;
    }
    database.run(ROWS);
    database.run("INSERT INTO t VALUES ('back\\\\slash@ex.test','backslash'),('josé@ex.test','acute é'),('\\\\','one')");
    let socket = format!("unix:{}/socket", database.path().display());
    compare_sql(&mut comparison, "mysql", &socket, |_| true);
    let head = format!("hosts = {}\nuser = mail\npassword = {PASSWORD}\ndbname = mail\n", database.address());
    comparison.compare("mysql", "two", &format!("{head}query = SELECT v, k FROM t WHERE k = '%s'\n"), KNOWN);
    database.run("CREATE PROCEDURE look(IN p VARCHAR(100)) SELECT v FROM t WHERE k = p;");
    comparison.compare("mysql", "call", &format!("{head}query = CALL look('%s')\n"), &KNOWN[..3]);
    let change = "query = UPDATE t SET v = v WHERE k = '%s'\n";
    comparison.compare("mysql", "change", &format!("{head}{change}"), &KNOWN[..1]);
    comparison.compare(
        "mysql",
        "change-no",
        &format!("{head}{change}require_result_set = no\n"),
        &KNOWN[..1],
    );
    let wrong = head.replace(PASSWORD, "wrong");
    comparison.compare("mysql", "password", &format!("{wrong}query = SELECT '%s'\n"), &KNOWN[..1]);
    // Without the quote rules of every day, a backslash is no escape.
    database.run("SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES'");
    comparison.compare("mysql", "s", &sql_settings("mysql", &socket)[0].1, HOSTILE);
    // In main.cf, as of old.
    let main = comparison.site.conf().join("main.cf");
    let text = fs::read_to_string(&main).expect("it was written");
    let more: String = format!("{head}query = SELECT v FROM t WHERE k = '%s'\n")
        .lines()
        .map(|line| format!("legacy_{line}\n"))
        .collect();
    fs::write(&main, text + &more).expect("it is ours");
    comparison.compare_lines("mysql:legacy", KEYS);
    assert!(comparison.cases > 100, "{}", comparison.cases);
}

#[test]
fn pgsql_answers_as_postfix() {
    let Some(mut comparison) = Comparison::new() else { return };
    let Some(database) = Database::postgres() else { return };
    if !comparison.has("pgsql") {
        return;
    }
    database.run(&format!("SET ROLE mail;\n{ROWS}"));
    database.run("INSERT INTO t VALUES ('back\\slash@ex.test','backslash'),('\\','one')");
    let hosts = database.address().to_string();
    compare_sql(&mut comparison, "pgsql", &hosts, |_| true);
    let head = format!("hosts = {hosts}\nuser = mail\npassword = {PASSWORD}\ndbname = mail\n");
    comparison.compare("pgsql", "two", &format!("{head}query = SELECT v, k FROM t WHERE k = '%s'\n"), KNOWN);
    // In Latin-1, an answer is text only when it happens to be ASCII.
    database.run(
        "INSERT INTO t VALUES ('accent','acute é'),('josé','key'),('twice','jos\u{c3}\u{a9}'),('euro','€')",
    );
    let accents = format!("{head}query = SELECT v FROM t WHERE k = '%s'\n");
    comparison.compare("pgsql", "accents", &accents, &["accent", "josé", "jos\u{c3}\u{a9}", "twice", "euro"]);
    let utf8 = comparison.site.put("utf8.cf", &format!("{accents}encoding = UTF8\n"));
    let found =
        comparison.site.run_with("postmap", &["-q", "josé", &format!("pgsql:{}", utf8.display())], b"");
    assert_eq!(found.out, "key\n", "{}", found.err);
    let uri = format!("postgresql://mail:{PASSWORD}@{hosts}/mail?sslmode=prefer");
    let settings = format!("hosts = {uri}\ndbname = mail\nquery = SELECT v FROM t WHERE k = '%s'\n");
    comparison.compare("pgsql", "uri", &settings, &KNOWN[..3]);
    assert!(comparison.cases > 70, "{}", comparison.cases);
}

#[test]
fn sqlite_answers_as_postfix() {
    let Some(mut comparison) = Comparison::new() else { return };
    if !comparison.has("sqlite") {
        return;
    }
    let Some([sqlite]) = neighbour::installed(["python3"]) else { return };
    let path = comparison.site.path().join("db");
    let script = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.executescript(sys.argv[2])";
    let done = Command::new(sqlite).args(["-c", script]).arg(&path).arg(ROWS).status().expect("it starts");
    assert!(done.success());
    compare_sql(&mut comparison, "sqlite", &format!("dbpath = {}\n", path.display()), |_| true);
}

const PEOPLE: &str = "\
dn: cn=anna,dc=test\nobjectClass: inetOrgPerson\nobjectClass: extensibleObject\ncn: anna\nsn: A\nuid: anna\n\
mail: one@ex.test\nmail: two@ex.test\ndescription: d1\ndescription: d2\n\n\
dn: cn=bob,dc=test\nobjectClass: inetOrgPerson\nobjectClass: extensibleObject\ncn: bob\nsn: B\nuid: bob\n\
mail: we*ird(x)@ex.test\nmail: back\\slash@ex.test\nmail: o'brien@ex.test\n\n\
dn: ou=ex.test,dc=test\nobjectClass: organizationalUnit\nou: ex.test\n\n\
dn: cn=carl,ou=ex.test,dc=test\nobjectClass: inetOrgPerson\nobjectClass: extensibleObject\ncn: carl\nsn: C\n\
uid: carl\nmail: two@ex.test\n\n\
dn: cn=inner,dc=test\nobjectClass: groupOfNames\nobjectClass: extensibleObject\ncn: inner\nmail: inner@ex.test\n\
member: cn=bob,dc=test\nmember: cn=gone,dc=test\n\n\
dn: cn=group,dc=test\nobjectClass: groupOfNames\nobjectClass: extensibleObject\ncn: group\nmail: group@ex.test\n\
member: cn=anna,dc=test\nmember: cn=inner,dc=test\n\n\
dn: cn=ring,dc=test\nobjectClass: groupOfNames\nobjectClass: extensibleObject\ncn: ring\nmail: ring@ex.test\n\
member: cn=ring,dc=test\n\n\
dn: cn=url,dc=test\nobjectClass: groupOfNames\nobjectClass: extensibleObject\ncn: url\nmail: url@ex.test\n\
member: cn=anna,dc=test\nlabeledURI: ldap:///dc=test?uid?sub?(uid=bob)\nlabeledURI: ldap:///dc=test??one?(uid=anna)\n";

#[test]
fn ldap_answers_as_postfix() {
    let Some(mut comparison) = Comparison::new() else { return };
    let Some(database) = Database::slapd() else { return };
    if !comparison.has("ldap") {
        return;
    }
    database.run(PEOPLE);
    let (host, port) = (database.address().ip(), database.address().port());
    let head = format!("server_host = {host}\nserver_port = {port}\nversion = 3\nsearch_base = dc=test\n");
    let bound = format!("{head}bind_dn = cn=mail,dc=test\nbind_pw = {PASSWORD}\n");
    let groups =
        ["group@ex.test", "inner@ex.test", "ring@ex.test", "url@ex.test", "one@ex.test", "none@ex.test"];
    let all: Vec<_> = KNOWN.iter().chain(HOSTILE).copied().collect();
    for (name, settings, keys) in [
        ("mail", format!("{bound}query_filter = (mail=%s)\nresult_attribute = uid\n"), &all[..]),
        (
            "bare",
            format!("{head}bind = no\nquery_filter = mail=%s\nresult_attribute = description, uid\n"),
            &all[..4],
        ),
        (
            "ud",
            format!("{head}query_filter = (&(uid=%u)(mail=*@%d))\nresult_attribute = mail\n"),
            &["anna@ex.test", "anna@no.test", "anna"],
        ),
        (
            "base",
            head.replace("dc=test", "ou=%d,dc=test") + "query_filter = (mail=%s)\nresult_attribute = uid\n",
            &all[..],
        ),
        (
            "nobase",
            head.replace("dc=test", "dc=none") + "query_filter = (mail=%s)\nresult_attribute = uid\n",
            &all[..1],
        ),
        ("one", format!("{head}scope = one\nquery_filter = (mail=%s)\nresult_attribute = uid\n"), &all[..3]),
        (
            "format",
            format!(
                "{head}query_filter = (mail=%s)\nresult_attribute = uid\nresult_filter = %s+%U\ndomain = ex.test\n"
            ),
            &all[..],
        ),
        (
            "limit",
            format!("{head}query_filter = (mail=%s)\nresult_attribute = uid\nexpansion_limit = 1\n"),
            &all[..3],
        ),
        (
            "size",
            format!("{head}query_filter = (mail=%s)\nresult_attribute = uid\nsize_limit = 1\n"),
            &all[..3],
        ),
        (
            "special",
            format!(
                "{head}query_filter = (mail=%s)\nresult_attribute = mail\nspecial_result_attribute = member\n"
            ),
            &groups[..2],
        ),
        (
            "leaf",
            format!(
                "{head}query_filter = (mail=%s)\nresult_attribute =\nleaf_result_attribute = mail\nspecial_result_attribute = member\nterminal_result_attribute = uid\n"
            ),
            &["group@ex.test", "one@ex.test"],
        ),
        (
            "url",
            format!(
                "{head}query_filter = (mail=%s)\nresult_attribute = uid\nspecial_result_attribute = labeledURI\n"
            ),
            &groups[3..],
        ),
        (
            "depth",
            format!(
                "{head}query_filter = (mail=%s)\nresult_attribute = mail\nspecial_result_attribute = member\nrecursion_limit = 2\n"
            ),
            &groups[..3],
        ),
        (
            "wrong",
            format!("{}query_filter = (mail=%s)\nresult_attribute = uid\n", bound.replace(PASSWORD, "x")),
            &all[..1],
        ),
        ("bad", format!("{head}query_filter = (mail=%s\nresult_attribute = uid\n"), &all[..1]),
    ] {
        comparison.compare("ldap", name, &settings, keys);
    }
    let mails = format!("ldap:{}/ldap-mail.cf", comparison.site.conf().display());
    comparison.compare_long_and_broken(&mails);
    // Another server, to which this one refers, and one that is away.
    let Some(mut other) = Database::slapd() else { return };
    other.run(
        "dn: cn=dora,dc=test\nobjectClass: inetOrgPerson\ncn: dora\nsn: D\nuid: dora\nmail: dora@ex.test\n\n",
    );
    database.run(&format!(
        "dn: ou=far,dc=test\nobjectClass: referral\nobjectClass: extensibleObject\nou: far\n\
         ref: ldap://{}/dc=test??sub\n\n",
        other.address()
    ));
    let search = format!("{head}query_filter = (mail=%s)\nresult_attribute = uid\n");
    let far = ["dora@ex.test", "one@ex.test", "nobody@ex.test"];
    comparison.compare("ldap", "far", &search, &far);
    comparison.compare("ldap", "chase", &format!("{search}chase_referrals = yes\n"), &far);
    let below = search.replace("dc=test", "cn=dora,ou=far,dc=test");
    comparison.compare("ldap", "below", &format!("{below}chase_referrals = yes\n"), &far[2..]);
    let table = format!("ldap:{}/ldap-chase.cf", comparison.site.conf().display());
    let chased = comparison.site.run_with("postmap", &["-q", "dora@ex.test", &table], b"");
    assert_eq!(chased.out, "dora\n", "{}", chased.err);
    other.kill();
    let away = comparison.site.run_with("postmap", &["-q", "dora@ex.test", &table], b"");
    assert!(away.status == 1 && away.err.contains(&other.address().to_string()), "{}", away.err);
    assert!(comparison.cases > 100, "{}", comparison.cases);
}

#[test]
fn memcache_answers_as_postfix() {
    let Some(mut comparison) = Comparison::new() else { return };
    let Some(database) = Database::memcached() else { return };
    if !comparison.has("memcache") {
        return;
    }
    let mut server = std::net::TcpStream::connect(database.address()).expect("it listens");
    for (key, value) in
        [("one@ex.test", "first"), ("p:one@ex.test", "with prefix"), ("u:one", "user"), ("plain", "a b")]
    {
        let set = format!("set {key} 0 0 {} noreply\r\n{value}\r\n", value.len());
        server.write_all(set.as_bytes()).expect("it reads");
    }
    let head = format!("memcache = inet:{}\n", database.address());
    comparison.site.put("backup", "three@ex.test here\n");
    let backup = format!("backup = texthash:{}/backup\n", comparison.site.conf().display());
    let keys: Vec<_> = KNOWN.iter().copied().chain(["three@ex.test", "nobody"]).collect();
    comparison.compare("memcache", "plain", &head, &keys);
    comparison.compare("memcache", "plain", &head, HOSTILE);
    // The real one gives up at a key that is too long; here it is nobody's.
    let plain = format!("memcache:{}/memcache-plain.cf", comparison.site.conf().display());
    let keys_too_long =
        [&b"\xff\xfe@ex.test\n"[..], &[b'x'; 65_000], b"\n", &[b' '; 65_000], b"\none@ex.test\n"].concat();
    let ours = comparison.site.run_with("postmap", &["-q", "-", &plain], &keys_too_long);
    assert_eq!(ours.out, "one@ex.test\tfirst\n", "{}", ours.err);
    comparison.compare("memcache", "prefix", &format!("{head}key_format = p:%s\n"), &keys);
    comparison.compare("memcache", "user", &format!("{head}key_format = u:%u\ndomain = ex.test\n"), &keys);
    comparison.compare("memcache", "backup", &format!("{head}{backup}key_format = b:%s\n"), &keys);
    comparison.compare("memcache", "filled", &format!("{head}key_format = b:%s\n"), &keys);
    comparison.compare(
        "memcache",
        "small",
        &format!("{head}data_size_limit = 3\nretry_pause = 0\n"),
        &keys[..1],
    );
}

#[test]
fn redis_answers() {
    let Some(database) = Database::redis() else { return };
    database.run("SET alias:one@ex.test first\nHSET domains ex.test ok\nRPUSH list:two a b\n");
    let site = Site::bare(address());
    site.put("main.cf", "compatibility_level = 3.6\n");
    let ask = |query: &str, key: &str| {
        let settings =
            format!("server = inet:{}\npassword = {PASSWORD}\nquery = {query}\n", database.address());
        let file = site.put("redis.cf", &settings);
        let said = site.run_with("postmap", &["-q", key, &format!("redis:{}", file.display())], b"");
        (said.status, said.out)
    };
    assert_eq!(ask("GET alias:%s", "ONE@ex.test"), (0, "first\n".to_owned()));
    assert_eq!(ask("HGET domains %s", "ex.test"), (0, "ok\n".to_owned()));
    assert_eq!(ask("LRANGE list:%s 0 -1", "two"), (0, "a,b\n".to_owned()));
    for key in HOSTILE {
        assert_eq!(ask("GET alias:%s", key), (1, String::new()), "{key:?}");
    }
    for key in ["x", "'", "\\"] {
        let long = key.repeat(64 << 10);
        let file = site.conf().join("redis.cf");
        let said = site.run_with(
            "postmap",
            &["-q", "-", &format!("redis:{}", file.display())],
            (long + "\n").as_bytes(),
        );
        assert_eq!((said.status, said.out), (1, String::new()), "{key}");
    }
    assert_eq!(ask("HGET list:two %s", "x").0, 1);
}
