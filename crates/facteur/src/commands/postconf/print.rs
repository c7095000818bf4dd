//! How postconf lays out lines.

/// Widest line when folding.
const WIDTH: usize = 80;
/// What a folded line begins with.
const INDENT: &str = "    ";
/// Where the columns of master.cf begin.
const STOPS: [usize; 8] = [0, 11, 17, 25, 33, 41, 49, 57];

/// Words one after another, folded or not.
pub(super) struct Line {
    text: String,
    fold: bool,
    /// Length of the last physical line.
    width: usize,
    /// Whether the last physical line has no word yet.
    fresh: bool,
}

impl Line {
    pub(super) fn new(fold: bool) -> Self {
        Self { text: String::new(), fold, width: 0, fresh: true }
    }

    /// Adds a word, on a new line if it would be too wide.
    pub(super) fn word(&mut self, word: &str) {
        let width = word.chars().count();
        if self.fold && !self.fresh && self.width + 1 + width > WIDTH {
            self.wrap();
        }
        if !self.fresh {
            self.put(" ");
        }
        self.put(word);
        self.fresh = false;
    }

    /// Begins a new line.
    pub(super) fn wrap(&mut self) {
        self.text.push('\n');
        self.text.push_str(INDENT);
        self.width = INDENT.len();
        self.fresh = true;
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        self.width += text.chars().count();
    }

    pub(super) fn end(mut self) -> String {
        self.text.push('\n');
        self.text
    }
}

/// `name = value`, or one of both; white space in the value counts as one blank.
pub(super) fn setting(name: &str, value: &str, names: bool, values: bool, fold: bool) -> String {
    let mut line = Line::new(fold);
    if names {
        line.word(name);
        if values {
            // The sign stays with the name.
            line.put(" =");
        }
    }
    if values {
        value.split_ascii_whitespace().for_each(|word| line.word(word));
    }
    line.end()
}

/// A whole entry of master.cf from its words.
pub(super) fn entry(words: &[String], fold: bool) -> String {
    let mut line = Line::new(fold);
    let columns = words.len().min(STOPS.len());
    for (word, stop) in words.iter().zip(STOPS) {
        let gap = stop.saturating_sub(line.width).max(usize::from(!line.fresh));
        line.put(&" ".repeat(gap));
        line.put(word);
        line.fresh = false;
    }
    arguments(&mut line, &words[columns..]);
    line.end()
}

/// The command of an entry and its arguments.
pub(super) fn command(name: &str, words: &[String], names: bool, fold: bool) -> String {
    let mut line = Line::new(fold);
    if names {
        line.word(name);
        line.put(" =");
    }
    if let Some((command, rest)) = words.split_first() {
        line.word(command);
        // Scripts that read Postfix's output know it so: no blank stands there when the name is left out.
        line.fresh = !names;
        arguments(&mut line, rest);
    }
    line.end()
}

/// Arguments; an option with a value has a line of its own when folding.
fn arguments(line: &mut Line, words: &[String]) {
    let (mut words, mut options, mut after_value) = (words.iter(), true, false);
    while let Some(word) = words.next() {
        options &= word.starts_with('-') && word.len() > 1 && word != "--";
        let value = if options && word == "-o" { words.next() } else { None };
        if line.fold && (value.is_some() || after_value) {
            line.wrap();
        }
        after_value = value.is_some();
        match value {
            None => line.word(&braced(word)),
            Some(value) => {
                line.word(word);
                line.put(" ");
                line.put(&braced(value));
            }
        }
    }
}

/// A word that holds white space needs braces.
fn braced(word: &str) -> String {
    if word.contains(|letter: char| letter.is_ascii_whitespace()) {
        format!("{{{word}}}")
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split('|').map(str::to_owned).collect()
    }

    #[test]
    fn columns_catch_up() {
        let text = entry(&words("127.0.0.1:10025|inet|n|-|-|-|5|smtpd|-o|content_filter="), false);
        assert_eq!(
            text,
            "127.0.0.1:10025 inet n   -       -       -       5       smtpd -o content_filter=\n"
        );
        let text = entry(&words("foo|unix-dgram|-|-|-|-|-|x"), false);
        assert_eq!(text, "foo        unix-dgram -  -       -       -       -       x\n");
    }

    #[test]
    fn options_with_values_have_their_own_lines() {
        let text = entry(&words("s|unix|-|-|-|-|-|x|-v|-o|a=b|-o|c=d e|-v|-D|foo|b c|"), true);
        let expected = "s          unix  -       -       -       -       -       x -v\n    -o a=b\n    -o {c=d e}\n    -v -D foo {b c} \n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_command_without_its_name_is_glued_to_its_first_argument() {
        let words = words("pipe|flags=R|user=nobody");
        assert_eq!(
            command("x/unix/command", &words, true, false),
            "x/unix/command = pipe flags=R user=nobody\n"
        );
        assert_eq!(command("x/unix/command", &words, false, false), "pipeflags=R user=nobody\n");
    }

    #[test]
    fn long_values_fold() {
        let value = "permit_mynetworks, reject_unauth_destination,  reject_unknown_sender_domain, x";
        let expected = "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination,\n    reject_unknown_sender_domain, x\n";
        assert_eq!(setting("smtpd_recipient_restrictions", value, true, true, true), expected);
        assert_eq!(setting("a", "", true, true, false), "a =\n");
        assert_eq!(setting("a", "", false, true, false), "\n");
        assert_eq!(setting("a", "b", true, false, false), "a\n");
        assert_eq!(setting("a", "bcc, b", false, true, false), "bcc, b\n");
    }
}
