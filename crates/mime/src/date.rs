//! The Date field, read as leniently as mail needs. RFC 5322 3.3 and 4.3.

/// When a message says it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentDate {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Seconds that the clock of the sender is ahead of UTC.
    pub offset: i32,
}

impl SentDate {
    /// The day on the sender's calendar, in days since 1970: what SENTON compares.
    pub fn day(self) -> i64 {
        (self.seconds + i64::from(self.offset)).div_euclid(86_400)
    }
}

/// Reads a date such as `Thu, 9 Jan 2014 18:02:58 +0100 (CET)`. Weekday, seconds and zone may be missing, years may
/// have two digits, zones may have names.
pub fn parse(value: &[u8]) -> Option<SentDate> {
    let value = &value[..value.len().min(256)];
    let text = without_comments(value);
    let mut words =
        text.split(|byte| byte.is_ascii_whitespace() || *byte == b',').filter(|word| !word.is_empty());
    let mut first = words.next()?;
    if !first[0].is_ascii_digit() && month(first).is_none() {
        first = words.next()?;
    }
    let second = words.next()?;
    let third = words.next()?;
    let (day, month, year, clock) = match month(first) {
        // asctime: `Jan 9 18:02:58 2014`
        Some(month) => (number(second)?, month, words.next()?, third),
        None => (number(first)?, month(second)?, third, words.next().unwrap_or(b"0:0")),
    };
    let year = match (number(year)?, year.len()) {
        (year, ..=2) if year < 50 => year + 2000,
        (year, ..=3) => year + 1900,
        (year, _) => year,
    };
    if !(1..=31).contains(&day) || !(1900..=9999).contains(&year) {
        return None;
    }
    let mut fields = clock.split(|byte| *byte == b':' || *byte == b'.');
    let mut field = |most: i64| match fields.next() {
        Some(text) => number(text).filter(|value| *value <= most),
        None => Some(0),
    };
    let (hour, minute, second) = (field(24)?, field(59)?, field(60)?);
    let offset = words.next().map_or(0, zone);
    let local = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(SentDate { seconds: local - i64::from(offset), offset })
}

fn without_comments(value: &[u8]) -> Vec<u8> {
    let mut depth = 0_usize;
    let outside = value.iter().filter(|byte| {
        match byte {
            b'(' => depth += 1,
            b')' if depth > 0 => {
                depth -= 1;
                return false;
            }
            _ => {}
        }
        depth == 0
    });
    outside.copied().collect()
}

fn number(text: &[u8]) -> Option<i64> {
    let digits = (1..=4).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    digits.then(|| text.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
}

fn month(word: &[u8]) -> Option<i64> {
    let names = b"janfebmaraprmayjunjulaugsepoctnovdec";
    let start = word.get(..3)?.to_ascii_lowercase();
    names.chunks(3).zip(1..).find(|(name, _)| *name == start.as_slice()).map(|(_, month)| month)
}

/// Seconds ahead of UTC; a zone that is not known is UTC (RFC 5322 4.3).
fn zone(word: &[u8]) -> i32 {
    let hours = match word.to_ascii_uppercase().as_slice() {
        b"EDT" => -4,
        b"EST" | b"CDT" => -5,
        b"CST" | b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        b"BST" | b"CET" | b"MET" | b"WET DST" => 1,
        b"CEST" | b"EET" => 2,
        b"EEST" | b"MSK" => 3,
        b"JST" | b"KST" => 9,
        _ => 0,
    };
    let digits = word.get(1..).and_then(number).filter(|_| word.len() == 5);
    match (word.first(), digits) {
        (Some(b'+'), Some(value)) => (value / 100 * 3600 + value % 100 * 60) as i32,
        (Some(b'-'), Some(value)) => -((value / 100 * 3600 + value % 100 * 60) as i32),
        _ => hours * 3600,
    }
}

/// Days since 1970 of a day of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (153 * month + 2) / 5 + day - 1 - 719_468
}
