//! The output formats: `flow`, `pager`, `tab`, `table`, `json`.

use std::io::{self, Write};

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `name=value` on one line.
    Flow,
    /// `name: value` lines, a form feed between rows.
    Pager,
    /// Values between tabs, below their names.
    Tab,
    /// Columns.
    Table,
    /// An array of objects.
    Json,
}

impl Format {
    /// By its name.
    pub fn named(name: &str) -> Option<Format> {
        Some(match name {
            "flow" => Format::Flow,
            "pager" => Format::Pager,
            "tab" => Format::Tab,
            "table" => Format::Table,
            "json" => Format::Json,
            _ => return None,
        })
    }
}

/// A column.
#[derive(Clone, Debug)]
pub(super) struct Column {
    title: String,
    /// Its name in `json`, where that is another one.
    key: Option<&'static str>,
    /// `flow`, `pager` and `table` show the value alone.
    bare: bool,
    /// A text of several lines: `pager` starts it on a line of its own.
    text: bool,
    /// `table` has it to the right.
    number: bool,
}

impl Column {
    /// A column with its name.
    pub fn named(title: &str) -> Column {
        Column { title: title.to_owned(), key: None, bare: false, text: false, number: false }
    }

    /// One that has another name in `json`.
    pub fn keyed(title: &str, key: &'static str) -> Column {
        Column { key: Some(key), ..Column::named(title) }
    }

    /// One whose value says what it is.
    pub fn bare(title: &str) -> Column {
        Column { bare: true, ..Column::named(title) }
    }

    /// One of numbers.
    pub fn number(title: &str) -> Column {
        Column { number: true, ..Column::named(title) }
    }

    /// One of several lines.
    pub fn text(title: &str) -> Column {
        Column { text: true, ..Column::named(title) }
    }
}

/// What `table` makes room for.
const SCREEN: usize = 80;

/// Prints rows.
pub(super) struct Printer {
    format: Format,
    columns: Vec<Column>,
    /// Rows of `table` wait until all widths are known.
    rows: Vec<Vec<String>>,
    printed: usize,
    out: Box<dyn Write>,
}

impl Printer {
    /// Prints to standard output.
    pub fn new(format: Format, columns: Vec<Column>) -> Printer {
        Printer::onto(Box::new(io::BufWriter::new(io::stdout())), format, columns)
    }

    pub fn onto(out: Box<dyn Write>, format: Format, columns: Vec<Column>) -> Printer {
        Printer { format, columns, rows: Vec::new(), printed: 0, out }
    }

    /// Prints a row.
    pub fn row(&mut self, values: Vec<String>) -> io::Result<()> {
        if self.format == Format::Table {
            self.rows.push(values);
            return Ok(());
        }
        self.head()?;
        let first = self.printed == 0;
        self.printed += 1;
        let row = self.columns.iter().zip(&values);
        match self.format {
            Format::Table => {}
            Format::Flow => {
                let words: Vec<String> = row
                    .map(|(column, value)| match column.bare {
                        true => value.clone(),
                        false => format!("{}={value}", column.title),
                    })
                    .collect();
                writeln!(self.out, "{}", words.join(" "))?;
            }
            Format::Pager => {
                if !first {
                    self.out.write_all(b"\x0c\n")?;
                }
                for (column, value) in row {
                    match (column.bare, column.text) {
                        (true, _) => writeln!(self.out, "{value}")?,
                        (_, false) => writeln!(self.out, "{}: {value}", column.title)?,
                        (_, true) => {
                            let end = if value.ends_with('\n') { "" } else { "\n" };
                            write!(self.out, "{}:\n{value}{end}", column.title)?;
                        }
                    }
                }
            }
            Format::Tab => {
                let values: Vec<String> = values.iter().map(|value| value.replace('\n', "\n\t")).collect();
                writeln!(self.out, "{}", values.join("\t"))?;
            }
            Format::Json => {
                let fields: Vec<String> = row
                    .map(|(column, value)| {
                        format!(
                            "{}:{}",
                            serde_json::Value::from(column.key.unwrap_or(&column.title)),
                            serde_json::Value::from(value.as_str())
                        )
                    })
                    .collect();
                write!(self.out, "{}{{{}}}", if first { "" } else { "," }, fields.join(","))?;
            }
        }
        Ok(())
    }

    fn head(&mut self) -> io::Result<()> {
        if self.printed > 0 {
            return Ok(());
        }
        match self.format {
            Format::Tab => {
                let titles: Vec<&str> = self.columns.iter().map(|column| column.title.as_str()).collect();
                writeln!(self.out, "{}", titles.join("\t"))
            }
            Format::Json => self.out.write_all(b"["),
            _ => Ok(()),
        }
    }

    /// Prints what is left.
    pub fn finish(mut self) -> io::Result<()> {
        match self.format {
            Format::Table => self.table()?,
            Format::Json if self.printed == 0 => self.out.write_all(b"[]")?,
            Format::Json => self.out.write_all(b"]")?,
            Format::Tab => self.head()?,
            _ => {}
        }
        self.out.flush()
    }

    fn table(&mut self) -> io::Result<()> {
        let width = |text: &str| text.chars().count();
        // Where every column is bare the values stand alone.
        let titled = self.columns.iter().any(|column| !column.bare) || self.columns.len() > 1;
        let titled = titled && self.columns.iter().any(|column| !column.bare);
        let widest = |at: usize| {
            let values = self.rows.iter().map(|row| width(&row[at])).max().unwrap_or(0);
            values.max(if titled { width(&self.columns[at].title) } else { 0 })
        };
        let mut widths: Vec<usize> = (0..self.columns.len()).map(widest).collect();
        let used = widths.iter().sum::<usize>() + widths.len().saturating_sub(1);
        // As Dovecot does, the last column takes half of what is left of the line.
        if let Some(last) = widths.last_mut() {
            *last += SCREEN.saturating_sub(used) / 2;
        }
        let titles = self.columns.iter().map(|column| column.title.clone()).collect();
        let mut lines = if titled { vec![titles] } else { Vec::new() };
        lines.append(&mut self.rows);
        for line in lines {
            let cell = |((value, width), column): ((&String, &usize), &Column)| match column.number {
                true => format!("{value:>width$}"),
                false => format!("{value:<width$}"),
            };
            let cells: Vec<String> = line.iter().zip(&widths).zip(&self.columns).map(cell).collect();
            writeln!(self.out, "{}", cells.join(" "))?;
        }
        Ok(())
    }
}
