//! What fuzzers and property tests call. Each is handed any bytes, must return, and checks what always holds.

use super::search::{Search, Sort, esearch, thread};
use super::{Cursor, Framer, Limits, Piece, fetch, mailbox};

/// Puts commands together out of any bytes, however they are cut, and reads every command's arguments.
pub fn commands(bytes: &[u8]) {
    let limits = Limits { command: 4096, message: 2048, messages: 4096, swallow: 8192 };
    let mut seen: Option<Vec<Vec<u8>>> = None;
    for step in [1, 7, 1 << 16] {
        let mut framer = Framer::new(limits);
        let mut texts = Vec::new();
        'input: for slice in bytes.chunks(step) {
            framer.feed(slice);
            while let Some(piece) = framer.advance() {
                match piece {
                    Piece::Command(frame) => {
                        assert!(frame.text.len() <= limits.command + 64);
                        texts.push(frame.text);
                    }
                    Piece::Flood => break 'input,
                    Piece::Continue | Piece::Refused(..) => {}
                }
            }
        }
        if step == 1 {
            texts.iter().for_each(|text| arguments(text));
        }
        // How the bytes were cut must not matter.
        assert_eq!(*seen.get_or_insert_with(|| texts.clone()), texts);
    }
}

/// Reads the bytes as the arguments of each command.
pub fn arguments(text: &[u8]) {
    let at = || Cursor::new(text);
    for utf8 in [false, true] {
        let _ = mailbox::Select::parse(&mut at(), utf8);
        let _ = mailbox::create(&mut at(), utf8);
        let _ = mailbox::lsub(&mut at(), utf8);
        let _ = esearch(&mut at(), utf8);
        if let Ok(list) = mailbox::List::parse(&mut at(), utf8) {
            for pattern in list.patterns {
                let _ = mailbox::Pattern::new(pattern).matches("INBOX/a b/c", '/');
            }
        }
    }
    let _ = fetch::Fetch::parse(&mut at(), true);
    let _ = fetch::Store::parse(&mut at());
    let _ = Search::parse(&mut at());
    let _ = Sort::parse(&mut at());
    let _ = thread(&mut at());
    let _ = mailbox::messages(&mut at());
    let _ = mailbox::status_items(&mut at());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            commands(&bytes);
            arguments(&bytes);
        }

        #[test]
        fn words_of_imap_in_any_order(words in proptest::collection::vec(prop_oneof![
            Just("a "), Just("FETCH "), Just("1:*"), Just("("), Just(")"), Just("BODY["), Just("]"), Just("<0.5>"),
            Just("{3+}\r\nabc"), Just("{3}\r\n"), Just("\r\n"), Just(" "), Just("OR "), Just("NOT "), Just("\"x\""),
            Just("APPEND b {4+}\r\nabcd"), Just("RETURN "), Just("SEARCH "), Just("~{2+}\r\nab"), Just("HEADER.FIELDS "),
        ], 0..60)) {
            let text = words.concat();
            commands(text.as_bytes());
            arguments(text.as_bytes());
        }
    }
}
