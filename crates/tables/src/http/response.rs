//! What a server answers: status line, header, and a body whose end is told in one of three ways.

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status, `200`.
    pub status: u16,
    /// Header fields; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without its chunks.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header field of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Most header fields.
const FIELDS: usize = 200;

/// Reads an answer; `None` while more must come. `ended`: nothing more will.
pub(super) fn parse(received: &[u8], ended: bool) -> Result<Option<Response>, &'static str> {
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&received[..end]).map_err(|_| "the header is not text")?;
    let rest = &received[end + 4..];
    let mut lines = head.split("\r\n");
    let status = status(lines.next().unwrap_or_default()).ok_or("this is no HTTP")?;
    // 100 to 199 come before the answer proper.
    if (100..200).contains(&status) {
        return parse(rest, ended);
    }
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or("malformed header field")?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        if headers.len() > FIELDS {
            return Err("too many header fields");
        }
    }
    let mut response = Response { status, headers, body: Vec::new() };
    let chunked =
        response.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    let body = if chunked {
        chunks(rest)?
    } else if let Some(length) = response.header("content-length") {
        let length: usize = length.parse().map_err(|_| "malformed Content-Length")?;
        rest.get(..length).map(<[u8]>::to_vec)
    } else if matches!(status, 204 | 304) {
        Some(Vec::new())
    } else {
        ended.then(|| rest.to_vec())
    };
    Ok(body.map(|body| {
        response.body = body;
        response
    }))
}

fn status(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "))?;
    let code = rest.get(..3)?;
    code.bytes().all(|byte| byte.is_ascii_digit()).then(|| code.parse().ok()).flatten()
}

/// The content of all chunks; `None` while the last has not come.
fn chunks(mut rest: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
        let line = std::str::from_utf8(&rest[..end]).map_err(|_| "malformed chunk")?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| "malformed chunk")?;
        if size == 0 {
            return Ok(Some(body));
        }
        let from = end + 2;
        let Some(chunk) = from.checked_add(size).and_then(|to| rest.get(from..to)) else { return Ok(None) };
        body.extend_from_slice(chunk);
        rest = match rest[from + size..].split_at_checked(2) {
            Some((b"\r\n", rest)) => rest,
            Some(_) => return Err("malformed chunk"),
            None => return Ok(None),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_end_in_three_ways() {
        let whole = |text: &str| parse(text.as_bytes(), true).unwrap().map(|response| response.body);
        let body = Some(b"hello".to_vec());
        assert_eq!(whole("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more"), body);
        assert_eq!(
            whole(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
            ),
            body
        );
        assert_eq!(whole("HTTP/1.0 404 No\r\n\r\nhello"), body);
        assert_eq!(whole("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"), Some(Vec::new()));
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nh",
            "HTTP/1.1 200",
        ] {
            assert_eq!(whole(text), None, "{text}");
        }
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\n\r\nhello", false), Ok(None));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for text in [
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 2x0 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nnothing\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        ] {
            assert!(parse(text.as_bytes(), true).is_err(), "{text}");
        }
    }
}
