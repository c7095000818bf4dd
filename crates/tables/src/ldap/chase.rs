//! Referrals: a server that knows who knows (RFC 4511 4.1.10 and 4.5.3). Whoever is referred to is asked without a name,
//! as OpenLDAP's library does it for Postfix.

use mail::Trouble;
use mail::logline::printable;

use super::{Directory, Found, NO_SUCH_OBJECT, REFERRAL, Scope, Search, Settings, Url};

/// Referrals that follow one another, as OpenLDAP has it.
const DEPTH: usize = 5;

/// Referrals of one search in all.
const MOST: usize = 50;

/// Follows what a search has left open.
///
/// # Errors
/// Nobody of those referred to answers, or they send each other on for ever.
pub(super) async fn follow(
    settings: &Settings,
    program: &'static str,
    search: &Search<'_>,
    mut found: Found,
) -> Result<Found, Trouble> {
    let mut open: Vec<(usize, Vec<String>)> = found.references.drain(..).map(|urls| (1, urls)).collect();
    let mut asked = 0;
    while let Some((depth, urls)) = open.pop() {
        asked += 1;
        if depth > DEPTH || asked > MOST {
            return Err(Trouble::new("too many referrals from one ldap server to another"));
        }
        let mut more = one_of(settings, program, search, &urls).await?;
        // One part of the tree that is not there is no failure of the others.
        if found.code == REFERRAL || !matches!(more.code, 0 | REFERRAL | NO_SUCH_OBJECT) {
            (found.code, found.text) = (more.code, more.text);
        }
        found.entries.append(&mut more.entries);
        open.extend(more.references.into_iter().map(|urls| (depth + 1, urls)));
    }
    Ok(found)
}

/// Asks the first that answers.
async fn one_of(
    settings: &Settings,
    program: &'static str,
    search: &Search<'_>,
    urls: &[String],
) -> Result<Found, Trouble> {
    let mut last = Trouble::new("an ldap server refers to nobody");
    for text in urls {
        let Some((url, place)) = Url::parse(text).and_then(|url| url.place.clone().map(|place| (url, place)))
        else {
            last = Trouble::new(format!("referral to {}: that is no ldap server", printable(text)));
            continue;
        };
        let base = if url.base.is_empty() { search.base } else { url.base.as_str() };
        let scope = if says_scope(text) { url.scope } else { below(search.scope) };
        let other = Settings {
            servers: vec![(place, printable(text))],
            bind: None,
            connections: 1,
            ..settings.clone()
        };
        let directory = Directory::new(other, program);
        let search = Search { base, scope, ..search.clone() };
        match directory.search_here(&search).await {
            Ok(found) => return Ok(found),
            Err(trouble) => last = trouble,
        }
    }
    Err(last)
}

fn says_scope(url: &str) -> bool {
    url.split('?').nth(2).is_some_and(|scope| !scope.is_empty())
}

/// What is left of a scope one step further down.
fn below(scope: Scope) -> Scope {
    if scope == Scope::One { Scope::Base } else { scope }
}
