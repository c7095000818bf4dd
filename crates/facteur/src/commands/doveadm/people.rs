//! `doveadm user`, `doveadm auth test`, `doveadm pw`.

use std::io::BufRead;

use ::people::{Account, Verdict, schemes};

use super::print::{Column, Format, Printer};
use super::whom::Directory;
use super::{Call, DENIED, End, NO_USER, Verb, options};

pub(super) const VERBS: &[Verb] = &[
    Verb { name: "user", usage: "[-f field] [-u] <user mask> [<user mask> [...]]", run: user },
    Verb { name: "auth test", usage: "<user> [<password>]", run: test },
    Verb { name: "pw", usage: "[-l] [-p plaintext] [-s scheme] [-t hash] [-u user] [-V]", run: pw },
];

/// What the user databases say, in Dovecot's order.
fn fields(call: &Call, account: &Account) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut add =
        |name: &str, value: Option<String>| fields.extend(value.map(|value| (name.to_owned(), value)));
    add("uid", account.uid.map(|uid| uid.to_string()));
    add("gid", account.gid.map(|gid| gid.to_string()));
    add("home", account.home.clone());
    let location = call.config.view.raw("mail_location").map(str::to_owned);
    add("mail", account.mail.clone().or(location));
    for (n, rule) in account.quota.iter().enumerate() {
        let number = if n == 0 { String::new() } else { (n + 1).to_string() };
        add(&format!("quota_rule{number}"), Some(rule.clone()));
    }
    fields.extend(account.fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
    fields
}

fn user(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, "a:x:f:e:u", || verb.wrong().text)?;
    if options.rest.is_empty() {
        return Err(verb.wrong());
    }
    let directory = Directory::open(call)?;
    // Names with wildcards are listed, others are told of.
    if options.rest.iter().all(|mask| mask.contains(['*', '?'])) {
        for mask in &options.rest {
            directory.matching(mask)?.iter().for_each(|user| println!("{user}"));
        }
        return Ok(0);
    }
    let columns = vec![Column::named("field"), Column::named("value")];
    let mut printer = Printer::new(call.format.unwrap_or(Format::Tab), columns);
    let mut unknown = Vec::new();
    let wanted = options.value('f');
    for user in &options.rest {
        let Some(account) = directory.lookup(user)? else {
            unknown.push(user);
            continue;
        };
        for (name, value) in fields(call, &account) {
            match wanted {
                Some(wanted) if wanted == name => println!("{value}"),
                Some(_) => {}
                None => printer.row(vec![name, value]).map_err(End::fatal)?,
            }
        }
    }
    if wanted.is_none() {
        printer.finish().map_err(End::fatal)?;
    }
    for user in &unknown {
        // As Dovecot has it: with the answers.
        println!("\nuserdb lookup: user {user} doesn't exist");
    }
    Ok(if unknown.is_empty() { 0 } else { NO_USER })
}

fn ask(prompt: &str) -> Result<String, End> {
    eprint!("{prompt}");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(End::fatal)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn test(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, "a:x:M:", || verb.wrong().text)?;
    let (user, password) = match options.rest.as_slice() {
        [user] => (user, ask("Password: ")?),
        [user, password] => (user, password.clone()),
        _ => return Err(verb.wrong()),
    };
    let (word, name, status) = match Directory::open(call)?.authenticate(user, &password) {
        Verdict::Ok(account) => ("succeeded", account.user, 0),
        Verdict::Failed(failure) if failure.is_temporary() => {
            return Err(End::fatal(format!("passdb: {user}: {}", failure.log)));
        }
        Verdict::Failed(failure) => ("failed", failure.user.unwrap_or_else(|| user.clone()), DENIED),
    };
    println!("passdb: {user} auth {word}\nextra fields:\n  user={name}");
    Ok(status)
}

fn pw(_: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, "lp:r:s:t:u:V", || verb.wrong().text)?;
    if options.has('l') {
        let names: Vec<&str> = schemes::SCHEMES.iter().map(|scheme| scheme.name).collect();
        println!("{}", names.join(" "));
        return Ok(0);
    }
    if options.has('r') {
        eprintln!("doveadm: Warning: -r is left aside: rounds are those the scheme takes by itself");
    }
    let user = options.value('u').unwrap_or_default();
    let password = match options.value('p') {
        Some(password) => password.to_owned(),
        None => {
            let first = ask("Enter new password: ")?;
            if options.value('t').is_none() && ask("Retype new password: ")? != first {
                return Err(End::fatal("Passwords don't match!"));
            }
            first
        }
    };
    let scheme = options.value('s').unwrap_or("CRYPT");
    let (stored, verified) = match options.value('t') {
        Some(stored) => (stored.to_owned(), true),
        None => (schemes::generate(scheme, &password, user).map_err(End::fatal)?, options.has('V')),
    };
    if verified {
        let right = schemes::verify(&password, user, &stored, scheme).map_err(End::fatal)?;
        if !right {
            return Err(End::fatal("reverse password verification check failed: Password mismatch"));
        }
        println!("{stored} (verified)");
    } else {
        println!("{stored}");
    }
    Ok(0)
}
