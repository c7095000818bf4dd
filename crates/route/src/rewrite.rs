//! trivial-rewrite's address form: a local name becomes a full address.

use conf::{Block, Mistake, View};
use mail::Address;
use mail::addresses::{self, Token};

use crate::params::Rewrite;

/// Which rules complete an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Ours: completed with `myorigin` and `mydomain`.
    Local,
    /// A stranger's header: completed with `remote_header_rewrite_domain`, or not at all when that is empty.
    Remote,
}

/// The address rewriting rules of one configuration. Asks no table.
#[derive(Clone, Debug)]
pub struct Rewriter {
    pub(crate) settings: Rewrite,
    origin: String,
    domain: String,
}

impl Rewriter {
    /// Reads the rules.
    pub fn new(view: &View, mistakes: &mut Vec<Mistake>) -> Rewriter {
        Rewriter {
            settings: Rewrite::read(view, mistakes),
            origin: view.get("myorigin"),
            domain: view.get("mydomain"),
        }
    }

    /// Are headers of such mail completed at all?
    pub fn rewrites(&self, context: Context) -> bool {
        context == Context::Local || !self.settings.remote_header_rewrite_domain.is_empty()
    }

    /// An envelope address, internal form in and out.
    pub fn rewrite(&self, context: Context, address: &Address) -> Address {
        if is_complete(address.as_str().as_bytes()) {
            return address.clone();
        }
        let external = addresses::quote(address.as_str().as_bytes());
        text(addresses::unquote(&self.rewrite_external(context, &external))).into()
    }

    /// An address in external form, as headers have it.
    pub fn rewrite_external(&self, context: Context, external: &[u8]) -> Vec<u8> {
        if external.is_empty() || is_complete(external) {
            return external.to_vec();
        }
        let mut tokens = addresses::scan(external, 0);
        self.rewrite_tokens(context, &mut tokens);
        // Quoted as a whole: `"x"."y"@z` is `x.y@z`.
        addresses::quote(&addresses::internal(&tokens))
    }

    /// The rules proper.
    pub(crate) fn rewrite_tokens(&self, context: Context, tokens: &mut Vec<Token>) {
        if matches!(&tokens[..], [] | [Token::Quoted(_)]) && tokens.first().is_none_or(is_empty_word) {
            return;
        }
        // A lone @ is an empty address.
        if matches!(&tokens[..], [only] if only.is(b'@')) {
            *tokens = vec![Token::Quoted(Vec::new())];
            return;
        }
        strip_route(tokens);
        if find_last(tokens, b'@').is_none() {
            self.add_domain(context, tokens);
        }
        self.complete_domain(context, tokens);
        strip_dot(tokens);
    }

    /// `site!user`, `user%site` and `user` become `user@site`.
    fn add_domain(&self, context: Context, tokens: &mut Vec<Token>) {
        let settings = &self.settings;
        if settings.swap_bangpath
            && let Some(bang) = tokens.iter().position(|token| token.is(b'!'))
        {
            let user = tokens.split_off(bang + 1);
            tokens.pop();
            let site = std::mem::replace(tokens, user);
            tokens.push(Token::Operator(b'@'));
            tokens.extend(site);
        } else if settings.allow_percent_hack
            && let Some(percent) = find_last(tokens, b'%')
        {
            tokens[percent] = Token::Operator(b'@');
        } else if settings.append_at_myorigin {
            let origin = match context {
                Context::Local => &self.origin,
                Context::Remote => &settings.remote_header_rewrite_domain,
            };
            if !origin.is_empty() {
                tokens.push(Token::Operator(b'@'));
                tokens.extend(addresses::scan(origin.as_bytes(), 0));
            }
        }
    }

    /// `user@host` becomes `user@host.mydomain`. A broken form that ends in `@` stays, for a clearer refusal.
    fn complete_domain(&self, context: Context, tokens: &mut Vec<Token>) {
        let parent = match context {
            Context::Local => &self.domain,
            Context::Remote => &self.settings.remote_header_rewrite_domain,
        };
        let Some(at) = find_last(tokens, b'@') else { return };
        let domain = &tokens[at + 1..];
        if self.settings.append_dot_mydomain
            && !parent.is_empty()
            && !domain.is_empty()
            && !domain.iter().any(|token| token.is(b'.') || matches!(token, Token::Literal(_)))
        {
            tokens.push(Token::Operator(b'.'));
            tokens.extend(addresses::scan(parent.as_bytes(), 0));
        }
    }
}

/// `@a,@b:user@domain` is `user@domain`.
fn strip_route(tokens: &mut Vec<Token>) {
    if tokens.first().is_some_and(|token| token.is(b'@'))
        && let Some(colon) = tokens.iter().position(|token| token.is(b':'))
        && colon + 1 < tokens.len()
    {
        tokens.drain(..=colon);
    }
}

/// `user@domain.` is `user@domain`; two dots, or one behind `@`, stay for a clearer refusal.
pub(crate) fn strip_dot(tokens: &mut Vec<Token>) {
    if let [.., before, last] = &tokens[..]
        && last.is(b'.')
        && !before.is(b'.')
        && !before.is(b'@')
    {
        tokens.pop();
    }
}

pub(crate) fn find_last(tokens: &[Token], operator: u8) -> Option<usize> {
    tokens.iter().rposition(|token| token.is(operator))
}

fn is_empty_word(token: &Token) -> bool {
    matches!(token, Token::Quoted(word) if word.is_empty())
}

/// The common case, which no rule changes and no quoting: `user@host.domain` of plain characters.
pub(crate) fn is_complete(address: &[u8]) -> bool {
    let Some(at) = memchr::memrchr(b'@', address) else { return false };
    let (local, domain) = (&address[..at], &address[at + 1..]);
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'=' | b'.');
    local.split(|byte| *byte == b'.').all(|atom| !atom.is_empty() && atom.iter().all(plain))
        && domain.iter().all(plain)
        && domain.contains(&b'.')
        && !domain.ends_with(b".")
}

/// Addresses that come out of valid text are valid text.
pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests;
