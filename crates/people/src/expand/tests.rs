use super::*;

fn fill(template: &str) -> String {
    let facts = Facts { remote: Some([192, 0, 2, 7].into()), ..Facts::of("imap") };
    let passdb: Fields = [("a", "1")].into_iter().collect();
    let vars = Vars { facts: Some(&facts), passdb: Some(&passdb), ..Vars::of_user("Joe.Doe@Example.Org") };
    expand(template, &vars, &str::to_owned).unwrap_or_else(|error| format!("! {error}"))
}

#[test]
fn variables_and_their_parts() {
    for (template, expected) in [
        ("%u", "Joe.Doe@Example.Org"),
        ("%Lu", "joe.doe@example.org"),
        ("/var/vmail/%d/%n/100%%", "/var/vmail/Example.Org/Joe.Doe/100%"),
        ("%1n/%1.1n/%n", "J/o/Joe.Doe"),
        ("%-3n", "Joe."),
        ("%-3.2n", "Do"),
        ("%010n", "000Joe.Doe"),
        ("%Ud %Rn", "EXAMPLE.ORG eoD.eoJ"),
        ("dc=%LDd", "dc=example,dc=org"),
        ("%Mn", "5d7b88e85be5ee86367c89f50ed7fc61"),
        ("%s %r [%l]", "imap 192.0.2.7 []"),
        ("%{user} %{username} %{domain}", "Joe.Doe@Example.Org Joe.Doe Example.Org"),
        ("%{passdb:a} %{passdb:b:x}", "1 x"),
        ("%{sha1:username}", "6b0d7c2b132f6610a9dc767f52c130ed13592f7f"),
        ("%{if;%s;eq;imap;yes %n;no}", "yes Joe.Doe"),
        ("%{if;%d;*;*.com;yes;no}", "no"),
        ("%{if;%d;*;Ex*.O?g;yes;no}", "yes"),
        ("%{nothing}", "! unknown variable %{nothing}"),
        ("100%", "! a % without a variable behind it"),
    ] {
        assert_eq!(fill(template), expected, "{template}");
    }
}

#[test]
fn hashes_are_numbers_below_a_modulus() {
    let vars = Vars::of_user("joe");
    let fill = |template: &str| expand(template, &vars, &str::to_owned).unwrap();
    // md5("joe") = 8ff32489f92f33416694be8fdc2d4c22, of which the first eight bytes count.
    assert_eq!(fill("%Nu"), "f92f3341");
    assert_eq!(fill("%2.256Nu"), "41");
    assert_eq!(fill("%4.16Nu"), "0001");
    assert_eq!(fill("%Mu"), "8ff32489f92f33416694be8fdc2d4c22");
    // 'j' << 8 + 'o' << 4 + 'e'
    assert_eq!(fill("%Hu"), format!("{:x}", (0x6a << 8) + (0x6f << 4) + 0x65));
}

#[test]
fn values_are_escaped_and_the_template_is_not() {
    let vars = Vars::of_user("o'hara@example.org");
    let quoted = expand("name = '%n' and \"%d\"", &vars, &|value| value.replace('\'', "''")).unwrap();
    assert_eq!(quoted, "name = 'o''hara' and \"example.org\"");
}
