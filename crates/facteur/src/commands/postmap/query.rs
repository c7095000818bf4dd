//! `-q`: asking tables.

use std::io::{BufRead, BufWriter, Read, Write};

use base64::Engine;
use mail::logline::printable;
use tables::{Single, Spec};

use super::{FAILED, FOUND, Tool, message};

/// Asks for one key, for every line of standard input, or for the parts of a message.
pub fn run(tool: &Tool, key: &str) -> Result<u8, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    runtime.block_on(async {
        let mut asker = Asker { tool, tables: Vec::new() };
        if key != "-" {
            let Some(value) = asker.ask(key.as_bytes()).await? else { return Ok(FAILED) };
            let mut out = std::io::stdout().lock();
            let _ = out.write_all(&value).and_then(|()| out.write_all(b"\n"));
            return Ok(FOUND);
        }
        if tool.options.as_message() {
            asker.parts().await
        } else {
            if tool.options.mime {
                log::warn!(target: tool.dialect.name, "ignoring -m option without -b or -h");
            }
            asker.lines().await
        }
    })
}

/// The tables, each opened when it is first needed: what an earlier one knows, a later one is not asked.
struct Asker<'t> {
    tool: &'t Tool,
    tables: Vec<Single>,
}

impl Asker<'_> {
    async fn ask(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        for (n, spec) in self.tool.specs.iter().enumerate() {
            if n == self.tables.len() {
                self.tables.push(self.tool.open(spec)?);
            }
            let answer = self.tables[n].lookup(key).await;
            let Some(hit) = answer.map_err(|trouble| format!("table {spec}: query error: {trouble}"))? else {
                continue;
            };
            if hit.value.is_empty() {
                self.tool.warn_of_empty_value(spec, key);
            }
            if self.tool.options.files {
                return file_value(spec, key, &hit.value).map(Some);
            }
            return Ok(Some(hit.value));
        }
        Ok(None)
    }

    /// Asks, and prints key and value when there is one.
    async fn print(&mut self, key: &[u8], out: &mut impl Write) -> Result<bool, String> {
        let Some(value) = self.ask(key).await? else { return Ok(false) };
        let after = self.tool.dialect.after_key.as_bytes();
        let line = [key, after, b"\t", &value, b"\n"].concat();
        out.write_all(&line).map_err(|error| format!("write stdout: {error}"))?;
        Ok(true)
    }

    async fn lines(&mut self) -> Result<u8, String> {
        let mut input = std::io::stdin().lock();
        let mut out = BufWriter::new(std::io::stdout().lock());
        let mut status = FAILED;
        let mut line = Vec::new();
        loop {
            line.clear();
            let count = input.read_until(b'\n', &mut line).map_err(|error| format!("read stdin: {error}"))?;
            if count == 0 {
                break;
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            let answer = self.print(&line, &mut out).await;
            if answer.inspect_err(|_| drop(out.flush()))? {
                status = FOUND;
            }
        }
        out.flush().map_err(|error| format!("write stdout: {error}"))?;
        Ok(status)
    }

    async fn parts(&mut self) -> Result<u8, String> {
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text).map_err(|error| format!("read stdin: {error}"))?;
        let options = &self.tool.options;
        let mut out = BufWriter::new(std::io::stdout().lock());
        let mut status = FAILED;
        for part in message::parts(&text, options.mime) {
            let wanted = match &part {
                message::Part::Header(_) => options.header,
                message::Part::Body(_) => options.body,
            };
            let (message::Part::Header(key) | message::Part::Body(key)) = part;
            if wanted && self.print(&key, &mut out).await? {
                status = FOUND;
            }
        }
        out.flush().map_err(|error| format!("write stdout: {error}"))?;
        Ok(status)
    }
}

/// What a value in base64 stands for (`-F`).
pub fn file_value(spec: &Spec, key: &[u8], value: &[u8]) -> Result<Vec<u8>, String> {
    base64::engine::general_purpose::STANDARD.decode(value).map_err(|_| {
        format!(
            "table {spec}: query error: key {}: malformed BASE64 value: {}",
            printable(&String::from_utf8_lossy(key)),
            printable(&String::from_utf8_lossy(value))
        )
    })
}
