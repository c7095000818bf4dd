use std::path::Path;
use std::sync::Arc;

use conf::{Block, Facts, MainCf, Registry, View};
use jiff::tz::TimeZone;
use mail::{Address, BodyType, Client, Envelope, Notify, QueueId, Recipient, Refusal};
use route::Router;
use tables::Tables;

use super::*;

const SITE: &str = "myhostname = mx.site.test\nmydomain = site.test\nmyorigin = site.test\nappend_dot_mydomain = yes\n\
                    mydestination = site.test\nsmtputf8_enable = yes\n";

fn view(settings: &str) -> View {
    // A test may set a parameter twice: the last one counts.
    let (main, _) = MainCf::parse(&format!("{SITE}{settings}"), Path::new("main.cf"));
    let registry = Registry::new(&[
        conf::params::Site::DECLARATIONS,
        route::params::Rewrite::DECLARATIONS,
        route::params::Canonical::DECLARATIONS,
        route::params::VirtualAlias::DECLARATIONS,
        route::params::Classes::DECLARATIONS,
        route::params::Transport::DECLARATIONS,
        route::params::ProbeTransport::DECLARATIONS,
        filter::params::Mime::DECLARATIONS,
        filter::params::Checks::DECLARATIONS,
        queue::params::Storage::DECLARATIONS,
        crate::params::Cleanup::DECLARATIONS,
        crate::params::Bounce::DECLARATIONS,
    ]);
    View::new(registry, main, Facts::default())
}

fn cleaner(settings: &str) -> Arc<Cleaner> {
    let (view, tables) = (view(settings), Tables::new(tables::Settings::default()));
    let mut mistakes = Vec::new();
    let router = Arc::new(Router::new(&view, &tables, Vec::new(), &mut mistakes));
    let cleaner = Arc::new(Cleaner::new(&view, &tables, &router, &mut mistakes));
    assert!(mistakes.is_empty(), "{mistakes:?}");
    cleaner
}

