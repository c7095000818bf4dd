//! postgrey and ours, asked the same questions; postgrey beside us, and our own greylist alone; its data base taken over.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use testbed::{Address, Instance, Kept, Site, address, neighbour, wait};

use crate::postfix::Postfix;

/// What Chapril has in its whitelist_clients, and one recipient.
const CLIENTS: &str = "yahoo.com\ngoogle.com\nhotmail.com\nlive.fr\noutlook.com\nmail-out.ovh.net\nmxb.ovh.net\ngandi.net\n\
    192.0.2.64/26\n/^relay\\d+\\.free\\.test$/\n";
const RECIPIENTS: &str = "postmaster@\nopen.test\n";

struct Postgrey {
    process: Kept,
    at: Address,
}

impl Postgrey {
    fn start(program: &Path, site: &Site, name: &str, delay: u32) -> Postgrey {
        let at = address();
        let directory = site.path().join(name);
        std::fs::create_dir_all(&directory).expect("it is ours");
        let process = Kept::new(
            Command::new(program)
                .args([format!("--inet={at}"), format!("--delay={delay}"), "--hostname=mx.test".to_owned()])
                .args(["--user=root", "--group=root"])
                .arg(format!("--dbdir={}", directory.display()))
                .arg(format!("--whitelist-clients={}", site.conf().join("clients").display()))
                .arg(format!("--whitelist-recipients={}", site.conf().join("recipients").display()))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts"),
        );
        wait::until("postgrey", || TcpStream::connect(at).ok());
        Postgrey { process, at }
    }

    /// Ends it in good order, so that its data base is whole.
    fn stop(mut self) {
        self.process.end();
    }
}

/// One question of the policy protocol, on a connection of its own.
fn ask(at: Address, client: &str, name: &str, recipient: &str) -> String {
    let mut stream = wait::until("the policy server", || TcpStream::connect(at).ok());
    stream.set_read_timeout(Some(wait::LIMIT)).expect("a time-out");
    let request = format!(
        "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address={client}\n\
         client_name={name}\nreverse_client_name={name}\nhelo_name={name}\nsender=ann+7@far.test\nrecipient={recipient}\n\
         queue_id=\ninstance=123.{client}.{recipient}\nsize=0\netrn_domain=\nstress=\n\n"
    );
    stream.write_all(request.as_bytes()).expect("it listens");
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\n\n") {
        if stream.read(&mut byte).expect("it answers") == 0 {
            break;
        }
        text.push(byte[0]);
    }
    String::from_utf8_lossy(&text).trim_end().to_owned()
}

/// Our policy server with delays as postgrey's, in a site that has its files.
fn ours(delays: &[u32]) -> (Instance, Vec<Address>) {
    let mut site = site();
    let mut addresses = Vec::new();
    for delay in delays {
        let at = address();
        addresses.push(at);
        site = site.service(&format!(
            "{}:{} inet n - n - - policyd -o greylist_delay={delay}",
            at.ip(),
            at.port()
        ));
    }
    (site.start(), addresses)
}

fn site() -> Site {
    let site = Site::new("mx.test").file("clients", CLIENTS).file("recipients", RECIPIENTS);
    let conf = site.conf();
    site.set("greylist_whitelist_clients", &conf.join("clients").display().to_string())
        .set("greylist_whitelist_recipients", &conf.join("recipients").display().to_string())
        .set("greylist_pools", "")
}

/// An answer without what names the program.
fn without_name(answer: &str) -> String {
    let words: Vec<&str> = answer.split(' ').collect();
    let shown = words.iter().filter(|word| !word.starts_with("postgrey-") && !word.starts_with("facteur-"));
    shown.copied().collect::<Vec<_>>().join(" ")
}

