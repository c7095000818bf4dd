use std::os::unix::fs::PermissionsExt;

use crate::testing::{Office, agent, request, words};

const LOCAL: &str = "local unix - n n - - local";
const BASE: &str =
    "mydestination = here.test\nmyorigin = here.test\nlocal_transport = local\ndefault_privs = nobody\n";

/// Delivers a message for `to` and gives the report, the new messages, and what was passed on.
async fn deliver(
    settings: &str,
    to: &str,
    content: &'static [u8],
) -> (Vec<String>, Vec<String>, Vec<String>) {
    let (local, office) = agent(&format!("{BASE}{settings}"), LOCAL);
    let report = local.deliver(request("s@x.test", &[to], content)).await;
    let Office { letters, passed, .. } = &*office;
    let mut report = words(&report);
    report.sort();
    let take = |list: &std::sync::Mutex<Vec<String>>| list.lock().expect("no panic here").clone();
    (report, take(letters), take(passed))
}

const PLAIN: &[u8] = b"Subject: x\n\nbody\n";

#[tokio::test]
async fn lists_leave_as_one_new_message() {
    let aliases =
        "alias_maps = inline:{ {team=far@x.test, Other <o@y.test>, nest} {nest=deep@z.test, far@x.test} }\n";
    let (report, letters, _) = deliver(aliases, "Team@here.test", PLAIN).await;
    assert_eq!(report, ["0 local 2.0.0 forwarded as NEW1"]);
    assert_eq!(letters, ["s@x.test -> far@x.test o@y.test deep@z.test | Delivered-To: team@here.test"]);
}

#[tokio::test]
async fn a_list_with_an_owner_is_sent_in_its_name() {
    let aliases = "alias_maps = inline:{ {list=a@x.test} {owner-list=admin@x.test} }\n";
    let (_, letters, _) = deliver(aliases, "list@here.test", PLAIN).await;
    assert_eq!(letters, ["owner-list@here.test -> a@x.test | Delivered-To: list@here.test"]);
    let (_, letters, _) =
        deliver(&format!("{aliases}expand_owner_alias = yes\n"), "list@here.test", PLAIN).await;
    assert_eq!(letters, ["admin@x.test -> a@x.test | Delivered-To: list@here.test"]);
}

#[tokio::test]
async fn who_asked_for_news_of_success_hears_that_an_alias_was_expanded() {
    let aliases = "alias_maps = inline:{ {one=a@x.test} {list=a@x.test, b@x.test} {owner-list=o@x.test} }\n";
    let (local, office) = agent(&format!("{BASE}{aliases}"), LOCAL);
    for (to, owned) in [("one@here.test", false), ("list@here.test", true)] {
        let mut asked = request("s@x.test", &[to], PLAIN);
        asked.targets[0].recipient.notify.success = true;
        let report = words(&local.deliver(asked).await);
        let expected =
            [format!("0 local expanded delivered={owned} "), "0 local 2.0.0 forwarded as NEW1".to_owned()];
        assert_eq!(report, expected, "{to}");
    }
    // What was told of here is not told of again further on.
    let notified = office.notified.lock().unwrap().clone();
    assert!(notified.iter().all(|notify| notify.never && !notify.success), "{notified:?}");
    let quiet = words(&local.deliver(request("s@x.test", &["one@here.test"], PLAIN)).await);
    assert_eq!(quiet, ["0 local 2.0.0 forwarded as NEW1"]);
}

#[tokio::test]
async fn within_its_own_list_a_name_means_the_user() {
    let aliases = "alias_maps = inline:{ {postmaster=postmaster, copy@x.test} }\n";
    let (report, letters, _) = deliver(aliases, "postmaster@here.test", PLAIN).await;
    assert_eq!(report, ["0 local 2.0.0 discarded", "0 local 2.0.0 forwarded as NEW1"]);
    assert_eq!(letters, ["s@x.test -> copy@x.test | Delivered-To: postmaster@here.test"]);
}

#[tokio::test]
async fn loops_end() {
    let (report, ..) = deliver("alias_maps = inline:{a=b, b=a}\n", "a@here.test", PLAIN).await;
    assert!(report.iter().all(|line| line.contains(" 5.4.6 alias database loop for ")), "{report:?}");
    let seen = b"Delivered-To: A@here.test\nSubject: x\n\nbody\n";
    let (report, ..) = deliver("alias_maps =\n", "a@here.test", seen).await;
    assert_eq!(report, ["0 local 5.4.6 mail forwarding loop for a@here.test"]);
}

