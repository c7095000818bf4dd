//! For which users a command works: `-u user`, `-u mask`, `-A`, or the user of the environment.

use std::sync::Arc;

use people::{Facts, People};

use super::account::Reader;
use super::options::Options;
use super::print::{Column, Format, Printer};
use super::{Call, DENIED, End, FAILED, IMPOSSIBLE, NO_USER, NOT_FOUND};

/// The options of every command on mailboxes, for [`super::options::read`].
pub(super) const OPTIONS: &str = "u:AS:";

/// Who is who, asked from a program that does one thing.
pub(super) struct Directory {
    people: People,
    runtime: tokio::runtime::Runtime,
}

impl Directory {
    /// Opens the databases of the configuration.
    pub fn open(call: &Call) -> Result<Directory, End> {
        let mut mistakes = Vec::new();
        let parts = people::Parts { clock: Arc::new(|| u64::try_from(super::account::now()).unwrap_or(0)) };
        let people = People::read(&call.config.view, parts, &mut mistakes);
        if let Some(mistake) = mistakes.first() {
            return Err(End::fatal(mistake));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Directory { people, runtime: runtime.map_err(End::fatal)? })
    }

    /// Is this user there?
    pub fn lookup(&self, user: &str) -> Result<Option<people::Account>, End> {
        let found = self.runtime.block_on(self.people.lookup(user, &Facts::of("doveadm")));
        found.map_err(|trouble| End { status: FAILED, text: format!("doveadm({user}): Error: {trouble}") })
    }

    /// Does this password open the account?
    pub fn authenticate(&self, user: &str, password: &str) -> people::Verdict {
        let facts = Facts { trusted: true, ..Facts::of("doveadm") };
        self.runtime.block_on(self.people.authenticate(user, password, &facts))
    }

    /// The users whose names match a mask.
    pub fn matching(&self, mask: &str) -> Result<Vec<String>, End> {
        let users = self.runtime.block_on(self.people.users());
        let users = users.map_err(|trouble| End {
            status: FAILED,
            text: format!(
                "Error: userdb list: {trouble}\ndoveadm: Error: Failed to iterate through some users"
            ),
        })?;
        Ok(users.into_iter().filter(|user| matches(mask, user, None)).collect())
    }
}

/// Does a name match a mask with `*` and `?`, or, with a separator, an IMAP mask with `*` and `%`?
pub(super) fn matches(mask: &str, name: &str, separator: Option<char>) -> bool {
    let Some(wild) = mask.chars().next() else { return name.is_empty() };
    let rest = &mask[wild.len_utf8()..];
    let first = name.chars().next();
    let after = || first.is_some_and(|first| matches(rest, &name[first.len_utf8()..], separator));
    match (wild, separator) {
        ('*', _) | ('%', Some(_)) => {
            matches(rest, name, separator)
                || first.is_some_and(|first| {
                    (wild == '*' || Some(first) != separator)
                        && matches(mask, &name[first.len_utf8()..], separator)
                })
        }
        ('?', None) => after(),
        _ => first == Some(wild) && after(),
    }
}

/// Why one user's work was not done, as doveadm words it; the status that follows.
pub(super) struct Error {
    pub status: u8,
    pub text: String,
}

/// What became of one user's work.
pub(super) type Done = Result<(), Error>;

impl Error {
    /// A failure of the store while `doing` something.
    pub fn store(doing: impl std::fmt::Display, mailbox: &str, error: &store::Error) -> Error {
        let (status, why) = match error {
            store::Error::NoMailbox | store::Error::Gone => {
                (NOT_FOUND, format!("Mailbox doesn't exist: {mailbox}"))
            }
            store::Error::Exists => (IMPOSSIBLE, "Mailbox already exists".to_owned()),
            store::Error::BadName(why) => (IMPOSSIBLE, format!("Invalid mailbox name: {why}")),
            store::Error::NoPermission => (DENIED, "Permission denied".to_owned()),
            store::Error::NoMessage => (NOT_FOUND, error.to_string()),
            store::Error::Unsupported(why) => (IMPOSSIBLE, (*why).to_owned()),
            store::Error::OverQuota(_) => (IMPOSSIBLE, error.to_string()),
            _ => (FAILED, error.to_string()),
        };
        Error { status, text: format!("{doing}: {why}") }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        Error { status: FAILED, text: format!("write: {error}") }
    }
}

/// Where the rows of a command go.
pub(super) struct Rows {
    printer: Printer,
    /// Named in front, where there are several.
    user: Option<String>,
}

impl Rows {
    /// Prints a row.
    pub fn row(&mut self, mut values: Vec<String>) -> Done {
        if let Some(user) = &self.user {
            values.insert(0, user.clone());
        }
        Ok(self.printer.row(values)?)
    }
}

/// Does `work` for every user; gives the exit status: of the last that failed, 0 where all is done.
pub(super) fn each(
    call: &Call,
    options: &Options,
    format: Format,
    mut columns: Vec<Column>,
    mut work: impl FnMut(&Reader, &mut Rows) -> Done,
) -> Result<u8, End> {
    if options.has('S') {
        eprintln!("doveadm: Warning: -S is left aside: the mail store is opened directly");
    }
    let directory = Directory::open(call)?;
    let mask = options.value('u').map(str::to_owned);
    let many = options.has('A') || mask.as_ref().is_some_and(|mask| mask.contains(['*', '?']));
    let users = match (options.has('A'), mask) {
        (true, _) => directory.matching("*")?,
        (_, Some(mask)) if many => directory.matching(&mask)?,
        (_, Some(user)) => vec![user],
        (_, None) => vec![
            std::env::var("USER")
                .map_err(|_| End::usage("Fatal: USER environment is missing and -u option not used"))?,
        ],
    };
    if many {
        columns.insert(0, Column::bare("Username"));
    }
    let mut status = 0;
    let mut rows = Rows { printer: Printer::new(call.format.unwrap_or(format), columns), user: None };
    for user in users {
        rows.user = many.then(|| user.clone());
        let done = match directory.lookup(&user)? {
            None => Err(Error { status: NO_USER, text: "User doesn't exist".to_owned() }),
            Some(account) => {
                Reader::open(call, &account, &directory.people).and_then(|reader| work(&reader, &mut rows))
            }
        };
        if let Err(error) = done {
            status = error.status;
            // What was printed so far belongs before.
            eprintln!("doveadm({user}): Error: {}", error.text);
        }
    }
    rows.printer.finish().map_err(End::fatal)?;
    Ok(status)
}
