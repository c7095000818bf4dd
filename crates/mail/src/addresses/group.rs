//! Tokens to addresses.

use super::{Mailbox, Token, scan};

/// Parses a header value (everything behind the colon) as a list of addresses.
///
/// `limit` is `header_address_token_limit`; 0 is no limit. Words without a comma between them become addresses of
/// their own, with a comma put in; comments move behind the address they stand in.
pub fn parse(value: &[u8], limit: usize) -> Vec<Token> {
    let mut grouping = Grouping { left: scan(value, limit), ..Grouping::default() };
    grouping.run();
    grouping.right.reverse();
    grouping.right
}

/// The list is read from right to left, because only `;` and `>` tell what stands before them.
#[derive(Default)]
struct Grouping {
    /// What is still to be read.
    left: Vec<Token>,
    /// The words and operators of an address whose beginning is not seen yet, backwards.
    middle: Vec<Token>,
    /// What is done, backwards.
    right: Vec<Token>,
}

impl Grouping {
    fn run(&mut self) {
        // A word may begin an address now; without it, the word at hand is one address and this word another.
        let mut word_is_next = true;
        let mut in_group = false;
        while let Some(token) = self.left.pop() {
            match token {
                Token::Comment(_) => self.right.push(token),
                Token::Operator(b';') => {
                    self.close(true);
                    self.right.push(token);
                    (in_group, word_is_next) = (true, true);
                }
                Token::Operator(b':') if in_group => {
                    self.close(false);
                    self.right.push(Token::GroupStart);
                    self.move_until(b",");
                }
                Token::Operator(b'>') => {
                    self.close(true);
                    self.right.push(token);
                    self.route_address();
                    self.move_until(b">;,:");
                    // A colon that begins no group bounds the phrase, and belongs to nothing.
                    if !in_group && let Some(colon) = self.left.pop_if(|token| token.is(b':')) {
                        self.right.push(colon);
                    }
                    word_is_next = true;
                }
                Token::Operator(b',') => {
                    self.close(false);
                    self.right.push(token);
                    word_is_next = true;
                }
                Token::Operator(_) => {
                    self.middle.push(token);
                    word_is_next = true;
                }
                _ => {
                    if !word_is_next {
                        self.close(true);
                    }
                    self.middle.push(token);
                    word_is_next = false;
                }
            }
        }
        self.close(false);
    }

    /// What was read since the last boundary is an address. `comma` puts one before it.
    fn close(&mut self, comma: bool) {
        if self.middle.is_empty() {
            return;
        }
        self.middle.reverse();
        self.right.push(Token::Address(Mailbox::from_tokens(&self.middle)));
        self.middle.clear();
        if comma {
            self.right.push(Token::Operator(b','));
        }
    }

    /// The inside of `<…>`, whose `>` is done; stops before `<`.
    fn route_address(&mut self) {
        while let Some(token) = self.left.pop_if(|token| !token.is(b'<')) {
            match token {
                Token::Comment(_) => self.right.push(token),
                _ => self.middle.push(token),
            }
        }
        self.close(false);
    }

    /// A display name or group name stays as it is, up to one of `stops`.
    fn move_until(&mut self, stops: &[u8]) {
        while let Some(token) =
            self.left.pop_if(|token| !matches!(token, Token::Operator(own) if stops.contains(own)))
        {
            self.right.push(token);
        }
    }
}
