//! What a schedule's spec says of retention, read once.

use super::tiers::{Tier, Tiers};
use crate::{
    cron::Zone,
    duration::{self, DurationError, Units},
    time::Millis,
};

/// Failed backups kept when the spec does not say.
const FAILED_BACKUPS: u32 = 10;

/// How long failed backups are kept when the spec does not say: long enough to be looked at after a holiday week.
const FAILED_RESERVED: Millis = Millis::secs(7 * 86_400);

/// Limits as the spec writes them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PolicyText {
    /// `spec.maxBackups`; not above 0: no limit, as ever.
    pub max_backups: Option<i32>,
    /// `spec.maxReservedTime`; empty: no limit.
    pub max_reserved_time: Option<String>,
    /// `spec.maxFailedBackups`, ours.
    pub max_failed_backups: Option<i32>,
    /// `spec.maxFailedReservedTime`, ours.
    pub max_failed_reserved_time: Option<String>,
    /// `spec.tiers.{hourly,daily,weekly,monthly,yearly}`, ours.
    pub tiers: [(Tier, Option<i32>); 5],
}

/// What may be kept and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// At most this many of the newest Complete backups. At least 1.
    pub max_backups: Option<u32>,
    /// Complete backups not older than this. At least a second.
    pub max_reserved: Option<Millis>,
    /// Backups kept beyond those two.
    pub tiers: Tiers,
    /// At most this many of the newest failed backups; `None`: the default.
    pub max_failed: Option<u32>,
    /// Failed backups not older than this; `None`: the default.
    pub max_failed_reserved: Option<Millis>,
    /// On whose calendar days, weeks, months and years are counted: the zone of the schedule's cron.
    pub zone: Zone,
}

/// Why a policy cannot be read: the field, what was read, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PolicyError {
    /// Not a length of time.
    #[error("spec.{field}: {error}")]
    Time {
        /// Which field.
        field: &'static str,
        /// What is wrong.
        #[source]
        error: DurationError,
    },
    /// Below a second: everything would go at once.
    #[error("spec.{field} is {value}; at least 1s is needed, or leave the field out")]
    TimeTooShort {
        /// Which field.
        field: &'static str,
        /// What was read.
        value: String,
    },
    /// A count below zero.
    #[error("spec.{field} is {value}; it must not be negative")]
    Negative {
        /// Which field.
        field: &'static str,
        /// What was read.
        value: i32,
    },
}

impl Default for PolicyText {
    fn default() -> Self {
        Self {
            max_backups: None,
            max_reserved_time: None,
            max_failed_backups: None,
            max_failed_reserved_time: None,
            tiers: Tier::ALL.map(|tier| (tier, None)),
        }
    }
}

impl Policy {
    /// No limits: everything stays.
    #[must_use]
    pub fn keep_all(zone: Zone) -> Self {
        Self {
            max_backups: None,
            max_reserved: None,
            tiers: Tiers::default(),
            max_failed: None,
            max_failed_reserved: None,
            zone,
        }
    }

    /// Reads the spec's fields; `zone` is that of the schedule's cron.
    pub fn parse(text: &PolicyText, zone: &Zone) -> Result<Self, PolicyError> {
        let mut tiers = Tiers::default();
        for (tier, value) in text.tiers {
            tiers.set(tier, count(tier.field(), value)?.unwrap_or(0));
        }
        Ok(Self {
            max_backups: text.max_backups.and_then(|max| u32::try_from(max).ok()).filter(|max| *max > 0),
            max_reserved: time("maxReservedTime", text.max_reserved_time.as_deref())?,
            tiers,
            max_failed: count("maxFailedBackups", text.max_failed_backups)?,
            max_failed_reserved: time("maxFailedReservedTime", text.max_failed_reserved_time.as_deref())?,
            zone: zone.clone(),
        })
    }

    /// Some limit or tier is set; without any, everything is kept.
    #[must_use]
    pub fn limits_anything(&self) -> bool {
        self.limits_good() || self.max_failed.is_some() || self.max_failed_reserved.is_some()
    }

    /// Complete backups may go.
    pub(super) fn limits_good(&self) -> bool {
        self.has_maximum() || self.tiers != Tiers::default()
    }

    /// `maxBackups` or `maxReservedTime` is set.
    pub(super) fn has_maximum(&self) -> bool {
        self.max_backups.is_some() || self.max_reserved.is_some()
    }

    /// The limits of failed backups: as written, else the default, once anything is limited at all.
    pub(super) fn failed(&self) -> (Option<u32>, Option<Millis>) {
        if self.limits_anything() {
            (Some(self.max_failed.unwrap_or(FAILED_BACKUPS)), Some(self.max_failed_reserved.unwrap_or(FAILED_RESERVED)))
        } else {
            (None, None)
        }
    }
}

fn count(field: &'static str, value: Option<i32>) -> Result<Option<u32>, PolicyError> {
    let Some(value) = value else { return Ok(None) };
    u32::try_from(value).map(Some).map_err(|_| PolicyError::Negative { field, value })
}

fn time(field: &'static str, text: Option<&str>) -> Result<Option<Millis>, PolicyError> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let length = duration::parse(text, Units::DaysAndWeeks).map_err(|error| PolicyError::Time { field, error })?;
    if length < Millis::secs(1) {
        return Err(PolicyError::TimeTooShort { field, value: text.chars().take(64).collect() });
    }
    Ok(Some(length))
}
