//! What strangers try. Each file is one kind of attack, with every variant that was ever seen to work somewhere.
//!
//! By the numbers of the security list, as far as they concern who may talk to us (the others are named where they are):
//!
//! | item | here | in the rooms |
//! |---|---|---|
//! | 1 smuggling | `smuggling` | the machines of `proto` (every line end), `deliver` (what goes out) |
//! | 2 STARTTLS | `starttls`; `tls_clients`: openssl, swaks, testssl.sh, tickets (11) | `proto`, `imap`, `net::tls` |
//! | 3 half a message | `half_close` | `proto` |
//! | 4 what survives a refusal | `leftovers` | `mta::smtpd` |
//! | 5 before a login | `budget` | `proto` (limits of lines), `imap` (literals) |
//! | 6, 7, 14 structure, archives, patterns | `content` | `scan::attachments`, `mime`, `tables` |
//! | 8 injection | `injection` | `tables` (keys of data bases) |
//! | 15 DNS | `gate::names`: loops, lame servers, null and numeric exchangers | `net::dns`, `sign::spf` (the suite of the standard, void look-ups), `net::tls` (TLSA) |
//! | 16 hostile peers | `hostile`: policy servers, next hops, milters, clamd; `content`: ICAP, spamd, rspamd | `filter::policy`, `mta::policyd`, `tables`, `people::hostile_tests` |
//! | 19 poisoned memories, local users | `local_users` | `gate::greylist::memory`, `mta::verify` |
//! | 20 bans | `gate::bans` | `gate::bans` |
//! | 23 what goes out | `gate::outbound` | `gate::outbound`, `mta::policyd` |

mod budget;
mod content;
mod half_close;
pub mod hostile;
mod injection;
mod leftovers;
mod local_users;
mod smuggling;
mod starttls;
mod tls_clients;
mod verification;