#[tokio::test]
async fn extensions_are_tried_first_and_then_left_out() {
    let aliases = "recipient_delimiter = +\nalias_maps = inline:{ {ext+known=k@x.test} {ext=e@x.test} }\n";
    let to = |letters: Vec<String>| letters[0].split(' ').nth(2).unwrap_or_default().to_owned();
    assert_eq!(to(deliver(aliases, "ext+known@here.test", PLAIN).await.1), "k@x.test");
    assert_eq!(to(deliver(aliases, "ext+other@here.test", PLAIN).await.1), "e@x.test");
    let carried = format!("{aliases}propagate_unmatched_extensions = alias\n");
    assert_eq!(to(deliver(&carried, "ext+other@here.test", PLAIN).await.1), "e+other@x.test");
}

#[tokio::test]
async fn what_is_deferred_here_keeps_the_rest_from_leaving() {
    let aliases = "alias_maps = inline:{ {mixed=\"|exit 75\", far@x.test} }\n";
    let (report, letters, _) = deliver(aliases, "mixed@here.test", PLAIN).await;
    assert_eq!(report, ["0 local 4.3.0 temporary failure"]);
    assert!(letters.is_empty(), "{letters:?}");
}

#[tokio::test]
async fn files_and_commands() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).expect("chmod");
    let path = dir.path().display();
    let aliases = format!(
        "alias_maps = inline:{{ {{f={path}/archive}} {{c=\"|cat > {path}/cmd; echo $$SENDER >> {path}/cmd\"}} {{none={path}/no/such}} }}\n"
    );
    let (report, ..) = deliver(&aliases, "f@here.test", PLAIN).await;
    assert_eq!(report, [format!("0 local 2.0.0 delivered to file: {path}/archive")]);
    let text = std::fs::read_to_string(dir.path().join("archive")).expect("written");
    assert!(text.starts_with("From s@x.test  ") && text.ends_with("Subject: x\n\nbody\n\n"), "{text}");
    assert!(
        text.contains("\nReturn-Path: <s@x.test>\nX-Original-To: f@here.test\nDelivered-To: f@here.test\n")
    );
    deliver(&aliases, "c@here.test", PLAIN).await;
    let text = std::fs::read_to_string(dir.path().join("cmd")).expect("written");
    assert!(text.ends_with("body\ns@x.test\n"), "{text}");
    let (report, ..) = deliver(&aliases, "none@here.test", PLAIN).await;
    let why = "cannot create file exclusively: No such file or directory";
    assert_eq!(report, [format!("0 local 5.2.0 cannot append message to file {path}/no/such: {why}")]);
    let forbidden = format!("{aliases}allow_mail_to_files =\nallow_mail_to_commands =\n");
    assert_eq!(
        deliver(&forbidden, "f@here.test", PLAIN).await.0,
        ["0 local 5.7.1 mail to file is restricted"]
    );
    assert_eq!(
        deliver(&forbidden, "c@here.test", PLAIN).await.0,
        ["0 local 5.7.1 mail to command is restricted"]
    );
}

#[tokio::test]
async fn included_files_may_not_name_commands() {
    let dir = tempfile::tempdir().expect("a directory");
    let list = dir.path().join("list");
    std::fs::write(&list, "# members\na@x.test, b@x.test\n  c@x.test (comment)\n\"|cat\"\n").expect("a file");
    let aliases = format!("alias_maps = inline:{{ {{list=:include:{}}} }}\n", list.display());
    let (report, letters, _) = deliver(&aliases, "list@here.test", PLAIN).await;
    assert!(report.contains(&"0 local 5.7.1 mail to command is restricted".to_owned()), "{report:?}");
    assert_eq!(letters, ["s@x.test -> a@x.test b@x.test c@x.test | Delivered-To: list@here.test"]);
    let (report, ..) =
        deliver("alias_maps = inline:{list=:include:/no/such}\n", "list@here.test", PLAIN).await;
    assert_eq!(report, ["0 local 5.3.5 mail system configuration error"]);
}

#[tokio::test]
async fn unknown_users_and_those_that_always_exist() {
    let none = "alias_maps =\n";
    let nobody = "no-such-user-here";
    let unknown = deliver(none, &format!("{nobody}@here.test"), PLAIN).await.0;
    assert_eq!(unknown, [format!("0 local 5.1.1 unknown user: \"{nobody}\"")]);
    assert_eq!(deliver(none, "PostMaster@here.test", PLAIN).await.0, ["0 local 2.0.0 discarded"]);
    let relay = "alias_maps =\nluser_relay = catch+$local@x.test\n";
    let (_, letters, _) = deliver(relay, &format!("{nobody}@here.test"), PLAIN).await;
    assert!(letters[0].starts_with(&format!("s@x.test -> catch+{nobody}@x.test |")), "{letters:?}");
    let fallback = "alias_maps =\nfallback_transport = lmtp:inet:[127.0.0.1]:24\n";
    let (report, _, passed) = deliver(fallback, &format!("{nobody}@here.test"), PLAIN).await;
    assert_eq!(passed, [format!("lmtp inet:[127.0.0.1]:24 {nobody}@here.test")]);
    assert_eq!(report, ["0 other 2.0.0 passed"]);
}
