//! Configurations that real sites have written down, with what must arrive where.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use testbed::{Maildir, Sink, Site, neighbour, wait};

#[test]
fn a_cron_mail_travels_from_the_satellite_over_the_relay_to_the_mailbox_on_the_main_server() {
    let toad = Site::new("mail.resel.fr")
        .set("virtual_mailbox_domains", "resel.fr")
        .set("virtual_mailbox_maps", "inline:{{lcarr@resel.fr = lcarr/} {secu@resel.fr = secu/}}")
        .set("virtual_alias_maps", "hash:$config_directory/virtual")
        .file("virtual", "root@resel.fr lcarr@resel.fr\nsecurity@resel.fr secu@resel.fr\n")
        .start();
    let pegase = Site::new("pegase.adm.resel.fr")
        .set("mydestination", "")
        .set("relay_domains", "resel.fr")
        .set("relayhost", &toad.nexthop())
        .start();
    let machine = Site::new("machine.adm.resel.fr")
        .set("relayhost", &pegase.nexthop())
        .set("alias_maps", "hash:$config_directory/aliases")
        .set("alias_database", "hash:$config_directory/aliases")
        .file(
            "aliases",
            "# /etc/aliases\nmailer-daemon: postmaster\npostmaster: root\nnobody: root\nhostmaster: root\n\
             usenet: root\nnews: root\nwebmaster: root\nwww: root\nftp: root\nabuse: root\nnoc: root\n\
             security: security@resel.fr\nroot: root@resel.fr\n",
        )
        .start();
    assert_eq!(machine.run("newaliases", &[]).status, 0);
    let cron = b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@machine> backup\n\ndisk full\n";
    assert_eq!(machine.run_with("sendmail", &["-i", "-FCronDaemon", "-f", "root", "-t"], cron).status, 0);
    let message = toad.maildir("lcarr").one();
    for part in [
        "Return-Path: <root@machine.adm.resel.fr>\n",
        "From: root@machine.adm.resel.fr (Cron Daemon)\n",
        "To: root@machine.adm.resel.fr\n",
        "by mail.resel.fr (",
        "by pegase.adm.resel.fr (",
        "by machine.adm.resel.fr (",
        "disk full\n",
    ] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    // Two aliases deep, and one that leaves at once.
    machine.run_with("sendmail", &["-i", "webmaster", "security"], b"Subject: both\n\nx\n");
    toad.maildir("lcarr").wait_for(2);
    toad.maildir("secu").wait_for(1);
}

