//! What would be served: accounts, mailboxes, messages, UIDVALIDITY. Counted without touching anything.

use std::path::Path;
use std::sync::Arc;

use conf::{MainCf, View};
use people::{Facts, People};
use store::{Location, Tally};

use super::plan::Plan;
use crate::config;

/// What was found for an account.
pub struct Counted {
    pub user: String,
    /// Its mailboxes, or why they cannot be counted.
    pub found: Result<Vec<Tally>, String>,
}

/// The parameters as they would be.
pub fn view(plan: &Plan) -> View {
    let (main, _) = MainCf::parse(&plan.main_cf(), Path::new("main.cf"));
    View::new(crate::params::registry(), main, config::facts(Path::new("/etc/postfix"), "facteur"))
}

/// What the program would say of these parameters.
pub fn mistakes(view: &View) -> Vec<String> {
    let mut mistakes = Vec::new();
    imap::accounts::Accounts::read(view, now, &mut mistakes);
    People::check(view, &mut mistakes);
    mistakes.iter().map(ToString::to_string).collect()
}

/// Counts the mail of all users whose name has `part` in it.
///
/// # Errors
/// The databases do not tell who is there.
pub fn count(view: &View, part: &str) -> Result<Vec<Counted>, String> {
    let mut mistakes = Vec::new();
    let parts = people::Parts { clock: Arc::new(|| u64::try_from(now()).unwrap_or(0)) };
    let people = People::read(view, parts, &mut mistakes);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let users = runtime.block_on(people.users()).map_err(|trouble| trouble.to_string())?;
    let users = users.into_iter().filter(|user| user.contains(part));
    Ok(users
        .map(|user| {
            let account = runtime.block_on(people.lookup(&user, &Facts::of("doveadm")));
            let found = match account {
                Ok(Some(account)) => tally(view, &account),
                Ok(None) => Err("the user database does not know it".to_owned()),
                Err(trouble) => Err(trouble.to_string()),
            };
            Counted { user, found }
        })
        .collect())
}

fn tally(view: &View, account: &people::Account) -> Result<Vec<Tally>, String> {
    let location = account.mail.clone().unwrap_or_else(|| view.get("mail_location"));
    let owner = imap::accounts::owner(account);
    let place = Location::parse(&location)?.place(&owner).map_err(|error| error.to_string())?;
    store::tally(&place, &owner).map_err(|error| error.to_string())
}

fn now() -> i64 {
    jiff::Timestamp::try_from(net::clock::wall()).map_or(0, jiff::Timestamp::as_second)
}
