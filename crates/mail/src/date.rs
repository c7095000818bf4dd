//! Dates as mail writes them. The time is always an argument.

use jiff::{Timestamp, tz::TimeZone};

/// RFC 5322 3.3 date with the zone's name behind it, as Postfix writes Date and Received:
/// `Thu, 9 Jan 2014 18:02:58 +0100 (CET)` (single digit days are padded with a space).
pub fn rfc5322(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a, %e %b %Y %H:%M:%S %z (%Z)").to_string()
}

/// The `From ` line of mbox files and `mailq`: `Thu Jan  9 18:03:25 2014`.
pub fn ctime(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %b %e %H:%M:%S %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_dates_as_postfix_does() {
        let at: Timestamp = "2014-01-09T17:02:58Z".parse().expect("a date");
        let zone = TimeZone::get("Europe/Paris").unwrap_or(TimeZone::UTC);
        if zone != TimeZone::UTC {
            assert_eq!(rfc5322(at, &zone), "Thu,  9 Jan 2014 18:02:58 +0100 (CET)");
            assert_eq!(ctime(at, &zone), "Thu Jan  9 18:02:58 2014");
        }
        assert_eq!(rfc5322(at, &TimeZone::UTC), "Thu,  9 Jan 2014 17:02:58 +0000 (UTC)");
    }
}
