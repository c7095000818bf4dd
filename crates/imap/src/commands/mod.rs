//! Every command: a table of names, the states of a session that allow them, and what runs them.
//!
//! To add a command: a file here, a line in [`COMMANDS`], and its capability in [`capabilities`] or [`EXTENSIONS`].

mod acl;
mod append;
mod copy;
mod expunge;
pub mod fetch;
mod folders;
mod general;
mod junk;
mod list;
mod login;
mod metadata;
pub mod notify;
mod quota;
pub mod search;
mod select;
mod status;
mod store;

use bytes::Bytes;

use crate::grammar::Cursor;
use crate::session::{Answer, Session};

/// In which states of a session a command may come. RFC 9051 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// In all.
    Always,
    /// Only before the login.
    BeforeLogin,
    /// After the login.
    LoggedIn,
    /// With a mailbox selected.
    Selected,
}

/// A command at hand.
pub struct Call<'a> {
    /// At its arguments.
    pub args: Cursor<'a>,
    /// Messages that came as literals.
    pub aside: &'a [Bytes],
    /// Its tag.
    pub tag: &'a [u8],
    /// It came with `UID` before its name.
    pub uid: bool,
}

/// A line of the table.
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// When it may come.
    pub allowed: Allowed,
    /// It may come with `UID` before its name.
    pub uid: bool,
    /// It may wait for a disk.
    pub blocks: bool,
    /// Is everything it needs in memory this time, and is it soon done?
    pub at_hand: fn(&Session, &mut Call<'_>) -> bool,
    /// Runs it.
    pub run: fn(&mut Session, &mut Call<'_>) -> Answer,
}

type Run = fn(&mut Session, &mut Call<'_>) -> Answer;

/// Nobody can tell.
const fn never(_: &Session, _: &mut Call<'_>) -> bool {
    false
}

/// A command that is answered at once.
const fn quick(name: &'static str, allowed: Allowed, run: Run) -> Command {
    Command { name, allowed, uid: false, blocks: false, at_hand: never, run }
}

/// A command that may wait for a disk.
const fn slow(name: &'static str, allowed: Allowed, run: Run) -> Command {
    Command { name, allowed, uid: false, blocks: true, at_hand: never, run }
}

/// A command on messages, with or without `UID`.
const fn on_messages(name: &'static str, run: Run) -> Command {
    Command { name, allowed: Selected, uid: true, blocks: true, at_hand: never, run }
}

impl Command {
    /// It does not wait where this says so.
    const fn but(self, at_hand: fn(&Session, &mut Call<'_>) -> bool) -> Command {
        Command { at_hand, ..self }
    }
}

use Allowed::{Always, BeforeLogin, LoggedIn, Selected};

/// All commands.
pub const COMMANDS: &[Command] = &[
    quick("CAPABILITY", Always, general::capability),
    slow("NOOP", Always, general::noop).but(general::at_hand),
    quick("LOGOUT", Always, general::logout),
    quick("ID", Always, general::id),
    quick("STARTTLS", BeforeLogin, login::starttls),
    quick("LOGIN", BeforeLogin, login::login),
    quick("AUTHENTICATE", BeforeLogin, login::authenticate),
    quick("UNAUTHENTICATE", LoggedIn, login::unauthenticate),
    quick("ENABLE", LoggedIn, general::enable),
    quick("IDLE", LoggedIn, general::idle),
    quick("COMPRESS", LoggedIn, general::compress),
    quick("NAMESPACE", LoggedIn, list::namespace),
    slow("SELECT", LoggedIn, select::select).but(select::at_hand),
    slow("EXAMINE", LoggedIn, select::examine).but(select::at_hand),
    slow("LIST", LoggedIn, list::list),
    // As Outlook of 2010 asks for special uses; answered like LIST, and not offered.
    slow("XLIST", LoggedIn, list::list),
    slow("LSUB", LoggedIn, list::lsub),
    slow("STATUS", LoggedIn, status::status),
    slow("CREATE", LoggedIn, folders::create),
    slow("DELETE", LoggedIn, folders::delete),
    slow("RENAME", LoggedIn, folders::rename),
    slow("SUBSCRIBE", LoggedIn, folders::subscribe),
    slow("UNSUBSCRIBE", LoggedIn, folders::unsubscribe),
    slow("APPEND", LoggedIn, append::append),
    slow("GETQUOTA", LoggedIn, quota::get),
    slow("GETQUOTAROOT", LoggedIn, quota::root),
    quick("SETQUOTA", LoggedIn, quota::set),
    slow("CHECK", Selected, general::check).but(general::at_hand),
    slow("CLOSE", Selected, select::close),
    quick("UNSELECT", Selected, select::unselect),
    on_messages("EXPUNGE", expunge::expunge),
    on_messages("FETCH", fetch::fetch).but(fetch::at_hand),
    on_messages("STORE", store::store),
    on_messages("COPY", copy::copy),
    on_messages("MOVE", copy::move_to),
    on_messages("REPLACE", append::replace),
    on_messages("SEARCH", search::search),
    on_messages("SORT", search::sort),
    on_messages("THREAD", search::thread),
    slow("ESEARCH", LoggedIn, search::esearch),
    slow("NOTIFY", LoggedIn, notify::notify),
    slow("CANCELUPDATE", Selected, search::context::cancel),
    slow("GETACL", LoggedIn, acl::get),
    slow("SETACL", LoggedIn, acl::set),
    slow("DELETEACL", LoggedIn, acl::delete),
    slow("LISTRIGHTS", LoggedIn, acl::list),
    slow("MYRIGHTS", LoggedIn, acl::mine),
    slow("GETMETADATA", LoggedIn, metadata::get),
    slow("SETMETADATA", LoggedIn, metadata::set),
];

/// The command of a name, in any case.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name.eq_ignore_ascii_case(name))
}

/// What is offered in any state.
const BASE: &str = "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE IDLE";

/// What is offered after the login besides.
const EXTENSIONS: &str = "NAMESPACE CHILDREN UIDPLUS UNSELECT LIST-EXTENDED LIST-STATUS STATUS=SIZE SPECIAL-USE \
    CREATE-SPECIAL-USE MOVE CONDSTORE QRESYNC ESEARCH SEARCHRES WITHIN PARTIAL SORT SORT=DISPLAY \
    THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS BINARY MULTIAPPEND CATENATE REPLACE OBJECTID SAVEDATE PREVIEW \
    UTF8=ACCEPT MULTISEARCH METADATA UIDONLY QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE ESORT ACL \
    RIGHTS=texk LIST-MYRIGHTS NOTIFY CONTEXT=SEARCH CONTEXT=SORT INPROGRESS";

/// The capabilities a client is told, in its present state.
pub fn capabilities(session: &Session) -> String {
    let settings = &session.settings;
    let logged_in = session.user.is_some();
    let (replaced, added) = match settings.capability.strip_prefix('+') {
        Some(added) => ("", added.trim()),
        None => (settings.capability.trim(), ""),
    };
    if logged_in && !replaced.is_empty() {
        return replaced.to_owned();
    }
    let mut words = vec![BASE.to_owned()];
    if logged_in {
        words.push(EXTENSIONS.to_owned());
        words.push(format!("APPENDLIMIT={}", settings.append_limit));
        if !settings.no_logins {
            words.push("UNAUTHENTICATE".to_owned());
        }
        if !session.link.compressed {
            words.push("COMPRESS=DEFLATE".to_owned());
        }
        if !added.is_empty() {
            words.push(added.to_owned());
        }
    } else {
        if settings.tls && !session.link.tls {
            words.push("STARTTLS".to_owned());
        }
        if !session.link.passwords {
            words.push("LOGINDISABLED".to_owned());
        }
        words.extend(session.link.mechanisms.iter().map(|mechanism| format!("AUTH={mechanism}")));
    }
    words.join(" ")
}
