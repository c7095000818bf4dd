//! What users of this machine try: the maildrop, the sockets, files that are not theirs, and loops of their making.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use testbed::{Instance, Site, neighbour, wait};

/// Security list, item 19.
#[test]
fn sockets_that_command_the_queue_are_for_its_owner_alone() {
    let mx = Site::new("mx.test").start();
    let queue = mx.site().path().join("queue");
    let mut open_to_all = Vec::new();
    let mut todo = vec![queue.clone()];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(&directory).expect("it is there").flatten() {
            let meta = entry.metadata().expect("it is there");
            if meta.is_dir() {
                todo.push(entry.path());
            } else if meta.mode() & 0o002 != 0 {
                open_to_all.push(entry.path().strip_prefix(&queue).expect("below it").to_owned());
            }
        }
    }
    open_to_all.sort();
    let names: Vec<String> = open_to_all.iter().map(|path| path.display().to_string()).collect();
    // These ask who is there, and take mail or show the queue as authorized_*_users say.
    for name in &names {
        assert!(name.starts_with("public/"), "everybody may write {name}; of {names:?}");
    }
    let journal = fs::metadata(queue.join("journal")).expect("it is there");
    assert_eq!(journal.mode() & 0o007, 0, "others may look into the journal");
}

/// A command as another user runs it: how it ended, and what it wrote to standard error.
fn run_as(mx: &Instance, uid: u32, words: &[&str]) -> (bool, String) {
    // Nobody else may look to where the program was built.
    let program = mx.site().path().join("facteur");
    if !program.exists() {
        fs::copy(testbed::program(), &program).expect("there is room for it");
    }
    let mut command = Command::new(program);
    command.args(words).env("MAIL_CONFIG", mx.site().conf()).uid(uid).current_dir("/");
    let output = testbed::kept::outcome(
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts"),
    );
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn who_is_not_listed_neither_sees_nor_flushes_the_queue() {
    if !neighbour::root() {
        return;
    }
    let (daemon, nobody) = (1, 65_534);
    let mx = Site::new("mx.test")
        .set("authorized_mailq_users", "nobody")
        .set("authorized_flush_users", "!nobody, static:anyone")
        .start();
    for (uid, words, good) in [
        (nobody, ["postqueue", "-p"], true),
        (nobody, ["postqueue", "-f"], false),
        (daemon, ["postqueue", "-p"], false),
        (daemon, ["postqueue", "-f"], true),
        (daemon, ["sendmail", "-q"], true),
        (nobody, ["sendmail", "-q"], false),
    ] {
        let (done, said) = run_as(&mx, uid, &words);
        assert_eq!(done, good, "{uid} {words:?}: {said}");
        let told = ["is not allowed to view the mail queue", "is not allowed to flush the mail queue"];
        assert_eq!(told.iter().any(|text| said.contains(text)), !good, "{uid} {words:?}: {said}");
    }
}

/// Security list, item 19.
#[test]
fn nonsense_at_the_socket_of_sendmail_is_refused_and_harms_nobody() {
    let mx = Site::new("mx.test").start();
    let socket = mx.site().path().join("queue/public/pickup");
    let huge_count = [b"facteur submission 1\n".as_slice(), &[0xff; 64]].concat();
    for nonsense in [b"".as_slice(), b"GET / HTTP/1.0\r\n\r\n", &[0; 100_000], &huge_count] {
        let mut stream = UnixStream::connect(&socket).expect("it listens");
        stream.set_read_timeout(Some(wait::LIMIT)).expect("a limit above zero");
        let _ = stream.write_all(nonsense);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("-4"), "{answer}");
    }
    let said = mx.run_with("sendmail", &["-f", "a@mx.test", "bob@box.test"], b"Subject: after\n\nx\n");
    assert_eq!(said.status, 0, "{said:?}");
    mx.maildir("bob").one();
}

/// Security list, item 19.
#[test]
fn what_does_not_belong_into_the_maildrop_is_neither_followed_nor_sent() {
    let mut mx = Site::new("mx.test").start();
    mx.stop();
    let drop = mx.site().path().join("queue/maildrop");
    let secret = mx.site().put("secret", "Subject: secret\n\nnobody must read this\n");
    symlink(&secret, drop.join("link")).expect("it is ours");
    fs::create_dir(drop.join("directory")).expect("it is ours");
    fs::write(drop.join("garbage"), [0xff; 1000]).expect("it is ours");
    fs::set_permissions(drop.join("garbage"), fs::Permissions::from_mode(0o700)).expect("it is ours");
    let said = mx.run_with("sendmail", &["-f", "a@mx.test", "bob@box.test"], b"Subject: good\n\nx\n");
    assert_eq!(said.status, 0, "{said:?}");
    mx.restart();
    assert!(mx.maildir("bob").one().contains("Subject: good\n"));
    assert!(!mx.log().contains("nobody must read this"));
    assert!(secret.exists() && drop.join("directory").exists(), "what is not ours stays");
}

/// Security list, item 19.
#[test]
fn only_who_may_send_does_and_only_as_himself() {
    let mx = Site::new("mx.test").set("local_login_sender_maps", "static:me@mx.test").start();
    for (sender, taken) in [("me@mx.test", true), ("boss@mx.test", false), ("", false)] {
        let said = mx.run_with("sendmail", &["-f", sender, "bob@box.test"], b"Subject: x\n\nx\n");
        assert_eq!(said.status == 0, taken, "<{sender}>: {said:?}");
        assert_eq!(said.err.contains("not authorized to use sender="), !taken, "<{sender}>: {said:?}");
    }
    let mut mx = mx;
    mx.rewrite(|site| site.change("authorized_submit_users", "!root, nosuchuser"));
    mx.reload();
    mx.wait_log(&["reload"]);
    let refused = || {
        let said = mx.run_with("sendmail", &["-f", "me@mx.test", "bob@box.test"], b"Subject: y\n\ny\n");
        said.err.contains("is not allowed to submit mail").then_some(())
    };
    assert!(wait::within(wait::LIMIT, refused).is_some(), "{}", mx.log());
}

