use std::path::Path;

use super::*;
use crate::{Block, Facts, MainCf, Registry, params::Site};

crate::params! {
    /// Some of what the rooms declare.
    pub struct Sample {
        /// Tables.
        some_maps: Maps = "$old_maps";
        /// Raw.
        some_reply: Raw = "$code";
        /// Classes.
        smtpd_restriction_classes: List = "";
        /// Per transport.
        family "<transport>_destination_recipient_limit": Int = "$some_limit";
        /// Per command.
        family "<transport>_time_limit": Time = "1000s";
    }
}

fn usage(main: &str, master: &str) -> (Vec<String>, Vec<String>) {
    let (main, _) = MainCf::parse(main, Path::new("main.cf"));
    let (master, _) = MasterCf::parse(master, Path::new("master.cf"));
    let registry = Registry::new(&[Site::DECLARATIONS, Sample::DECLARATIONS]);
    let view = View::new(registry, main, Facts::default());
    let sample = Sample::read(&view, &mut Vec::new());
    assert!(
        !sample.some_reply.is_empty()
            || !sample.some_maps.is_empty()
            || sample.smtpd_restriction_classes.is_empty()
    );
    let usage = Usage::of(&view, &master);
    let mut unused = usage.unused_in_main(&view);
    unused.extend(usage.unused_in_master(&view, &master));
    let text = |mistakes: &[Mistake]| mistakes.iter().map(ToString::to_string).collect();
    (text(&usage.mistakes), text(&unused))
}

fn nothing() -> (Vec<String>, Vec<String>) {
    (Vec::new(), Vec::new())
}

#[test]
fn own_names_count_when_referred_to() {
    let main = "mine = abc\nmyorigin = $mine\nother = $mine\nold_maps = x\nsome_reply = $anything\n";
    assert_eq!(usage(main, ""), (vec![], vec!["main.cf, line 3: unused parameter: other=$mine".to_owned()]));
}

#[test]
fn names_set_nowhere_are_told_each_time() {
    let (undefined, _) = usage("myorigin = $b${b?$c}\nsmtpd_restriction_classes = d, e\nd = permit\n", "");
    let line = |line, name| format!("main.cf, line {line}: undefined parameter: {name}");
    assert_eq!(undefined, [line(1, "b"), line(1, "b"), line(1, "c"), line(2, "e")]);
}

#[test]
fn overrides_see_their_own_names_and_those_of_main_cf() {
    let master = "a unix - - n - - smtp -o myorigin=$m1 -o m1=2 -o m2=$m3 -o m4=5\n";
    let (undefined, unused) = usage("m3 = 1\nmydomain = $m2\nm4 = 2\n", master);
    assert!(undefined.is_empty(), "{undefined:?}");
    let expected = ["main.cf, line 3: unused parameter: m4=2", "master.cf, line 1: unused parameter: m4=5"];
    assert_eq!(unused, expected);
}

#[test]
fn services_define_names() {
    let master = "a unix - - n - - smtp\nb unix - - n - - spawn\n";
    assert_eq!(usage("a_destination_recipient_limit = 3\nb_time_limit = 4\n", master), nothing());
    let (_, unused) = usage("b_destination_recipient_limit = 3\na_time_limit = 4\n", master);
    assert_eq!(unused.len(), 2);
}

#[test]
fn tables_of_databases_define_names() {
    let main = "some_maps = proxy:ldap:foo pipemap:{mysql:bar,sqlite:./x} \nfoo_server_host = h\nbar_user = u\n\
                bar_server_host = x\n";
    let (_, unused) = usage(main, "");
    assert_eq!(unused, ["main.cf, line 4: unused parameter: bar_server_host=x"]);
    let (told, _) = usage("some_maps = mysql:/nonexistent/x.cf\n", "");
    assert!(told[0].contains("/nonexistent/x.cf"), "{told:?}");
}

#[test]
fn circles_and_broken_references_are_told() {
    let broken = |main| {
        let (main, _) = MainCf::parse(main, Path::new("main.cf"));
        let view = View::new(Registry::new(&[Site::DECLARATIONS]), main, Facts::default());
        Usage::of(&view, &MasterCf::default()).broken.map(|(mistake, _)| mistake.line)
    };
    assert_eq!(broken("a = $b\nb = $a\n"), None, "nobody reads them");
    assert_eq!(broken("a = $b\nb = $a\nmyorigin = $a\n"), Some(3));
    assert_eq!(broken("\nmyorigin = ${a\n"), Some(2));
}
