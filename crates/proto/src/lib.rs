//! Grammars and conversations: bytes in, events out; no I/O.
//!
//! A *grammar* turns text into a value; a *machine* knows what may come next, limits, time-outs and line endings. Neither
//! knows a socket, a parameter or who is allowed: whoever drives a machine feeds it bytes, hands it the time, and
//! answers its events.

pub mod dovecot;
pub mod fuzz;
pub mod milter;
pub mod proxy;
pub mod smtp;
pub mod xclient;