/// Security list, item 9.
#[test]
fn names_of_mailboxes_do_not_lead_out_of_their_directory() {
    let site = Site::new("mx.test");
    let kept = site.folder("kept").display().to_string();
    let (uid, gid) = testbed::mailbox_owner();
    let mx = site
        .set("virtual_transport", "store")
        .set("virtual_mailbox_maps", "static:all")
        .set("userdb", &format!("static:uid={uid}"))
        .set("mail_location", &format!("maildir:{kept}/%n"))
        .set("mail_uid", &uid.to_string())
        .set("mail_gid", &gid.to_string())
        .start();
    for evil in ["../outside", "x/../../outside", "..", ".", "a/../../../outside", "/outside"] {
        let mut client = mx.client();
        client.hello();
        let _ = client.try_deliver("", &[&format!("\"{evil}\"@box.test")], "Subject: evil\n\nx\n");
        client.ask("QUIT");
    }
    mx.send("a@far.test", &["good@box.test"], "Subject: good\n\nx\n");
    mx.wait_log(&["to=<good@box.test>", "status=sent"]);
    let names = |folder: &std::path::Path| -> Vec<String> {
        let entries = fs::read_dir(folder).expect("it is ours").flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let around = names(mx.site().path());
    assert!(
        !around.iter().any(|name| ["outside", "new", "cur", "tmp"].contains(&name.as_str())),
        "{around:?}"
    );
    let within = names(std::path::Path::new(&kept));
    assert!(!within.iter().any(|name| ["new", "cur", "tmp"].contains(&name.as_str())), "{within:?}");
}

/// Security list, item 17.
#[test]
fn loops_of_aliases_forwards_and_notices_end() {
    let site = Site::new("mx.test");
    let file = site.put("list", "file, a\n").display().to_string();
    let mx = site
        .set("local_recipient_maps", "")
        .set(
            "alias_maps",
            &format!("inline:{{{{a=b}} {{b=c}} {{c=a}} {{far=far@mx.test}} {{twice=a, a, b}} {{bad=nosuch}} {{file=:include:{file}}}}}"),
        )
        .set("virtual_alias_maps", "inline:{{v@mx.test=w@mx.test} {w@mx.test=v@mx.test}}")
        .set("transport_maps", "inline:{{gone.test=error:5.1.1 gone}}")
        .set("hopcount_limit", "10")
        .start();
    // A loop is told to the sender, once; one that cannot be told ends there.
    for from in ["bob@box.test", "nobody@gone.test", ""] {
        mx.send(from, &["a@mx.test"], "Subject: loop\n\nx\n");
    }
    let mut client = mx.client();
    client.hello();
    let _ = client.try_deliver("ann@box.test", &["v@mx.test"], "Subject: virtual\n\nx\n");
    client.ask("QUIT");
    let notice = mx.maildir("bob").one();
    assert!(notice.contains("alias database loop for"), "{notice}");
    // A file that includes its own list: once round, and that is told, too.
    mx.send("ann@box.test", &["file@mx.test"], "Subject: list\n\nx\n");
    let told = mx.maildir("ann").wait_for(2).concat();
    for why in ["alias database loop for a\n", "mail forwarding loop for file@mx.test\n"] {
        assert!(told.contains(why), "{told}");
    }
    let hops = "Received: by x\n".repeat(10);
    let mut client = mx.client();
    client.hello();
    let reply = client.try_deliver("bob@box.test", &["ann@box.test"], &format!("{hops}Subject: far\n\nx\n"));
    assert_eq!(reply.expect("the server listens").code, 554);
    let quiet = || mx.run("postqueue", &["-p"]).out.contains("Mail queue is empty").then_some(());
    assert!(wait::within(wait::LIMIT, quiet).is_some(), "{}", mx.log());
    assert!(mx.log().lines().count() < 200, "{}", mx.log());
}

/// Security list, item 17: each of two sites forwards to the other.
#[test]
fn mail_that_two_sites_forward_to_each_other_comes_back_once() {
    let (one, two) = (Site::new("one.test"), Site::new("two.test"));
    let (to_one, to_two) = (one.nexthop(), two.nexthop());
    let forward = |site: Site, other: &str, nexthop: &str| {
        site.set("alias_maps", &format!("inline:{{u=u@{other}}}"))
            .set("transport_maps", &format!("inline:{{{other}=smtp:{nexthop}}}"))
            .start()
    };
    let one = forward(one, "two.test", &to_two);
    let two = forward(two, "one.test", &to_one);
    one.send("bob@box.test", &["u@one.test"], "Subject: round\n\nx\n");
    let notice = one.maildir("bob").one();
    assert!(notice.contains("mail forwarding loop for u@one.test"), "{notice}");
    for site in [&one, &two] {
        let quiet = || site.run("postqueue", &["-p"]).out.contains("Mail queue is empty").then_some(());
        assert!(wait::within(wait::LIMIT, quiet).is_some(), "{}", site.log());
    }
    assert_eq!(one.maildir("bob").messages().len(), 1);
}