#[test]
fn the_examples_of_the_class_virtual_domains_canonical_addresses_transports_and_a_script() {
    if !neighbour::root() {
        return;
    }
    let amiens = Sink::new();
    let site = Site::new("in.ac-amiens.fr");
    let spool = site.folder("etab");
    let out = site.folder("out");
    let script = site.script("fluxrss.sh", &format!("tee > {}/message_nagios", out.display()));
    let mx = site
        .set("mydomain", "domaineinterne.fr")
        .set("local_header_rewrite_clients", "permit_mynetworks")
        .set("virtual_mailbox_domains", "$config_directory/dom_virtuels")
        .file("dom_virtuels", "etab.fr\nfourretout.fr\n")
        .set("virtual_mailbox_base", &spool.display().to_string())
        .set("virtual_mailbox_maps", "hash:$config_directory/mailbox_etab")
        .file("mailbox_etab", "prof@etab.fr prof\neleve@etab.fr eleve/\n@fourretout.fr service/\n")
        .set("virtual_alias_domains", "domaineexterne.fr")
        .set("virtual_alias_maps", "hash:$config_directory/virtual_alias")
        .file("virtual_alias", "info@domaineexterne.fr eleve@etab.fr\n")
        .set("transport_maps", "hash:$config_directory/transport")
        .file(
            "transport",
            &format!(
                "rss@in.ac-amiens.fr traitement\nac-amiens.fr smtp:{}\nexample.org smtp:{}\n",
                amiens.nexthop(),
                amiens.nexthop()
            ),
        )
        .service(&format!("traitement unix - n n - - pipe user=nobody argv={}", script.display()))
        .set("sender_canonical_maps", "hash:$config_directory/sender_canonical")
        .file("sender_canonical", "root@monserveur.lan root-serveur@example.org\n")
        .set("recipient_canonical_maps", "hash:$config_directory/recipient_canonical")
        .file("recipient_canonical", "hostmaster@dns1.example.org dns-master@example.org\n")
        .set("canonical_maps", "hash:$config_directory/canonical")
        .file("canonical", "@domain.lan @example.org\n")
        .start();

    // A file as mailbox, in the domain's spool.
    mx.send("pascal@beauvelo.fr", &["prof@etab.fr"], "Subject: essai\n\ntest\n");
    let mbox = wait::until("the mailbox file", || {
        fs::read_to_string(spool.join("prof")).ok().filter(|text| text.ends_with("\n\n"))
    });
    assert!(mbox.starts_with("From pascal@beauvelo.fr ") && mbox.contains("\nReturn-Path: <pascal@beauvelo.fr>\nX-Original-To: prof@etab.fr\nDelivered-To: prof@etab.fr\n"), "{mbox}");
    // An alias domain, and a mailbox for everybody else.
    mx.send("a@x.test", &["info@domaineexterne.fr", "nimporte.qui@fourretout.fr"], "Subject: alias\n\nx\n");
    assert!(Maildir::at(spool.join("eleve")).one().contains("X-Original-To: info@domaineexterne.fr\n"));
    assert!(Maildir::at(spool.join("service")).one().contains("Delivered-To: nimporte.qui@fourretout.fr\n"));
    let mut client = mx.client();
    client.hello();
    client.expect(250, "MAIL FROM:<a@x.test>");
    client.expect(550, "RCPT TO:<personne@etab.fr>");
    // One address to a script.
    mx.send("nagios@x.test", &["rss@in.ac-amiens.fr"], "Subject: alerte\n\nHost: serveur\nState: DOWN\n");
    mx.wait_log(&["to=<rss@in.ac-amiens.fr>", "status=sent (delivered via traitement service)"]);
    let told = fs::read_to_string(out.join("message_nagios")).expect("the script ran");
    assert!(told.contains("State: DOWN\n"), "{told}");
    // A domain to its own server; and the three canonical tables.
    mx.send(
        "root@monserveur.lan",
        &["x@ac-amiens.fr"],
        "From: root@monserveur.lan\nTo: x@ac-amiens.fr\nSubject: s\n\nx\n",
    );
    let taken = amiens.one();
    assert!(taken.sender.starts_with("<root-serveur@example.org>"), "{taken:?}");
    assert!(taken.text().contains("From: root-serveur@example.org\n"), "{}", taken.text());
    mx.send("moi@domain.lan", &["hostmaster@dns1.example.org"], "From: moi@domain.lan\nSubject: r\n\nx\n");
    let taken = amiens.wait_for(2).remove(1);
    assert!(taken.sender.starts_with("<moi@example.org>"), "{taken:?}");
    assert!(taken.recipients[0].starts_with("<dns-master@example.org>"), "{taken:?}");
    assert!(taken.text().contains("From: moi@example.org\n"), "{}", taken.text());
}

