//! Entry points for fuzzers and property tests: any bytes will do, and nothing may panic.

use std::time::Instant;

use crate::smtp::{Command, Reply, client, command, params, path, reply, server, xtext};
use crate::{dovecot, proxy, xclient};

/// Every grammar that takes foreign text.
pub fn grammars(bytes: &[u8]) {
    let _ = proxy::parse(bytes);
    let text = String::from_utf8_lossy(bytes);
    let parsed = Command::parse(&text);
    let _ = parsed.rest();
    for keyword in ["FROM:", "TO:"] {
        let _ = parsed.path_and_params(keyword);
    }
    for token in &parsed.tokens {
        let _ = (path::address(*token, false), path::address(*token, true));
        let _ = xclient::attribute(token.text());
        let _ = xtext::decode(token.text());
    }
    let _ = params::MailParams::parse(parsed.args(), params::Accepts::default());
    let _ = params::RcptParams::parse(parsed.args(), params::Accepts::default());
    let _ = reply::status_of(550, &text);
    let mut login = dovecot::Machine::new();
    login.feed(bytes);
    while let Ok(Some(_)) = login.advance() {}
    debug_assert_eq!(xtext::decode(&xtext::encode(text.as_bytes())).as_deref(), Some(&*text));
}

/// A server in every state. `cuts` says where the stream is cut; returns all it saw, so that two ways of cutting
/// can be compared.
pub fn server(bytes: &[u8], cuts: &[usize], now: Instant) -> String {
    let mut machine = server::Machine::new(server::Settings::default());
    machine.answer(server::Answer::Say(Reply::plain(220, "hi")));
    let mut pieces = pieces(bytes, cuts);
    let (mut seen, mut in_content) = (String::new(), false);
    loop {
        let answer = match machine.advance(now) {
            server::Want::Input => {
                match pieces.next() {
                    Some(piece) => machine.feed(piece),
                    None => machine.feed_eof(),
                }
                continue;
            }
            server::Want::Tls => {
                machine.tls_started();
                continue;
            }
            server::Want::Close => return seen,
            server::Want::Decision => match machine.event() {
                server::Event::Content(content) => {
                    // Where content is cut means nothing.
                    if !std::mem::replace(&mut in_content, true) {
                        seen.push_str("\ncontent ");
                    }
                    seen.push_str(&content.escape_ascii().to_string());
                    continue;
                }
                server::Event::Command(line) => {
                    seen.push_str(&format!("\n{line:?}"));
                    answer_to(&String::from_utf8_lossy(&line.bytes))
                }
                event => {
                    seen.push_str(&format!("\n{event:?}"));
                    server::Answer::Say(Reply::plain(250, "ok"))
                }
            },
        };
        in_content = false;
        machine.answer(answer);
    }
}

fn answer_to(line: &str) -> server::Answer {
    let parsed = Command::parse(line);
    let reply = Reply::plain(250, "ok");
    let size = || parsed.args().first().and_then(|size| size.text().parse::<u16>().ok()).map_or(3, u64::from);
    match parsed.verb {
        Some(command::Verb::Data) => server::Answer::Data(reply),
        Some(command::Verb::Bdat) => server::Answer::Chunk { size: size(), last: parsed.args().len() > 1 },
        Some(command::Verb::Noop) => server::Answer::SkipChunk { size: size(), reply },
        Some(command::Verb::Auth) => server::Answer::Ask(reply),
        Some(command::Verb::Quit) => server::Answer::Close(reply),
        _ => server::Answer::Say(reply),
    }
}

/// A client that sends one message, with or without pipelining, to a server that says anything.
pub fn client(bytes: &[u8], cuts: &[usize], pipelining: bool, now: Instant) -> String {
    let mut machine =
        client::Machine::new(client::Settings { lmtp: bytes.len() % 2 == 1, ..client::Settings::default() });
    let mut pieces = pieces(bytes, cuts);
    let mut seen = String::new();
    loop {
        match machine.step(now) {
            client::Step::Input => match pieces.next() {
                Some(piece) => machine.feed(piece),
                None => machine.feed_eof(),
            },
            client::Step::Idle => return seen,
            client::Step::Event(event) => {
                seen.push_str(&format!("{event:?}\n"));
                match event {
                    client::Event::Reply(client::Stage::Greeting, _) => {
                        machine.transact(client::Transaction {
                            sender: "<>".to_owned(),
                            recipients: vec!["<a>".to_owned(), "<b>".to_owned()],
                            pipelining,
                        })
                    }
                    client::Event::WantContent => {
                        machine.content(bytes);
                        machine.end_of_content(true);
                    }
                    client::Event::Abandoned => machine.ask(client::Stage::Quit, "QUIT"),
                    client::Event::Lost(_) | client::Event::Garbled(..) | client::Event::TimedOut(_) => {
                        return seen;
                    }
                    _ => {}
                }
            }
        }
    }
}

fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    let mut from = 0;
    cuts.into_iter().map(move |to| {
        let piece = &bytes[from..to];
        from = to;
        piece
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Pieces of SMTP in any order, so that chance finds its way into every state.
    fn dialogue() -> impl Strategy<Value = Vec<u8>> {
        const WORDS: &[&str] = &[
            "\r\n",
            "\n",
            "\r",
            ".",
            "\0",
            "\r\n.\r\n",
            "DATA\r\n",
            "BDAT 7\r\n",
            "BDAT 2 LAST\r\n",
            "NOOP 4\r\n",
            "AUTH x\r\n",
            "MAIL FROM:<a@b> SIZE=1 BODY=7BIT\r\n",
            "RCPT TO:<\"a b\"@[1.2.3.4]> NOTIFY=NEVER\r\n",
            "250 ok\r\n",
            "250-more\r\n",
            "354 go\r\n",
            "550 5.1.1 no\r\n",
        ];
        vec(prop_oneof![4 => select(WORDS).prop_map(|word| word.as_bytes().to_vec()), 1 => vec(any::<u8>(), 0..8)], 0..40)
            .prop_map(|words| words.concat())
    }

    #[expect(clippy::disallowed_methods, reason = "any instant will do to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    proptest! {
        #[test]
        fn grammars_take_anything(bytes in prop_oneof![vec(any::<u8>(), 0..200), dialogue()]) {
            grammars(&bytes);
        }

        #[test]
        fn a_server_sees_the_same_however_the_stream_is_cut(bytes in dialogue(), cuts in vec(any::<usize>(), 0..20)) {
            let now = start();
            prop_assert_eq!(server(&bytes, &cuts, now), server(&bytes, &[], now));
        }

        #[test]
        fn a_client_sees_the_same_however_the_stream_is_cut(
            bytes in dialogue(), cuts in vec(any::<usize>(), 0..20), pipelining: bool,
        ) {
            let now = start();
            prop_assert_eq!(client(&bytes, &cuts, pipelining, now), client(&bytes, &[], pipelining, now));
        }
    }
}
