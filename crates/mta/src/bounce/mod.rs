//! bounce(8): notices of failure, delay and success, so that nothing ever ends in silence.

pub mod notice;
pub mod template;

pub use notice::{Action, Fate, Notice, Order, Original, Reader, Returned, Site, compose};
pub use template::{Kind, Template, Templates};
