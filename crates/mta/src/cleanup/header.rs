//! One header field: its addresses rewritten, its lines folded.

use mail::addresses;
use mail::{Trail, Trouble};
use route::{Context, Place, Router};

use super::fields::{Known, Role};

/// How header addresses are rewritten in one message.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The completing rules.
    pub context: Context,
    /// `no_address_mappings` is not set: canonical tables and masquerading apply.
    pub mappings: bool,
    /// `header_address_token_limit`.
    pub token_limit: usize,
}

/// The field with rewritten addresses, or `None` when no address changed: it then keeps its form.
///
/// `field` is `Name:value` without its last line end. A rewritten one is folded behind its commas.
pub async fn rewrite(
    router: &Router,
    rules: Rules,
    known: &Known,
    field: &[u8],
) -> Result<Option<Vec<u8>>, Trouble> {
    let place = match known.role {
        Role::None => return Ok(None),
        Role::Sender => Place::HeaderSender,
        Role::Recipient => Place::HeaderRecipient,
    };
    let mapped = rules.mappings && router.has_canonical(place);
    let name_len = known.name.len();
    let mut tokens = addresses::parse(&field[name_len + 1..], rules.token_limit);
    let mut changed = false;
    for mailbox in addresses::mailboxes_mut(&mut tokens) {
        let mut address = router.rewrite_header(rules.context, mailbox.external());
        if mapped && let Ok(text) = std::str::from_utf8(&address) {
            address = router.canonical_header(place, text, &mut Trail::off()).await?.into_bytes();
        }
        if address != mailbox.external() {
            changed = true;
            mailbox.set(address);
        }
    }
    if !changed {
        return Ok(None);
    }
    let mut out = field[..name_len].to_vec();
    out.extend_from_slice(b": ");
    out.extend_from_slice(&addresses::header(&tokens));
    addresses::fold(&mut out);
    Ok(Some(out))
}

/// The length at which a field longer than `limit` is cut: at a line end, when that loses less than a tenth.
pub fn cut(field: &[u8], limit: usize) -> usize {
    if field.len() <= limit {
        return field.len();
    }
    match field[..limit].iter().rposition(|byte| *byte == b'\n') {
        Some(end) if end + 1 > limit / 10 * 9 => end,
        _ => limit,
    }
}

/// Writes a field with its line end; continuation lines begin with a tab unless they begin with a blank.
pub fn push(out: &mut Vec<u8>, field: &[u8]) {
    for (at, line) in field.split(|byte| *byte == b'\n').enumerate() {
        if at > 0 && !matches!(line.first(), Some(b' ' | b'\t')) {
            out.push(b'\t');
        }
        out.extend_from_slice(line);
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_filled() {
        let mut text =
            b"To: rcpt@oracle.test,\nr@host.oracle.test,\n\"quoted name\" <x@oracle.test>,\nx@y.test"
                .to_vec();
        addresses::fold(&mut text);
        assert_eq!(
            text,
            b"To: rcpt@oracle.test, r@host.oracle.test,\n\"quoted name\" <x@oracle.test>, x@y.test"
        );
        let mut out = Vec::new();
        push(&mut out, &text);
        assert_eq!(
            out,
            b"To: rcpt@oracle.test, r@host.oracle.test,\n\t\"quoted name\" <x@oracle.test>, x@y.test\n"
        );
    }

    #[test]
    fn long_fields_are_cut_at_a_line_if_possible() {
        let text = [vec![b'a'; 95], vec![b'\n'], vec![b'b'; 50]].concat();
        assert_eq!(cut(&text, 100), 95);
        let text = [vec![b'a'; 50], vec![b'\n'], vec![b'b'; 150]].concat();
        assert_eq!(cut(&text, 100), 100);
        assert_eq!(cut(b"short", 100), 5);
    }
}
