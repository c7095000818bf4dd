//! Files, archives, bombs.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

use super::*;

/// A zip of these files, deflated; `flags` of every entry.
fn zip(files: &[(&str, &[u8])], flags: u16) -> Vec<u8> {
    let (mut out, mut list) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::best());
        packed.write_all(content).unwrap();
        let packed = packed.finish().unwrap();
        let (offset, len) = (out.len() as u32, name.len() as u16);
        let sizes =
            [0_u32.to_le_bytes(), (packed.len() as u32).to_le_bytes(), (content.len() as u32).to_le_bytes()];
        let common = [
            &[20, 0][..],
            &flags.to_le_bytes(),
            &[8, 0, 0, 0, 0, 0],
            &sizes.concat(),
            &len.to_le_bytes(),
            &[0, 0],
        ];
        out.extend([&b"PK\x03\x04"[..], &common.concat(), name.as_bytes(), &packed].concat());
        let rest = [&[0; 10][..], &offset.to_le_bytes()].concat();
        list.extend([&b"PK\x01\x02\x14\0"[..], &common.concat(), &rest, name.as_bytes()].concat());
    }
    let (at, size, count) = (out.len() as u32, list.len() as u32, (files.len() as u16).to_le_bytes());
    out.extend(list);
    out.extend(
        [&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &size.to_le_bytes(), &at.to_le_bytes(), &[0, 0]]
            .concat(),
    );
    out
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(content).unwrap();
    packed.finish().unwrap()
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in files {
        let mut head = [0_u8; 512];
        head[..name.len()].copy_from_slice(name.as_bytes());
        head[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        head[156] = b'0';
        head[257..262].copy_from_slice(b"ustar");
        out.extend(head);
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

fn base64(content: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for (n, three) in content.chunks(3).enumerate() {
        let bits =
            three.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place > three.len() { '=' } else { char::from(letter) });
        }
        if n % 19 == 18 {
            out.push('\n');
        }
    }
    out
}

/// A message with one attached file.
fn message(name: &str, content: &[u8]) -> String {
    format!(
        "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\n\
         Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=\"{name}\"\n\
         Content-Transfer-Encoding: base64\n\n{}\n--b--\n",
        base64(content)
    )
}

fn budget() -> Budget {
    Budget { unpack: 1 << 20, files: 100, depth: 3, aside: std::env::temp_dir() }
}

/// Fed in pieces of `step` bytes.
fn looked(text: &str, budget: Budget, step: usize) -> (Vec<File>, Option<Stop>) {
    let mut walk = Walk::new(budget);
    for piece in text.as_bytes().chunks(step) {
        if let Err(stop) = walk.feed(piece) {
            return (walk.found(), Some(stop));
        }
    }
    walk.finish()
}

/// `path magic state` of each file.
fn files(text: &str) -> Vec<String> {
    let (found, stop) = looked(text, budget(), 1 << 16);
    assert!(stop.is_none(), "{stop:?}");
    let (again, _) = looked(text, budget(), 7);
    assert_eq!(found, again, "pieces of any size give the same");
    found
        .iter()
        .map(|file| {
            format!("{} {} {}", file.path, file.magic, file.state.map_or("", State::name)).trim().to_owned()
        })
        .collect()
}

#[test]
fn files_are_found_inside_archives_inside_archives() {
    let exe: &[u8] = &[b"MZ".as_slice(), &[0; 2000]].concat();
    assert_eq!(files(&message("Invoice.PDF.exe ", exe)), ["invoice.pdf.exe exe"]);
    let inner = zip(&[("a/b/Run.SCR", exe), ("readme.txt", b"hello")], 0);
    let all = ["x.zip zip", "x.zip/run.scr exe", "x.zip/readme.txt"];
    assert_eq!(files(&message("x.zip", &inner)), all);
    // Whatever it calls itself.
    assert_eq!(files(&message("x.dat", &inner))[1], "x.dat/run.scr exe");
    let outer = gzip(&tar(&[("inner.zip", &inner)]));
    let found = files(&message("all.tgz", &outer));
    assert_eq!(
        found,
        [
            "all.tgz gzip",
            "all.tgz/all.tar tar",
            "all.tgz/all.tar/inner.zip zip",
            "all.tgz/all.tar/inner.zip/run.scr exe",
            "all.tgz/all.tar/inner.zip/readme.txt"
        ]
        .map(str::to_owned)
    );
}

