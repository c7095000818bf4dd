use std::io::Cursor;

use bytes::Bytes;
use jiff::Timestamp;
use mail::{BodyType, Client, Envelope, Notify, QueueId, Recipient, Ret};

use super::*;
use crate::{Action, Body, Fate, Report, Stored};

fn stored(content: &[u8]) -> Stored {
    let envelope = Envelope {
        sender: "s@x.test".into(),
        full_name: Some("Sam".into()),
        recipients: vec![
            Recipient::new("done@y.test"),
            Recipient {
                address: "b@y.test".into(),
                original: "c@z.test".into(),
                orcpt: Some("rfc822;c@z.test".into()),
                notify: Notify { success: true, delay: true, ..Notify::default() },
            },
            Recipient::new("d@y.test"),
        ],
        body_type: BodyType::EightBitMime,
        smtputf8: true,
        envid: Some("e+f".into()),
        ret: Some(Ret::Headers),
        client: Client {
            name: "h.test".into(),
            reverse_name: "h.test".into(),
            address: "192.0.2.1".into(),
            port: Some(7),
            helo: "me".into(),
            protocol: "ESMTP".into(),
            sasl_username: "joe".into(),
            ..Client::default()
        },
        rewrite_local: true,
        content_filter: Some("smtp:[127.0.0.1]:10025".into()),
        verp: Some("+=".into()),
        ..Envelope::default()
    };
    let arrival = Timestamp::from_microsecond(1_795_272_901_154_997).unwrap();
    let body = Body::from(Bytes::copy_from_slice(content));
    let mut stored = Stored::fresh(QueueId::parse("ABC").unwrap(), envelope, body, arrival);
    stored.fates[0] = Fate::Done;
    stored
}

fn file(stored: &Stored) -> (Vec<u8>, Written) {
    let mut out = Cursor::new(Vec::new());
    let written = write(stored, &mut out).unwrap();
    (out.into_inner(), written)
}

fn read_back(bytes: &[u8]) -> Result<(Letter, Vec<u8>), Wrong> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    let mut content = Vec::new();
    let letter = read(&path, &mut |piece| {
        content.extend_from_slice(piece);
        Ok(())
    })?;
    Ok((letter, content))
}

#[test]
fn what_is_written_is_read_without_those_who_have_it() {
    let mut content = b"Subject: a\n\n".to_vec();
    content.extend(std::iter::repeat_n(b'z', 5000));
    content.extend_from_slice(b"\n\nlast\n");
    let stored = stored(&content);
    let (bytes, written) = file(&stored);
    let (letter, back) = read_back(&bytes).unwrap();
    assert_eq!(back, content);
    let mut expected = (*stored.envelope).clone();
    expected.recipients.remove(0);
    assert_eq!(letter.envelope, expected);
    assert_eq!(letter.arrival, stored.arrival);
    assert_eq!(letter.size, content.len() as u64);
    let places: Vec<u64> = written.recipients.iter().map(|(_, at)| *at).collect();
    assert_eq!(letter.offsets, places);
    assert!(places.iter().all(|at| bytes[*at as usize] == b'R'));
}

#[test]
fn a_recipient_that_is_marked_done_is_told_apart() {
    let (mut bytes, written) = file(&stored(b"a\n"));
    bytes[written.recipients[0].1 as usize] = b'D';
    let (letter, _) = read_back(&bytes).unwrap();
    assert_eq!(letter.envelope.recipients.len(), 1);
    assert_eq!(letter.done.len(), 1);
    assert_eq!(letter.done[0].1.address, "b@y.test".into());
    assert_eq!(letter.envelope.recipients[0].notify, Notify::default());
}

#[test]
fn no_cut_of_a_file_is_taken_for_a_message() {
    let (bytes, _) = file(&stored(b"Subject: a\n\nb\n"));
    for len in 0..bytes.len() {
        assert!(matches!(read_back(&bytes[..len]), Err(Wrong::Damaged(_))), "cut at {len}");
    }
    let mut damaged = bytes.clone();
    damaged[0] = b'?';
    let told = read_back(&damaged);
    assert!(matches!(&told, Err(Wrong::Damaged(what)) if what == "unknown record '?' at byte 0"), "{told:?}");
}

#[test]
fn pointers_are_followed_and_not_in_circles() {
    let (bytes, _) = file(&stored(b"a\n"));
    // A pointer to the very end, where the message goes on: the file begins with it.
    let mut moved = b"p\x0f".to_vec();
    moved.extend_from_slice(format!("{:>15}", 17 + 3).as_bytes());
    moved.extend_from_slice(b"w\x01x");
    moved.extend_from_slice(&bytes);
    assert_eq!(read_back(&moved).unwrap().0.envelope.recipients.len(), 2);
    let circle = [b"S\x00p\x0f".as_slice(), format!("{:>15}", 2).as_bytes()].concat();
    assert!(matches!(read_back(&circle), Err(Wrong::Damaged(what)) if what.contains("circles")));
}

#[test]
fn reasons_survive() {
    let at = Timestamp::UNIX_EPOCH;
    let report = Report {
        action: Action::Delayed,
        status: "4.4.1".into(),
        reason: "connect to h[1]:25: Connection refused".into(),
        remote: None,
        diagnostic: None,
        relay: "none".into(),
        at,
    };
    let refused = Report {
        remote: Some(mail::RemoteReply { host: "h.test".into(), text: "450 4.2.0 busy".into() }),
        relay: "h.test".into(),
        ..report.clone()
    };
    let notes = vec![
        Note { recipient: "a@y.test".into(), offset: Some(17), report },
        Note { recipient: "b@y.test".into(), offset: None, report: refused },
    ];
    assert_eq!(parse_notes(&write_notes(&notes), at), notes);
}
