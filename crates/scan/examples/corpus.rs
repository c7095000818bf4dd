//! Measures the classifier: trains on half of a corpus, judges the other half.
//!
//! `cargo run --release -p scan --example corpus -- HAM_DIR... -- SPAM_DIR...`
//!
//! Every file of the directories is a message, of which those with an even number in the order of their names are
//! learned, and the others judged by words and built-in rules alone. `--tune` judges only within the learned half.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use scan::spam::{Class, Finding, Limits, Rules, Sample, Statistics, Verdict, points};

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("a folder of messages");
    let mut names: Vec<PathBuf> = entries.map(|entry| entry.expect("it is readable").path()).collect();
    names.sort();
    out.extend(names.into_iter().filter(|path| path.extension().is_none_or(|end| end != "json")));
}

/// CPU of this process.
fn used() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").expect("this is Linux");
    let fields: Vec<&str> = text.rsplit(')').next().expect("a name").split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().map(|at| fields[*at].parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = text.lines().find(|line| line.starts_with("VmHWM")).expect("it is told");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

#[allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn main() {
    let mut classes = [Vec::new(), Vec::new()];
    let (mut at, mut tune) = (0, false);
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "--" => at = 1,
            "--tune" => tune = true,
            folder => files(Path::new(folder), &mut classes[at]),
        }
    }
    let mut learned: Vec<(Class, &PathBuf)> = Vec::new();
    let mut judged: Vec<(Class, &PathBuf)> = Vec::new();
    for (class, files) in [Class::Ham, Class::Spam].into_iter().zip(&classes) {
        for (number, file) in files.iter().enumerate() {
            match (tune, number % 4) {
                (false, 0 | 2) | (true, 0) => learned.push((class, file)),
                (false, _) | (true, 2) => judged.push((class, file)),
                _ => {}
            }
        }
    }
    let folder = std::env::temp_dir().join(format!("facteur-corpus-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("/tmp is there");
    let statistics =
        Statistics::open(&folder.join("spam.sqlite"), Limits::default()).expect("it can be made");
    let (cpu, wall) = (used(), Instant::now());
    for (class, file) in &learned {
        let message = std::fs::read(file).expect("it is readable");
        statistics.learn("", &Sample::read(&message), *class, 1).expect("it is learned");
    }
    println!("learned {} messages: {:?} CPU, {:?}", learned.len(), used() - cpu, wall.elapsed());
    let size = std::fs::metadata(folder.join("spam.sqlite")).map_or(0, |meta| meta.len());
    println!("statistics: {} KB on disk, {:?}", size / 1024, statistics.owners().expect("they are there"));

    let rules = Rules::built_in();
    let (cpu, wall) = (used(), Instant::now());
    let (mut kept, mut ham, mut caught, mut spam, mut bytes) = (0, 0, 0, 0, 0);
    for (class, file) in &judged {
        let message = std::fs::read(file).expect("it is readable");
        bytes += message.len();
        let sample = Sample::read(&message);
        let chance =
            statistics.chance(None, &sample, 50).expect("it is readable").expect("enough was learned");
        let mut findings = rules.findings(&sample);
        findings.push(Finding::new("STATISTICS", points(chance.spam), "words"));
        let is_spam = Verdict::new(findings.clone(), 5.0, None).is_spam();
        match class {
            Class::Ham => {
                ham += 1;
                kept += usize::from(!is_spam);
            }
            Class::Spam => {
                spam += 1;
                caught += usize::from(is_spam);
            }
        }
        if std::env::var_os("SHOW").is_some() {
            let others: f64 = rules.findings(&sample).iter().map(|finding| finding.points).sum();
            println!("{class:?} {:.4} {:.3} {others:.1} {}", chance.spam, chance.margin, file.display());
        }
    }
    let percent = |part: usize, all: usize| 100.0 * part as f64 / all.max(1) as f64;
    println!("ham kept {kept} of {ham}: {:.2} %", percent(kept, ham));
    println!("spam caught {caught} of {spam}: {:.2} %", percent(caught, spam));
    let all = judged.len().max(1) as u32;
    println!(
        "judging {all} messages of {} bytes on average: {:?} CPU each, {:?} in all; {} KB resident at most",
        bytes / judged.len().max(1),
        (used() - cpu) / all,
        wall.elapsed(),
        resident()
    );
    std::fs::remove_dir_all(&folder).expect("it is ours");
}
