//! Tokens (OAuth 2): what is in one, and whether its signature is right. Who is asked about them is the matter of the
//! database `oauth2`.

pub mod jwt;
pub mod keys;
