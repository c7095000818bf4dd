//! Tables in data bases, beside the real servers and the real Postfix.

mod differential;
mod restart;
