//! What a client says to log in.

use std::fmt;

/// A step of a login. Its passwords appear in no log: `Debug` leaves them out.
pub enum Login {
    /// LOGIN.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// AUTHENTICATE.
    Sasl {
        /// In capitals.
        mechanism: String,
        /// The initial response, in base64, where there is one; `=` is an empty one.
        initial: Option<Vec<u8>>,
    },
    /// The next line of a SASL conversation, in base64.
    Line(Vec<u8>),
    /// The client has given up.
    Cancel,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Login::Password { user, .. } => write!(f, "LOGIN {user:?}"),
            Login::Sasl { mechanism, .. } => write!(f, "AUTHENTICATE {mechanism}"),
            Login::Line(_) => f.write_str("a line"),
            Login::Cancel => f.write_str("given up"),
        }
    }
}
