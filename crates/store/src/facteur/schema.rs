//! The tables of the catalogue.

/// Raised when a table changes; kept in `user_version`.
pub(crate) const VERSION: i64 = 2;

/// What a new catalogue is made with.
///
/// `mailbox.uidreserved` is durable before a UID below it is given out. `message.body` names a row of `body`, which
/// copies share; `signature` says which texts may be in it, `fields` what people search of its header. A `vanished` row is a range of UIDs. `state` holds how far the body files are entered
/// (`file`, `offset`), and `boot`, the start of the machine this catalogue was last written under.
pub(crate) const TABLES: &str = "
CREATE TABLE state (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE mailbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, special TEXT,
    uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL, uidreserved INTEGER NOT NULL,
    modseq INTEGER NOT NULL, recent INTEGER NOT NULL, forgotten INTEGER NOT NULL,
    messages INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE keyword (
    mailbox INTEGER NOT NULL, bit INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (mailbox, bit)) WITHOUT ROWID;
CREATE TABLE message (
    mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, body INTEGER NOT NULL, size INTEGER NOT NULL,
    flags INTEGER NOT NULL, keywords INTEGER NOT NULL, modseq INTEGER NOT NULL, received INTEGER NOT NULL,
    saved INTEGER NOT NULL, PRIMARY KEY (mailbox, uid)) WITHOUT ROWID;
CREATE TABLE vanished (
    mailbox INTEGER NOT NULL, modseq INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (mailbox, modseq, first)) WITHOUT ROWID;
CREATE TABLE body (
    id INTEGER PRIMARY KEY AUTOINCREMENT, file INTEGER NOT NULL, at INTEGER NOT NULL, size INTEGER NOT NULL,
    crc INTEGER NOT NULL, header INTEGER NOT NULL, thread INTEGER NOT NULL,
    envelope BLOB NOT NULL, bodystructure BLOB NOT NULL);
CREATE TABLE signature (body INTEGER PRIMARY KEY, bits BLOB NOT NULL);
CREATE TABLE fields (body INTEGER PRIMARY KEY, text BLOB NOT NULL);
CREATE TABLE thread (reference INTEGER PRIMARY KEY, thread INTEGER NOT NULL);
CREATE TABLE delivery (id TEXT PRIMARY KEY, saved INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE subscription (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE metadata (
    mailbox INTEGER NOT NULL, entry TEXT NOT NULL COLLATE NOCASE, value BLOB NOT NULL,
    PRIMARY KEY (mailbox, entry)) WITHOUT ROWID;
CREATE TABLE acl (
    mailbox INTEGER NOT NULL, identifier TEXT NOT NULL, rights TEXT NOT NULL,
    PRIMARY KEY (mailbox, identifier)) WITHOUT ROWID;
";

/// What was added to a catalogue of version 1. Messages that came before have no row there.
pub(crate) const SINCE_1: &str = "
CREATE TABLE IF NOT EXISTS fields (body INTEGER PRIMARY KEY, text BLOB NOT NULL);
PRAGMA user_version = 2;
";
