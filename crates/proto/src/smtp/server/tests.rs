use super::*;

#[expect(clippy::disallowed_methods, reason = "any instant will do to count from")]
fn start() -> Instant {
    Instant::now()
}

/// Feeds `wire` in the given pieces and answers like a simple server; returns what happened, content joined.
fn talk(pieces: &[&[u8]], settings: Settings) -> Vec<String> {
    let now = start();
    let mut machine = Machine::new(settings);
    machine.answer(Answer::Nothing);
    let mut pieces = pieces.iter();
    let mut seen = Vec::new();
    let mut body = String::new();
    loop {
        match machine.advance(now) {
            Want::Input => match pieces.next() {
                Some(piece) => machine.feed(piece),
                None => machine.feed_eof(),
            },
            Want::Tls => {
                seen.push("(tls)".to_owned());
                machine.tls_started();
            }
            Want::Close => return seen,
            Want::Decision => {
                let answer = match machine.event() {
                    Event::Content(bytes) => {
                        body.push_str(&String::from_utf8_lossy(bytes));
                        continue;
                    }
                    Event::EndOfContent { last } => {
                        seen.push(format!(
                            "{}:{}",
                            if last { "last" } else { "more" },
                            std::mem::take(&mut body)
                        ));
                        Answer::Say(Reply::plain(250, "ok"))
                    }
                    Event::Command(line) => {
                        let text = String::from_utf8_lossy(&line.bytes).into_owned();
                        let answer = match text.split(' ').collect::<Vec<_>>()[..] {
                            ["DATA"] => Answer::Data(Reply::plain(354, "go")),
                            ["BDAT", size, "LAST"] => {
                                Answer::Chunk { size: size.parse().unwrap(), last: true }
                            }
                            ["BDAT", size] => Answer::Chunk { size: size.parse().unwrap(), last: false },
                            ["SKIP", size] => Answer::SkipChunk {
                                size: size.parse().unwrap(),
                                reply: Reply::plain(554, "no"),
                            },
                            ["STARTTLS"] => Answer::StartTls(Reply::plain(220, "go")),
                            ["QUIT"] => Answer::Close(Reply::plain(221, "bye")),
                            _ => Answer::Say(Reply::plain(250, "ok")),
                        };
                        seen.push(if line.truncated { format!("{}...", &text[..4]) } else { text });
                        answer
                    }
                    Event::BareLf => {
                        seen.push("(bare lf)".to_owned());
                        Answer::HangUp
                    }
                    Event::TimedOut => {
                        seen.push("(timeout)".to_owned());
                        Answer::HangUp
                    }
                    Event::Lost => {
                        seen.push("(lost)".to_owned());
                        return seen;
                    }
                };
                machine.answer(answer);
            }
        }
    }
}

/// The same however the bytes are cut, but for STARTTLS, which drops what came along.
#[track_caller]
fn check(wire: &[u8], expected: &[&str]) {
    assert_eq!(talk(&[wire], Settings::default()), expected, "in one piece");
    let single: Vec<&[u8]> = wire.chunks(1).collect();
    assert_eq!(talk(&single, Settings::default()), expected, "byte by byte");
    for at in 0..wire.len() {
        let (a, b) = wire.split_at(at);
        assert_eq!(talk(&[a, b], Settings::default()), expected, "cut at {at}");
    }
}

#[test]
fn commands_and_content() {
    check(
        b"EHLO a\r\nDATA\r\na\r\n..b\r\n.c\r\n\r\n.\r\nQUIT\r\n",
        &["EHLO a", "DATA", "last:a\n.b\nc\n\n", "QUIT"],
    );
    check(b"DATA\r\n.\r\nNOOP\r\n", &["DATA", "last:", "NOOP", "(lost)"]);
    check(b"DATA\r\na\rb\r\r\n\r\r\n.\r\n", &["DATA", "last:a\rb\n\n", "(lost)"]);
    check(b"DATA\r\nhalf", &["DATA", "(lost)"]);
}

