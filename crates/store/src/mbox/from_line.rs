//! The line that starts a message in an mbox file: `From sender Sat Nov 21 16:00:00 2026`.

use jiff::civil;
use jiff::tz::TimeZone;

/// What the line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromLine {
    /// The envelope sender.
    pub sender: String,
    /// When it was delivered, seconds since 1970.
    pub received: i64,
}

/// Reads a line, with or without its end; without a zone in it, it is in the time of `zone`. `None` where it is text that happens to start with `From`.
///
/// After the sender: day of the week, month, day, hour and minute, then maybe seconds, a zone before or after the
/// year, and anything (`remote from uucp`). Or day of the week with a comma, day, month, year, time.
pub fn parse(line: &[u8], zone: &TimeZone) -> Option<FromLine> {
    let rest = line.strip_prefix(b"From ")?;
    let text = String::from_utf8_lossy(rest);
    let (sender, rest) = sender(text.trim_end_matches(['\r', '\n']))?;
    let mut words = rest.split_ascii_whitespace();
    let weekday = words.next()?;
    let received = match weekday.strip_suffix(',') {
        Some(_) => {
            let day = words.next()?.parse().ok()?;
            let month = month(words.next()?)?;
            let year = year(words.next()?)?;
            seconds(
                civil::Date::new(year, month, day).ok()?,
                time(words.next()?)?,
                words.next().and_then(offset),
                zone,
            )
        }
        None if weekday.len() == 3 => {
            let month = month(words.next()?)?;
            let day = words.next()?.parse().ok()?;
            let time = time(words.next()?)?;
            let mut first = words.next()?;
            let mut east = None;
            if year(first).is_none() {
                east = offset(first);
                first = words.next()?;
                // Names of summer time may have two words: `MET DST`.
                if year(first).is_none() {
                    first = words.next()?;
                }
            }
            let year = year(first)?;
            let east = east.or_else(|| words.next().and_then(offset));
            seconds(civil::Date::new(year, month, day).ok()?, time, east, zone)
        }
        None => return None,
    };
    Some(FromLine { sender: sender.to_owned(), received })
}

/// The line for a new message, with its end, in the time of `zone`. `received`: seconds since 1970.
pub fn write(sender: &str, received: i64, zone: &TimeZone) -> String {
    let at =
        jiff::Timestamp::from_second(received).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(zone.clone());
    let sender: String = sender.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let sender = if sender.is_empty() { "MAILER-DAEMON" } else { &sender };
    format!("From {sender}  {}\n", at.strftime("%a %b %e %H:%M:%S %Y"))
}

fn sender(text: &str) -> Option<(&str, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut escaped = false;
        let end = quoted.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        let after = end + 2;
        let space = text[after..].find(' ').map(|n| after + n)?;
        return Some((&text[..space], &text[space..]));
    }
    text.find(' ').map(|space| (&text[..space], &text[space..]))
}

fn month(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let at = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(word))?;
    i8::try_from(at + 1).ok()
}

fn year(word: &str) -> Option<i16> {
    (word.len() == 4).then(|| word.parse().ok())?
}

fn time(word: &str) -> Option<civil::Time> {
    let mut parts = word.split(':').map(|part| part.parse::<i8>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    civil::Time::new(hour, minute, second.min(59), 0).ok()
}

/// `+0100`; names of zones say nothing reliable.
fn offset(word: &str) -> Option<i64> {
    let (sign, digits) = match word.as_bytes().first()? {
        b'+' => (1, &word[1..]),
        b'-' => (-1, &word[1..]),
        _ => return None,
    };
    let number: i64 = (digits.len() == 4).then(|| digits.parse().ok())??;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

fn seconds(date: civil::Date, time: civil::Time, east: Option<i64>, zone: &TimeZone) -> i64 {
    let at = date.to_datetime(time).to_zoned(if east.is_some() { TimeZone::UTC } else { zone.clone() });
    at.map_or(0, |at| at.timestamp().as_second()) - east.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIME: i64 = 1_795_276_800;

    #[test]
    fn forms_met_in_spools() {
        for line in [
            "From x@y Sat Nov 21 16:00:00 2026\n",
            "From x@y Sat Nov 21 16:00 2026",
            "From  Sat Nov 21 16:00:00 2026",
            "From x@y Sat Nov 21 16:00:00 CET 2026",
            "From x@y Sat Nov 21 16:00:00 MET DST 2026",
            "From x@y Sat Nov 21 17:00:00 2026 +0100",
            "From x@y Sat Nov 21 17:00:00 +0100 2026",
            "From x@y Sat Nov 21 16:00:00 2026 remote from uucp",
            "From \"a b\\\"c\"@y Sat Nov 21 16:00:00 2026",
            "From a@d Sat, 21 Nov 2026 16:00:00",
        ] {
            assert_eq!(
                parse(line.as_bytes(), &TimeZone::UTC).map(|line| line.received),
                Some(TIME),
                "{line}"
            );
        }
        assert_eq!(
            parse(b"From x@y Sat Nov 21 17:00:00 2026", &TimeZone::fixed(jiff::tz::offset(1)))
                .unwrap()
                .received,
            TIME
        );
    }

    #[test]
    fn text_that_starts_with_from() {
        for line in [
            "From me to you",
            "From nothing",
            "From ",
            "From foo bar Sat Nov 21 16:00 2026",
            "From x@y Sat Nov 41 16:00:00 2026",
        ] {
            assert_eq!(parse(line.as_bytes(), &TimeZone::UTC), None, "{line}");
        }
    }

    #[test]
    fn written() {
        assert_eq!(write("a@b", TIME, &TimeZone::UTC), "From a@b  Sat Nov 21 16:00:00 2026\n");
        assert_eq!(write("", TIME, &TimeZone::UTC), "From MAILER-DAEMON  Sat Nov 21 16:00:00 2026\n");
        assert_eq!(
            parse(write("a b\n@c", TIME, &TimeZone::UTC).as_bytes(), &TimeZone::UTC),
            Some(FromLine { sender: "ab@c".into(), received: TIME })
        );
    }

    proptest! {
        #[test]
        fn no_line_panics(text in "From .{0,60}") {
            let _ = parse(text.as_bytes(), &TimeZone::UTC);
        }
    }
}
