//! A client that asks and reads the answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection of a user who has logged in.
pub struct Talk(BufReader<TcpStream>);

impl Talk {
    /// Logs in.
    pub fn login(address: SocketAddr, user: &str) -> Talk {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut talk = Talk(BufReader::new(stream));
        talk.line();
        talk.well(&format!("LOGIN {user} pw"));
        talk
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).unwrap();
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Says a command; its answer, literals within it. The last line is the tagged one.
    pub fn ask(&mut self, command: &str) -> String {
        self.0.get_mut().write_all(format!("t {command}\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "the connection ended: {command}: {answer}");
            answer.push_str(&line);
            let length = line.trim_end().strip_suffix('}').and_then(|line| line.rsplit_once('{'));
            if let Some(length) = length.and_then(|(_, digits)| digits.parse().ok()) {
                let mut literal = vec![0; length];
                self.0.read_exact(&mut literal).unwrap();
                answer.push_str(&String::from_utf8_lossy(&literal));
            } else if line.starts_with("t ") {
                return answer;
            }
        }
    }

    /// The same, of a command that must succeed.
    pub fn well(&mut self, command: &str) -> String {
        let answer = self.ask(command);
        assert!(is_well(&answer), "{command}: {answer}");
        answer
    }

    /// Puts a message into a mailbox.
    pub fn append(&mut self, mailbox: &str, text: &str) -> String {
        self.ask(&format!("APPEND {mailbox} {{{}+}}\r\n{text}", text.len()))
    }
}

/// Does an answer end with OK?
pub fn is_well(answer: &str) -> bool {
    answer.lines().last().is_some_and(|line| line.starts_with("t OK"))
}
