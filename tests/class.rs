//! The other examples of the class (`seeds.rs` has its virtual domains, canonical tables, backup exchangers and the
//! answering script): each setting as the handout gives it, with what it must do.

use std::fs;

use testbed::{Client, Maildir, Sink, Site, address, neighbour, wait};

use crate::configuration::banner;

#[test]
fn mail_passes_through_a_second_server_whose_filter_is_a_program() {
    if !neighbour::root() {
        return;
    }
    let site = Site::new("smtp.beauvelo.fr");
    let second = address();
    let program = testbed::program().display().to_string();
    let conf = site.conf().display().to_string();
    let script = site.script(
        "spamassassin.sh",
        &format!("sed '1i X-Spam-Checked: yes' | exec {program} sendmail -C {conf} -oi -f \"$1\" -- \"$2\""),
    );
    let mx = site
        .set("content_filter", &format!("clientsmtp:{}:{}", second.ip(), second.port()))
        .set("smtpd_recipient_restrictions", "permit_mynetworks, reject")
        .service("clientsmtp unix - - n - 16 smtp")
        .service(&format!(
            "{}:{} inet n - n - 16 smtpd\n -o content_filter=spamassassin\n -o smtp_send_xforward_command=yes",
            second.ip(),
            second.port()
        ))
        .service(&format!(
            "spamassassin unix - n n - - pipe user=nobody argv={} ${{sender}} ${{recipient}}",
            script.display()
        ))
        // What the program gives back is not filtered once more; of two lines with one name the last counts.
        .service("pickup unix n - n 60 1 pickup -o content_filter=")
        .start();
    mx.send("pascal@beauvelo.fr", &["bob@box.test"], "Subject: filtre\n\nx\n");
    let message = mx.maildir("bob").one();
    assert!(message.contains("X-Spam-Checked: yes\n"), "{message}");
    assert_eq!(message.matches("Received: ").count(), 3, "{message}");
    mx.wait_log(&["relay=spamassassin", "status=sent (delivered via spamassassin service)"]);
}

#[test]
fn aliases_come_before_mailboxes_and_a_catch_all_among_them_takes_everything() {
    let site = Site::new("in.ac-amiens.fr");
    let spool = site.folder("etab");
    let mut mx = site
        .set("virtual_mailbox_domains", "etab.ac-amiens.fr")
        .set("virtual_mailbox_base", &spool.display().to_string())
        .set("virtual_mailbox_maps", "hash:$config_directory/mailbox_etab")
        .file(
            "mailbox_etab",
            "prof@etab.ac-amiens.fr prof/\nservice@etab.ac-amiens.fr service/\n@etab.ac-amiens.fr service/\n",
        )
        .set("virtual_alias_maps", "hash:$config_directory/virtual.alias")
        .file("virtual.alias", "principal@etab.ac-amiens.fr chef@in.ac-amiens.fr\n")
        .set("alias_maps", "inline:{chef=/dev/null}")
        .start();
    // An address of the virtual domain leads to one of this machine; whoever has no mailbox shares one.
    mx.send("a@x.test", &["principal@etab.ac-amiens.fr"], "Subject: chef\n\nx\n");
    mx.wait_log(&["to=<chef@in.ac-amiens.fr>", "orig_to=<principal@etab.ac-amiens.fr>", "relay=local"]);
    mx.send("a@x.test", &["prof@etab.ac-amiens.fr", "inconnu@etab.ac-amiens.fr"], "Subject: un\n\nx\n");
    assert!(Maildir::at(spool.join("prof")).one().contains("Subject: un\n"));
    assert!(Maildir::at(spool.join("service")).one().contains("X-Original-To: inconnu@etab.ac-amiens.fr\n"));
    // "Plus rien n'arrive au domaine virtuel": among the aliases the same entry is asked before the mailboxes.
    mx.rewrite(|site| {
        site.put("virtual.alias", "@etab.ac-amiens.fr service@etab.ac-amiens.fr\n");
        site.change("virtual_alias_maps", "texthash:$config_directory/virtual.alias");
        site.change("smtpd_banner", "new");
    });
    assert_eq!(mx.reload().status, 0);
    wait::until("the new greeting", || (banner(&mx) == "220 new").then_some(()));
    mx.send("a@x.test", &["prof@etab.ac-amiens.fr"], "Subject: deux\n\nx\n");
    let taken = Maildir::at(spool.join("service")).wait_for(2);
    assert!(taken.iter().any(|message| message.contains("Subject: deux\n")), "{taken:?}");
    assert_eq!(Maildir::at(spool.join("prof")).messages().len(), 1);
}

