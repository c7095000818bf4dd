//! OpenDKIM's configuration as it stands: opendkim.conf, KeyTable, SigningTable, TrustedHosts.

mod dataset;
mod file;
mod hosts;
mod tables;

pub use dataset::file_of;
pub(crate) use dataset::{Dataset, Kind, Line};
pub use file::OpenDkim;
pub use hosts::Hosts;
pub(crate) use tables::key_files;
pub use tables::{KeyEntry, KeyTable, SigningTable};
