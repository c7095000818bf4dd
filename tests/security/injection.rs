//! Bytes with a meaning somewhere, in places where they have none.

use std::fs;
use std::process::Command;

use testbed::{Answer, Instance, Sink, Site, wait};

/// Every line of the log is a whole line of the program, in printable bytes.
fn assert_sound_log(mx: &Instance) {
    for line in mx.log().lines() {
        assert!(line.contains(" postfix/"), "a line of its own: {line:?}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

/// Security list, item 8.
#[test]
fn control_characters_in_commands_reach_neither_log_nor_envelope_nor_message() {
    let mx =
        Site::new("mx.test").set("smtpd_error_sleep_time", "0").set("smtpd_hard_error_limit", "1000").start();
    for odd in ["\r", "\0", "\x1b[2J", "\x7f", "\r\0", "\x0bX"] {
        let mut client = mx.client();
        client.expect(250, "EHLO \x1b]0;owned\x07\x08.test");
        for line in [
            format!("MAIL FROM:<a{odd}b@x.test>"),
            format!("MAIL FROM:<\"a{odd}b\"@x.test>"),
            format!("MAIL FROM:<a@x{odd}.test>"),
        ] {
            let reply = client.try_ask(&line);
            assert!(reply.is_ok(), "{line:?}: {reply:?}\n{}", mx.log());
            for line in [format!("RCPT TO:<bob{odd}@box.test>"), format!("RCPT TO:<bob@box{odd}.test>")] {
                client.ask(&line);
            }
            client.expect(250, "RSET");
        }
        // For most of them the program ends the session.
        client.ask(&format!("{odd}BOGUS {odd}"));
    }
    let mut client = mx.client();
    let reply = client.deliver("a@x.test", &["bob@box.test"], "Subject: one\n\nx\n");
    assert_eq!(reply.code, 250, "{reply:?}");
    let message = mx.maildir("bob").one();
    assert!(!message.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')), "{message:?}");
    client.ask("QUIT");
    mx.wait_log(&["disconnect from"]);
    assert_sound_log(&mx);
}

/// Security list, item 8.
#[test]
fn line_ends_in_arguments_of_sendmail_make_no_new_header_recipient_or_record() {
    let mx = Site::new("mx.test").start();
    for arguments in [
        &["-i", "-f", "a\nX-Evil: yes@x.test", "bob@box.test"][..],
        &["-i", "-F", "Full\nX-Evil: yes", "bob@box.test"],
        &["-i", "-V", "id\nX-Evil: yes", "bob@box.test"],
        &["-i", "-f", "a@x.test", "bob@box.test", "ann\nX-Evil: yes@box.test"],
        &["-i", "-r", "a@x.test\0", "bob@box.test"][..4],
    ] {
        if arguments.iter().any(|argument| argument.contains('\0')) {
            continue;
        }
        mx.run_with("sendmail", arguments, b"Subject: x\n\nbody\n");
    }
    mx.run_with("sendmail", &["-i", "bob@box.test"], b"Subject: last\n\nbody\n");
    let all = wait::until("the last message", || {
        let all = mx.maildir("bob").messages();
        all.iter().any(|message| message.contains("Subject: last\n")).then_some(all)
    });
    for message in all {
        assert!(!message.lines().any(|line| line.starts_with("X-Evil")), "{message}");
    }
    assert_sound_log(&mx);
}

/// Security list, item 8.
#[test]
fn recipients_are_words_and_no_shell_lines_in_pipe_transports_and_alias_commands() {
    if !testbed::neighbour::root() {
        return;
    }
    let site = Site::new("mx.test");
    let out = site.folder("out");
    let dir = out.display().to_string();
    let tell = site.script(
        "tell",
        &format!("for word; do printf '<%s>\\n' \"$word\"; done >> {dir}/words; cat > /dev/null"),
    );
    let alias = site.script(
        "alias",
        &format!("printf '<%s>\\n' \"$LOCAL\" \"$EXTENSION\" \"$SENDER\" >> {dir}/words; cat > /dev/null"),
    );
    let mx = site
        .set("recipient_delimiter", "+")
        .set("transport_maps", "inline:{pipe.test=tell:}")
        .set("alias_maps", &format!("inline:{{{{cmd=|{}}}}}", alias.display()))
        .service(&format!("tell unix - n n - - pipe user=nobody argv={} ${{recipient}} ${{user}} ${{extension}} -- ${{sender}}", tell.display()))
        .start();
    let evil = [
        "a;touch${IFS}pwned",
        "$(touch pwned)",
        "`touch pwned`",
        "x|touch pwned",
        "x&touch pwned&",
        "$recipient${sender}",
        "' touch pwned '",
        ">pwned",
        "$(id)`id`",
    ];
    let mut client = mx.client();
    client.hello();
    for evil in evil {
        let reply = client.try_deliver(
            &format!("\"{evil}\"@x.test"),
            &[&format!("\"{evil}\"@pipe.test"), &format!("\"cmd+{evil}\"@mx.test")],
            "Subject: x\n\nx\n",
        );
        assert_eq!(reply.expect("the server listens").code, 250, "{evil}");
    }
    let sent = || (mx.log().matches("status=sent").count() == 2 * evil.len()).then_some(());
    assert!(wait::within(wait::LIMIT, sent).is_some(), "{}", mx.log());
    let words = fs::read_to_string(out.join("words")).expect("the commands ran");
    for evil in &evil {
        assert!(
            words.contains(&format!("<{evil}>\n")) || words.contains(&format!("<\"{evil}\"@pipe.test>\n")),
            "{evil} in {words}"
        );
    }
    // What a command substitution would have given, and what a file would be called.
    assert!(!words.contains("uid="), "a shell has seen a recipient: {words}");
    let found =
        Command::new("find").arg(mx.site().path()).args(["-name", "pwned"]).output().expect("find is there");
    assert!(found.stdout.is_empty(), "a shell has seen a recipient: {found:?}");
}

/// Security list, item 8.
#[test]
fn a_recipient_that_looks_like_an_option_is_refused() {
    let mx = Site::new("mx.test").set("smtpd_error_sleep_time", "0").start();
    let mut client = mx.client();
    client.hello();
    client.expect(250, "MAIL FROM:<a@x.test>");
    for option in ["-oQ/tmp@box.test", "\"-f\"@box.test", "-bob@mx.test"] {
        let reply = client.ask(&format!("RCPT TO:<{option}>"));
        assert!(reply.code >= 500, "{option}: {reply:?}");
    }
}

/// Security list, item 8.
#[test]
fn what_a_table_gives_back_for_a_hostile_key_is_no_address_list_of_the_attacker() {
    // The parts of a key are put into the value as they are; quotes keep them one address.
    let mx = Site::new("mx.test")
        .set("virtual_alias_maps", "pcre:{{/^list-(.*)@box\\.test$$/ $$1@box.test}}")
        .set("smtpd_error_sleep_time", "0")
        .start();
    let mut client = mx.client();
    client.hello();
    client.expect(250, "MAIL FROM:<ann@box.test>");
    for hostile in ["\"list-u0@box.test, u1\"@box.test", "\"list-u0@box.test u1\"@box.test"] {
        client.ask(&format!("RCPT TO:<{hostile}>"));
    }
    client.expect(250, "RCPT TO:<list-u2@box.test>");
    client.expect(354, "DATA");
    client.send(b"Subject: x\r\n\r\nx\r\n.\r\n");
    assert_eq!(client.reply().code, 250);
    mx.maildir("u2").one();
    assert_sound_log(&mx);
}

/// Security list, item 8.
#[test]
fn a_notice_quotes_hostile_texts_without_letting_them_out_of_their_line() {
    let sink = Sink::scripted(|line| {
        line.starts_with("RCPT").then_some(Answer::Say("550 5.1.1 no\x1b[2J\0\rAction: delivered\x07"))
    });
    let mx = Site::new("mx.test").set("relayhost", &sink.nexthop()).start();
    let mut client = mx.client();
    client.hello();
    client.expect(501, "MAIL FROM:<bob@box.test> ENVID=id+0D+0AX-Evil:+20yes");
    client.expect(250, "MAIL FROM:<bob@box.test> ENVID=id+2B+3D");
    client.expect(501, "RCPT TO:<x@far.test> ORCPT=rfc822;a+0D+0AX-Evil:+20yes");
    client.expect(250, "RCPT TO:<x@far.test>");
    client.expect(354, "DATA");
    client.send(b"Subject: x\r\n\r\nx\r\n.\r\n");
    assert_eq!(client.reply().code, 250);
    let notice = mx.maildir("bob").one();
    for line in notice.lines() {
        assert!(!line.starts_with("X-Evil") && !line.starts_with("Action: delivered"), "{notice}");
        assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "{line:?}");
    }
    assert!(notice.contains("Action: failed\n"), "{notice}");
    assert_sound_log(&mx);
}
