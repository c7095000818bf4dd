//! The factory and chains: what users of the room rely on.

use std::fs;
use std::path::Path;

use crate::{AddressSearch, Found, Keys, Maps, Parents, Settings, Spec, Tables};

fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

fn tables() -> Tables {
    Tables::new(Settings::default())
}

fn maps(text: &str) -> Maps {
    tables().maps("test_maps", text).unwrap()
}

fn value(maps: &Maps, key: &str) -> Option<String> {
    block(maps.find(key)).unwrap().map(|found| found.value)
}

/// Writes a file and dates it back, so that a later change shows.
fn write_old(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).unwrap();
}

#[test]
fn the_first_table_that_knows_answers() {
    let chain = maps("inline:{a=1}, inline:{a=2, b=3}");
    assert_eq!(value(&chain, "A").as_deref(), Some("1"));
    assert_eq!(value(&chain, "b").as_deref(), Some("3"));
    assert_eq!(value(&chain, "c"), None);
    assert_eq!(chain.names(), "inline:{a=1}, inline:{a=2, b=3}");
    assert!(maps("").is_empty());
}

#[test]
fn a_table_that_fails_is_never_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("text");
    fs::write(&text, "not a data base\n").unwrap();
    let text = text.display();
    for table in [
        "fail:x",
        "hash:/nonexistent/x",
        "nosuchtype:x",
        "regexp:/nonexistent",
        "pipemap:{fail:x}",
        "unionmap:{static:a,fail:x}",
        "sqlite:/nonexistent.cf",
        "tcp:127.0.0.1:1",
        "socketmap:inet:127.0.0.1:1:x",
        "proxy:fail:x",
        &format!("lmdb:{text}-none"),
    ] {
        let chain = maps(&format!("inline:{{a=1}}, {table}, static:found"));
        assert_eq!(value(&chain, "a").as_deref(), Some("1"), "{table}");
        assert!(block(chain.find("b")).is_err(), "{table}");
    }
    assert!(tables().maps("test_maps", "no-type").is_err());
}

#[test]
fn an_empty_value_is_a_mistake_of_the_table() {
    assert!(block(maps("inline:{a=}").find("a")).is_err());
}

#[test]
fn what_cannot_be_opened_is_named() {
    let faults = maps("static:x, hash:/nonexistent/x, nisplus:y").faults();
    assert_eq!(faults.len(), 2);
    assert_eq!(
        faults[0].to_string(),
        "test_maps: hash:/nonexistent/x: open database /nonexistent/x.db: No such file or directory"
    );
    assert!(faults[1].why.starts_with("unsupported dictionary type: nis"), "{}", faults[1]);
}

/// Security list, item 8.
#[test]
fn keys_with_nul_or_newline_reach_nothing_they_should_not() {
    let chain = maps("static:x");
    assert_eq!(block(chain.find(b"a\0b".as_slice())).unwrap(), None);
    assert_eq!(block(chain.find(b"a\xff".as_slice())).unwrap(), None);
    // `$` does not match before a line end that came with the key, nor does `.*` end there.
    let chain = maps("regexp:{{/^a$/ x}}, regexp:{{/^(.*)$/ [$1]}}");
    assert_eq!(value(&chain, "a\nb").as_deref(), Some("[a\nb]"));
    // What is substituted is not read again.
    let chain = maps("regexp:{{/^(.*)$/ v=$1}}");
    assert_eq!(value(&chain, "$1${1}$$").as_deref(), Some("v=$1${1}$$"));
}

#[test]
fn a_key_too_long_for_patterns_is_trouble() {
    let key = "a".repeat(2 << 20);
    for table in ["regexp:{{/(.)\\1*/ x}}", "pcre:{{/(a+)+$/ x}}"] {
        assert!(block(maps(table).find(&key)).is_err(), "{table}");
    }
}

#[test]
fn substitution_can_be_forbidden() {
    let open = |keys| tables().maps_with("transport_maps", "regexp:{{/^(.*)$/ $1}, {/./ x}}", keys).unwrap();
    assert_eq!(value(&open(Keys::FOLDED), "key").as_deref(), Some("key"));
    assert_eq!(value(&open(Keys::LITERAL), "key").as_deref(), Some("x"));
}

