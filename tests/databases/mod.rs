//! Tables in data bases, beside the real servers and the real Postfix.

mod auf;
mod differential;
mod directory;
mod logins;
mod pam;
mod restart;
mod saslauthd;
mod sync;
mod tls;