#[test]
fn postgrey_and_ours_give_the_same_answers() {
    let Some([postgrey]) = neighbour::installed(["postgrey"]) else { return };
    if !neighbour::root() {
        return;
    }
    let (mx, addresses) = ours(&[3600, 1]);
    let slow = Postgrey::start(&postgrey, mx.site(), "slow", 3600);
    let quick = Postgrey::start(&postgrey, mx.site(), "quick", 1);
    for (client, name, recipient) in [
        ("198.51.100.1", "unknown", "joe@here.test"),
        ("198.51.100.1", "unknown", "joe@here.test"),
        ("198.51.100.77", "unknown", "joe@here.test"),
        ("203.0.113.9", "mail-1.google.com", "joe@here.test"),
        ("203.0.113.9", "google.com.evil.test", "joe@here.test"),
        ("203.0.113.9", "relay12.free.test", "joe@here.test"),
        ("192.0.2.100", "unknown", "joe@here.test"),
        ("192.0.2.1", "unknown", "joe@here.test"),
        ("192.0.2.1", "unknown", "Postmaster+x@here.test"),
        ("192.0.2.1", "unknown", "eve@sub.open.test"),
        ("192.0.2.1", "unknown", "eve@notopen.test"),
        ("2001:db8::1", "unknown", "joe@here.test"),
    ] {
        let (theirs, own) =
            (ask(slow.at, client, name, recipient), ask(addresses[0], client, name, recipient));
        assert_eq!(own, theirs, "{client} {name} {recipient}");
        assert!(own.starts_with("action="), "{own}");
    }
    // Whoever comes again after the delay comes through: once with a header.
    let come = |at: Address| {
        ask(at, "198.51.100.1", "unknown", "late@here.test");
        let first = wait::until("the delay is over", || {
            let answer = ask(at, "198.51.100.2", "unknown", "late@here.test");
            (!answer.contains("DEFER_IF_PERMIT")).then_some(answer)
        });
        (first, ask(at, "198.51.100.3", "unknown", "late@here.test"))
    };
    let ((theirs, again), (own, own_again)) = (come(quick.at), come(addresses[1]));
    let header = |answer: &str| {
        // How long it took, and the date, are not the same in two runs.
        let (head, rest) = without_name(answer)
            .split_once("delayed ")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .expect(answer);
        let words: Vec<&str> = rest.split(' ').collect();
        (head, words[1..4].join(" "), words.len())
    };
    assert_eq!(header(&own), header(&theirs), "{own}\n{theirs}");
    assert_eq!((own_again.as_str(), again.as_str()), ("action=DUNNO", "action=DUNNO"));
    mx.wait_log(&[
        "postgrey[",
        "action=greylist, reason=new, client_name=unknown, client_address=198.51.100.1, ",
    ]);
    mx.wait_log(&["postgrey[", "action=pass, reason=client whitelist, client_name=mail-1.google.com, "]);
}

#[test]
fn the_data_base_of_postgrey_is_taken_over() {
    let Some([postgrey]) = neighbour::installed(["postgrey"]) else { return };
    if !neighbour::root() {
        return;
    }
    let (mx, addresses) = ours(&[3600]);
    // A postgrey that does not hear that it is to end leaves an empty data base: then another one has a try.
    let imported = (0..3).map(|attempt| {
        let name = format!("slow{attempt}");
        let slow = Postgrey::start(&postgrey, mx.site(), &name, 3600);
        ask(slow.at, "198.51.100.1", "unknown", "joe@here.test");
        ask(slow.at, "2001:db8::1", "unknown", "eve@here.test");
        slow.stop();
        let directory = mx.site().path().join(name).display().to_string();
        let said = mx.run("greylist", &["import", &directory]);
        assert_eq!(said.status, 0, "{said:?}");
        said.out
    });
    let said: Vec<String> = imported.take_while(|out| !out.contains("2 entries imported")).collect();
    assert!(said.len() < 3, "{said:?}");
    let listed = mx.run("greylist", &["list"]);
    assert!(listed.out.contains("198.51.100.0/ann@far.test/joe@here.test"), "{listed:?}");
    let answer = ask(addresses[0], "198.51.100.9", "unknown", "joe@here.test");
    assert!(answer.contains("DEFER_IF_PERMIT"), "{answer}");
    assert_eq!(mx.run("greylist", &["list"]).out.lines().count(), 2, "it was known");
}

