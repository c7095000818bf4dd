//! Files of comma-separated values (RFC 4180): a line of names, then rows. An empty field without quotes is NULL.

use super::Row;

/// Names and rows.
///
/// # Errors
/// The line, and what is wrong with it.
pub fn read(text: &[u8], separator: char) -> Result<(Vec<String>, Vec<Row>), String> {
    let text = std::str::from_utf8(text).map_err(|_| "not UTF-8".to_owned())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut records = Vec::new();
    let mut chars = text.chars().peekable();
    let mut line = 1;
    while chars.peek().is_some() {
        let start = line;
        let mut record: Row = Vec::new();
        loop {
            let mut field = String::new();
            let quoted = chars.next_if_eq(&'"').is_some();
            if quoted {
                loop {
                    match chars.next() {
                        Some('"') if chars.next_if_eq(&'"').is_none() => break,
                        Some(c) => {
                            line += usize::from(c == '\n');
                            field.push(c);
                        }
                        None => return Err(format!("line {start}: a quote is never closed")),
                    }
                }
            } else {
                while let Some(c) = chars.next_if(|c| *c != separator && *c != '\n' && *c != '\r') {
                    field.push(c);
                }
            }
            record.push((quoted || !field.is_empty()).then_some(field));
            match chars.next() {
                Some(c) if c == separator => {}
                Some('\r') if chars.next_if_eq(&'\n').is_some() => break,
                Some('\n') | None => break,
                Some(_) => return Err(format!("line {line}: text after a closing quote")),
            }
        }
        line += 1;
        if record != [None] {
            records.push((start, record));
        }
    }
    let mut records = records.into_iter();
    let (_, names) = records.next().ok_or("the line with the names of the columns is missing")?;
    let names: Vec<_> = names.into_iter().map(|name| name.unwrap_or_default().trim().to_owned()).collect();
    let mut rows = Vec::new();
    for (line, record) in records {
        if record.len() != names.len() {
            return Err(format!(
                "line {line}: {} fields, and {} names of columns",
                record.len(),
                names.len()
            ));
        }
        rows.push(record);
    }
    Ok((names, rows))
}

/// The text of a file with these names and rows.
pub fn write(names: &[String], rows: &[Row], separator: char) -> String {
    let mut out = String::new();
    let head: Row = names.iter().cloned().map(Some).collect();
    for row in std::iter::once(&head).chain(rows) {
        let fields = row.iter().map(|field| match field {
            None => String::new(),
            Some(text) if text.is_empty() || text.contains([separator, '"', '\n', '\r']) => {
                format!("\"{}\"", text.replace('"', "\"\""))
            }
            Some(text) => text.clone(),
        });
        out.push_str(&fields.collect::<Vec<_>>().join(&separator.to_string()));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read(rows in proptest::collection::vec(
            proptest::collection::vec(proptest::option::of("[a,;\"\n\r ]{0,4}"), 2), 0..5)) {
            // A row of nothing but NULL in one column would be an empty line; two columns have a separator.
            let names = vec!["a".to_owned(), "b\"c".to_owned()];
            let text = write(&names, &rows, ',');
            proptest::prop_assert_eq!(read(text.as_bytes(), ',').unwrap(), (names, rows));
        }
    }

    #[test]
    fn mistakes_have_a_line() {
        assert_eq!(read(b"a,b\n1,2\n1\n", ',').unwrap_err(), "line 3: 1 fields, and 2 names of columns");
        assert_eq!(read(b"a\n\"x", ',').unwrap_err(), "line 2: a quote is never closed");
        assert!(read(b"", ',').is_err());
        assert_eq!(read(b"a;b\r\n1;\r\n", ';').unwrap().1, [[Some("1".to_owned()), None]]);
    }
}
