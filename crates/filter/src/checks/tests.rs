//! Texts of tables, and what they do.

use super::action::Origin;
use super::{Action, Role};

fn read(value: &str, header: bool, role: Role) -> Action {
    Origin { parameter: "header_checks", header, role, program: "cleanup" }.read(value)
}

#[test]
fn actions_are_read_in_any_case() {
    let text = || "some text".to_owned();
    for (word, action) in [
        ("WARN", Action::Warn(text())),
        ("INFO", Action::Info(text())),
        ("STRIP", Action::Strip(text())),
        ("HOLD", Action::Hold(text())),
        ("DISCARD", Action::Discard(text())),
        ("PASS", Action::Pass(text())),
        ("REJECT", Action::Reject(text())),
        ("IGNORE", Action::Ignore),
        ("DUNNO", Action::Keep),
        ("OK", Action::Keep),
        ("NONSENSE", Action::Keep),
    ] {
        for value in [format!("{word} some text"), format!("{} \t some text", word.to_lowercase())] {
            assert_eq!(read(&value, true, Role::Receiving), action, "{value}");
        }
    }
    assert_eq!(read("HOLD", true, Role::Receiving), Action::Hold(String::new()));
}

#[test]
fn arguments_must_make_sense() {
    for (value, header, action) in [
        ("REPLACE X-A: b", true, Action::Replace("X-A: b".into())),
        ("REPLACE no header", true, Action::Keep),
        ("REPLACE no header", false, Action::Replace("no header".into())),
        ("REPLACE", false, Action::Keep),
        ("PREPEND X-A: b", true, Action::Prepend("X-A: b".into())),
        ("PREPEND no header", true, Action::Keep),
        ("PREPEND", true, Action::Keep),
        ("FILTER smtp:[f]:10025", true, Action::Filter("smtp:[f]:10025".into())),
        ("FILTER smtp", true, Action::Keep),
        ("FILTER", true, Action::Keep),
        ("REDIRECT a@b", true, Action::Redirect("a@b".into())),
        ("REDIRECT a", true, Action::Keep),
        ("BCC a@b", true, Action::Bcc("a@b".into())),
        ("BCC a", true, Action::Keep),
        ("REJECT 2.0.0 well done", true, Action::Reject("4.0.0 well done".into())),
        ("REJECT 5.7.1", true, Action::Reject("5.7.1".into())),
        ("REJECT 2.0 more", true, Action::Reject("2.0 more".into())),
    ] {
        assert_eq!(read(value, header, Role::Receiving), action, "{value}");
    }
}

#[test]
fn mail_that_leaves_is_not_refused() {
    for value in ["REJECT", "HOLD", "DISCARD", "FILTER a:b", "REDIRECT a@b", "BCC a@b", "PASS"] {
        assert_eq!(read(value, true, Role::Sending), Action::Keep, "{value}");
    }
    assert_eq!(read("REPLACE A: b", true, Role::Sending), Action::Replace("A: b".into()));
    assert_eq!(read("STRIP why", true, Role::Sending), Action::Strip("why".into()));
}
