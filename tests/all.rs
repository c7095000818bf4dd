//! One binary for all integration tests of the workspace: a module here is a file or folder beside this one.

mod demo;
mod road;
mod tidy;
