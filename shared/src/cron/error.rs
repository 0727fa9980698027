//! What is wrong with an expression: which field, what was read, what is allowed.

use super::zone::UnknownZone;
use crate::duration::DurationError;
use std::fmt;

/// Why an expression is not one of this dialect.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CronError {
    /// Nothing was written.
    #[error(
        "the cron expression is empty; write five fields (minute hour day-of-month month day-of-week), for example '0 3 * * *'"
    )]
    Empty,
    /// Longer than any sensible expression.
    #[error("the cron expression has {length} characters; at most {limit} are read")]
    TooLong {
        /// How many there are.
        length: usize,
        /// How many are read.
        limit: usize,
    },
    /// Other than five fields.
    #[error(
        "'{text}' has {found} fields; exactly 5 are needed: minute hour day-of-month month day-of-week (no seconds, no year)"
    )]
    FieldCount {
        /// The expression.
        text: String,
        /// How many fields it has.
        found: usize,
    },
    /// One item of one field.
    #[error("{field}, item '{item}': {problem}; allowed are {}", .field.allowed())]
    Field {
        /// Which field.
        field: FieldName,
        /// The item of its list.
        item: String,
        /// What is wrong with it.
        problem: FieldProblem,
    },
    /// An `@…` that is not known.
    #[error(
        "'{0}' is unknown; allowed are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly and '@every <length>', for example '@every 6h'"
    )]
    Descriptor(String),
    /// `@every` with something that is no length of time.
    #[error("@every: {0}")]
    Every(#[source] DurationError),
    /// A prefix with an unknown zone.
    #[error(transparent)]
    Zone(#[from] UnknownZone),
}

/// A field of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldName {
    /// 0–59
    Minute,
    /// 0–23
    Hour,
    /// 1–31
    DayOfMonth,
    /// 1–12 or names
    Month,
    /// 0–6 or names, 0 is Sunday
    DayOfWeek,
}

impl FieldName {
    /// What may stand in it, for error messages.
    #[must_use]
    pub fn allowed(self) -> &'static str {
        match self {
            Self::Minute => "0-59",
            Self::Hour => "0-23",
            Self::DayOfMonth => "1-31",
            Self::Month => "1-12 and jan-dec",
            Self::DayOfWeek => "0-6 (0 is Sunday) and sun-sat",
        }
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day-of-month",
            Self::Month => "month",
            Self::DayOfWeek => "day-of-week",
        })
    }
}

/// What is wrong with one item.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FieldProblem {
    /// Neither a number nor a name of this field.
    #[error("'{0}' is neither a number nor a name here")]
    NotAValue(String),
    /// A number outside the field.
    #[error("{0} is out of range")]
    OutOfRange(u32),
    /// `b-a`
    #[error("the range ends before it begins (ranges do not wrap around)")]
    Backwards,
    /// `a-b-c`
    #[error("a range has one hyphen")]
    Hyphens,
    /// `*-5`
    #[error("a star has no range")]
    StarRange,
    /// `a/b/c`
    #[error("a step has one slash")]
    Slashes,
    /// A step that is no number.
    #[error("the step '{0}' is not a number")]
    Step(String),
    /// `/0`
    #[error("a step of 0 never ends")]
    StepZero,
}