#[test]
fn procmail_sorts_the_mail_of_a_local_user() {
    let Some([procmail]) = neighbour::installed(["procmail"]) else { return };
    if !neighbour::root() {
        return;
    }
    let site = Site::new("mx.test");
    let out = site.folder("out").display().to_string();
    let rules =
        site.put("procmailrc", &format!(":0:\n* ^Subject:.*liste\n{out}/listes\n\n:0\n{out}/reste/\n"));
    let mx = site.set("mailbox_command", &format!("{} -m {}", procmail.display(), rules.display())).start();
    mx.send("a@x.test", &["nobody@mx.test"], "Subject: [liste] un\n\nx\n");
    mx.send("a@x.test", &["nobody@mx.test"], "Subject: deux\n\nx\n");
    mx.wait_log(&["to=<nobody@mx.test>", "relay=local", "status=sent (delivered to command: "]);
    let sorted = wait::until("the list's file", || {
        fs::read_to_string(format!("{out}/listes")).ok().filter(|text| text.ends_with("\n\nx\n\n"))
    });
    assert!(
        sorted.starts_with("From a@x.test ") && sorted.contains("Delivered-To: nobody@mx.test\n"),
        "{sorted}"
    );
    assert!(Maildir::at(format!("{out}/reste")).one().contains("Subject: deux\n"));
}

/// A sink that is slow, and how many transactions it had at most at a time.
fn slow_sink() -> (Sink, Arc<AtomicU32>) {
    let most = Arc::new(AtomicU32::new(0));
    let (now, kept) = (AtomicU32::new(0), most.clone());
    let sink = Sink::scripted(move |line| {
        if line == "DATA" {
            kept.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(60));
        } else if line == "." {
            now.fetch_sub(1, Ordering::SeqCst);
        }
        None
    });
    (sink, most)
}

#[test]
fn slow_domains_get_one_message_at_a_time_while_others_fly_and_devnull_swallows() {
    let (laposte, at_laposte) = slow_sink();
    let (others, at_others) = slow_sink();
    let site = Site::new("galanga.chapril.org").service("slow_domains unix - - n - - smtp");
    site.write();
    let main = fs::read_to_string(site.conf().join("main.cf")).expect("it was written");
    fs::remove_file(site.conf().join("main.cf")).expect("it was written");
    site.put("conf.d/00-base.conf", &main);
    site.put(
        "conf.d/10-alias.conf",
        "virtual_alias_domains = chapril.org\n\
         virtual_alias_maps = hash:$config_directory/alias/chapril.org\n\
         alias_maps = hash:$config_directory/aliases\n",
    );
    site.put(
        "alias/chapril.org",
        "devnull@chapril.org devnull@$myhostname\ncontact@chapril.org bob@box.test\n"
            .replace("$myhostname", "galanga.chapril.org")
            .as_str(),
    );
    site.put("aliases", "devnull: /dev/null\n");
    site.put(
        "conf.d/30-transport.conf",
        &format!(
            "transport_maps = hash:$config_directory/transport\n\
             relayhost = {}\n\
             slow_domains_destination_concurrency_limit = 1\n\
             slow_domains_destination_rate_delay = 1s\n\
             slow_domains_destination_recipient_limit = 2\n",
            others.nexthop()
        ),
    );
    site.put(
        "transport",
        &format!(
            "laposte.net slow_domains:{}\nwanadoo.fr slow_domains:{}\n",
            laposte.nexthop(),
            laposte.nexthop()
        ),
    );
    let mx = Site::from_files(site).start();
    let began = wait::now();
    for n in 0..12 {
        let slow = if n % 3 == 0 { "laposte.net" } else { "yahoo.test" };
        mx.send("a@x.test", &[&format!("u{n}@{slow}"), &format!("u{n}@gmail.test")], "Subject: x\n\nx\n");
    }
    others.wait_for(12);
    laposte.wait_for(4);
    // Four messages, and a second between any two.
    let took = wait::now() - began;
    assert!(took >= Duration::from_secs(3), "{took:?}");
    assert_eq!(at_laposte.load(Ordering::SeqCst), 1);
    assert!(at_others.load(Ordering::SeqCst) > 1, "nobody flies");

    let before = fs::metadata("/dev/null").expect("every system has it").permissions().mode();
    mx.send("a@x.test", &["devnull@chapril.org", "contact@chapril.org"], "Subject: no reply\n\nx\n");
    mx.maildir("bob").one();
    let line = mx.wait_log(&["to=<devnull@galanga.chapril.org>", "status="]);
    assert!(
        line.contains("orig_to=<devnull@chapril.org>")
            && line.contains("status=sent (delivered to file: /dev/null)"),
        "{line}"
    );
    let after = fs::metadata("/dev/null").expect("it is still there");
    assert!(after.file_type().is_char_device() && after.permissions().mode() == before, "{after:?}");
}

