//! Text of a query with values in it. How a value is quoted depends on where it stands, so the text before it
//! is read as the server will read it.

use super::Kind;

/// A query: fixed text from the administrator, and values from strangers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(String),
}

/// How a server reads quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    pub kind: Kind,
    /// Is `\` special between ordinary quotes?
    pub backslash: bool,
}

impl Statement {
    /// An empty statement.
    pub fn new() -> Statement {
        Statement::default()
    }

    /// Adds text of the query, as the administrator wrote it.
    #[must_use]
    pub fn text(mut self, text: &str) -> Statement {
        self.pieces.push(Piece::Text(text.to_owned()));
        self
    }

    /// Adds a value, which will be quoted for its place.
    #[must_use]
    pub fn value(mut self, value: &str) -> Statement {
        self.pieces.push(Piece::Value(value.to_owned()));
        self
    }

    /// Adds a value with quotes around it; NULL for `None`.
    #[must_use]
    pub fn quoted(self, value: Option<&str>) -> Statement {
        match value {
            Some(value) => self.text("'").value(value).text("'"),
            None => self.text("NULL"),
        }
    }

    /// Adds another statement.
    #[must_use]
    pub fn then(mut self, other: Statement) -> Statement {
        self.pieces.extend(other.pieces);
        self
    }

    /// The statement with its values in place, for people to read; not for a server.
    pub fn shown(&self) -> String {
        self.pieces.iter().map(|(Piece::Text(text) | Piece::Value(text))| text.as_str()).collect()
    }

    /// The statement as this server is to get it.
    ///
    /// # Errors
    /// A value cannot be made safe where it stands, as a sentence.
    pub(super) fn render(&self, dialect: Dialect) -> Result<String, String> {
        let mut reader = Reader::new(dialect);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => text.chars().for_each(|c| reader.read(c)),
                Piece::Value(value) => reader.put(value)?,
            }
        }
        Ok(reader.out)
    }
}

/// Where the reader stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Plain,
    /// Between quotes; is `\` special there?
    Quoted {
        quote: char,
        backslash: bool,
        escaped: bool,
    },
    /// After `--` or `#`.
    LineComment,
    BlockComment {
        depth: u32,
    },
    /// Between `$tag$` and the same.
    Dollar {
        tag: String,
    },
}

struct Reader {
    dialect: Dialect,
    place: Place,
    out: String,
    /// Where in `out` the present place began.
    since: usize,
    /// The quotes that were closed last, whether `\` was special between them, and where in `out` they ended.
    closed: Option<(char, bool, usize)>,
}

impl Reader {
    fn new(dialect: Dialect) -> Reader {
        Reader { dialect, place: Place::Plain, out: String::new(), since: 0, closed: None }
    }

    fn enter(&mut self, place: Place) {
        self.place = place;
        self.since = self.out.len();
    }

    /// Adds a character of the query's text.
    fn read(&mut self, c: char) {
        self.out.push(c);
        let recent = &self.out[self.since..];
        match &mut self.place {
            Place::Plain => self.plain(c),
            Place::Quoted { escaped: escaped @ true, .. } => *escaped = false,
            Place::Quoted { backslash: true, escaped, .. } if c == '\\' => *escaped = true,
            Place::Quoted { quote, backslash, .. } if *quote == c => {
                self.closed = Some((c, *backslash, self.out.len()));
                self.enter(Place::Plain);
            }
            Place::Quoted { .. } => {}
            Place::LineComment if c == '\n' || c == '\r' && self.dialect.kind == Kind::Pgsql => {
                self.enter(Place::Plain);
            }
            Place::LineComment => {}
            Place::BlockComment { depth } => {
                if recent.ends_with("*/") {
                    *depth -= 1;
                    let place =
                        if *depth == 0 { Place::Plain } else { Place::BlockComment { depth: *depth } };
                    self.enter(place);
                } else if self.dialect.kind == Kind::Pgsql && recent.ends_with("/*") {
                    let depth = *depth + 1;
                    self.enter(Place::BlockComment { depth });
                }
            }
            Place::Dollar { tag } => {
                if recent.ends_with(tag.as_str()) {
                    self.enter(Place::Plain);
                }
            }
        }
    }

