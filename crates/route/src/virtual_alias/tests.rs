use super::*;
use crate::testing::{now, router};

const SITE: &str = "mydomain = site.test\nmyorigin = site.test\nrecipient_delimiter = +\n";

fn expanded(settings: &str, recipient: &str) -> Result<Vec<String>, Refusal> {
    let router = router(&format!("{SITE}{settings}"));
    let addresses = now(router.expand(&Address::from(recipient), &mut Trail::off()))?;
    Ok(addresses.iter().map(|address| address.as_str().to_owned()).collect())
}

#[test]
fn aliases_expand() {
    let maps = "virtual_alias_maps = inline:{ {list@v.test = a@x.test, b@x.test,local, \"q x\"@x.test}, \
                a@x.test=deep@x.test, self@v.test=self@v.test, {copy@v.test=copy@v.test other@x.test}, \
                @all.test=@moved.test, @catch.test=one@x.test, root=admin@x.test }\n";
    for (recipient, addresses) in [
        ("list@v.test", &["deep@x.test", "b@x.test", "local@site.test", "q x@x.test"][..]),
        ("list+ext@v.test", &["deep+ext@x.test", "b+ext@x.test", "local+ext@site.test", "q x+ext@x.test"]),
        ("self@v.test", &["self@v.test"]),
        ("SELF@v.test", &["self@v.test"]),
        ("copy@v.test", &["copy@v.test", "other@x.test"]),
        ("joe+ext@all.test", &["joe+ext@moved.test"]),
        ("any@catch.test", &["one@x.test"]),
        ("root@site.test", &["admin@x.test"]),
        ("root@else.test", &["root@else.test"]),
    ] {
        assert_eq!(expanded(maps, recipient).unwrap(), addresses, "{recipient}");
    }
}

#[test]
fn limits_hold() {
    let circle = "virtual_alias_maps = inline:{a@x.test=b@x.test, b@x.test=a@x.test}\n";
    let refusal = expanded(circle, "a@x.test").unwrap_err();
    assert_eq!((refusal.smtp_code(), refusal.status().to_string().as_str()), (451, "4.6.0"));
    let wide = "virtual_alias_maps = inline:{ {a@x.test=b@x.test c@x.test d@x.test} }\n\
                virtual_alias_expansion_limit = 2\n";
    assert!(expanded(wide, "a@x.test").is_err());
    let long = "virtual_alias_maps = inline:{a@x.test=bbbbbbbbbb@x.test}\n\
                virtual_alias_address_length_limit = 10\n";
    assert!(expanded(long, "a@x.test").is_err());
    assert_eq!(
        expanded(
            "virtual_alias_recursion_limit = 1\nvirtual_alias_maps = inline:{a@x.test=b@x.test}\n",
            "c@x.test"
        )
        .unwrap(),
        ["c@x.test"]
    );
}

#[test]
fn a_failing_table_is_temporary() {
    for table in ["fail:broken", "inline:{{a@x.test=}}"] {
        let refusal = expanded(&format!("virtual_alias_maps = {table}\n"), "a@x.test").unwrap_err();
        assert_eq!(refusal.smtp_code(), 451, "{table}");
    }
}
