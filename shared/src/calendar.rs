//! The Gregorian calendar in integers, without zones and without leap seconds. Cron, retention and the names of scheduled
//! backups ask it millions of times in a simulation, so it is arithmetic on day numbers and nothing else.

use crate::time::Timestamp;

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

/// A date. Month 1–12, day 1–31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Date {
    pub(crate) year: i64,
    pub(crate) month: u8,
    pub(crate) day: u8,
}

/// Days of 400 years: the calendar repeats after them.
const ERA: i64 = 146_097;

/// From 0000-03-01, where every computation starts (so that the leap day is the last of a year), to 1970-01-01.
const EPOCH: i64 = 719_468;

impl Date {
    /// The date of a day number (0 is 1970-01-01).
    pub(crate) fn of(days: i64) -> Self {
        let days = days + EPOCH;
        let (era, day) = (days.div_euclid(ERA), days.rem_euclid(ERA));
        // Years of 365 days, less the leap days that have passed by then.
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        // Months from March have 30.6 days on average: 153 days make five of them.
        let month = (5 * day + 2) / 153;
        let of_month = day - (153 * month + 2) / 5 + 1;
        let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        Self { year: year + era * 400 + carry, month: narrow(month), day: narrow(of_month) }
    }

    /// Its day number.
    pub(crate) fn days(self) -> i64 {
        let (month, year) = (i64::from(self.month), self.year - i64::from(self.month <= 2));
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let from_march = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + from_march - EPOCH
    }

    /// The first day of the month after this one.
    pub(crate) fn next_month(self) -> Self {
        match self.month {
            12 => Self { year: self.year + 1, month: 1, day: 1 },
            month => Self { month: month + 1, day: 1, ..self },
        }
    }
}

fn narrow(small: i64) -> u8 {
    u8::try_from(small).unwrap_or_default()
}

/// Day of week of a day number, 0 is Sunday.
pub(crate) fn weekday(days: i64) -> u8 {
    narrow((days + 4).rem_euclid(7))
}

/// Date and time of day in UTC, milliseconds dropped: `2024-05-01`, `03`, `00`, `00`.
fn utc(at: Timestamp) -> (String, [i64; 3]) {
    let seconds = at.0.div_euclid(1000);
    let date = Date::of(seconds.div_euclid(DAY));
    let of_day = seconds.rem_euclid(DAY);
    (format!("{:04}-{:02}-{:02}", date.year, date.month, date.day), [of_day / 3600, of_day / 60 % 60, of_day % 60])
}

/// RFC 3339 in UTC, whole seconds: `2024-05-01T03:00:00Z`.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    let (date, [hour, minute, second]) = utc(at);
    format!("{date}T{hour:02}:{minute:02}:{second:02}Z")
}

/// How scheduled backups and their prefixes write a fire time (`facts/tidb-operator.md` §1.7): `2024-05-01t03-00-00`.
#[must_use]
pub fn name_stamp(at: Timestamp) -> String {
    let (date, [hour, minute, second]) = utc(at);
    format!("{date}t{hour:02}-{minute:02}-{second:02}")
}

/// The time that [`name_stamp`] wrote; `None` for any text that it does not write.
#[must_use]
pub fn parse_name_stamp(text: &str) -> Option<Timestamp> {
    // Longer than a year of seven digits can make it: not ours.
    if text.len() > 24 || !text.is_ascii() {
        return None;
    }
    let (date, time) = text.split_once('t')?;
    let number = |part: &str| part.parse::<i64>().ok();
    let mut parts = date.rsplitn(3, '-');
    let (day, month, year) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    let mut parts = time.splitn(3, '-');
    let (hour, minute, second) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day) && (0..1_000_000).contains(&year);
    if !in_range {
        return None;
    }
    let days = Date { year, month: narrow(month), day: narrow(day) }.days();
    let at = Timestamp(
        (days * DAY + hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?)
            .checked_mul(1000)?,
    );
    // Writing it again finds every other spelling: 30 February, 25 o'clock, one digit.
    (name_stamp(at) == text).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_days() {
        for (days, date, of_week) in [
            (0, (1970, 1, 1), 4),
            (-1, (1969, 12, 31), 3),
            (11_016, (2000, 2, 29), 2),
            (19_844, (2024, 5, 1), 3),
            (47_541, (2100, 3, 1), 1),
            (-719_468, (0, 3, 1), 3),
        ] {
            let (year, month, day) = date;
            assert_eq!(Date::of(days), Date { year, month, day });
            assert_eq!(Date { year, month, day }.days(), days);
            assert_eq!(weekday(days), of_week, "{date:?}");
        }
    }

    #[test]
    fn stamps_as_in_the_facts() {
        let at = Timestamp(1_714_532_400_999);
        assert_eq!(rfc3339(at), "2024-05-01T03:00:00Z");
        assert_eq!(name_stamp(at), "2024-05-01t03-00-00");
        assert_eq!(parse_name_stamp("2024-05-01t03-00-00"), Some(Timestamp(1_714_532_400_000)));
        for not in
            ["2024-02-30t03-00-00", "2024-05-01t24-00-00", "2024-5-01t03-00-00", "2024-05-01T03-00-00", "", "t--"]
        {
            assert_eq!(parse_name_stamp(not), None, "{not}");
        }
    }

    proptest! {
        #[test]
        fn days_and_dates_are_one_to_one(days in -4_000_000_i64..4_000_000) {
            let date = Date::of(days);
            prop_assert_eq!(date.days(), days);
            let next = Date::of(days + 1);
            prop_assert!(next > date);
            prop_assert!(next.day == date.day + 1 || (next == date.next_month() && date.day >= 28));
        }

        #[test]
        fn a_stamp_is_read_back(seconds in 0_i64..10_000_000_000) {
            let at = Timestamp(seconds * 1000);
            prop_assert_eq!(parse_name_stamp(&name_stamp(at)), Some(at));
        }

        #[test]
        fn any_text_is_answered(text in "[0-9t-]{0,30}") {
            let _ = parse_name_stamp(&text);
        }
    }
}
