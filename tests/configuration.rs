//! Wrong configurations are told in one go, with file and line; a running program keeps what works.

use testbed::{Client, Site, address, wait};

#[test]
fn every_mistake_is_told_at_once_with_file_and_line() {
    let site = Site::new("mx.test")
        .set("message_size_limit", "a lot")
        .set("canonical_maps", "regexp:$config_directory/checks")
        .set("virtual_alias_maps", "hsh:$config_directory/aliases")
        .set("myorigin", "${unclosed")
        .set("smtpd_helo_restrictions", "reject_nonsense")
        .set("transport_maps", "texthash:$config_directory/transport")
        .file("checks", "/^old@/ new@box.test\n/([/ x\n")
        .file("transport", "example.test smtp:[127.0.0.1]\nonly-a-key\n")
        .service("odd unix - n n - - no-such-daemon")
        .service("short unix - n n")
        .service("strange sctp - n n - - smtpd");
    site.write();
    let said = site.run_with("postfix", &["check"], b"");
    assert_eq!(said.status, 1, "{said:?}");
    let line = |file: &str, text: &str| {
        let content = std::fs::read_to_string(site.conf().join(file)).expect("it was written");
        let number = content.lines().position(|line| line.contains(text)).expect("it was written") + 1;
        format!("{file}, line {number}: ")
    };
    for (place, parts) in [
        (line("main.cf", "message_size_limit"), ["message_size_limit", "a lot"]),
        (line("main.cf", "virtual_alias_maps"), ["virtual_alias_maps", "hsh"]),
        (line("main.cf", "myorigin"), ["myorigin", ""]),
        (line("main.cf", "smtpd_helo_restrictions"), ["smtpd_helo_restrictions", "reject_nonsense"]),
        (line("checks", "([")[..].to_owned(), ["", ""]),
        (line("transport", "only-a-key"), ["", ""]),
        (line("master.cf", "odd "), ["odd", "no-such-daemon"]),
        (line("master.cf", "short "), ["", ""]),
        (line("master.cf", "strange "), ["sctp", ""]),
    ] {
        let told = said
            .err
            .lines()
            .any(|told| told.contains(&place) && parts.iter().all(|part| told.contains(part)));
        assert!(told, "{place:?} {parts:?} in\n{}", said.err);
    }
}

#[test]
fn a_configuration_that_is_wrong_does_not_start_and_says_why() {
    let site = Site::new("mx.test").service("short unix - n n");
    site.write();
    let said = site.run_with("postfix", &["start-fg"], b"");
    assert_eq!(said.status, 1, "{said:?}");
    assert!(said.err.contains("master.cf, line ") && said.err.contains("short"), "{said:?}");
}

#[test]
fn reload_with_a_broken_configuration_keeps_the_old_one_and_says_so() {
    let mut mx = Site::new("mx.test").start();
    mx.rewrite(|site| {
        site.change("smtpd_banner", "$myhostname ESMTP new");
        site.change("smtpd_relay_restrictions", "permit_mynetworks, reject_everything_wrong");
    });
    let said = mx.reload();
    assert_eq!(said.status, 1, "{said:?}");
    assert!(said.err.contains("reject_everything_wrong") && said.err.contains("main.cf, line "), "{said:?}");
    assert!(said.err.contains("keeps the one it has"), "{said:?}");
    assert_eq!(banner(&mx), "220 mx.test ESMTP Postfix");

    // Whoever signals without asking first is told in the log.
    mx.signal(nix::sys::signal::Signal::SIGHUP);
    mx.wait_log(&["error: ", "main.cf, line ", "reject_everything_wrong"]);
    mx.wait_log(&["error: reload: the new configuration has errors; the old one stays in force"]);
    assert_eq!(banner(&mx), "220 mx.test ESMTP Postfix");
    mx.send("a@mx.test", &["bob@box.test"], "Subject: still here\n\nx\n");
    mx.maildir("bob").one();
}

/// What the server greets with.
pub fn banner(mx: &testbed::Instance) -> String {
    let mut client = Client::connect(mx.smtp()).expect("it listens");
    let greeting = client.reply().text;
    client.ask("QUIT");
    greeting
}