/// The lines of a real site: postgrey asked by `check_policy_service`, and what takes its place.
#[test]
fn with_postgrey_beside_us_and_alone_a_session_goes_the_same_way() {
    let Some([postgrey]) = neighbour::installed(["postgrey"]) else { return };
    if !neighbour::root() {
        return;
    }
    let start = |restriction: &dyn Fn(&Site) -> String| {
        let site = site().set("greylist_delay", "3600").set("mynetworks", "10.0.0.0/8");
        let list = format!("reject_unauth_destination, {}, permit", restriction(&site));
        site.set("smtpd_recipient_restrictions", &list).set("smtpd_relay_restrictions", "").start()
    };
    let files = site();
    let server = Postgrey::start(&postgrey, &files, "slow", 3600);
    let beside = start(&|_| format!("check_policy_service inet:{}:{}", server.at.ip(), server.at.port()));
    let alone = start(&|_| "reject_greylisted".to_owned());
    let session = |mx: &Instance| {
        let mut client = mx.client();
        client.hello();
        let mut said = vec![client.ask("MAIL FROM:<ann@far.test>")];
        for recipient in
            ["bob@box.test", "postmaster@box.test", "nobody@box.test", "x@elsewhere.test", "bob@box.test"]
        {
            said.push(client.ask(&format!("RCPT TO:<{recipient}>")));
        }
        said.into_iter().map(|reply| reply.text).collect::<Vec<_>>()
    };
    let (with, without) = (session(&beside), session(&alone));
    assert_eq!(without, with);
    assert!(
        with[1].starts_with("450 4.2.0 <bob@box.test>: Recipient address rejected: Greylisted, see "),
        "{with:?}"
    );
}

#[test]
fn a_real_postfix_asks_our_policy_server() {
    let Some([master, _setsid]) = neighbour::installed(["master", "setsid"]) else { return };
    if !neighbour::root() {
        return;
    }
    let (mx, addresses) = ours(&[1]);
    let (ip, port) = (addresses[0].ip(), addresses[0].port());
    let lines = format!(
        "smtpd_recipient_restrictions = check_policy_service inet:{ip}:{port}\nsmtpd_relay_restrictions = reject_unauth_destination\n"
    );
    let real = Postfix::start(master, "", &lines);
    let try_once = || {
        let mut client = testbed::Client::greeted(real.site.smtp());
        let reply = client.deliver("ann@far.test", &["bob@box.test"], "Subject: late\n\nhello\n");
        if reply.code == 250 { Ok(()) } else { Err(reply.text) }
    };
    let text = try_once().expect_err("the first attempt is put off");
    assert!(text.contains("4.2.0 <bob@box.test>: Recipient address rejected: Greylisted, see "), "{text}");
    wait::until("the delay is over", || try_once().ok());
    let mail = wait::until("the mail is there", || {
        let new = real.site.path().join("mail/bob/new");
        std::fs::read_dir(new).ok()?.flatten().find_map(|entry| std::fs::read_to_string(entry.path()).ok())
    });
    assert!(mail.contains("\nX-Greylist: delayed ") || mail.starts_with("X-Greylist: delayed "), "{mail}");
    mx.wait_log(&["action=pass, reason=triplet found, delay="]);
}

/// What is remembered outlives the program, however it ends.
#[test]
fn the_greylist_outlives_the_program() {
    let (mut mx, addresses) = ours(&[3600]);
    let answer = ask(addresses[0], "198.51.100.1", "unknown", "joe@here.test");
    assert!(answer.contains("DEFER_IF_PERMIT"), "{answer}");
    assert_eq!(mx.run("greylist", &["list", "joe@here.test"]).out.lines().count(), 1);
    let file = mx.site().path().join("data/greylist");
    wait::until("the entry is in the file", || {
        std::fs::read_to_string(&file).is_ok_and(|text| text.contains("joe@here.test")).then_some(())
    });
    mx.kill();
    mx.restart();
    let listed = mx.run("greylist", &["list"]);
    assert!(listed.out.contains("198.51.100.0/ann@far.test/joe@here.test"), "{listed:?}");
    assert!(mx.run("greylist", &["forget", "joe@"]).out.contains("1 forgotten"));
    assert!(mx.run("greylist", &["list"]).out.is_empty());
}