#[test]
fn two_sites_keep_each_others_mail_while_one_is_away() {
    let (ours, branch) = (Site::new("mail.beauvelo.fr"), Site::new("mail.beauvt.fr"));
    let (to_us, to_branch) = (ours.nexthop(), branch.nexthop());
    let pair = |site: Site, own: &str, other: &str, nexthop: &str| {
        site.set("virtual_mailbox_domains", own)
            .set("virtual_mailbox_maps", &format!("inline:{{bob@{own}=bob/}}"))
            .set("relay_domains", other)
            .set("transport_maps", &format!("inline:{{{other}=smtp:{nexthop}}}"))
            .set("smtpd_relay_restrictions", "permit_mynetworks, reject_unauth_destination")
    };
    let mut ours = pair(ours, "beauvelo.fr", "beauvt.fr", &to_branch).start();
    let branch = pair(branch, "beauvt.fr", "beauvelo.fr", &to_us);
    // The branch is away: its mail waits with us.
    ours.send("client@x.test", &["bob@beauvt.fr"], "Subject: pour la filiale\n\nx\n");
    ours.wait_log(&["to=<bob@beauvt.fr>", "status=deferred"]);
    let branch = branch.start();
    // It is back, and asks for it.
    let mut client = ours.client();
    client.hello();
    client.expect(250, "ETRN beauvt.fr");
    assert!(branch.maildir("bob").one().contains("by mail.beauvelo.fr ("));
    // The other way round.
    assert!(ours.stop().success());
    branch.send("client@x.test", &["bob@beauvelo.fr"], "Subject: pour le siege\n\nx\n");
    branch.wait_log(&["to=<bob@beauvelo.fr>", "status=deferred"]);
    ours.restart();
    assert_eq!(branch.run("postqueue", &["-s", "beauvelo.fr"]).status, 0);
    assert!(ours.maildir("bob").one().contains("by mail.beauvt.fr ("));
}

#[test]
fn an_answering_script_answers_the_sender() {
    if !neighbour::root() {
        return;
    }
    let outside = Sink::new();
    let site = Site::new("mail.beauvelo.fr");
    let program = testbed::program().display().to_string();
    let conf = site.conf().display().to_string();
    let script = site.script(
        "repondeur.sh",
        &format!(
            "cat > /dev/null\nprintf 'Subject: absent\\nTo: %s\\n\\nDe retour lundi.\\n' \"$1\" |\n\
             exec {program} sendmail -C {conf} -i -f conges@beauvelo.fr \"$1\""
        ),
    );
    let mx = site
        .set("relayhost", &outside.nexthop())
        .set("virtual_alias_maps", "inline:{conges@beauvelo.fr=conges@repondeur.beauvelo.fr}")
        .set("transport_maps", "inline:{repondeur.beauvelo.fr=repondeur:}")
        .service(&format!(
            "repondeur unix - n n - - pipe flags=Rq user=nobody argv={} ${{sender}}",
            script.display()
        ))
        .start();
    mx.send("client@x.test", &["conges@beauvelo.fr"], "Subject: question\n\nx\n");
    mx.wait_log(&["to=<conges@repondeur.beauvelo.fr>", "status=sent (delivered via repondeur service)"]);
    let answer = outside.one();
    assert!(answer.sender.starts_with("<conges@beauvelo.fr>"), "{answer:?}");
    assert!(answer.recipients[0].starts_with("<client@x.test>"), "{answer:?}");
    assert!(answer.text().contains("De retour lundi.\n"), "{}", answer.text());
}
