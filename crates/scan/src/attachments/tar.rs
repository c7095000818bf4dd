//! tar: blocks of 512 bytes, a head before each file (POSIX ustar, with GNU's long names).

use std::io::Read;

use super::{Disk, File, Spending, State, Stop, bare, look, within};

/// Bytes of a long name that are read.
const NAME: u64 = 4096;

pub(super) fn list(
    spending: &mut Spending,
    disk: &mut dyn Disk,
    path: &str,
    depth: usize,
) -> Result<Result<(), State>, Stop> {
    let mut long = None;
    let mut at = 0_u64;
    for count in 0_u64.. {
        if count > spending.budget.files as u64 * 2 {
            return Err(Stop::TooMuch("files"));
        }
        let mut head = [0; 512];
        if disk.seek(std::io::SeekFrom::Start(at)).is_err() || disk.read_exact(&mut head).is_err() {
            // Without the blocks of zeros at the end nothing is missing.
            return Ok(if count > 0 { Ok(()) } else { Err(State::Unreadable) });
        }
        if head.iter().all(|byte| *byte == 0) {
            return Ok(Ok(()));
        }
        let Some(size) = number(&head[124..136]) else { return Ok(Err(State::Unreadable)) };
        let mut content = disk.take(size);
        match head[156] {
            b'L' | b'x' => {
                let mut text = Vec::new();
                let _ = (&mut content).take(NAME).read_to_end(&mut text);
                let text = String::from_utf8_lossy(&text).into_owned();
                let told = if head[156] == b'L' { Some(text) } else { extended(&text) };
                long = told.or(long);
            }
            b'0' | 0 | b'7' => {
                let short = format!("{}/{}", text(&head[345..500]), text(&head[..100]));
                let name = bare(&long.take().unwrap_or(short));
                let file = File { path: within(path, &name), name, ..File::default() };
                look::file(spending, file, &mut content, depth)?;
            }
            _ => long = None,
        }
        let Some(next) = size.checked_add(1023).and_then(|size| at.checked_add(size & !511)) else {
            return Ok(Err(State::Unreadable));
        };
        at = next;
    }
    Ok(Ok(()))
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

/// Octal digits, or GNU's bytes behind a set bit.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        return field[4..]
            .iter()
            .try_fold(0_u64, |sum, byte| sum.checked_mul(256)?.checked_add((*byte).into()));
    }
    let digits = text(field);
    let digits = digits.trim();
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

/// The `path` of a POSIX extended header: `27 path=folder/name`.
fn extended(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.split_once(" path="))?;
    Some(line.1.to_owned())
}
