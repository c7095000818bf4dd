//! Who may talk to us and send through us, beside Postfix, postgrey, policyd-spf, rbldnsd and fail2ban.

mod bans;
mod fail2ban;
mod greylist;
mod load;
mod names;
mod outbound;
mod policyd_spf;
mod postscreen;
mod reference;
mod restrictions;
mod spawn;