    fn plain(&mut self, c: char) {
        let kind = self.dialect.kind;
        let recent = &self.out[self.since..];
        let before = &self.out[..self.out.len() - c.len_utf8()];
        match c {
            '\'' | '"' => {
                let backslash = match kind {
                    _ if self.goes_on(c, before) => self.closed.is_some_and(|(_, backslash, _)| backslash),
                    Kind::Mysql => self.dialect.backslash,
                    // E'…', and '…' where standard_conforming_strings is off.
                    Kind::Pgsql => c == '\'' && (self.dialect.backslash || is_escape_string(before)),
                    Kind::Sqlite => false,
                };
                self.enter(Place::Quoted { quote: c, backslash, escaped: false });
            }
            '`' if kind != Kind::Pgsql => {
                self.enter(Place::Quoted { quote: c, backslash: false, escaped: false });
            }
            '#' if kind == Kind::Mysql => self.enter(Place::LineComment),
            '-' if kind != Kind::Mysql && recent.ends_with("--") => self.enter(Place::LineComment),
            // MySQL wants a blank after it.
            ' ' | '\t' if kind == Kind::Mysql && before[self.since..].ends_with("--") => {
                self.enter(Place::LineComment);
            }
            '*' if recent.ends_with("/*") => self.enter(Place::BlockComment { depth: 1 }),
            '$' if kind == Kind::Pgsql => {
                let from = before[self.since..].rfind('$').map(|at| self.since + at);
                if let Some(tag) = from.map(|from| &self.out[from..]).filter(|tag| is_tag(tag, &self.out)) {
                    let tag = tag.to_owned();
                    self.enter(Place::Dollar { tag });
                }
            }
            _ => {}
        }
    }

    /// Does this quote go on with the string that was closed before? A doubled quote does, and in PostgreSQL one after a
    /// line end, comments of a line notwithstanding: `E'a' -- b`, a line end and `'c'` are one string.
    fn goes_on(&self, quote: char, before: &str) -> bool {
        let Some((closed, _, at)) = self.closed else { return false };
        let between = &before[at..];
        closed == quote && (between.is_empty() || self.dialect.kind == Kind::Pgsql && is_line_end(between))
    }

    /// Adds a value.
    fn put(&mut self, value: &str) -> Result<(), String> {
        if value.contains('\0') && self.dialect.kind != Kind::Mysql {
            return Err("a value holds a NUL character".to_owned());
        }
        match &self.place {
            Place::Quoted { quote, backslash, escaped: false } => {
                for c in value.chars() {
                    if c == *quote || (c == '\\' && *backslash) {
                        self.out.push(c);
                    }
                    self.out.push(c);
                }
                return Ok(());
            }
            Place::Quoted { .. } => {}
            _ if value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                self.out.push_str(value);
                return Ok(());
            }
            _ => {}
        }
        Err("a value outside of quotes in the query may hold letters, digits and _ only; \
             write quotes around the % in the query"
            .to_owned())
    }
}

/// Does a quote after this text begin an escape string of PostgreSQL?
fn is_escape_string(before: &str) -> bool {
    let mut back = before.chars().rev();
    matches!(back.next(), Some('e' | 'E')) && !back.next().is_some_and(in_name)
}

/// Blanks and comments of a line, with a line end among them?
fn is_line_end(text: &str) -> bool {
    let mut lines = text.split(['\n', '\r']).map(str::trim_ascii);
    text.contains(['\n', '\r']) && lines.all(|line| line.is_empty() || line.starts_with("--"))
}

