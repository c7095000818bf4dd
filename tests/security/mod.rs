//! What strangers try. Each file is one kind of attack, with every variant that was ever seen to work somewhere.

mod budget;
mod half_close;
mod hostile;
mod injection;
mod leftovers;
mod local_users;
mod smuggling;
mod starttls;
