//! Addresses in headers, after RFC 822 with its old forms: comments, groups, routes, `user%host`, `host!user`.
//!
//! A header value becomes a list of [`Token`]s in which each address is a [`Mailbox`]; a mailbox may be replaced,
//! and the list is printed again with everything else in place. Nothing that is not understood is thrown away.
//! Everything is bytes: old mail has 8-bit text of any kind in display names.

mod group;
mod print;
mod scan;

pub use group::parse;
pub use print::{external, fold, header, internal};
pub use scan::{quote, scan, unquote};

/// A lexical token, or an address made of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A word without quotes.
    Atom(Vec<u8>),
    /// A quoted word, unquoted.
    Quoted(Vec<u8>),
    /// A domain literal without its brackets.
    Literal(Vec<u8>),
    /// A comment with its parentheses, as written.
    Comment(Vec<u8>),
    /// One of `|%!()<>@,;:\".[]`.
    Operator(u8),
    /// The colon behind the name of a group.
    GroupStart,
    /// An address.
    Address(Mailbox),
}

impl Token {
    /// Is it this operator?
    pub fn is(&self, operator: u8) -> bool {
        matches!(self, Token::Operator(own) if *own == operator)
    }

    /// Two of these side by side need a space between them.
    fn is_word(&self) -> bool {
        !matches!(self, Token::Operator(_) | Token::GroupStart)
    }
}

/// One address in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    external: Vec<u8>,
    internal: Vec<u8>,
}

impl Mailbox {
    /// Quoted where need be, without display name: what is rewritten and looked up.
    pub fn external(&self) -> &[u8] {
        &self.external
    }

    /// Unquoted: what an envelope holds.
    pub fn internal(&self) -> &[u8] {
        &self.internal
    }

    /// Replaces the address by one in external form.
    pub fn set(&mut self, external: Vec<u8>) {
        self.internal = internal(&scan(&external, 0));
        self.external = external;
    }

    /// Made of the tokens between two boundaries of a header; they stand side by side without space.
    fn from_tokens(tokens: &[Token]) -> Mailbox {
        let mut mailbox = Mailbox { external: Vec::new(), internal: Vec::new() };
        for token in tokens {
            print::push_external(&mut mailbox.external, token);
            print::push_internal(&mut mailbox.internal, token);
        }
        mailbox
    }
}

/// The addresses of a list.
pub fn mailboxes(tokens: &[Token]) -> impl Iterator<Item = &Mailbox> {
    tokens.iter().filter_map(|token| match token {
        Token::Address(mailbox) => Some(mailbox),
        _ => None,
    })
}

/// The addresses of a list, to be replaced.
pub fn mailboxes_mut(tokens: &mut [Token]) -> impl Iterator<Item = &mut Mailbox> {
    tokens.iter_mut().filter_map(|token| match token {
        Token::Address(mailbox) => Some(mailbox),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