#[test]
fn procmail_without_rules_puts_mail_into_the_spool() {
    let Some([procmail]) = neighbour::installed(["procmail"]) else { return };
    if !neighbour::root() {
        return;
    }
    let site = Site::new("linux.in.ac-amiens.fr");
    let file = site.folder("mail-spool").join("nobody");
    let rules = site.put("procmailrc", "# nothing is sorted\n");
    // The last argument keeps the test out of the real spool.
    let command = format!("{} DEFAULT={} {}", procmail.display(), file.display(), rules.display());
    let mx = site
        .set("mydomain", "in.ac-amiens.fr")
        .set("myorigin", "$mydomain")
        .set("mydestination", "$myhostname, localhost, $mydomain")
        .set("mailbox_command", &command)
        .start();
    for to in ["nobody@linux.in.ac-amiens.fr", "nobody@localhost", "nobody@in.ac-amiens.fr"] {
        mx.send("pascal@beauvelo.fr", &[to], "Subject: essai\n\ntest\n");
        mx.wait_log(&[&format!("to=<{to}>"), "relay=local", "status=sent (delivered to command: "]);
    }
    let spool = wait::until("three messages", || {
        let text = fs::read_to_string(&file).ok()?;
        (text.matches("\nSubject: essai\n").count() == 3).then_some(text)
    });
    assert!(spool.starts_with("From pascal@beauvelo.fr ") && spool.ends_with("\ntest\n\n"), "{spool}");
}

/// The extensions of the handout.
const EXTENSIONS: &str = "bat|com|pif|vb|exe|lnk|scr|reg|chm|wsh|js|inf|shs|job|ini|shb|scp|scf|wsc|sct|dll|msc|msi|ppt|pps|\
    mdb|rar|bmp|wav|mpg|mpeg|wma|wmv";

#[test]
fn black_lists_and_dangerous_attachments_are_refused() {
    let mx = Site::new("smtp.beauvelo.fr")
        .set("smtpd_sender_restrictions", "check_sender_access hash:$config_directory/access")
        .file("access", "Site1.com REJECT\nSite2.com REJECT\nSite3.dom.com OK\ncontact-info@pub.fr REJECT\n")
        .set("mime_header_checks", "regexp:$config_directory/mime_header_checks")
        .file(
            "mime_header_checks",
            &format!(
                "/filename=\"?.*\\.({EXTENSIONS})/ REJECT\n\
                 /^Content-(Disposition|Type):.*(file)?name=\"?.*\\.({EXTENSIONS})/ REJECT Extension de fichier joint \
                 refusée. Desole!\n"
            ),
        )
        .start();
    let verdict = |sender: &str| {
        let mut client = mx.client();
        client.hello();
        client.expect(250, &format!("MAIL FROM:<{sender}>"));
        client.ask("RCPT TO:<bob@box.test>").code
    };
    for (sender, code) in [
        ("x@site1.com", 554),
        ("x@sub.site2.com", 554),
        ("contact-info@pub.fr", 554),
        ("contact@pub.fr", 250),
        ("x@site3.dom.com", 250),
    ] {
        assert_eq!(verdict(sender), code, "{sender}");
    }
    let with = |header: &str| {
        format!(
            "Subject: piece jointe\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n\
             --b\nContent-Type: text/plain\n\nvoir\n--b\n{header}\n\nx\n--b--\n"
        )
    };
    let sent = |header: &str| {
        let mut client: Client = mx.client();
        client.hello();
        client.deliver("x@site3.dom.com", &["bob@box.test"], &with(header))
    };
    let refused = sent("Content-Disposition: attachment; filename=\"virus.exe\"");
    assert_eq!(refused.code, 550, "{refused:?}");
    let refused = sent("Content-Type: application/octet-stream; name=\"virus.bat\"");
    assert_eq!(refused.code, 550, "{refused:?}");
    assert!(format!("{refused:?}").contains("Desole!"), "{refused:?}");
    assert_eq!(sent("Content-Disposition: attachment; filename=\"cours.pdf\"").code, 250);
    assert!(mx.maildir("bob").one().contains("cours.pdf"));
}