#[test]
fn nothing_but_the_standard_dot_ends_data() {
    // Every way to put up to three of these around a dot.
    let marks = ["\r", "\n", "\0", " "];
    let mut sides = vec![String::new()];
    for _ in 0..3 {
        let longer: Vec<String> =
            sides.iter().flat_map(|side| marks.map(|mark| format!("{side}{mark}"))).collect();
        sides.extend(longer);
    }
    sides.sort();
    sides.dedup();
    for before in &sides {
        for after in &sides {
            let wire = format!("DATA\r\nx{before}.{after}MAIL FROM:<evil@x>\r\n.\r\nQUIT\r\n");
            let ends = before.ends_with("\r\n") && after.starts_with("\r\n");
            let seen = talk(&[wire.as_bytes()], Settings::default());
            let smuggled =
                seen.iter().any(|line| line.trim_start_matches(['\r', '\0', ' ']).starts_with("MAIL"));
            assert_eq!(smuggled, ends, "{before:?} {after:?}: {seen:?}");
            let single: Vec<&[u8]> = wire.as_bytes().chunks(1).collect();
            assert_eq!(talk(&single, Settings::default()), seen, "{before:?} {after:?}");
        }
    }
}

#[test]
fn a_client_of_bare_lines_may_end_with_a_bare_line() {
    check(b"EHLO a\nDATA\nx\n..y\n.\nQUIT\n", &["EHLO a", "DATA", "last:x\n.y\n", "QUIT"]);
    check(b"EHLO a\r\nDATA\nx\n.\ny\r\n.\r\nQUIT\n", &["EHLO a", "DATA", "last:x\n.\ny\n", "QUIT"]);
}

#[test]
fn whoever_asks_for_it_gets_any_dot() {
    let settings = || Settings { bare_lf: BareLf::Any, ..Settings::default() };
    for dot in ["\n.\r\n", "\r\n.\n", "\n.\n", "\r\n.\r\n"] {
        let wire = format!("EHLO a\r\nDATA\r\nx{dot}QUIT\r\n");
        assert_eq!(talk(&[wire.as_bytes()], settings()), ["EHLO a", "DATA", "last:x\n", "QUIT"], "{dot:?}");
    }
}

#[test]
fn bare_lines_can_be_refused() {
    let settings = || Settings { bare_lf: BareLf::Reject, ..Settings::default() };
    assert_eq!(talk(&[b"EHLO a\n"], settings()), ["(bare lf)"]);
    assert_eq!(talk(&[b"DATA\r\na\nb\r\n.\r\n"], settings()), ["DATA", "(bare lf)"]);
    assert_eq!(talk(&[b"DATA\r\na\r\n.\r\n"], settings()), ["DATA", "last:a\n", "(lost)"]);
}

#[test]
fn chunks_are_counted_and_dots_mean_nothing() {
    check(
        b"BDAT 9\r\na\r\n.\r\n.b\rBDAT 3\r\n\nc\rBDAT 1 LAST\r\ndQUIT\r\n",
        &["BDAT 9", "more:a\n.\n.b", "BDAT 3", "more:\nc", "BDAT 1 LAST", "last:\rd\n", "QUIT"],
    );
    check(
        b"BDAT 1\r\nxBDAT 0 LAST\r\nNOOP\r\n",
        &["BDAT 1", "more:x", "BDAT 0 LAST", "last:\n", "NOOP", "(lost)"],
    );
    check(b"SKIP 6\r\nQUIT\r\nNOOP\r\n", &["SKIP 6", "NOOP", "(lost)"]);
}

#[test]
fn starttls_drops_what_was_sent_ahead() {
    assert_eq!(
        talk(&[b"STARTTLS\r\nEHLO injected\r\n", b"QUIT\r\n"], Settings::default()),
        ["STARTTLS", "(tls)", "QUIT"]
    );
}

