//! What is remembered of strangers: greylisting beside the real postgrey, bans, and fail2ban over a log of ours.

mod bans;
mod fail2ban;
mod greylist;
mod load;
mod names;
mod outbound;
mod policyd_spf;
mod reference;
mod restrictions;
mod spawn;
