//! Viruses: the real clamd, with one signature of our own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use testbed::{Kept, Site, neighbour, wait};

/// In two halves, so that nobody's scanner takes this file for what it is about.
const EICAR: [&str; 2] = [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR", "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"];

#[test]
fn clamd_finds_what_comes_in() {
    let Some([clamd]) = neighbour::installed(["clamd"]) else { return };
    let folder = tempfile::tempdir().expect("/tmp is there");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir(path("signatures")).expect("it is ours");
    let hex: String = EICAR.concat().bytes().map(|byte| format!("{byte:02x}")).collect();
    fs::write(path("signatures/own.ndb"), format!("Own.Eicar:0:*:{hex}\n")).expect("it is ours");
    let settings = format!(
        "DatabaseDirectory {}\nLocalSocket {}\nForeground yes\nLocalSocketMode 666\n",
        path("signatures"),
        path("socket")
    );
    fs::write(path("clamd.conf"), settings).expect("it is ours");
    let child = Command::new(clamd)
        .args(["-c", &path("clamd.conf")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let _clamd = Kept::new(child);
    wait::until("clamd", || std::os::unix::net::UnixStream::connect(path("socket")).ok());
    let site = || Site::new("mx.test").set("clamd_service", &format!("unix:{}", path("socket")));
    let sick = format!("Subject: sick\r\n\r\n{}\r\n.", EICAR.concat());

    let mx = site().start();
    mx.send("a@x.test", &["bob@box.test"], "Subject: well\n\ntext\n");
    assert!(mx.maildir("bob").one().contains("Subject: well"));
    let mut client = mx.client();
    client.hello();
    for step in ["MAIL FROM:<a@x.test>", "RCPT TO:<bob@box.test>"] {
        client.expect(250, step);
    }
    client.expect(354, "DATA");
    let reply = client.ask(&sick);
    assert_eq!(reply.code, 554, "{}", reply.text);
    assert!(reply.text.contains("5.7.1 message has a virus: Own.Eicar"), "{}", reply.text);
    mx.wait_log(&["reject: END-OF-MESSAGE: 5.7.1 message has a virus: Own.Eicar"]);

    let mx = site().set("virus_action", "quarantine").start();
    let mut client = mx.client();
    client.hello();
    for step in ["MAIL FROM:<a@x.test>", "RCPT TO:<bob@box.test>"] {
        client.expect(250, step);
    }
    client.expect(354, "DATA");
    assert_eq!(client.ask(&sick).code, 250);
    let queue = mx.run("postqueue", &["-j"]);
    assert!(queue.out.contains("\"queue_name\": \"hold\""), "{queue:?}");
}