#[test]
fn long_lines_are_cut_and_cost_no_memory() {
    let settings = || Settings { line_limit: 10, ..Settings::default() };
    let long = [b'x'; 5000];
    assert_eq!(talk(&[b"NOOP ", &long, &long, b"\r\nQUIT\r\n"], settings()), ["NOOP...", "QUIT"]);
    assert_eq!(
        talk(&[b"0123456789\r\n01234567890\r\nQUIT\r\n"], settings()),
        ["0123456789", "0123...", "QUIT"]
    );

    let mut machine = Machine::new(settings());
    machine.answer(Answer::Nothing);
    for _ in 0..100 {
        machine.feed(&long);
        assert_eq!(machine.advance(start()), Want::Input);
        assert!(machine.input.capacity() <= 2 * SMALL, "{}", machine.input.capacity());
    }
}

#[test]
fn silence_ends_a_session() {
    let start = start();
    let mut machine = Machine::new(Settings::default());
    machine.answer(Answer::Nothing);
    assert_eq!(machine.advance(start), Want::Input);
    machine.feed(b"NO");
    let later = start + Duration::from_secs(200);
    assert_eq!(machine.advance(later), Want::Input);
    assert_eq!(machine.deadline(), Some(later + Duration::from_secs(300)));
    assert_eq!(machine.advance(later + Duration::from_secs(300)), Want::Decision);
    assert_eq!(machine.event(), Event::TimedOut);
    machine.answer(Answer::Close(Reply::new(421, (4, 2), "timeout")));
    assert_eq!(machine.advance(later), Want::Close);
}

#[test]
fn a_deadline_per_request_is_not_extended_by_dripping() {
    let start = start();
    let mut machine = Machine::new(Settings { per_request: true, ..Settings::default() });
    machine.answer(Answer::Nothing);
    assert_eq!(machine.advance(start), Want::Input);
    machine.feed(b"DA");
    let _ = machine.advance(start + Duration::from_secs(200));
    assert_eq!(machine.deadline(), Some(start + Duration::from_secs(300)));
    machine.feed(b"TA\r\n");
    assert_eq!(machine.advance(start), Want::Decision);
    assert!(matches!(machine.event(), Event::Command(_)));
    machine.answer(Answer::Data(Reply::plain(354, "go")));
    assert_eq!(machine.advance(start), Want::Input);
    machine.feed(&[b'x'; 5000]);
    while machine.advance(start + Duration::from_secs(100)) == Want::Decision {
        let _ = machine.event();
    }
    assert_eq!(machine.deadline(), Some(start + Duration::from_secs(310)));
}

#[test]
fn what_was_sent_ahead_is_seen() {
    let mut machine = Machine::new(Settings::default());
    machine.answer(Answer::Nothing);
    machine.feed(b"EHLO a\r\nMAIL");
    assert_eq!(machine.advance(start()), Want::Decision);
    let _ = machine.event();
    assert_eq!(machine.waiting(), b"MAIL");
}

#[test]
fn a_flood_of_commands_leaves_no_memory_behind() {
    let now = start();
    let mut machine = Machine::new(Settings::default());
    machine.answer(Answer::Nothing);
    for command in ["NOOP\r\n", "BDAT 1\r\nx", "BDAT 0 LAST\r\n", "\n"] {
        machine.feed(command.repeat(5_000).as_bytes());
        while machine.advance(now) == Want::Decision {
            let answer = match machine.event() {
                Event::Command(line) if line.bytes.starts_with(b"BDAT") => Answer::Chunk {
                    size: u64::from(line.bytes == b"BDAT 1"),
                    last: line.bytes.ends_with(b"T"),
                },
                Event::Content(_) => continue,
                _ => Answer::Say(Reply::plain(250, "ok")),
            };
            machine.answer(answer);
            machine.output().clear();
        }
        assert!(machine.input.capacity() <= SMALL, "{command:?}: {}", machine.input.capacity());
    }
}
