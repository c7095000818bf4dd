//! Who is who: accounts and where they are kept, how a password is checked, and the conversations that carry one.
