//! What the program does for the quarantine by itself: digests, and an end to what is old.

use std::fs;

use testbed::wait;

use super::{offered, site};

#[test]
fn digests_are_mailed_and_what_is_old_goes() {
    let mut mx = site()
        .set("attachment_checks", "inline:{ { extension:js = HOLD } }")
        .set("quarantine_digest_time", "00:00")
        .set("quarantine_digest_language", "french")
        .set("quarantine_digest_language_maps", "inline:{ { ann@box.test = english } }")
        .start();
    let script = "Subject: run me\nContent-Disposition: attachment; filename=a.js\n\nx\n";
    assert_eq!(offered(&mx, script).code, 250);
    mx.send("joe@far.test", &["ann@box.test"], script);
    // As if the last digests had gone out long ago.
    let state = mx.site().path().join("data/quarantine-digest");
    wait::until("the time of the last digests", || state.exists().then_some(()));
    fs::write(&state, "0\n").expect("it is ours");
    mx.stop();
    mx.restart();
    let digest = mx.maildir("bob").one();
    assert!(digest.contains("Subject: Courrier retenu pour vous\n") && digest.contains("run me"), "{digest}");
    let english = mx.maildir("ann").one();
    assert!(english.contains("Subject: Mail that is held for you\n"), "{english}");
    assert!(digest.contains("\nDate: ") && digest.contains("Return-Path: <>\n"), "{digest}");

    mx.rewrite(|site| site.change("quarantine_lifetime", "1s"));
    mx.stop();
    mx.restart();
    mx.wait_log(&["removed: quarantine_lifetime is over"]);
    assert!(mx.run("quarantine", &["list"]).out.starts_with("0 messages"));
}
