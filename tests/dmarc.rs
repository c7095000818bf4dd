//! Reports of DMARC that come in, and what was refused that was meant for somebody.

use testbed::{Site, wait};

const REPORT: &str = "<?xml version=\"1.0\"?><feedback><report_metadata><org_name>Far</org_name>\
    <email>d@far.test</email><report_id>17</report_id><date_range><begin>1704153600</begin><end>1704239999</end>\
    </date_range></report_metadata><policy_published><domain>box.test</domain><p>none</p></policy_published>\
    <record><row><source_ip>192.0.2.7</source_ip><count>5</count><policy_evaluated>\
    <disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>\
    <identifiers><header_from>box.test</header_from></identifiers><auth_results/></record></feedback>";

#[test]
fn reports_of_others_are_kept_and_shown() {
    let mx = Site::new("mx.test").set("dmarc_report_addresses", "Carol@box.test").start();
    let message = format!(
        "From: d@far.test\nSubject: Report Domain: box.test\nMIME-Version: 1.0\n\
         Content-Type: text/xml; name=\"far.test!box.test!1704153600!1704239999.xml\"\n\n{REPORT}\n"
    );
    mx.send("d@far.test", &["carol@box.test"], &message);
    assert!(mx.maildir("carol").one().contains("Report Domain"), "it is delivered all the same");
    mx.wait_log(&["DMARC report 1 of Far about box.test"]);
    let list = mx.run("dmarc", &["reports", "list"]);
    assert!(list.out.contains("1  2024-01-02  box.test") && list.out.contains("5 of 5"), "{list:?}");
    let shown = mx.run("dmarc", &["reports", "show", "1"]);
    assert!(shown.out.contains("192.0.2.7") && shown.out.contains("dkim=pass spf=fail none"), "{shown:?}");
    let again = mx.site().put("report.xml", REPORT).display().to_string();
    let read = mx.run("dmarc", &["reports", "read", &again]);
    assert!(read.out.ends_with("known already\n"), "{read:?}");
    assert_eq!(mx.run("dmarc", &["report", "send", "--dry-run"]).out, "nothing is owed\n");
    // What is no report is mail like any other.
    mx.send("d@far.test", &["carol@box.test"], "Subject: hello\n\ntext\n");
    mx.wait_log(&["DMARC report: no report is attached"]);
    assert_ne!(mx.run("dmarc", &["reports", "show", "2"]).status, 0);
}

#[test]
fn everybody_can_be_told_what_was_refused() {
    let mx = Site::new("mx.test")
        .set("mynetworks", "192.0.2.0/24")
        .set(
            "smtpd_recipient_restrictions",
            "check_sender_access inline:{ { bad@far.test = REJECT go away } }",
        )
        .set("header_checks", "regexp:{ {/^Subject: pills/ REJECT no pills} }")
        .start();
    let mut client = mx.client();
    client.hello();
    client.expect(250, "MAIL FROM:<bad@far.test>");
    client.expect(554, "RCPT TO:<bob@box.test>");
    client.expect(250, "RSET");
    let reply = client.deliver("joe@far.test", &["bob@box.test"], "Subject: pills\n\ntext\n");
    assert_eq!(reply.code, 550, "{reply:?}");
    // The journal is written behind the log.
    let told = wait::until("the journal", || {
        let told = mx.run("refused", &["bob@box.test"]);
        (told.out.matches("to <bob@box.test>").count() == 2).then_some(told)
    });
    assert!(told.out.contains("go away") && told.out.contains("no pills"), "{told:?}");
    assert!(told.out.contains("from <bad@far.test>") && told.out.contains("RCPT from "), "{told:?}");
    assert_eq!(mx.run("refused", &["ann@box.test"]).out, "");
    assert_eq!(mx.run("refused", &["--json", "@box.test"]).out.lines().count(), 2);
}
