//! The resolver's first half: an address loses our own domains, layer by layer, until a foreign domain or a
//! user of ours is left.

use conf::View;
use mail::addresses::{self, Token};
use mail::{Trail, Trouble};

use crate::classes::literal;
use crate::domain;
use crate::mapping::Mapper;
use crate::rewrite::{Context, find_last, is_complete, strip_dot, text};

/// The parameters this half needs.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    host: String,
    empty_address: String,
    utf8: bool,
}

impl Rules {
    pub fn new(view: &View) -> Rules {
        Rules {
            host: view.get("myhostname"),
            empty_address: view.get("empty_address_recipient"),
            utf8: view.get("smtputf8_enable") == "yes",
        }
    }
}

/// An address of the form `user@domain`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Normal {
    /// Internal form.
    pub address: String,
    /// The domain is local.
    pub local: bool,
    /// The domain is a host name or an address literal.
    pub valid: bool,
}

/// Brings an address into its final form.
pub(crate) async fn form(
    rules: &Rules,
    mapper: &Mapper,
    address: &str,
    trail: &mut Trail,
) -> Result<Normal, Trouble> {
    let (mut address, mut local) = match is_complete(address.as_bytes()) {
        true => {
            let domain = mail::address::split(address).1.unwrap_or_default();
            (address.to_owned(), mapper.classes.is_local(domain, trail).await?)
        }
        false => strip(rules, mapper, address, trail).await?,
    };
    let domain = mail::address::split(&address).1.unwrap_or_default();
    let valid = match domain.starts_with('[') {
        true => literal(domain).is_some(),
        false => domain::is_valid(domain, rules.utf8),
    };
    if !valid && mapper.rewriter.settings.resolve_numeric_domain && domain.parse::<std::net::IpAddr>().is_ok()
    {
        address.insert(address.len() - domain.len(), '[');
        address.push(']');
        let literal = mail::address::split(&address).1.unwrap_or_default();
        local = mapper.classes.is_local(literal, trail).await? || local;
        return Ok(Normal { valid: true, address, local });
    }
    Ok(Normal { address, local, valid })
}

/// Takes our domains off; puts the last one back when nothing foreign came to light.
async fn strip(
    rules: &Rules,
    mapper: &Mapper,
    address: &str,
    trail: &mut Trail,
) -> Result<(String, bool), Trouble> {
    let settings = &mapper.rewriter.settings;
    let mut tokens = addresses::scan(&addresses::quote(address.as_bytes()), 0);
    let mut our_domain: Option<Vec<Token>> = None;
    // Each round takes something off; the bound is for forms that nobody has thought of.
    for _ in 0..address.len() + 100 {
        if find_last(&tokens, b'@').is_some() {
            strip_dot(&mut tokens);
        }
        if settings.resolve_null_domain && tokens.last().is_some_and(|token| token.is(b'@')) {
            tokens.pop();
        }
        if let Some(at) = find_last(&tokens, b'@') {
            let domain = text(addresses::internal(&tokens[at + 1..]));
            if !domain.is_empty() && !mapper.classes.is_local(&domain, trail).await? {
                return Ok((text(addresses::internal(&tokens)), false));
            }
            our_domain = Some(tokens.split_off(at));
        }
        let operator = |operator: u8| find_last(&tokens, operator).is_some();
        if operator(b'@')
            || (settings.swap_bangpath && operator(b'!'))
            || (settings.allow_percent_hack && operator(b'%'))
        {
            mapper.rewriter.rewrite_tokens(Context::Local, &mut tokens);
            continue;
        }
        if let Some(opened) = open_quotes(mapper, &tokens) {
            tokens = opened;
            mapper.rewriter.rewrite_tokens(Context::Local, &mut tokens);
            continue;
        }
        if matches!(&tokens[..], [] | [Token::Quoted(_)]) && is_empty(&tokens) {
            tokens = addresses::scan(rules.empty_address.as_bytes(), 0);
            continue;
        }
        if our_domain.is_none() {
            tokens.push(Token::Operator(b'@'));
            tokens.extend(addresses::scan(rules.host.as_bytes(), 0));
            continue;
        }
        break;
    }
    match our_domain {
        Some(domain) => tokens.extend(domain),
        None => {
            return Err(Trouble::new(format!(
                "address <{address}> cannot be resolved: too many layers of routing"
            )));
        }
    }
    Ok((text(addresses::internal(&tokens)), true))
}

fn is_empty(tokens: &[Token]) -> bool {
    tokens.iter().all(|token| matches!(token, Token::Quoted(word) if word.is_empty()))
}

/// Looks for routing inside a quoted local part (`resolve_dequoted_address`), as other mailers do: not looking
/// would let strangers relay through us.
fn open_quotes(mapper: &Mapper, tokens: &[Token]) -> Option<Vec<Token>> {
    let settings = &mapper.rewriter.settings;
    let [Token::Quoted(word)] = tokens else { return None };
    if !settings.resolve_dequoted_address {
        return None;
    }
    let last = |operator: u8| memchr::memrchr(operator, word);
    let at = last(b'@');
    let percent = at.is_none().then(|| last(b'%')).flatten().filter(|_| settings.allow_percent_hack);
    if at.is_none() && percent.is_none() {
        let bang = settings.swap_bangpath && last(b'!').is_some();
        return bang.then(|| addresses::scan(word, 0));
    }
    let mut word = word.clone();
    if let Some(percent) = percent {
        word[percent] = b'@';
    }
    Some(addresses::scan(&addresses::quote(&word), 0))
}
