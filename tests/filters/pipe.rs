//! The simple content filter of FILTER_README: a script behind pipe(8) that gives mail back by sendmail(1).

use std::fs;

use testbed::{Instance, Site, neighbour, wait};

/// A site whose SMTP server gives everything to the script, which refuses, puts off or passes on.
fn site() -> Option<Instance> {
    if !neighbour::root() {
        return None;
    }
    let site = Site::new("mx.test");
    let program = testbed::program().display().to_string();
    let conf = site.conf().display().to_string();
    let work = site.folder("filter").display().to_string();
    let script = site.script(
        "filter.sh",
        &format!(
            "INSPECT_DIR={work}\nSENDMAIL='{program} sendmail -C {conf} -G -i'\nEX_TEMPFAIL=75\nEX_UNAVAILABLE=69\n\
             trap \"rm -f in.$$\" 0 1 2 3 15\n\
             cd $INSPECT_DIR || {{ echo $INSPECT_DIR does not exist; exit $EX_TEMPFAIL; }}\n\
             cat >in.$$ || {{ echo Cannot save mail to file; exit $EX_TEMPFAIL; }}\n\
             ! grep -q 'is sick' in.$$ || {{ echo Message content rejected; exit $EX_UNAVAILABLE; }}\n\
             ! grep -q 'is unclear' in.$$ || {{ echo Ask me later; exit $EX_TEMPFAIL; }}\n\
             sed 's/^X-Filtered:.*//; 1i X-Filtered: yes' <in.$$ | $SENDMAIL \"$@\"\nexit $?"
        ),
    );
    let site = site
        .smtpd_option("content_filter=filter:dummy")
        .service(&format!(
            "filter unix - n n - 10 pipe flags=Rq user=nobody null_sender= argv={} -f ${{sender}} -- ${{recipient}}",
            script.display()
        ))
        .set("header_checks", "regexp:{ {/^X-Filtered:/ INFO seen} }");
    Some(site.start())
}

fn message(text: &str) -> String {
    format!("From: joe@far.test\nSubject: filter\n\n{text}\n.. a line with dots\n..\nlast\n")
}

#[test]
fn a_script_looks_at_mail_and_gives_it_back() {
    let Some(mx) = site() else { return };
    mx.send("joe@far.test", &["bob@box.test", "ann@box.test"], &message("this is well"));
    for user in ["bob", "ann"] {
        let message = mx.maildir(user).one();
        assert!(message.contains("\nX-Filtered: yes\n") && message.contains("\nthis is well\n"), "{message}");
        assert!(message.ends_with("\n.. a line with dots\n..\nlast\n"), "{message}");
        assert!(message.starts_with("Return-Path: <joe@far.test>\n"), "{message}");
        assert_eq!(
            message.matches("\nReceived: ").count(),
            2,
            "once by SMTP and once by sendmail: {message}"
        );
    }
    mx.wait_log(&["relay=filter,", "status=sent (delivered via filter service)"]);

    // The null sender stays the null sender.
    mx.send("", &["bob@box.test"], &message("this is a notice"));
    let notice =
        mx.maildir("bob").wait_for(2).into_iter().find(|one| one.contains("a notice")).expect("it came");
    assert!(notice.starts_with("Return-Path: <>\n"), "{notice}");

    mx.send("ann@box.test", &["bob@box.test"], &message("this is sick"));
    mx.wait_log(&[
        "dsn=5.3.0, status=bounced (service unavailable. Command output: Message content rejected",
    ]);
    let bounced = mx.maildir("ann").wait_for(2);
    assert!(bounced.iter().any(|one| one.contains("Message content rejected")), "{bounced:?}");

    mx.send("ann@box.test", &["carol@box.test"], &message("this is unclear"));
    mx.wait_log(&["dsn=4.3.0, status=deferred (temporary failure. Command output: Ask me later"]);
    assert!(mx.maildir("carol").messages().is_empty());
    let work = mx.site().path().join("filter");
    wait::until("the script to tidy up", || (fs::read_dir(&work).ok()?.count() == 0).then_some(()));
}