#[test]
fn reload_with_a_good_configuration_takes_effect_and_open_sessions_go_on() {
    let mut mx = Site::new("mx.test").start();
    let mut open = mx.client();
    open.hello();
    open.expect(250, "MAIL FROM:<a@mx.test>");
    let second = address();
    mx.rewrite(|site| {
        site.change("smtpd_banner", "$myhostname ESMTP new");
        site.change("virtual_mailbox_maps", "inline:{new@box.test=new/ bob@box.test=bob/}");
    });
    mx.rewrite(|site| {
        let taken = std::mem::replace(site, Site::bare(second));
        *site = taken.service(&format!("{}:{} inet n - n - - smtpd", second.ip(), second.port()));
    });
    let said = mx.reload();
    assert_eq!(said.status, 0, "{said:?}");
    wait::until("the new greeting", || (banner(&mx) == "220 mx.test ESMTP new").then_some(()));
    wait::until("the new service", || Client::connect(second).ok());

    open.expect(250, "RCPT TO:<bob@box.test>");
    open.expect(354, "DATA");
    open.send(b"Subject: old session\r\n\r\nx\r\n.\r\n");
    assert_eq!(open.reply().code, 250);
    assert!(mx.maildir("bob").one().contains("Subject: old session\n"));
    mx.send("a@mx.test", &["new@box.test"], "Subject: new user\n\nx\n");
    assert!(mx.maildir("new").one().contains("Subject: new user\n"));
}

#[test]
fn what_is_set_and_has_no_effect_or_is_not_known_is_named() {
    let site = Site::new("mx.test")
        .set("qmgr_fudge_factor", "50")
        .set("smtpd_tls_dh1024_param_file", "/etc/dh.pem")
        .set("smtpd_recipient_restrictionz", "reject");
    site.write();
    let said = site.run_with("postfix", &["check"], b"");
    for name in ["smtpd_tls_dh1024_param_file", "smtpd_recipient_restrictionz"] {
        assert!(
            said.err.lines().any(|line| line.contains("main.cf, line ") && line.contains(name)),
            "{name} in {said:?}"
        );
    }
    let known = site.run_with("postconf", &["-n"], b"");
    assert!(known.out.contains("qmgr_fudge_factor = 50\n"), "{known:?}");
}

#[test]
fn files_in_conf_d_are_a_configuration_without_main_cf() {
    let site = Site::new("mx.test");
    site.write();
    let main = std::fs::read_to_string(site.conf().join("main.cf")).expect("it was written");
    std::fs::remove_file(site.conf().join("main.cf")).expect("it was written");
    site.put("conf.d/10-base.conf", &main);
    site.put("conf.d/50-banner.conf", "smtpd_banner = first\n");
    site.put("conf.d/60-banner.cf", "smtpd_banner = $myhostname\n  from two files\n");
    site.put("conf.d/70-banner.off", "smtpd_banner = never read\n");
    let site = Site::from_files(site);
    let mx = site.start();
    assert_eq!(banner(&mx), "220 mx.test  from two files");
    mx.send("a@mx.test", &["bob@box.test"], "Subject: conf.d\n\nx\n");
    mx.maildir("bob").one();
    // A mistake in one of them is told with its own name.
    mx.site().put("conf.d/55-wrong.conf", "\n\nthis is no setting\n");
    let said = mx.run("postfix", &["check"]);
    assert!(said.err.contains("conf.d/55-wrong.conf, line 3: "), "{said:?}");
}

#[test]
fn postconf_and_a_changed_setting_meet_in_the_running_program() {
    let mx = Site::new("mx.test").start();
    let said = mx.run("postconf", &["-e", "smtpd_banner = by postconf"]);
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(mx.run("postconf", &["-h", "smtpd_banner"]).out, "by postconf\n");
    assert_eq!(mx.reload().status, 0);
    wait::until("the new greeting", || (banner(&mx) == "220 by postconf").then_some(()));
    assert_eq!(mx.run("postfix", &["status"]).status, 0);
}

#[test]
fn a_changed_table_is_seen_without_a_reload() {
    let mut site = Site::new("mx.test").file("aliases", "old@box.test bob@box.test\n");
    site.change("virtual_alias_maps", "hash:$config_directory/aliases");
    let mx = site.start();
    mx.send("a@mx.test", &["old@box.test"], "Subject: one\n\nx\n");
    mx.maildir("bob").wait_for(1);
    mx.site().put("aliases", "old@box.test carol@box.test\n");
    assert_eq!(mx.run("postmap", &["aliases"]).status, 1, "a name is relative to where one stands");
    let path = mx.site().conf().join("aliases");
    assert_eq!(mx.run("postmap", &[path.to_str().expect("plain text")]).status, 0);
    wait::until("the new alias", || {
        mx.send("a@mx.test", &["old@box.test"], "Subject: two\n\nx\n");
        std::thread::sleep(std::time::Duration::from_millis(200));
        (!mx.maildir("carol").messages().is_empty()).then_some(())
    });
}
