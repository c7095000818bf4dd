//! What strangers try. Each file is one kind of attack, with every variant that was ever seen to work somewhere.
//!
//! By the numbers of the security list, as far as they concern who may talk to us (the others are named where they are):
//!
//! | item | here | in the rooms |
//! |---|---|---|
//! | 1 smuggling | `smuggling`, `readers` (LMTP) | the machines of `proto` (every line end), `deliver` (what goes out) |
//! | 2 STARTTLS | `starttls`, `readers` (IMAP, POP3, LMTP); `tls_clients`: openssl, swaks, testssl.sh, tickets (11) | `proto`, `net::tls` |
//! | 3 half a message | `half_close`, `readers` | `proto` |
//! | 4 what survives a refusal | `leftovers` | `mta::smtpd` |
//! | 5 before a login | `budget`, `readers` | `proto` (limits of lines), `imap::grammar::frame` (literals) |
//! | 6, 7, 14 structure, archives, patterns | `content` | `scan::attachments`, `mime`, `tables` |
//! | 8 injection | `injection` | `tables` (keys of data bases, table servers), `mail::logline` |
//! | 9 names of mailboxes, paths | `local_users` | `store::name`, `store::location`, `imap` (dialogues of 14-abuse), `deliver::hand::policy` |
//! | 10 logins | `readers` | `people`, `imap` (dialogues of 01-session), `imap::pop3` |
//! | 12 rights | | `imap` (`rights`: every command, every right) |
//! | 14 threads and sorting | | `imap` (`races`), `imap::commands::search::thread` |
//! | 15 DNS | `content`: SPF in circles, void look-ups; `gate::names`: loops, lame servers, null and numeric exchangers | `net::dns`, `sign::spf` (the suite of the standard, void look-ups), `net::tls` (TLSA) |
//! | 16 hostile peers | `hostile`: policy servers, next hops by SMTP and LMTP, milters, clamd; `tables`: data bases, directories, table servers; `content`: ICAP, spamd, rspamd | `filter::policy`, `mta::policyd`, `people::hostile_tests` |
//! | 17 loops | `local_users`: aliases, files, forwards between sites, notices | `deliver::agents::local`, `route::canonical`, `sign::srs` (replays) |
//! | 19 poisoned memories, local users | `local_users` | `gate::greylist::memory`, `mta::verify` |
//! | 20 bans | `gate::bans` | `gate::bans` |
//! | 21 races | | `imap` (`races`; dialogues of 08-sessions), `store::facteur::tests::deliveries` |
//! | 22 kill -9, full disks, damage | `durability` | `store` (`facteur::tests::crash`, `foreign::crash_tests`), `queue::tests`: `faults`, `damage`, `before` |
//! | 23 what goes out | `gate::outbound`; `content`: forged results, blind copies | `gate::outbound`, `mta::policyd` |

mod budget;
mod content;
mod half_close;
pub mod hostile;
mod injection;
mod leftovers;
mod local_users;
mod readers;
mod smuggling;
mod starttls;
mod tables;
mod tls_clients;
mod verification;
