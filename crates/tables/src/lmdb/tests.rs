//! What we write we read; nothing that is in a file makes the reader panic.

use std::io::Write;

use super::*;

fn build(rows: &[(Vec<u8>, Vec<u8>)]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut writer = Writer::new(file.reopen().unwrap()).unwrap();
    for (key, value) in rows {
        writer.put(key, value).unwrap();
    }
    assert_eq!(writer.finish().unwrap(), rows.len() as u64);
    file
}

fn rows(count: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows: Vec<_> = (0..count)
        .map(|n| {
            let key = format!("user{n}@domain{}.example{}", n % 97, "x".repeat(n * 7 % 600)).into_bytes();
            (key, vec![b'v'; [3, 50, 2100, 9000, 20][n % 5]])
        })
        .collect();
    rows.sort();
    rows
}

#[test]
fn what_is_written_is_read() {
    for count in [0, 1, 2, 30, 3000] {
        let rows = rows(count);
        let file = build(&rows);
        let reader = Reader::open(file.path(), count % 2 == 0).unwrap();
        for (key, value) in &rows {
            assert_eq!(reader.get(key).unwrap().as_ref(), Some(value));
            let mut other = key.clone();
            other.push(0);
            assert_eq!(reader.get(&other).unwrap(), None);
        }
        assert_eq!(reader.get(b"").unwrap(), None);
        assert_eq!(reader.get(b"zzz").unwrap(), None);
        assert_eq!(reader.rows().collect::<Result<Vec<_>, _>>().unwrap(), rows);
    }
}

#[test]
fn keys_up_to_the_limit() {
    let rows: Vec<_> = (0..9u8).map(|n| (vec![n; KEY_MAX], vec![n; 10])).collect();
    let reader = Reader::open(build(&rows).path(), false).unwrap();
    for (key, value) in &rows {
        assert_eq!(reader.get(key).unwrap().as_ref(), Some(value));
    }
    let mut writer = Writer::new(tempfile::tempfile().unwrap()).unwrap();
    assert!(writer.put(&[1; KEY_MAX + 1], b"").is_err());
    assert!(writer.put(b"", b"").is_err());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(150))]
    #[test]
    fn damage_is_an_error_not_a_panic(holes in proptest::collection::vec((0usize..60000, 0u8..=255), 1..60), cut in 0usize..90000) {
        let mut bytes = std::fs::read(build(&rows(120)).path()).unwrap();
        for (at, byte) in holes {
            if let Some(slot) = bytes.get_mut(at) {
                *slot = byte;
            }
        }
        bytes.truncate(cut.max(100));
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        if let Ok(reader) = Reader::open(file.path(), false) {
            for (key, _) in rows(120) {
                let _ = reader.get(&key);
            }
            let _ = reader.rows().count();
        }
    }
}
