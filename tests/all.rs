//! One binary for all integration tests of the workspace: a module here is a file or folder beside this one.

mod clients;
mod commands;
mod configuration;
mod content;
mod cyrus;
mod databases;
mod demo;
mod dmarc;
mod durability;
mod filters;
mod forwarding;
mod gate;
mod keepers;
mod logins;
mod mailboxes;
mod neighbours;
mod notices;
mod postfix;
mod road;
mod scanners;
mod security;
mod seeds;
mod signatures;
mod takeover;
mod tidy;
mod zones;