#[test]
fn a_null_client_gives_everything_to_its_relay() {
    let faculty = Sink::new();
    let mx = Site::new("pc.beauvelo.fr")
        .set("mydestination", "")
        .set("virtual_mailbox_domains", "")
        .set("relayhost", &faculty.nexthop())
        .start();
    mx.send("etudiant@beauvelo.fr", &["moi@fac.fr"], "Subject: par le reseau\n\nx\n");
    let said = mx.run_with("sendmail", &["-f", "root", "root"], b"Subject: de la machine\n\nx\n");
    assert_eq!(said.status, 0, "{said:?}");
    let mut recipients: Vec<String> =
        faculty.wait_for(2).into_iter().flat_map(|one| one.recipients).collect();
    recipients.sort();
    assert!(recipients[0].starts_with("<moi@fac.fr>"), "{recipients:?}");
    assert!(recipients[1].starts_with("<root@pc.beauvelo.fr>"), "{recipients:?}");
}

#[test]
fn an_alert_becomes_an_entry_of_a_feed_and_a_message_a_page() {
    if !neighbour::root() {
        return;
    }
    let site = Site::new("in.ac-amiens.fr");
    let out = site.folder("out");
    let (message, feed) = (out.join("message_nagios"), out.join("fluxrss.xml"));
    let feed_script = site.script(
        "fluxrss.sh",
        &format!(
            "tee > {m}\n\
             Host=`cat {m} |grep Host| sed 's/Host: //'`\n\
             Address=`cat {m} |grep Address| sed 's/Address: //'`\n\
             Service=`cat {m} |grep Service| sed 's/Service: //'`\n\
             Date=`cat {m} |grep Time| sed 's/Date\\/Time: //'`\n\
             touch {f}\nsed -i '/channel/d' {f}\nsed -i '/rss/d' {f}\n\
             echo \" <item>\" >> {f}\n\
             echo \" <title>${{Address}}-${{Service}}</title>\" >> {f}\n\
             echo \" <guid isPermaLink=\\\"False\\\">${{Service}}-${{Date}}</guid>\" >> {f}\n\
             echo \" <description>${{Host}}</description>\" >> {f}",
            m = message.display(),
            f = feed.display()
        ),
    );
    let page = out.join("page.html");
    let page_script = site.script(
        "page.sh",
        &format!(
            "contenu=`sed '1,/^$/d'`\n\
             echo \"<p>Vous avez reçu un message de $1 le contenu est $contenu</p>\" > {}",
            page.display()
        ),
    );
    let mx = site
        .set("transport_maps", "hash:$config_directory/transport")
        .file("transport", "rss@in.ac-amiens.fr traitement\npage@in.ac-amiens.fr page\n")
        .service(&format!("traitement unix - n n - - pipe user=nobody argv={}", feed_script.display()))
        .service(&format!("page unix - n n - - pipe user=nobody argv={} ${{sender}}", page_script.display()))
        .start();
    let alert = "Subject: ** PROBLEM **\n\nService: HTTP\nHost: serveur\nAddress: 172.30.177.4\nState: CRITICAL\n\
                 Date/Time: Thu Jan 9 18:02:58 CET 2014\n";
    mx.send("nagios@agriates.ac-amiens.fr", &["rss@in.ac-amiens.fr"], alert);
    mx.wait_log(&["to=<rss@in.ac-amiens.fr>", "status=sent (delivered via traitement service)"]);
    let feed = fs::read_to_string(feed).expect("the script ran");
    for line in [
        " <title>172.30.177.4-HTTP</title>\n",
        " <guid isPermaLink=\"False\">HTTP-Thu Jan 9 18:02:58 CET 2014</guid>\n",
        " <description>serveur</description>\n",
    ] {
        assert!(feed.contains(line), "{feed}");
    }
    mx.send("pascal@beauvelo.fr", &["page@in.ac-amiens.fr"], "Subject: page\n\nbonjour\n");
    mx.wait_log(&["to=<page@in.ac-amiens.fr>", "status=sent (delivered via page service)"]);
    let page = fs::read_to_string(page).expect("the script ran");
    assert_eq!(page, "<p>Vous avez reçu un message de pascal@beauvelo.fr le contenu est bonjour</p>\n");
}