/// A message of ours from `s@x.test` to `z@x.test`, with our Received on top.
fn intake() -> Intake {
    Intake {
        id: QueueId::parse("ABC").unwrap(),
        envelope: Envelope {
            sender: Address::from("s@x.test"),
            recipients: vec![Recipient::new("z@x.test")],
            client: Client { helo: "client.test".into(), protocol: "ESMTP".into(), ..Client::default() },
            rewrite_local: true,
            ..Envelope::default()
        },
        origin: "client.test[127.0.0.1]".into(),
        skip: Skip::default(),
        now: "2014-01-09T17:02:58Z".parse().unwrap(),
        zone: TimeZone::UTC,
        prepend: b"Received: by us\n".to_vec(),
    }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

/// Cleans content fed in pieces of `step` bytes.
fn clean_in_steps(
    settings: &str,
    intake: Intake,
    content: &[u8],
    step: usize,
) -> Result<Clean<Vec<u8>>, Refusal> {
    let cleaner = cleaner(settings);
    now(async {
        let mut cleaning = cleaner.begin(intake, Vec::new()).await?;
        for chunk in content.chunks(step) {
            cleaning.feed(chunk).await?;
        }
        cleaning.finish().await
    })
}

fn clean(settings: &str, intake: Intake, content: &str) -> Clean<Vec<u8>> {
    clean_in_steps(settings, intake, content.as_bytes(), usize::MAX).unwrap()
}

fn text(clean: &Clean<Vec<u8>>) -> String {
    assert_eq!(clean.size, clean.content.len() as u64);
    String::from_utf8(clean.content.clone()).unwrap()
}

fn addresses(clean: &Clean<Vec<u8>>) -> Vec<&str> {
    clean.envelope.recipients.iter().map(|recipient| recipient.address.as_str()).collect()
}

/// What a message has when nothing is missing.
const COMPLETE: &str =
    "From: s@x.test\nTo: z@x.test\nMessage-Id: <1@x.test>\nDate: Thu, 01 Jan 2026 00:00:00 +0000\n";

fn check_to(settings: &str, cases: &[(&str, &str)]) {
    for (value, expected) in cases {
        let rest = "From: s@x.test\nMessage-Id: <1@x.test>\nDate: x\n\nbody\n";
        let clean = clean(settings, intake(), &format!("To: {value}\n{rest}"));
        let cleaned = text(&clean);
        let got = cleaned.strip_prefix("Received: by us\nTo: ").and_then(|text| text.strip_suffix(rest));
        assert_eq!(got, Some(format!("{expected}\n").as_str()), "{value}");
    }
}

#[test]
fn header_addresses_are_completed_as_postfix_does_it() {
    check_to(
        "",
        &[
            ("(comment) bare (more)", "bare@site.test (comment) (more)"),
            ("\"Doe, J\" <john> (x), b", "\"Doe, J\" <john@site.test>(x), b@site.test"),
            ("unbalanced <joe@x.y", "\"unbalanced <joe\"@x.y"),
            ("unbalanced <joe@x", "\"unbalanced <joe\"@x.site.test"),
            ("joe <joe@x.y> (c) fred", "joe <joe@x.y>, fred@site.test (c)"),
            ("a\\ b@c.d", "a\\ b@c.d"),
            ("grp: a, b@c.d (x);, e", "grp: a@site.test, b@c.d (x);, e@site.test"),
            ("grp (c) two: a; <b>", "grp (c) two: a@site.test; <b@site.test>"),
            ("<>", "<>"),
            (",,a,", ", , a@site.test, "),
            ("\"unbalanced", "unbalanced@site.test"),
            ("(unbalanced", "(unbalanced"),
            ("a:b;c:d;", "a:b;c: d@site.test;"),
            ("x@[1.2.3.4] (y)", "x@[1.2.3.4] (y)"),
            ("<<a>>", "< <\"a>\"@site.test>"),
            ("<\"x y\" z@b.c>", "<\"x y z\"@b.c>"),
            ("\"x\".\"y\"@b.c", "x.y@b.c"),
            ("x y@b.c", "x@site.test, y@b.c"),
            ("host!user@dom.x", "host!user@dom.x"),
            ("@a.x,@b.x:c@d.x", "\"\"@a.x, c@d.x"),
            ("<@a.x:b>", "<b@site.test>"),
            ("a.x!b!c", "b!c@a.x"),
            ("a%b%c.x", "a%b@c.x"),
            ("a.x%b.x!c", "c@a.x%b.x"),
            ("@", "\"\""),
            ("x@", "x@"),
            (".a@b.c.", "\".a\"@b.c"),
            ("a@b.c..", "a@b.c.."),
            ("a@.b", "a@.b"),
            ("foo bar: x", "foo@site.test, \"bar:x\"@site.test"),
            ("J. R. \"Bob\" <bob>", "J.R.\"Bob\" <bob@site.test>"),
            ("x (a)(b) y", "x@site.test, y@site.test (a) (b)"),
            ("<a>,<b> <c>", "<a@site.test>, <b@site.test> <c@site.test>"),
            ("\"\\\"\" <q>", "\"\\\"\" <q@site.test>"),
            ("a|b", "a|b@site.test"),
            ("me> x", "me@site.test>, x@site.test"),
            ("one;two", "one@site.test;, two@site.test"),
            ("\u{e9}l\u{e8}ve <a>", "\u{e9}l\u{e8}ve <a@site.test>"),
            ("complete@x.test (kept   as it\n   is)", "complete@x.test (kept   as it\n   is)"),
        ],
    );
}

#[test]
fn rewritten_lists_are_folded() {
    let list = (1..=6).map(|n| format!("recipient{n}")).collect::<Vec<_>>().join(", ");
    check_to(
        "",
        &[(
            list.as_str(),
            "recipient1@site.test, recipient2@site.test, recipient3@site.test,\n\
         \trecipient4@site.test, recipient5@site.test, recipient6@site.test",
        )],
    );
}

#[test]
fn headers_go_through_tables_by_role() {
    let settings = "sender_canonical_maps = inline:{a@x.test=sender@x.test}\n\
                    recipient_canonical_maps = inline:{a@x.test=recipient@x.test}\n\
                    masquerade_domains = d.test\n";
    let message = "From: a@x.test, b@host.d.test\nTo: a@x.test, b@host.d.test\nMessage-Id: <1>\nDate: x\n\n";
    let cleaned = clean(settings, intake(), message);
    assert_eq!(
        text(&cleaned),
        "Received: by us\nFrom: sender@x.test, b@d.test\nTo: recipient@x.test, b@d.test\nMessage-Id: <1>\nDate: x\n\n"
    );
    let skip = Skip { mappings: true, ..Skip::default() };
    let cleaned = clean(settings, Intake { skip, ..intake() }, message);
    assert_eq!(text(&cleaned), format!("Received: by us\n{message}"));
}

#[test]
fn missing_headers_are_added() {
    let mut by_name = intake();
    by_name.envelope.full_name = Some("Joe User".into());
    let cleaned =
        clean("undisclosed_recipients_header = To: undisclosed-recipients:;\n", by_name, "Subject: s\n\nx\n");
    assert_eq!(
        text(&cleaned),
        "Received: by us\nSubject: s\nMessage-Id: <20140109170258.ABC@mx.site.test>\n\
         Date: Thu,  9 Jan 2014 17:02:58 +0000 (UTC)\nFrom: Joe User <s@x.test>\nTo: undisclosed-recipients:;\n\nx\n"
    );
    assert_eq!(cleaned.message_id.as_deref(), Some("<20140109170258.ABC@mx.site.test>"));
}

#[test]
fn a_message_sent_again_gets_headers_of_its_own() {
    let cleaned =
        clean("enable_long_queue_ids = yes\n", intake(), "Resent-From: a@b.test\nResent-Bcc: c@d.test\n\n");
    assert_eq!(
        text(&cleaned),
        "Received: by us\nResent-From: a@b.test\nResent-Message-Id: <ABC@mx.site.test>\n\
         Resent-Date: Thu,  9 Jan 2014 17:02:58 +0000 (UTC)\n\n"
    );
    assert_eq!(cleaned.message_id, None);
}

#[test]
fn mail_of_strangers_stays_as_it_is() {
    let mut stranger = intake();
    stranger.envelope.rewrite_local = false;
    let message = "To: bare, x@host\n\nx\n";
    let cleaned = clean("canonical_maps = inline:{bare=y}\n", stranger.clone(), message);
    assert_eq!(text(&cleaned), format!("Received: by us\n{message}"));
    let cleaned = clean("remote_header_rewrite_domain = far.invalid\n", stranger.clone(), message);
    assert!(text(&cleaned).contains("To: bare@far.invalid, x@host.far.invalid\n"));
    let cleaned = clean("always_add_missing_headers = yes\n", stranger, message);
    assert!(text(&cleaned).contains("From: s@x.test\n") && text(&cleaned).contains("To: bare, x@host\n"));
}

#[test]
fn some_headers_are_dropped() {
    let message =
        format!("Return-Path: <x>\nBcc: a@b.test\nContent-Length: 5\nX-Secret: 1\n{COMPLETE}\nBcc: body\n");
    let cleaned =
        clean("message_drop_headers = bcc, content-length, return-path, X-Secret:\n", intake(), &message);
    assert_eq!(text(&cleaned), format!("Received: by us\n{COMPLETE}\nBcc: body\n"));
}

#[test]
fn content_passes_in_pieces_of_any_size() {
    let message = format!(
        "From nobody Thu Jan  1\n>From again\nX-Folded: a\n\tb\n c\nTo : bare\n{COMPLETE}\nbody\n\nFrom x\n.\n"
    );
    let whole = clean("", intake(), &message);
    assert_eq!(
        text(&whole),
        format!(
            "Received: by us\nX-Mailbox-Line: From nobody Thu Jan  1\nX-Mailbox-Line: >From again\nX-Folded: a\n\tb\n c\n\
             To: bare@site.test\n{COMPLETE}\nbody\n\nFrom x\n.\n"
        )
    );
    for step in [1, 2, 3, 7, 64] {
        let pieces = clean_in_steps("", intake(), message.as_bytes(), step).unwrap();
        assert_eq!(text(&pieces), text(&whole), "in pieces of {step}");
    }
}

#[test]
fn a_header_ends_where_it_ends() {
    for (message, expected) in [
        (format!("{COMPLETE}not a header\nmore\n"), format!("{COMPLETE}\nnot a header\nmore\n")),
        (COMPLETE.to_owned(), COMPLETE.to_owned()),
        (COMPLETE.trim_end().to_owned(), COMPLETE.to_owned()),
        (format!("{COMPLETE}\nno line end"), format!("{COMPLETE}\nno line end")),
    ] {
        let cleaned = clean("", intake(), &message);
        assert_eq!(text(&cleaned), format!("Received: by us\n{expected}"));
    }
    let mut stranger = intake();
    stranger.envelope.rewrite_local = false;
    for (message, expected) in
        [(" leading blank\n", "\n leading blank\n"), ("\n", "\n"), ("", ""), ("body", "\nbody")]
    {
        let cleaned = clean("", stranger.clone(), message);
        assert_eq!(text(&cleaned), format!("Received: by us\n{expected}"), "{message:?}");
    }
}

#[test]
fn long_headers_are_cut() {
    let long = format!("X-Long: {}\n", "x".repeat(500));
    let message = format!("{long} {}\n{COMPLETE}\nbody\n", "y".repeat(500));
    for step in [usize::MAX, 10, 100] {
        let cleaned =
            clean_in_steps("header_size_limit = 200\n", intake(), message.as_bytes(), step).unwrap();
        assert_eq!(
            text(&cleaned),
            format!("Received: by us\n{}\n{COMPLETE}\nbody\n", &long[..200]),
            "{step}"
        );
    }
}

#[test]
fn recipients_are_rewritten_expanded_and_told_apart() {
    let settings = "virtual_alias_maps = inline:{ {list@x.test=a@x.test b@x.test}, c@x.test=a@x.test }\n\
                    recipient_canonical_maps = inline:{canon@x.test=d@x.test}\n";
    let mut many = intake();
    many.envelope.recipients =
        ["list@x.test", "c@x.test", "canon@x.test", "bare", "A@x.test", "a@x.test", "a@X.test"]
            .map(Recipient::new)
            .into();
    let cleaned = clean(settings, many.clone(), COMPLETE);
    let kept: Vec<_> =
        cleaned.envelope.recipients.iter().map(|to| (to.address.as_str(), to.original.as_str())).collect();
    assert_eq!(
        kept,
        [
            ("a@x.test", "list@x.test"),
            ("b@x.test", "list@x.test"),
            ("a@x.test", "c@x.test"),
            ("d@x.test", "canon@x.test"),
            ("bare@site.test", "bare"),
            ("A@x.test", "A@x.test"),
        ]
    );
    assert_eq!(cleaned.envelope.recipients[4].orcpt.as_deref(), Some("rfc822;bare@site.test"));
    let cleaned = clean(&format!("{settings}enable_original_recipient = no\n"), many.clone(), COMPLETE);
    assert_eq!(addresses(&cleaned), ["a@x.test", "b@x.test", "d@x.test", "bare@site.test"]);
    let skip = Skip { mappings: true, ..Skip::default() };
    many.envelope.recipients.truncate(1);
    let cleaned = clean(settings, Intake { skip, ..many }, COMPLETE);
    assert_eq!(addresses(&cleaned), ["list@x.test"]);
}

#[test]
fn success_notices_end_at_an_alias() {
    let mut asked = intake();
    let success = Notify { success: true, ..Notify::default() };
    asked.envelope.recipients = vec![Recipient { notify: success, ..Recipient::new("list@x.test") }];
    let cleaned =
        clean("virtual_alias_maps = inline:{ {list@x.test=a@x.test b@x.test} }\n", asked.clone(), COMPLETE);
    assert!(
        cleaned.envelope.recipients.iter().all(|to| to.notify == Notify { never: true, ..Notify::default() })
    );
    assert_eq!(cleaned.expanded.len(), 1);
    let cleaned = clean("virtual_alias_maps = inline:{list@x.test=list@x.test}\n", asked, COMPLETE);
    assert_eq!((cleaned.envelope.recipients[0].notify, cleaned.expanded.len()), (success, 0));
}

#[test]
fn copies_are_sent() {
    let settings = "always_bcc = archive\nsender_bcc_maps = inline:{s@x.test=sbcc@x.test}\n\
                    recipient_bcc_maps = inline:{z@x.test=rbcc@x.test}\n";
    let cleaned = clean(settings, intake(), COMPLETE);
    assert_eq!(addresses(&cleaned), ["sbcc@x.test", "z@x.test", "rbcc@x.test", "archive@site.test"]);
    let never: Vec<_> = cleaned.envelope.recipients.iter().map(|recipient| recipient.notify.never).collect();
    assert_eq!(never, [true, false, true, true]);
    let skip = Skip { bcc: true, ..Skip::default() };
    assert_eq!(addresses(&clean(settings, Intake { skip, ..intake() }, COMPLETE)), ["z@x.test"]);
}

#[test]
fn mailer_daemon_is_nobody() {
    for (sender, kept) in [
        ("MAILER-DAEMON", ""),
        ("mailer-daemon@site.test", ""),
        ("mailer-daemon@x.test", "mailer-daemon@x.test"),
        ("joe", "joe@site.test"),
    ] {
        let mut from = intake();
        from.envelope.sender = sender.into();
        assert_eq!(clean("", from, COMPLETE).envelope.sender.as_str(), kept);
    }
}

#[test]
fn refusals() {
    let nobody = || {
        let mut nobody = intake();
        nobody.envelope.recipients.clear();
        nobody
    };
    let received = "Received: x\n".repeat(5);
    for (settings, intake, content, code, status) in [
        ("hopcount_limit = 6\n", intake(), received.as_str(), 554, "5.4.0"),
        ("message_size_limit = 100\n", intake(), &"x".repeat(101), 552, "5.3.4"),
        ("", nobody(), COMPLETE, 550, "5.1.0"),
        ("message_reject_characters = \\0\n", intake(), "Subject: a\0\n\n", 550, "5.7.1"),
        ("virtual_alias_maps = fail:x\n", intake(), COMPLETE, 451, "4.3.0"),
        ("canonical_maps = fail:x\n", intake(), COMPLETE, 451, "4.3.0"),
        ("recipient_bcc_maps = fail:x\n", intake(), COMPLETE, 451, "4.3.0"),
        (
            "virtual_alias_maps = inline:{z@x.test=y@x.test y@x.test=z@x.test}\n",
            intake(),
            COMPLETE,
            451,
            "4.6.0",
        ),
    ] {
        let refusal = clean_in_steps(settings, intake, content.as_bytes(), 50).unwrap_err();
        assert_eq!(
            (refusal.smtp_code(), refusal.status().to_string().as_str()),
            (code, status),
            "{settings}"
        );
    }
    assert!(clean_in_steps("hopcount_limit = 7\n", intake(), received.as_bytes(), 50).is_ok());
}

#[test]
fn characters_are_cleaned() {
    let cleaned = clean("message_strip_characters = \\0\n", intake(), &format!("{COMPLETE}\na\0b\rc\n"));
    assert_eq!(text(&cleaned), format!("Received: by us\n{COMPLETE}\nab c\n"));
}

#[test]
fn the_need_for_extensions_is_found_out() {
    let utf8 = COMPLETE.replace("s@", "\u{e9}@");
    let asked = |origin: &str, asked| {
        let mut asked_for = intake();
        asked_for.envelope.smtputf8 = asked;
        asked_for.envelope.origin = origin.into();
        asked_for
    };
    for (origin, said, content, needed) in [
        ("smtpd", true, utf8.as_str(), true),
        ("smtpd", true, COMPLETE, false),
        ("smtpd", false, &utf8, false),
        ("pickup", false, &utf8, true),
    ] {
        assert_eq!(clean("", asked(origin, said), content).envelope.smtputf8, needed, "{origin} {said}");
    }
    let eight = clean("", intake(), &format!("{COMPLETE}Content-Transfer-Encoding: 8bit\n\n"));
    assert_eq!(eight.envelope.body_type, BodyType::EightBitMime);
}

/// Acts on lines that begin with its word.
struct Watcher(&'static str, Action);

impl Visitor for Watcher {
    fn header<'a>(&'a mut self, _part: Part, field: &'a [u8]) -> Visit<'a> {
        self.line(0, field)
    }

    fn body_limit(&self) -> u64 {
        u64::MAX
    }

    fn line<'a>(&'a mut self, _offset: u64, line: &'a [u8]) -> Visit<'a> {
        let action = if line.starts_with(self.0.as_bytes()) { self.1.clone() } else { Action::Keep };
        Visit::Ready(Ok(action))
    }
}

fn watched(word: &'static str, action: Action) -> Result<Clean<Vec<u8>>, Refusal> {
    let cleaner = cleaner("");
    now(async {
        let mut cleaning = cleaner.begin(intake(), Vec::new()).await?;
        cleaning.watch(Box::new(Watcher(word, action)));
        for chunk in format!("X-Mark: 1\n{COMPLETE}\nX-Mark: body\nlast").as_bytes().chunks(5) {
            cleaning.feed(chunk).await?;
        }
        cleaning.finish().await
    })
}

#[test]
fn visitors_are_obeyed() {
    let rest = format!("{COMPLETE}\n");
    for (word, action, expected) in [
        ("X-Mark", Action::Ignore, format!("{rest}last")),
        ("X-Mark", Action::Replace("X-New: 2".into()), format!("X-New: 2\n{rest}X-New: 2\nlast")),
        (
            "X-Mark",
            Action::Prepend("X-New: 2".into()),
            format!("X-New: 2\nX-Mark: 1\n{rest}X-New: 2\nX-Mark: body\nlast"),
        ),
        ("X-Mark", Action::Warn("careful".into()), format!("X-Mark: 1\n{rest}X-Mark: body\nlast")),
        ("last", Action::Strip(String::new()), format!("X-Mark: 1\n{rest}X-Mark: body\n")),
    ] {
        assert_eq!(text(&watched(word, action).unwrap()), format!("Received: by us\n{expected}"));
    }
    assert!(watched("X-Mark", Action::Hold(String::new())).unwrap().hold);
    assert!(watched("X-Mark", Action::Discard(String::new())).unwrap().discard);
    let redirected = watched("X-Mark", Action::Redirect("other@x.test".into())).unwrap();
    assert_eq!(addresses(&redirected), ["other@x.test"]);
    let copied = watched("X-Mark: 1", Action::Bcc("other@x.test".into())).unwrap();
    assert_eq!(addresses(&copied), ["z@x.test", "other@x.test"]);
    let filtered = watched("X-Mark", Action::Filter("smtp:[f]".into())).unwrap();
    assert_eq!(filtered.envelope.content_filter.as_deref(), Some("smtp:[f]"));
    for (said, code, status, say) in [
        ("", 550, "5.7.1", "message content rejected"),
        ("no spam", 550, "5.7.1", "no spam"),
        ("5.2.3 too loud", 550, "5.2.3", "too loud"),
        ("4.2.3 later", 451, "4.2.3", "later"),
    ] {
        let refusal = watched("X-Mark", Action::Reject(said.into())).unwrap_err();
        let status_is = refusal.status().to_string();
        assert_eq!((refusal.smtp_code(), status_is.as_str(), refusal.say.as_str()), (code, status, say));
    }
}

/// Writes down what it sees.
struct Witness(Arc<std::sync::Mutex<String>>);

impl Witness {
    fn note(&self, what: &str, text: &[u8]) -> Visit<'_> {
        let text = String::from_utf8_lossy(text).replace('\n', "|");
        self.0.lock().unwrap().push_str(&format!("{what} {text}\n"));
        Visit::Ready(Ok(Action::Keep))
    }
}

impl Visitor for Witness {
    fn header<'a>(&'a mut self, part: Part, field: &'a [u8]) -> Visit<'a> {
        self.note(&format!("{part:?}"), field)
    }

    fn body_limit(&self) -> u64 {
        u64::MAX
    }

    fn line<'a>(&'a mut self, offset: u64, line: &'a [u8]) -> Visit<'a> {
        self.note(&offset.to_string(), line)
    }
}

#[test]
fn visitors_see_the_headers_of_parts() {
    let message = "Subject: s\nContent-Type: multipart/mixed; boundary=b\n\nprolog\n--b\nContent-Type: message/rfc822\n\
                   X-Part: 1\n 2\n\nSubject: inner\n\ntext\n--b--\nepilog";
    let seen = "Primary Received: by us\nPrimary Subject: s\nMime Content-Type: multipart/mixed; boundary=b\n0 \n0 prolog\n\
                7 --b\nMime Content-Type: message/rfc822\nMime X-Part: 1| 2\nNested Subject: inner\n1 text\n\
                0 --b--\n6 epilog\n";
    let mut stranger = intake();
    stranger.envelope.rewrite_local = false;
    for step in [usize::MAX, 1, 10] {
        let (cleaner, notes) = (cleaner(""), Arc::<std::sync::Mutex<String>>::default());
        let cleaned = now(async {
            let mut cleaning = cleaner.begin(stranger.clone(), Vec::new()).await?;
            cleaning.watch(Box::new(Witness(notes.clone())));
            for chunk in message.as_bytes().chunks(step) {
                cleaning.feed(chunk).await?;
            }
            cleaning.finish().await
        });
        assert_eq!(text(&cleaned.unwrap()), format!("Received: by us\n{message}"));
        assert_eq!(*notes.lock().unwrap(), seen, "in pieces of {step}");
    }
}

#[test]
fn text_that_is_not_ascii_is_refused_where_it_is_not_declared() {
    let strict = cleaner("strict_8bitmime = yes\nstrict_mime_encoding_domain = yes\n");
    let ignoring = cleaner("strict_8bitmime = yes\ndisable_mime_input_processing = yes\n");
    for (message, refused) in [
        ("Subject: caf\u{e9}\n\nx\n", Some("improper use of 8-bit data in message header")),
        ("Subject: s\n\ncaf\u{e9}\n", Some("improper use of 8-bit data in message body")),
        ("Content-Transfer-Encoding: 8bit\n\ncaf\u{e9}\n", None),
        (
            "Content-Transfer-Encoding: 8bit\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ncaf\u{e9}\n",
            Some("improper use of 8-bit data in message body"),
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n\nx\n",
            Some("invalid message/* or multipart/* encoding domain"),
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\
             Content-Transfer-Encoding: quoted-printable\n\nx\n",
            Some("invalid message/* or multipart/* encoding domain"),
        ),
    ] {
        for step in [usize::MAX, 1, 7] {
            let clean = |cleaner: &Arc<Cleaner>, skip: Skip| {
                now(async {
                    let mut cleaning = cleaner.begin(Intake { skip, ..intake() }, Vec::new()).await?;
                    for chunk in message.as_bytes().chunks(step) {
                        // What is wrong is told again at the end.
                        let _ = cleaning.feed(chunk).await;
                    }
                    cleaning.finish().await
                })
            };
            match (clean(&strict, Skip::default()), refused) {
                (Ok(_), None) => {}
                (Err(refusal), Some(say)) => {
                    assert_eq!((refusal.status().to_string().as_str(), refusal.say.as_str()), ("5.6.0", say));
                }
                (other, _) => panic!("{message:?} in pieces of {step}: {:?}", other.map(|_| ())),
            }
            assert!(clean(&strict, Skip { checks: true, ..Skip::default() }).is_ok(), "{message:?}");
            assert!(clean(&ignoring, Skip::default()).is_ok(), "{message:?}");
        }
    }
}

#[test]
fn changes_in_parts_leave_the_rest_as_it_was() {
    let parts = "--b\nX-Mark: 1\n folded\nX-Other: 1\n\nX-Mark in text\n--b--\nX-Mark at last";
    for (action, expected) in [
        (Action::Ignore, "--b\nX-Other: 1\n\n--b--\n"),
        (Action::Replace("X-New: 2".into()), "--b\nX-New: 2\nX-Other: 1\n\nX-New: 2\n--b--\nX-New: 2"),
        (
            Action::Prepend("X-New: 2".into()),
            "--b\nX-New: 2\nX-Mark: 1\n folded\nX-Other: 1\n\nX-New: 2\nX-Mark in text\n--b--\nX-New: 2\nX-Mark at last",
        ),
        (Action::Pass(String::new()), parts),
    ] {
        for step in [usize::MAX, 1, 5] {
            let cleaner = cleaner("");
            let clean = now(async {
                let mut cleaning = cleaner.begin(intake(), Vec::new()).await?;
                cleaning.watch(Box::new(Watcher("X-Mark", action.clone())));
                let message = format!("{COMPLETE}Content-Type: multipart/mixed; boundary=b\n\n{parts}");
                for chunk in message.as_bytes().chunks(step) {
                    cleaning.feed(chunk).await?;
                }
                cleaning.finish().await
            });
            let text = text(&clean.unwrap());
            let (_, body) = text.split_once("\n\n").unwrap();
            assert_eq!(body, expected, "{action:?} in pieces of {step}");
        }
    }
}

/// Bits of headers and bodies that meet in unlucky ways.
const BITS: &[&str] = &[
    "To: ",
    "From:",
    "\n",
    "\n",
    " ",
    "\t",
    "a",
    "@",
    "<",
    ">",
    "(",
    ")",
    "\"",
    "\\",
    ",",
    ";",
    ":",
    ".",
    "!",
    "%",
    "\0",
    "[",
    "]",
    "From ",
    "Resent-To: x\n",
    "Content-Type: multipart/mixed; boundary=b\n",
    "--b\n",
    "Received: q\n",
    "host.d",
    "a word that is longer than the longest header of this test may ever become",
];

#[test]
fn any_content_in_any_pieces_gives_the_same() {
    let cleaner =
        cleaner("header_size_limit = 60\nheader_address_token_limit = 20\nmasquerade_domains = d\n");
    // A xorshift generator: the same messages in every run.
    let mut seed = 88_172_645_463_325_252_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap()
    };
    for _ in 0..500 {
        let message: String = (0..random(40)).map(|_| BITS[random(BITS.len())]).collect();
        let clean_in = |step: usize| {
            now(async {
                let mut cleaning = cleaner.begin(intake(), Vec::new()).await?;
                for chunk in message.as_bytes().chunks(step) {
                    cleaning.feed(chunk).await?;
                }
                cleaning.finish().await
            })
            .unwrap()
        };
        let (whole, pieces) = (clean_in(usize::MAX), clean_in(1 + random(30)));
        assert_eq!(text(&whole), text(&pieces), "{message:?}");
        assert_eq!(whole.envelope, pieces.envelope, "{message:?}");
    }
}
