//! Files that Berkeley DB 5.3 made: pages of 512 bytes, 60 rows, keys and values on overflow pages, both byte
//! orders.

use std::path::PathBuf;

use super::*;

const FILES: [&str; 4] = ["hash-little.db", "hash-big.db", "btree-little.db", "btree-big.db"];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/bdb/testdata").join(name)
}

fn rows() -> Vec<(Vec<u8>, Vec<u8>)> {
    let row = |n: usize| {
        let long = if n.is_multiple_of(20) { "k".repeat(400) } else { String::new() };
        let key = format!("{long}user{n}@example{}.test\0", n % 7);
        let value = format!("{}{n}\0", "v".repeat([5, 20, 60, 700, 3][n % 5]));
        (key.into_bytes(), value.into_bytes())
    };
    let mut rows: Vec<_> = (0..60).map(row).collect();
    rows.sort();
    rows
}

#[test]
fn reads_every_row() {
    for name in FILES {
        let reader = Reader::open(&path(name)).unwrap();
        for (key, value) in rows() {
            assert_eq!(reader.get(&key).unwrap(), Some(value), "{name}");
        }
        assert_eq!(reader.get(b"none\0").unwrap(), None);
        assert_eq!(reader.get(b"").unwrap(), None);
        let mut found = reader.rows().collect::<Result<Vec<_>, _>>().unwrap();
        found.sort();
        assert_eq!(found, rows(), "{name}");
    }
}

#[test]
fn other_files_are_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for content in [b"".as_slice(), b"text", &[0; 4096]] {
        std::fs::write(file.path(), content).unwrap();
        assert!(Reader::open(file.path()).is_err());
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(150))]
    #[test]
    fn damage_is_an_error_not_a_panic(
        which in 0usize..4,
        holes in proptest::collection::vec((0usize..60000, 0u8..=255), 1..80),
        cut in 0usize..90000,
    ) {
        let mut bytes = std::fs::read(path(FILES[which])).unwrap();
        for (at, byte) in holes {
            if let Some(slot) = bytes.get_mut(at) {
                *slot = byte;
            }
        }
        bytes.truncate(cut);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        if let Ok(reader) = Reader::open(file.path()) {
            for (key, _) in rows() {
                let _ = reader.get(&key);
            }
            let _ = reader.rows().count();
        }
    }
}
