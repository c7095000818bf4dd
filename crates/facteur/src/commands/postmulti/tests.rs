use std::fs;
use std::path::Path;

use super::*;

fn site(root: &Path, name: &str, text: &str) -> String {
    let directory = root.join(name);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("main.cf"), text).unwrap();
    directory.display().to_string()
}

fn parsed(words: &[&str]) -> Options {
    options::parse(words.iter().map(Into::into).collect()).unwrap()
}

fn names(all: &[Instance], words: &[&str]) -> Result<Vec<String>, String> {
    chosen(all, &parsed(words)).map(|found| found.iter().map(|one| one.name.clone()).collect())
}

#[test]
fn instances_are_found_named_and_chosen() {
    let root = tempfile::tempdir().unwrap();
    let b = site(root.path(), "b", "multi_instance_name = postfix-b\nmulti_instance_enable = yes\n");
    let c = site(root.path(), "c", "multi_instance_name = postfix-c\nmulti_instance_group = out\n");
    let a = site(root.path(), "a", &format!("multi_instance_directories = {b}, {c}\n"));
    let all = instances::all(Path::new(&a)).unwrap();
    assert_eq!(all[0].line(), format!("{:<15} {:<15} {:<9} {a}", "-", "-", "n"));
    assert_eq!(all[2].line(), format!("{:<15} {:<15} {:<9} {c}", "postfix-c", "out", "n"));
    assert_eq!(names(&all, &["-l"]).unwrap(), ["", "postfix-b", "postfix-c"]);
    assert_eq!(names(&all, &["-lR"]).unwrap(), ["postfix-c", "postfix-b", ""]);
    assert_eq!(names(&all, &["-p", "status"]).unwrap(), [""]);
    assert_eq!(names(&all, &["-a", "-p", "status"]).unwrap().len(), 3);
    assert_eq!(names(&all, &["-i", "postfix-b", "-p", "status"]).unwrap(), ["postfix-b"]);
    assert_eq!(names(&all, &["-g", "out", "-x", "ls", "-l"]).unwrap(), ["postfix-c"]);
    assert_eq!(names(&all, &["-i", "-", "-l"]).unwrap(), [""]);
    assert!(names(&all, &["-i", "nobody", "-l"]).is_err());

    let words = |verb: &str| vec![verb.to_owned()];
    assert_eq!(for_instance(&all[0], &all[1], &words("start")), Some(words("start")));
    assert_eq!(for_instance(&all[0], &all[2], &words("start")), Some(words("check")));
    assert_eq!(for_instance(&all[0], &all[2], &words("reload")), None);
    assert_eq!(for_instance(&all[0], &all[2], &words("status")), Some(words("status")));
    assert!(is_one_of(&all[0], "postmulti_stop_commands", "stop"));
}

#[test]
fn one_mode_at_a_time() {
    for words in [&["-l", "-p", "start"][..], &[], &["-e", "vanish"], &["-e", "destroy", "-i", "x"]] {
        assert!(options::parse(words.iter().map(Into::into).collect()).is_err(), "{words:?}");
    }
}

#[test]
fn a_lone_instance_is_enabled() {
    let root = tempfile::tempdir().unwrap();
    let only = site(root.path(), "only", "");
    assert!(instances::all(Path::new(&only)).unwrap()[0].enabled);
    assert!(instances::all(&root.path().join("none")).is_err());
}