#[test]
fn parts_of_keys_are_not_asked_of_patterns() {
    let chain = maps("regexp:{{/^example/ pattern}}, inline:{example.org=fixed}");
    let found = |domain| block(chain.find_domain(domain, Parents::Match)).unwrap().map(|found| found.value);
    assert_eq!(found("a.example.org").as_deref(), Some("fixed"));
    assert_eq!(found("example.org").as_deref(), Some("pattern"));
    let network = maps("inline:{192.0.2=net, 2001:db8=six}");
    let find = |text: &str| block(network.find_network(text.parse().unwrap())).unwrap();
    assert_eq!(find("192.0.2.9").map(|found| found.key).as_deref(), Some("192.0.2"));
    assert_eq!(find("2001:db8::1").map(|found| found.value).as_deref(), Some("six"));
    assert_eq!(find("192.0.3.9"), None);
}

#[test]
fn an_address_is_found_by_its_parts() {
    let chain = maps("inline:{ user@d.org=full, @d.org=all, local=user }");
    let search = AddressSearch::standard("+", true);
    let find = |address| block(chain.find_address(address, search)).unwrap();
    let found: Found = find("User+x@D.org").unwrap();
    assert_eq!((found.value.as_str(), found.key.as_str()), ("full", "User@D.org"));
    assert_eq!(found.extension.as_deref(), Some("+x"));
    assert_eq!(find("other+x@d.org").unwrap().value, "all");
    assert_eq!(find("local+x@e.org").unwrap().value, "user");
    assert_eq!(find("nobody@e.org"), None);
}

#[test]
fn compiled_tables_follow_their_source() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("map");
    write_old(&path, "a 1\n");
    let tables = tables();
    let chain = tables.maps("test_maps", &format!("hash:{}", path.display())).unwrap();
    assert_eq!(value(&chain, "a").as_deref(), Some("1"));
    // File times move in steps: a text of the same step would not be newer than what was compiled of the last one.
    let compiled = fs::metadata(dir.path().join("map.lmdb")).unwrap().modified().unwrap();
    while fs::metadata(&path).unwrap().modified().unwrap() <= compiled {
        fs::write(&path, "a 2\nb 3\n").unwrap();
    }
    assert_eq!(value(&chain, "a").as_deref(), Some("1"));
    tables.refresh();
    assert_eq!(value(&chain, "a").as_deref(), Some("2"));
    // Without a source what was compiled stays.
    fs::remove_file(&path).unwrap();
    tables.refresh();
    assert_eq!(value(&chain, "b").as_deref(), Some("3"));
    // Without either the old content stays in use, and the fault is named.
    fs::remove_file(dir.path().join("map.lmdb")).unwrap();
    tables.refresh();
    assert_eq!(value(&chain, "b").as_deref(), Some("3"));
    assert_eq!(chain.faults().len(), 1);
}

#[test]
fn a_table_that_appears_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("later");
    let tables = tables();
    let chain = tables.maps("test_maps", &format!("texthash:{}", path.display())).unwrap();
    assert!(block(chain.find("a")).is_err());
    fs::write(&path, "a 1\n").unwrap();
    tables.refresh();
    assert_eq!(value(&chain, "a").as_deref(), Some("1"));
    let found = block(chain.find("a")).unwrap().unwrap();
    assert_eq!(found.place, Some(format!("{}, line 1", path.display())));
}

#[test]
fn an_alias_file_is_compiled_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("aliases");
    write_old(&path, "root: joe, \"|/bin/prog x\"\n");
    let name = format!("hash:{}", path.display());
    let settings = Settings { aliases: name.clone(), ..Settings::default() };
    let chain = Tables::new(settings).maps("alias_maps", &name).unwrap();
    assert_eq!(value(&chain, "root").as_deref(), Some("joe, \"|/bin/prog x\""));
    assert_eq!(value(&chain, "@").as_deref(), Some("@"));
    // Later, without being told: what was compiled before says so.
    fs::write(&path, "root: ann\n").unwrap();
    assert_eq!(value(&maps(&name), "root").as_deref(), Some("ann"));
}

