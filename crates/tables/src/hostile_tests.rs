//! Keys that a stranger may choose: whatever they are, a table says "not found", and goes on answering.

use std::fs;

use crate::{Options, Settings, Tables, compile};

/// 64 KB of one byte, NUL, invalid UTF-8, quotes, and what patterns and paths are made of.
fn keys() -> Vec<Vec<u8>> {
    let long = |byte: u8| vec![byte; 64 << 10];
    let mut keys: Vec<Vec<u8>> = [b'a', b'@', b'.', b'\'', b'(', b'%', b' ', 0, 0xff].map(long).into();
    keys.extend(
        [
            &b"\0"[..],
            b"known\0",
            b"known@x.test\0",
            b"\xff\xfe@x.test",
            b"jos\xe9@x.test",
            b"\nknown@x.test",
            b"' OR '1'='1",
            b"'; DROP TABLE t; --",
            b"\\' OR 1=1 --",
            b"../../etc/passwd",
            b"*)(uid=*",
            b"\x1b[31m",
            b"${known}",
            b"\r\nknown@x.test\r\n",
        ]
        .map(<[u8]>::to_vec),
    );
    keys
}

#[test]
fn no_key_is_too_strange_for_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let rows = put("rows", "known@x.test\there\n");
    for kind in ["hash", "btree", "lmdb", "cdb"] {
        fs::copy(&rows, folder.path().join(kind)).unwrap();
        compile(kind, &folder.path().join(kind), &Options::default()).unwrap();
    }
    let base = folder.path().join("base.sqlite");
    let connection = rusqlite::Connection::open(&base).unwrap();
    connection
        .execute_batch("CREATE TABLE t (k TEXT, v TEXT); INSERT INTO t VALUES ('known@x.test', 'here')")
        .unwrap();
    let query = format!("dbpath = {}\nquery = SELECT v FROM t WHERE k = '%s'\n", base.display());
    let patterns = "/^known@(x|y)+\\.test$/ here\n";
    let dir = folder.path().display();
    let tables = [
        format!("texthash:{rows}"),
        format!("hash:{dir}/hash"),
        format!("btree:{dir}/btree"),
        format!("lmdb:{dir}/lmdb"),
        format!("cdb:{dir}/cdb"),
        format!("sqlite:{}", put("sqlite.cf", &query)),
        format!("regexp:{}", put("regexp", patterns)),
        format!("pcre:{}", put("pcre", patterns)),
        "inline:{known@x.test=here}".to_owned(),
        format!("proxy:texthash:{rows}"),
        format!("pipemap:{{texthash:{rows},inline:{{here=here}}}}"),
        format!("unionmap:{{texthash:{rows},inline:{{a=b}}}}"),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for table in tables {
        let maps =
            Tables::new(Settings { utf8: true, ..Settings::default() }).maps("test_maps", &table).unwrap();
        assert!(maps.faults().is_empty(), "{table}: {:?}", maps.faults());
        for key in keys() {
            let shown = String::from_utf8_lossy(&key[..key.len().min(30)]).into_owned();
            match runtime.block_on(maps.find(&key)) {
                Ok(found) => assert!(found.is_none(), "{table} {shown:?}: {found:?}"),
                // A data base may say that such a text cannot be in it; nothing else may be trouble.
                Err(trouble) => assert!(table.starts_with("sqlite:"), "{table} {shown:?}: {trouble}"),
            }
            let known = runtime.block_on(maps.find("known@x.test")).unwrap();
            assert_eq!(known.map(|found| found.value).as_deref(), Some("here"), "{table} after {shown:?}");
        }
    }
}
