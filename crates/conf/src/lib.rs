//! main.cf and master.cf: grammar, expansion, parameter kinds and declarations.
//!
//! This room reads the text files it is told to read and does no other I/O: what a machine must be asked for
//! (its host name, its addresses) arrives in [`Facts`].
//!
//! The way of a setting: [`MainCf`] keeps what the files say, with file and line; a [`Registry`] knows every
//! [`Declaration`]; a [`View`] joins both with the overrides of one service and answers by name, expanded;
//! [`params!`] turns declarations into a typed struct that is read from a view in one go.

mod check;
mod declare;
pub mod edit;
mod expand;
mod facts;
mod kind;
mod level;
mod lines;
mod main_cf;
mod master_cf;
mod mistake;
mod networks;
pub mod params;
mod registry;
pub mod secrets;
mod units;
mod usage;
mod value;
mod view;
pub mod words;

pub use check::check;
pub use declare::{Block, Declaration, Status};
pub use expand::{ExpandError, Scope, expand, names};
pub use facts::{COMPUTED, Facts, Interface};
pub use kind::Kind;
pub use level::Level;
pub use lines::name_value;
pub use main_cf::{MainCf, Setting};
pub use master_cf::{COLUMNS, MasterCf, Service, ServiceKind};
pub use mistake::{Mistake, Severity};
pub use registry::Registry;
pub use units::{TimeUnit, parse_time};
pub use usage::{Class, Usage};
pub use value::Value;
pub use view::View;
