//! Greylisting, as postgrey does it: a client that has not written to this recipient for this sender yet is put off, and
//! those that try again after a while come through. Spam programs seldom do.

mod answer;
mod key;
mod memory;
mod orders;
mod settings;
#[cfg(test)]
mod tests;
mod whitelist;

pub use answer::{Answer, Question};
pub use key::domain_of_hosts;
pub use memory::{FILE, Memory};
pub use orders::of_postgrey;
pub use settings::Settings;