/// Is `tag`, at the end of `text`, a dollar quote (and no parameter, no part of a name)?
fn is_tag(tag: &str, text: &str) -> bool {
    let inside = &tag[1..tag.len() - 1];
    inside.chars().all(in_name)
        && !inside.starts_with(|c: char| c.is_ascii_digit())
        && !text[..text.len() - tag.len()].ends_with(in_name)
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MYSQL: Dialect = Dialect { kind: Kind::Mysql, backslash: true };
    const ANSI: Dialect = Dialect { kind: Kind::Mysql, backslash: false };
    const PGSQL: Dialect = Dialect { kind: Kind::Pgsql, backslash: false };
    const SQLITE: Dialect = Dialect { kind: Kind::Sqlite, backslash: false };

    /// Fills the `?` of a query.
    fn fill(dialect: Dialect, query: &str, value: &str) -> Result<String, String> {
        let mut statement = Statement::new();
        for (n, text) in query.split('?').enumerate() {
            if n > 0 {
                statement = statement.value(value);
            }
            statement = statement.text(text);
        }
        statement.render(dialect)
    }

    #[test]
    fn a_value_stays_in_its_place() {
        for (dialect, query, value, expected) in [
            (MYSQL, "k='?'", "a'b\\c\"d", "k='a''b\\\\c\"d'"),
            (ANSI, "k='?'", "a'b\\c", "k='a''b\\c'"),
            (MYSQL, "k=\"?\"", "a'b\"", "k=\"a'b\"\"\""),
            (MYSQL, "k=`?`", "a`b\\", "k=`a``b\\`"),
            (MYSQL, "k='x\\'?'", "'", "k='x\\''''"),
            (MYSQL, "'a' -- '\n k='?'", "'", "'a' -- '\n k=''''"),
            (MYSQL, "5--'?'", "'", "5--''''"),
            (MYSQL, "/* ' */ '?' # '\n '?'", "'", "/* ' */ '''' # '\n ''''"),
            (PGSQL, "k='?'", "a'b\\", "k='a''b\\'"),
            (PGSQL, "k=E'?'", "a'b\\", "k=E'a''b\\\\'"),
            (PGSQL, "k=e'\\'?'", "\\", "k=e'\\'\\\\'"),
            (PGSQL, "name'?'", "\\", "name'\\'"),
            (PGSQL, "E'a''?'", "\\'", "E'a''\\\\'''"),
            (PGSQL, "E'a' \n '?'", "\\'", "E'a' \n '\\\\'''"),
            (PGSQL, "E'a' '?'", "\\", "E'a' '\\'"),
            (PGSQL, "E'a' -- b\n'?'", "\\'", "E'a' -- b\n'\\\\'''"),
            (PGSQL, "E'a'\n -- it's\r --\n '?'", "\\'", "E'a'\n -- it's\r --\n '\\\\'''"),
            (PGSQL, "'a' -- b\n'?'", "\\'", "'a' -- b\n'\\'''"),
            (PGSQL, "E'a' = /* b\n */ '?'", "\\", "E'a' = /* b\n */ '\\'"),
            (PGSQL, "$a$ ' $a$ '?'", "'", "$a$ ' $a$ ''''"),
            (PGSQL, "/* /* ' */ ' */ '?'", "'", "/* /* ' */ ' */ ''''"),
            (PGSQL, "$1 '?' $2", "'", "$1 '''' $2"),
            (SQLITE, "k='?'--'?'", "x", "k='x'--'x'"),
            (SQLITE, "id=?", "42", "id=42"),
        ] {
            assert_eq!(fill(dialect, query, value).as_deref(), Ok(expected), "{query} {value}");
        }
    }

    #[test]
    fn outside_of_quotes_nothing_special_passes() {
        for (dialect, query, value) in [
            (MYSQL, "id=?", "1 OR 1=1"),
            (MYSQL, "id=?", "a@b"),
            (MYSQL, "id='x' -- '?'", "\n;"),
            (MYSQL, "/* '?' */", "*/"),
            (PGSQL, "$x$?$x$", "$x$"),
            (PGSQL, "$$?$$", "$$"),
            (PGSQL, "'?'", "a\0b"),
            (SQLITE, "'?'", "\0"),
            (MYSQL, "'\\?'", "x"),
        ] {
            assert!(fill(dialect, query, value).is_err(), "{query} {value}");
        }
    }

    proptest::proptest! {
        /// After a value the reader stands where it stood, and text after it means what it meant.
        #[test]
        fn no_value_leaves_its_place(
            query in "([ a-zE$]|'|\"|`|[\\\\]|--|#|/[*]|[*]/|\n|[?])*",
            value in "(a|'|\"|`|[\\\\]|--|#|/[*]|[*]/|\n|[$]|;)*",
        ) {
            for dialect in [MYSQL, ANSI, PGSQL, SQLITE] {
                let mut reader = Reader::new(dialect);
                for c in query.chars() {
                    if c != '?' {
                        reader.read(c);
                        continue;
                    }
                    let place = reader.place.clone();
                    let start = reader.out.len();
                    let since = reader.since;
                    if reader.put(&value).is_err() {
                        continue;
                    }
                    // Read what was put as the server would: it must end in the same place, and never leave it.
                    let put = reader.out[start..].to_owned();
                    let mut server = Reader { dialect, place: place.clone(), out: reader.out[..start].to_owned(), since, closed: None };
                    put.chars().for_each(|c| server.read(c));
                    proptest::prop_assert_eq!(&server.place, &place, "{} {} {:?}", query, put, dialect);
                }
            }
        }
    }
}
