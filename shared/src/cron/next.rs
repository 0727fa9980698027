//! When an expression fires. The time line is cut where the zone's distance from UTC changes; within a piece, local
//! time is a plain calendar.

use super::{Cron, Fields, When};
use crate::{
    calendar::{DAY, Date, weekday},
    time::Timestamp,
};

/// robfig gives up after the fifth calendar year beyond the one it starts in.
const YEARS: i64 = 5;

/// Pieces looked at in one search. No zone changes its clock more than a few times a year.
const MAX_PIECES: usize = 256;

/// Seconds on either side of 1970 that are searched: about 9,000 years, where the zone database ends.
const MAX_SECOND: i64 = 9_000 * 366 * DAY;

impl Cron {
    /// The first fire strictly after `after`; `None`: none within five calendar years.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let second = after.0.div_euclid(1000);
        if second.abs() > MAX_SECOND {
            return None;
        }
        let next = match &self.when {
            When::Every(length) => second.checked_add(*length)?,
            When::Fields(fields) => self.search(fields, second + 1)?,
        };
        next.checked_mul(1000).map(Timestamp)
    }

    /// The last fire after `after` and not after `until`, however many there are between: what a missed run is made up
    /// by. For `@every` the fires are counted from `after`.
    #[must_use]
    pub fn last_between(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let first = self.next_after(after).filter(|first| *first <= until)?;
        if let When::Every(length) = &self.when {
            let further = until.0.div_euclid(1000).saturating_sub(first.0.div_euclid(1000)) / length;
            return Some(Timestamp(first.0.saturating_add(further.saturating_mul(*length).saturating_mul(1000))));
        }
        // Mostly there is but one.
        if self.next_after(first).is_none_or(|second| second > until) {
            return Some(first);
        }
        // The next fire after t is not after `until` exactly for the t before the last one: halve the stretch.
        let (mut before, mut beyond) = (first.0.div_euclid(1000), until.0.div_euclid(1000));
        let mut last = first;
        while beyond.saturating_sub(before) > 1 {
            let middle = before + (beyond - before) / 2;
            match self.next_after(Timestamp(middle.saturating_mul(1000))).filter(|next| *next <= until) {
                Some(next) => (before, last) = (middle, next),
                None => beyond = middle,
            }
        }
        Some(last)
    }

    /// The next `count` fires strictly after `from`; fewer if the expression runs dry.
    #[must_use]
    pub fn runs(&self, from: Timestamp, count: usize) -> Vec<Timestamp> {
        std::iter::successors(self.next_after(from), |previous| self.next_after(*previous)).take(count).collect()
    }

    fn search(&self, fields: &Fields, mut second: i64) -> Option<i64> {
        let mut piece = self.zone.segment(second);
        let start = Date::of((second + piece.offset).div_euclid(DAY));
        let limit = Date { year: start.year + YEARS + 1, month: 1, day: 1 }.days() * DAY;
        for _ in 0..MAX_PIECES {
            let until = piece.end.map_or(limit, |end| limit.min(end + piece.offset));
            if let Some(local) = fields.first_from(second + piece.offset, until) {
                return Some(local - piece.offset);
            }
            second = piece.end.filter(|end| end + piece.offset < limit)?;
            piece = self.zone.segment(second);
        }
        None
    }
}

impl Fields {
    /// The first whole local minute from `from` on and before `until` (local seconds) that matches.
    fn first_from(&self, from: i64, until: i64) -> Option<i64> {
        // Up to the next whole minute.
        let from = from + (-from).rem_euclid(60);
        let mut day = from.div_euclid(DAY);
        let mut minute = from.rem_euclid(DAY) / 60;
        while day * DAY < until {
            let date = Date::of(day);
            if !self.month.matches(date.month) {
                day = date.next_month().days();
                minute = 0;
                continue;
            }
            if self.day_matches(date, day)
                && let Some(minute) = self.first_minute(minute)
            {
                let found = day * DAY + minute * 60;
                return (found < until).then_some(found);
            }
            day += 1;
            minute = 0;
        }
        None
    }

    /// A star in either field asks for both; otherwise one is enough.
    fn day_matches(&self, date: Date, day: i64) -> bool {
        let of_month = self.day_of_month.matches(date.day);
        let of_week = self.day_of_week.matches(weekday(day));
        if self.day_of_month.star || self.day_of_week.star { of_month && of_week } else { of_month || of_week }
    }

    /// The first matching minute of a day from `from` on.
    fn first_minute(&self, from: i64) -> Option<i64> {
        let (hour, minute) = (u8::try_from(from / 60).ok()?, u8::try_from(from % 60).ok()?);
        if self.hour.matches(hour)
            && let Some(minute) = self.minute.first_from(minute)
        {
            return Some(i64::from(hour) * 60 + i64::from(minute));
        }
        let hour = self.hour.first_from(hour + 1)?;
        Some(i64::from(hour) * 60 + i64::from(self.minute.first_from(0)?))
    }
}