#[test]
fn sqlite_takes_keys_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("db");
    rusqlite::Connection::open(&database)
        .unwrap()
        .execute_batch("CREATE TABLE t (k text, v text); INSERT INTO t VALUES ('a''b', 'quoted'), ('k', 'one'), ('k', 'two'), ('u@d', 'user')")
        .unwrap();
    let settings = |name: &str, more: &str| {
        let path = dir.path().join(name);
        let text = format!("dbpath = {}\nquery = SELECT v FROM t WHERE k = '%s'\n{more}", database.display());
        fs::write(&path, text).unwrap();
        maps(&format!("sqlite:{}", path.display()))
    };
    let plain = settings("plain.cf", "");
    assert_eq!(value(&plain, "a'b").as_deref(), Some("quoted"));
    assert_eq!(value(&plain, "k").as_deref(), Some("one,two"));
    for key in ["x' OR '1'='1", "'; DROP TABLE t; --", "%s%d%1", ""] {
        assert_eq!(value(&plain, key), None, "{key}");
    }
    let limited = settings("limited.cf", "expansion_limit = 1\n");
    assert!(block(limited.find("k")).is_err());
    let domain = settings("domain.cf", "domain = d\nresult_format = <%s> %U\n");
    assert_eq!(value(&domain, "u@d").as_deref(), Some("<user> u"));
    assert_eq!(value(&domain, "k"), None);
    let broken = settings("broken.cf", "query = SELECT nothing\n");
    assert!(block(broken.find("k")).is_err());
}

#[test]
fn patterns_answer_as_if_each_were_tried() {
    let dir = tempfile::tempdir().unwrap();
    let rules: String =
        (0..300).map(|n| format!("/^(.*\\.)?spam{n}[a-z]*-(offer|deal)/ rule {n}\n")).collect();
    let path = dir.path().join("rules");
    fs::write(&path, format!("{rules}!/example/ none\nif /x$/\n/./ any\nendif\n")).unwrap();
    for kind in ["regexp", "pcre"] {
        let chain = maps(&format!("{kind}:{}", path.display()));
        for (key, expected) in [
            ("mail.SPAM17x-deals.com", Some("rule 17")),
            ("spam170-offer", Some("rule 170")),
            ("spam17", Some("none")),
            ("example", None),
            ("example x", Some("any")),
        ] {
            assert_eq!(value(&chain, key).as_deref(), expected, "{kind} {key}");
        }
    }
}

#[test]
fn one_table_at_a_time() {
    let spec = Spec::parse("inline:{a=, b=2}").unwrap();
    let table = tables().open(&spec, Keys::FOLDED).unwrap();
    assert_eq!(block(table.lookup(b"a")).unwrap().map(|hit| hit.value), Some(Vec::new()));
    let mut rows = Vec::new();
    assert!(
        table
            .rows(|key, _| {
                rows.push(key.to_vec());
                true
            })
            .unwrap()
    );
    assert_eq!(rows, [b"a", b"b"]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]
    #[test]
    fn any_file_is_read(
        text in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        words in "(if |endif|!|/|a|[(]|[)]|[$]|1|[{]|[}]|\\n| |:|,|10[.]0[.]0[.]0/8|\"|[\\\\])*",
        key in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..12),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("text");
        for text in [text.as_slice(), words.as_bytes()] {
            fs::write(&path, text).unwrap();
            for kind in ["texthash", "regexp", "pcre", "cidr", "sqlite", "hash", "cdb"] {
                let _ = block(maps(&format!("{kind}:{}", path.display())).find(key.as_slice()));
            }
            let options = crate::Options { format: crate::SourceFormat::Aliases, ..Default::default() };
            crate::compile("hash", &path, &options).unwrap();
        }
        for kind in ["inline", "static", "pipemap", "unionmap", "randmap", "regexp", "cidr", "proxy", "unix"] {
            let _ = tables().maps("test_maps", &format!("{kind}:{words}"));
        }
    }
}
