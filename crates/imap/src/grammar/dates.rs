//! Dates of commands: `1-Feb-2024` and `" 1-Feb-2024 10:00:00 +0100"`. RFC 9051 `date`, `date-time`.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

use super::cursor::{Bad, Cursor, Parsed};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const WRONG: Bad = Bad("invalid date");

/// A day, as SEARCH names it; quoted or not.
pub fn date(cursor: &mut Cursor<'_>) -> Parsed<Date> {
    let text = cursor.astring()?;
    let text = std::str::from_utf8(&text).map_err(|_| WRONG)?;
    day(text.trim_start())
}

/// A moment, as APPEND names it.
pub fn date_time(cursor: &mut Cursor<'_>) -> Parsed<Timestamp> {
    let text = cursor.string()?;
    let text = std::str::from_utf8(&text).map_err(|_| WRONG)?;
    let mut words = text.split_ascii_whitespace();
    let (day_text, time, zone) = match (words.next(), words.next(), words.next(), words.next()) {
        (Some(day), Some(time), Some(zone), None) => (day, time, zone),
        _ => return Err(WRONG),
    };
    let date = day(day_text)?;
    let mut numbers = time.split(':').map(|part| part.parse::<i8>().map_err(|_| WRONG));
    let mut next = || numbers.next().ok_or(WRONG)?;
    // A leap second is the one before it here.
    let (hour, minute, second) = (next()?, next()?, next()?.min(59));
    let time = Time::new(hour, minute, second, 0).map_err(|_| WRONG)?;
    let offset = Offset::from_seconds(zone_seconds(zone).ok_or(WRONG)?).map_err(|_| WRONG)?;
    offset.to_timestamp(DateTime::from_parts(date, time)).map_err(|_| WRONG)
}

fn day(text: &str) -> Parsed<Date> {
    let mut parts = text.split('-');
    let (day, month, year) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(day), Some(month), Some(year), None) if year.len() == 4 => (day, month, year),
        _ => return Err(WRONG),
    };
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month)).ok_or(WRONG)?;
    let number = |text: &str| text.parse::<i16>().ok().filter(|number| *number >= 0).ok_or(WRONG);
    Date::new(number(year)?, month as i8 + 1, number(day)? as i8).map_err(|_| WRONG)
}

fn zone_seconds(zone: &str) -> Option<i32> {
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i32 = digits.parse().ok()?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

/// Writes `"17-Jul-1996 02:44:25 -0700"`, at this offset from UTC.
pub fn write(at: Timestamp, offset: Offset, out: &mut Vec<u8>) {
    use std::io::Write;
    let local = offset.to_datetime(at);
    let seconds = offset.seconds();
    let (sign, seconds) = if seconds < 0 { ('-', -seconds) } else { ('+', seconds) };
    let month = MONTHS[(local.month() as usize).clamp(1, 12) - 1];
    // Writing to memory does not fail.
    let _ = write!(
        out,
        "\"{:02}-{month}-{:04} {:02}:{:02}:{:02} {sign}{:02}{:02}\"",
        local.day(),
        local.year(),
        local.hour(),
        local.minute(),
        local.second(),
        seconds / 3600,
        seconds / 60 % 60
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_back_as_they_went() {
        for text in ["\"17-Jul-1996 02:44:25 -0700\"", "\"01-Jan-2024 00:00:00 +0530\""] {
            let at = date_time(&mut Cursor::new(text.as_bytes())).unwrap();
            let offset = if text.contains("-0700") { -7 * 3600 } else { 5 * 3600 + 1800 };
            let mut out = Vec::new();
            write(at, Offset::from_seconds(offset).unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        assert!(date_time(&mut Cursor::new(b"\" 1-Jan-2024 00:00:00 +0000\"")).is_ok());
        for bad in ["\"31-Feb-2024 00:00:00 +0000\"", "\"1-Jan-2024 25:00:00 +0000\"", "\"1-Jan-2024\"", "x"]
        {
            assert!(date_time(&mut Cursor::new(bad.as_bytes())).is_err(), "{bad}");
        }
    }

    #[test]
    fn days_quoted_or_not() {
        for text in ["1-Feb-2024", "\"01-feb-2024\"", "\" 1-Feb-2024\""] {
            assert_eq!(date(&mut Cursor::new(text.as_bytes())), Ok(Date::constant(2024, 2, 1)), "{text}");
        }
        assert!(date(&mut Cursor::new(b"1-Foo-2024")).is_err());
    }
}
