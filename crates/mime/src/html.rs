//! HTML to text, for previews and search: tags go, entities are resolved, blanks are one space.

/// Elements whose content nobody reads.
const UNSEEN: [&str; 6] = ["head", "script", "style", "template", "title", "object"];

/// Elements that do not part words.
const INLINE: [&str; 17] = [
    "a", "abbr", "b", "bdi", "big", "em", "font", "i", "ins", "mark", "s", "small", "span", "strong", "sub",
    "sup", "u",
];

/// Entities by name, besides numbers.
const ENTITIES: [(&str, char); 24] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("copy", '©'),
    ("reg", '®'),
    ("euro", '€'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("hellip", '…'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("auml", 'ä'),
    ("ouml", 'ö'),
    ("uuml", 'ü'),
    ("szlig", 'ß'),
    ("eacute", 'é'),
    ("egrave", 'è'),
];

/// The text of an HTML document, of which any part may be missing or broken.
pub fn to_text(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        words(&rest[..at], &mut out);
        rest = &rest[at..];
        rest = if rest.starts_with('&') { entity(rest, &mut out) } else { tag(rest, &mut out) };
    }
    words(rest, &mut out);
    out.truncate(out.trim_end().len());
    out
}

fn words(text: &str, out: &mut String) {
    for letter in text.chars() {
        if letter.is_whitespace() {
            space(out);
        } else {
            out.push(letter);
        }
    }
}

fn space(out: &mut String) {
    if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

/// Goes past a tag, comment, or an element that is not seen.
fn tag<'a>(text: &'a str, out: &mut String) -> &'a str {
    if let Some(comment) = text.strip_prefix("<!--") {
        return comment.find("-->").map_or("", |end| &comment[end + 3..]);
    }
    let inner = &text[1..];
    if !inner.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '/' | '!' | '?')) {
        out.push('<');
        return inner;
    }
    let Some(end) = inner.find('>') else { return "" };
    let after = &inner[end + 1..];
    let name = inner.trim_start_matches('/');
    let name_len = name.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(name.len());
    let name = name[..name_len].to_ascii_lowercase();
    if UNSEEN.contains(&name.as_str()) && !inner.starts_with('/') && !inner[..end].ends_with('/') {
        return skip(after, &name);
    }
    if !INLINE.contains(&name.as_str()) {
        space(out);
    }
    after
}

/// Behind the end tag of an element; without one, nothing is left.
fn skip<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        let own = rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        if own {
            return rest.find('>').map_or("", |end| &rest[end + 1..]);
        }
    }
    ""
}

fn entity<'a>(text: &'a str, out: &mut String) -> &'a str {
    let inner = &text[1..];
    let end = inner.bytes().take(12).position(|byte| !byte.is_ascii_alphanumeric() && byte != b'#');
    let end = end.unwrap_or(inner.len().min(12));
    let Some(name) = inner.get(..end) else {
        out.push('&');
        return inner;
    };
    let Some(letter) = resolve(name) else {
        out.push('&');
        return inner;
    };
    if letter.is_whitespace() {
        space(out)
    } else {
        out.push(letter)
    }
    let rest = &inner[end..];
    rest.strip_prefix(';').unwrap_or(rest)
}

fn resolve(name: &str) -> Option<char> {
    let Some(number) = name.strip_prefix('#') else {
        return ENTITIES.iter().find(|(own, _)| *own == name).map(|(_, letter)| *letter);
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code).filter(|letter| *letter != '\0')
}
