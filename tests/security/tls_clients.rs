//! What administrators look at TLS with finds nothing wrong: openssl s_client, swaks and testssl.sh.

use std::process::{Command, Stdio};

use testbed::{Address, Instance, Site, address, kept, neighbour};

/// One server with every port that speaks TLS: for each its address and how s_client begins there.
fn site() -> (Instance, Vec<(Address, &'static str)>) {
    let places =
        [(address(), ""), (address(), "imap"), (address(), ""), (address(), "pop3"), (address(), "")];
    let line = |n: usize, command: &str| {
        let (at, _) = &places[n];
        format!("{}:{} inet n - n - - {command}", at.ip(), at.port())
    };
    let (uid, gid) = testbed::mailbox_owner();
    let site = Site::new("mx.test").with_tls("mx.test");
    let users = site.put("users", "");
    let mx = site
        .set("passdb", &format!("passwd-file:{}", users.display()))
        .set("userdb", &format!("passwd-file:{}", users.display()))
        .set("mail_uid", &uid.to_string())
        .set("mail_gid", &gid.to_string())
        .service(&line(0, "smtpd -o smtpd_tls_wrappermode=yes"))
        .service(&line(1, "imapd"))
        .service(&line(2, "imapd -o ssl_wrappermode=yes"))
        .service(&line(3, "pop3d"))
        .service(&line(4, "pop3d -o ssl_wrappermode=yes"))
        .start();
    let all = std::iter::once((mx.smtp(), "smtp")).chain(places).collect();
    (mx, all)
}

fn said(command: &mut Command) -> (bool, String) {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = kept::outcome(command.spawn().expect("it starts"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn openssl_s_client_finds_good_tls_on_every_port() {
    let Some([openssl]) = neighbour::installed(["openssl"]) else { return };
    let (mx, places) = site();
    let authority = mx.site().authority();
    let ask = |(at, begin): (Address, &str), arguments: &[&str]| {
        let mut command = Command::new(&openssl);
        command.args(["s_client", "-connect", &at.to_string(), "-servername", "mx.test"]);
        command.args(["-verify_return_error", "-verify_hostname", "mx.test", "-CAfile"]).arg(&authority);
        if !begin.is_empty() {
            command.args(["-starttls", begin]);
        }
        said(command.args(arguments)).1
    };
    let weak = "ALL:COMPLEMENTOFALL:!AESGCM:!CHACHA20:@SECLEVEL=0";
    for place in &places {
        for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
            let text = ask(*place, &[version]);
            assert!(
                text.contains("Verification: OK") && text.contains(&format!("New, {name}, Cipher is ")),
                "{text}"
            );
            assert!(text.contains("Compression: NONE"), "{text}");
        }
        assert!(ask(*place, &["-tls1_2"]).contains("Secure Renegotiation IS supported"));
        for old in [
            &["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"][..],
            &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"],
            &["-tls1_2", "-cipher", weak],
        ] {
            let text = ask(*place, old);
            assert!(text.contains("Cipher is (NONE)"), "{old:?}: {text}");
        }
    }
    // A session goes on where it began, and nowhere else.
    let session = mx.site().path().join("session").display().to_string();
    assert!(ask(places[1], &["-tls1_2", "-sess_out", &session]).contains("New, TLSv1.2"));
    assert!(ask(places[1], &["-tls1_2", "-sess_in", &session]).contains("Reused, TLSv1.2"));
    for other in [places[0], places[3], places[5]] {
        let text = ask(other, &["-tls1_2", "-sess_in", &session]);
        assert!(text.contains("New, TLSv1.2") && text.contains("Verification: OK"), "{other:?}: {text}");
    }
}

#[test]
fn swaks_speaks_tls() {
    let Some([swaks]) = neighbour::installed(["swaks"]) else { return };
    let (mx, places) = site();
    for (at, how) in [(mx.smtp(), "--tls"), (places[1].0, "--tls-on-connect")] {
        let mut command = Command::new(&swaks);
        command.args(["--server", &at.ip().to_string(), "--port", &at.port().to_string(), how]);
        command.args([
            "--tls-sni",
            "mx.test",
            "--from",
            "a@x.test",
            "--to",
            "bob@box.test",
            "--timeout",
            "30",
        ]);
        let (well, text) = said(&mut command);
        assert!(well && text.contains("TLS started with cipher TLSv1.3"), "{text}");
    }
    mx.maildir("bob").wait_for(2);
}

#[test]
fn testssl_finds_no_fault() {
    let Some([testssl, _]) = neighbour::installed(["testssl", "hexdump"]) else { return };
    let (mx, _) = site();
    let found = mx.site().path().join("found.json");
    let mut command = Command::new(testssl);
    command.args(["--warnings", "off", "--quiet", "--color", "0", "-n", "none", "--severity", "LOW"]);
    // Protocols, ciphers, and what has a name: CCS, Ticketbleed, POODLE, fallback, SWEET32, BEAST, DROWN, FREAK, LOGJAM, RC4.
    command.args(["-p", "-s", "-I", "-T", "-O", "-Z", "-W", "-A", "-D", "-F", "-J", "-4", "--jsonfile"]);
    command.arg(&found).args(["-t", "smtp", &mx.smtp().to_string()]);
    let (_, told) = said(&mut command);
    assert!(told.contains("TLS 1.3    offered (OK)"), "{told}");
    let found = std::fs::read_to_string(&found).unwrap_or_default();
    for severity in ["LOW", "MEDIUM", "HIGH", "CRITICAL"] {
        assert!(!found.contains(&format!("\"severity\"    : \"{severity}\"")), "{found}\n{told}");
    }
}
