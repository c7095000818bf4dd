//! Rows that come out of a directory of people.

use testbed::database::PASSWORD;
use testbed::{Database, Site, address};

#[test]
fn people_of_ldap_become_rows_of_a_file() {
    let Some(mut slapd) = Database::slapd() else { return };
    let person = |name: &str, rest: &str| {
        format!("dn: cn={name},dc=test\nobjectClass: inetOrgPerson\ncn: {name}\nsn: x\nuid: {name}\n{rest}\n")
    };
    slapd.run(
        &[
            person("ann", "mail: ann@x.test\n"),
            person("d'arcy", "mail: darcy@x.test\ndescription: En congé\n"),
            person("bob", ""),
        ]
        .concat(),
    );
    let site = Site::bare(address());
    site.put("main.cf", "compatibility_level = 3.6\n");
    let people = site.path().join("people.csv");
    let plan = site.put(
        "copy.conf",
        &format!(
            "[people]\nsource = ldap://{}/dc=test?uid,mail,description?sub?(objectClass=inetOrgPerson)\n\
             bind_dn = cn=mail,dc=test\nbind_pw = {PASSWORD}\ntarget = csv:{}\nkey = login\n\
             columns = login=uid, mail, text=description\n",
            slapd.address(),
            people.display()
        ),
    );
    let plan = plan.display().to_string();
    let copy = |words: &[&str]| site.run_with("sync", &[words, &[&plan]].concat(), b"");
    let shown = copy(&["--dry-run"]);
    assert!(shown.status == 0 && shown.out.contains("3 rows in the source, 0 in the target"), "{shown:?}");
    assert!(!people.exists());
    let done = copy(&[]);
    assert!(done.status == 0 && done.out.contains("added 3, changed 0, removed 0"), "{done:?}");
    let text = std::fs::read_to_string(&people).expect("it was written");
    assert!(text.contains("d'arcy,darcy@x.test,En congé"), "{text}");
    // A directory that is away changes nothing.
    slapd.kill();
    let failed = copy(&[]);
    assert!(failed.status == 1 && failed.err.contains(&slapd.address().to_string()), "{failed:?}");
    assert!(!failed.err.contains(PASSWORD), "{failed:?}");
    assert_eq!(std::fs::read_to_string(&people).expect("it is there"), text);
}