#[test]
fn names_are_read_however_they_are_written() {
    let with =
        |fields: &str| format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n{fields}\n\nx\n--b--\n");
    for fields in [
        "Content-Type: application/x; name=\"=?utf-8?q?b=2Eexe?=\"",
        "Content-Type: application/x\nContent-Disposition: attachment; filename*=utf-8''%62.e%78e",
        "Content-Type: application/x\nContent-Disposition: attachment;\n filename*0=\"b.\";\n filename*1=\"exe\"",
        "Content-Type: application/x\nContent-Disposition: attachment; filename=\"C:\\\\dir\\\\B.EXE\"",
    ] {
        assert_eq!(files(&with(fields)), ["b.exe"], "{fields}");
    }
    let bare = "Subject: x\nContent-Disposition: attachment; filename=b.exe\n\nx\n";
    assert_eq!(files(bare), ["b.exe"], "where nothing says that it is MIME, too");
    assert_eq!(files("Subject: x\n\nhello\nbegin 644 old.exe\nM'\n`\nend\n"), ["old.exe"]);
    let attached = message("b.exe", b"x").replace("Subject: x", "Subject: y");
    let forwarded = format!("Content-Type: message/rfc822\n\n{attached}");
    assert_eq!(files(&forwarded), ["b.exe"], "in a forwarded message, too");
}

#[test]
fn what_cannot_be_looked_into_is_named() {
    let locked = zip(&[("secret.doc", b"x")], 1);
    assert_eq!(files(&message("x.zip", &locked)), ["x.zip zip", "x.zip/secret.doc  encrypted"]);
    assert_eq!(files(&message("x.rar", b"Rar!\x1a\x07\x01\0")), ["x.rar rar unreadable"]);
    assert_eq!(files(&message("x.zip", b"PK\x03\x04 and no more")), ["x.zip zip", "x.zip zip unreadable"]);
    let good = zip(&[("a.txt", b"aaaa"), ("b.txt", b"bbbb")], 0);
    for cut in 1..good.len() {
        // Whatever is missing: an answer, and no panic.
        let _ = looked(&message("x.zip", &good[..cut]), budget(), 1 << 16);
        let mut torn = good.clone();
        torn[cut] ^= 0x55;
        let _ = looked(&message("x.zip", &torn), budget(), 1 << 16);
    }
}

#[test]
fn the_names_of_a_7z_are_listed() {
    // A list that is not packed: one empty file `a.exe` (7zFormat.txt).
    let mut list = vec![1, 5, 1, 14, 1, 0x80, 17, 13, 0];
    list.extend("a.exe\0".encode_utf16().flat_map(u16::to_le_bytes));
    list.extend([0, 0]);
    let mut whole = b"7z\xbc\xaf\x27\x1c\0\x04\0\0\0\0".to_vec();
    whole.extend(0_u64.to_le_bytes());
    whole.extend((list.len() as u64).to_le_bytes());
    whole.extend([0; 4]);
    whole.extend(&list);
    assert_eq!(files(&message("x.7z", &whole)), ["x.7z 7z", "x.7z/a.exe"]);
    for cut in 6..whole.len() {
        let _ = looked(&message("x.7z", &whole[..cut]), budget(), 1 << 16);
        for flip in [0x01, 0x80, 0xff] {
            let mut torn = whole.clone();
            torn[cut] ^= flip;
            let _ = looked(&message("x.7z", &torn), budget(), 1 << 16);
        }
    }
}

#[test]
fn a_bomb_costs_its_budget() {
    let zeros = vec![0; 8 << 20];
    let bomb = gzip(&tar(&[("a", &zeros), ("b.exe", b"MZ")]));
    assert!(bomb.len() < 100_000);
    let (found, stop) = looked(&message("x.tgz", &bomb), budget(), 1 << 16);
    assert!(matches!(stop, Some(Stop::TooMuch("bytes"))), "{stop:?}");
    assert_eq!(found[0].name, "x.tgz", "what was found before is told");
    // Archives within each other.
    let mut nested = zip(&[("x.txt", b"x")], 0);
    for _ in 0..5 {
        nested = zip(&[("n.zip", &nested)], 0);
    }
    let (_, stop) = looked(&message("n.zip", &nested), budget(), 1 << 16);
    assert!(matches!(stop, Some(Stop::TooMuch("archives within each other"))), "{stop:?}");
    // Many files.
    let names: Vec<String> = (0..200).map(|n| format!("{n}.txt")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"x".as_slice())).collect();
    let (_, stop) = looked(&message("m.zip", &zip(&many, 0)), budget(), 1 << 16);
    assert!(matches!(stop, Some(Stop::TooMuch("files"))), "{stop:?}");
    // Endless lines and headers take no memory worth speaking of, and have no files.
    let text = format!("Subject: x\nX: {}\n\n{}", "a".repeat(1 << 20), "b".repeat(1 << 20));
    assert_eq!(looked(&text, budget(), 1 << 16).0, []);
}
