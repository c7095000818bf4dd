use std::borrow::Cow;
use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

struct Names(HashMap<String, String>);

impl Scope for Names {
    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.get(name).map(|value| Cow::Borrowed(value.as_str()))
    }
}

fn scope(names: &[(&str, &str)]) -> Names {
    Names(names.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn expanded(text: &str) -> String {
    let names =
        [("set", "yes"), ("empty", ""), ("a", "1"), ("nested", "<$a>"), ("hollow", "$empty"), ("lvl", "3")];
    expand(text, &scope(&names)).unwrap_or_else(|error| format!("!{error}"))
}

#[test]
fn references_and_dollars() {
    for (text, expected) in [
        ("$a ${a} $(a)", "1 1 1"),
        ("x$a.y${a}z$a-b", "x1.y1z1-b"),
        ("$a_b|$unknown|", "||"),
        ("$$a$$${a}$$", "$a$1$"),
        ("$nested", "<1>"),
        ("${ a }", "1"),
        ("${?b}|${ }|", "||"),
        ("", ""),
    ] {
        assert_eq!(expanded(text), expected, "{text}");
    }
}

#[test]
fn choices() {
    for (text, expected) in [
        ("${set?yes} ${empty?yes} ${set:no} ${empty:no}", "yes   no"),
        ("${set?{y}:{n}} ${empty?{y}:{n}} ${unknown?{y}:{n}}", "y n n"),
        ("${set ? b : c}x", "b : cx"),
        ("${empty?{c} : d e }|", "d e |"),
        ("${set?{b}:}x", "bx"),
        ("$(empty:(x))", "(x)"),
        // Whether a value is empty is seen before it is expanded.
        ("${hollow?x}y", "xy"),
        ("${set?{pre$a}}${empty:post${a}x}", "pre1post1x"),
    ] {
        assert_eq!(expanded(text), expected, "{text}");
    }
}

#[test]
fn comparisons() {
    for (text, expected) in [
        ("${{$lvl} == {3} ? {eq} : {ne}}", "eq"),
        ("${{10} > {9} ? {num} : {str}}", "num"),
        ("${{a10} < {a9} ? {text} : {numb}}", "text"),
        ("${{02}=={2}?{y}:{n}}${{ 2}=={2}?{y}:{n}}", "yn"),
        ("${{2} > {1} : x y }x", "x"),
        ("${{2} < {1} : x y }x", "x y x"),
        ("${{1} == {1}}|${{1} == {2}}|", "true||"),
        ("${{3.10} >=level {3.9} ? {y} : {n}}", "y"),
        ("${{3} ==level {3.0}?x:y}", "x:y"),
        ("${ {1}=={1} ? y}", "y"),
    ] {
        assert_eq!(expanded(text), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_is_shown_where_it_is() {
    for (text, expected) in [
        ("${a", "truncated macro reference: \"${a\""),
        ("x$ y", "empty macro name: \"x$ y\""),
        ("${a b}", "attribute name syntax error at: \"...a>>> b\""),
        ("${a ? {b} junk}", "\":\" expected at: \"...b}>>>junk\""),
        ("${a : {b} {c}}", "unexpected input at: \"...b}>>>{c}\""),
        ("${{1} == 1?x}", "\"{expression}\" expected at: \"...{1} ==>>> 1?x\""),
        ("${{a}==b}", "bad operator suffix at: \"...==>>>b\""),
        ("${{1}=={1}x}", "\"?\" or \":\" expected at: \"...}>>>x\""),
        ("${{} >level {3.9}?x}", "malformed compatibility level syntax: \"\""),
    ] {
        assert_eq!(expanded(text), format!("!{expected}"), "{text}");
    }
    assert!(expanded("${{1}===level{3.9}?{x}:{y}}").ends_with("\"...1}>>>===level{3.9}?{x}:{y\""));
    assert!(expanded("${{99999999999999999999}>{2}?y}").starts_with("!number too large"));
}

#[test]
fn circles_end() {
    let names = scope(&[("loopa", "$loopb"), ("loopb", "x $loopa")]);
    let error = expand("$loopa", &names).expect_err("a circle");
    assert_eq!(error.text, "unreasonable macro call nesting: \"loopb\"");
}

#[test]
fn doubling_ends() {
    let mut names: HashMap<String, String> =
        (0..90).map(|n| (format!("n{n}"), format!("$n{}$n{}", n + 1, n + 1))).collect();
    assert!(expand("$n0", &Names(names.clone())).is_err());
    names.insert("n12".to_owned(), "x".repeat(1 << 16));
    assert!(expand("$n0", &Names(names)).is_err(), "4096 times 64 kB");
}

#[test]
fn names_are_found_in_all_branches() {
    let mut found = Vec::new();
    names("${{$b}=={$c}?{$d}:{$e}} ${f?{$g}:{$h}} ${i:$j}$$k", &mut |name| found.push(name.to_owned()))
        .expect("well formed");
    assert_eq!(found.concat(), "bcdefghij");
}

proptest! {
    #[test]
    fn any_text_expands_or_is_refused(text in "[${}():?=!<>a-c lev.0-9]{0,60}", a in "[${}a-c?:]{0,12}", b in "[${}a-c]{0,12}") {
        let names_of_text = scope(&[("a", &a), ("b", &b)]);
        if expand(&text, &names_of_text).is_ok() && !text.contains('?') && !text.contains(':') {
            prop_assert_eq!(names(&text, &mut |_| ()), Ok(()));
        }
    }

    #[test]
    fn text_without_dollars_stands(text in "[^$]{0,40}") {
        prop_assert_eq!(expand(&text, &scope(&[])).expect("no reference"), text);
    }
}
