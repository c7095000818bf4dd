//! Address lists as ENVELOPE shows them: mailboxes, groups, source routes, and what broken lists still say.
//!
//! Broken addresses have the words that Dovecot puts in their place, so that clients see what they always saw.

use crate::lexer::{Broken, Lexer};

/// One entry of an address list (RFC 9051 7.5.2). A group begins with an entry that has only a `mailbox` (its name)
/// and ends with an entry that has nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The display name, encoded words as they are.
    pub name: Option<Vec<u8>>,
    /// The source route, `@a,@b`.
    pub route: Option<Vec<u8>>,
    /// The local part, unquoted; or the name of a group.
    pub mailbox: Option<Vec<u8>>,
    /// The domain.
    pub domain: Option<Vec<u8>>,
}

impl Address {
    /// Is it a mailbox, and not one end of a group?
    pub fn is_mailbox(&self) -> bool {
        self.domain.is_some()
    }

    /// `local@domain`, when it is a mailbox.
    pub fn addr_spec(&self) -> Option<Vec<u8>> {
        let (mailbox, domain) = (self.mailbox.as_ref()?, self.domain.as_ref()?);
        Some([mailbox.as_slice(), b"@", domain.as_slice()].concat())
    }
}

const MISSING_MAILBOX: &[u8] = b"MISSING_MAILBOX";
const MISSING_DOMAIN: &[u8] = b"MISSING_DOMAIN";
const SYNTAX_ERROR: &[u8] = b"SYNTAX_ERROR";
const INVALID_ROUTE: &[u8] = b"INVALID_ROUTE";

/// Reads a header value and adds its addresses to `out`, of which there are never more than `most`.
pub fn parse(value: &[u8], most: usize, out: &mut Vec<Address>) {
    let mut list = List { lexer: Lexer::new(value), out, most };
    if list.lexer.skip() != Ok(true) {
        return;
    }
    while list.out.len() < list.most {
        let more = list.entry();
        if more == Ok(false) || !list.comma() {
            return;
        }
    }
}

struct List<'a, 'o> {
    lexer: Lexer<'a>,
    out: &'o mut Vec<Address>,
    most: usize,
}

/// True when something follows what was read.
type More = Result<bool, Broken>;

impl List<'_, '_> {
    /// Goes past a comma. True when something follows it.
    fn comma(&mut self) -> bool {
        if !self.lexer.at(b',') {
            return false;
        }
        self.lexer.bump();
        self.lexer.skip() == Ok(true)
    }

    fn entry(&mut self) -> More {
        let start = self.lexer.place();
        let mut name = Vec::new();
        if self.lexer.phrase(&mut name) == Ok(true) && self.lexer.at(b':') {
            return self.group(name);
        }
        self.lexer.go_back(start);
        self.mailbox()
    }

    fn group(&mut self, name: Vec<u8>) -> More {
        self.out.push(Address { mailbox: Some(name), ..Address::default() });
        self.lexer.bump();
        let more = self.members();
        self.out.push(Address::default());
        more
    }

    fn members(&mut self) -> More {
        if !self.lexer.skip()? {
            return Ok(false);
        }
        if !self.lexer.at(b';') {
            while self.out.len() < self.most {
                if self.mailbox() == Ok(false) {
                    return Ok(false);
                }
                if !self.comma() {
                    break;
                }
            }
        }
        if !self.lexer.at(b';') {
            return Err(Broken);
        }
        self.lexer.bump();
        self.lexer.skip()
    }

    fn mailbox(&mut self) -> More {
        let start = self.lexer.place();
        let mut address = Address::default();
        let mut name = Vec::new();
        let more = if self.lexer.phrase(&mut name) == Ok(true) && self.lexer.at(b'<') {
            address.name = (!name.is_empty()).then_some(name);
            let more = self.angle(&mut address);
            if more.is_err() {
                address.domain = Some(SYNTAX_ERROR.to_vec());
            }
            Ok(!self.lexer.is_empty())
        } else {
            self.lexer.go_back(start);
            self.bare(&mut address)
        };
        address.mailbox.get_or_insert_with(|| MISSING_MAILBOX.to_vec());
        address.domain.get_or_insert_with(|| MISSING_DOMAIN.to_vec());
        self.out.push(address);
        more
    }

    /// `<route:local@domain>` and the blanks behind it.
    fn angle(&mut self, address: &mut Address) -> More {
        let end = |more: bool| if more { Ok(()) } else { Err(Broken) };
        self.lexer.bump();
        end(self.lexer.skip()?)?;
        if self.lexer.at(b'@') {
            let mut route = Vec::new();
            let whole = self.route(&mut route);
            if whole == Ok(true) && self.lexer.at(b':') {
                self.lexer.bump();
                address.route = Some(route);
            } else {
                address.route = Some(INVALID_ROUTE.to_vec());
            }
            end(self.lexer.skip()?)?;
        }
        if !self.lexer.at(b'>') {
            let mut local = Vec::new();
            let more = self.lexer.local_part(&mut local);
            address.mailbox = more.is_ok().then_some(local);
            end(more?)?;
            if self.lexer.at(b'@') {
                let mut domain = Vec::new();
                let more = self.lexer.domain(&mut domain)?;
                address.domain = (!domain.is_empty()).then_some(domain);
                end(more)?;
            }
        }
        if !self.lexer.at(b'>') {
            return Err(Broken);
        }
        self.lexer.bump();
        self.lexer.skip()
    }

    /// `@a,@b` before the colon; empty entries are left out.
    fn route(&mut self, out: &mut Vec<u8>) -> More {
        loop {
            out.push(b'@');
            if !self.lexer.domain(out)? {
                return Ok(false);
            }
            while self.lexer.at(b',') {
                self.lexer.bump();
                if !self.lexer.skip()? {
                    return Ok(false);
                }
            }
            if !self.lexer.at(b'@') {
                return Ok(true);
            }
            out.push(b',');
        }
    }

    /// `local@domain (Name)`; or words without any address, which then are a name.
    fn bare(&mut self, address: &mut Address) -> More {
        self.lexer.comment.clear();
        let quoted = self.lexer.at(b'"');
        let mut local = Vec::new();
        let mut more = self.lexer.local_part(&mut local);
        if more.is_ok() && (quoted || !local.is_empty()) {
            address.mailbox = Some(local.clone());
        }
        if self.lexer.at(b'@') {
            let mut domain = Vec::new();
            more = self.lexer.domain(&mut domain);
            if more.is_ok() {
                address.domain = Some(domain);
            }
            self.name_from_comment(address);
            return more;
        }
        if self.name_from_comment(address) || (more.is_err() && (quoted || local.is_empty())) {
            return more;
        }
        let mut words = Vec::new();
        if more != Ok(false) {
            match self.lexer.phrase(&mut words) {
                Ok(follows) => more = Ok(follows),
                Err(Broken) => words.clear(),
            }
        }
        if quoted || !words.is_empty() {
            let mut name = std::mem::take(&mut local);
            address.mailbox = None;
            if !words.is_empty() {
                name.push(b' ');
                name.extend(words);
            }
            address.name = (!name.is_empty()).then_some(name);
        }
        more
    }

    fn name_from_comment(&mut self, address: &mut Address) -> bool {
        let comment = std::mem::take(&mut self.lexer.comment);
        let has = !comment.is_empty();
        if has {
            address.name = Some(comment);
        }
        has
    }
}
