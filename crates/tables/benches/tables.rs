//! Compiling and asking tables: `cargo bench -p tables`. Figures beside Postfix's are in docs/benchmarks.md.
#![allow(clippy::disallowed_methods, reason = "a bench looks at the clock")]
#![allow(missing_docs)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

use tables::{Maps, Options, Settings, Tables};

const ROWS: u64 = 1_000_000;
const KEYS: u64 = 200_000;
const PATTERNS: u64 = 1_000;

fn main() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    compiled(dir.path());
    patterns(dir.path());
}

/// A number that looks random, the same in every run.
fn scattered(n: u64) -> u64 {
    n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20
}

fn compiled(dir: &Path) {
    let mut text = String::new();
    for n in 0..ROWS {
        let n = scattered(n) % ROWS;
        let _ = writeln!(text, "user{n}@domain{}.example.test\tbox{n}@store.example.test", n % 997);
    }
    let source = dir.join("source");
    fs::write(&source, text).expect("room for the source");
    let options = Options { repeats: tables::Repeats::Ignore, ..Options::default() };
    for kind in ["hash", "cdb"] {
        let start = Instant::now();
        let made = tables::compile(kind, &source, &options).expect("it compiles");
        println!("{kind}: {} rows compiled in {:.2} s", made.rows, start.elapsed().as_secs_f64());
        let keys: Vec<_> = (0..KEYS)
            .map(|n| scattered(n) % (ROWS * 2))
            .map(|n| format!("user{n}@domain{}.example.test", n % 997))
            .collect();
        ask(kind, &open(&format!("{kind}:{}", source.display())), &keys);
    }
}

fn patterns(dir: &Path) {
    let path = dir.join("patterns");
    let mut text = String::new();
    for n in 0..PATTERNS {
        let _ = writeln!(text, "/^(.*\\.)?spam{n}[a-z]*-(offer|deal)s?\\.(com|net)$/ REJECT rule {n}");
    }
    fs::write(&path, text).expect("room for the patterns");
    let keys: Vec<_> = (0..20_000u64)
        .map(|n| match n % 10 {
            0 => format!("mail.spam{}x-deals.com", scattered(n) % PATTERNS),
            _ => format!("host{n}.network{}.example.com", n % 77),
        })
        .collect();
    for kind in ["regexp", "pcre"] {
        let start = Instant::now();
        let maps = open(&format!("{kind}:{}", path.display()));
        println!("{kind}: {PATTERNS} patterns opened in {:.3} s", start.elapsed().as_secs_f64());
        ask(kind, &maps, &keys);
    }
}

fn open(table: &str) -> Maps {
    Tables::new(Settings::default()).maps("bench", table).expect("a table")
}

fn ask(kind: &str, maps: &Maps, keys: &[String]) {
    let start = Instant::now();
    let mut found = 0;
    for key in keys {
        let answer = maps.find_now(key).expect("an answer at once").expect("no trouble");
        found += u32::from(answer.is_some());
    }
    let each = start.elapsed().as_nanos() / keys.len() as u128;
    println!("{kind}: {each} ns a look-up, {found} of {} found", keys.len());
}
