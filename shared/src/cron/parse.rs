//! Text to [`Cron`].

use super::{
    Cron, Fields, When,
    error::{CronError, FieldName},
    field::Field,
    zone::Zone,
};
use crate::duration::{self, Units};

/// A minute field that lists every minute has 170 characters.
const MAX_LENGTH: usize = 1024;

impl Cron {
    /// Reads an expression; without a `TZ=` prefix its wall clock is UTC.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        Self::parse_in(text, &Zone::utc())
    }

    /// Reads an expression; without a `TZ=` or `CRON_TZ=` prefix its wall clock is that of `zone` (the chart's
    /// `timezone`).
    pub fn parse_in(text: &str, zone: &Zone) -> Result<Self, CronError> {
        let text = text.trim();
        let length = text.chars().count();
        if length > MAX_LENGTH {
            return Err(CronError::TooLong { length, limit: MAX_LENGTH });
        }
        let (zone, expression) = match text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ=")) {
            None => (zone.clone(), text),
            Some(rest) => {
                let (name, expression) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                (Zone::named(name)?, expression.trim())
            }
        };
        Ok(Self { text: text.to_owned(), zone, when: parse_when(expression)? })
    }
}

fn parse_when(expression: &str) -> Result<When, CronError> {
    if expression.is_empty() {
        return Err(CronError::Empty);
    }
    let expression = match expression {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        other => match other.strip_prefix("@every ") {
            Some(length) => return parse_every(length.trim()),
            None if other.starts_with('@') => {
                return Err(CronError::Descriptor(other.chars().take(32).collect()));
            }
            None => other,
        },
    };
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let [minute, hour, day_of_month, month, day_of_week] = fields.as_slice() else {
        let text = expression.chars().take(64).collect();
        return Err(CronError::FieldCount { text, found: fields.len() });
    };
    Ok(When::Fields(Fields {
        minute: Field::parse(FieldName::Minute, minute)?,
        hour: Field::parse(FieldName::Hour, hour)?,
        day_of_month: Field::parse(FieldName::DayOfMonth, day_of_month)?,
        month: Field::parse(FieldName::Month, month)?,
        day_of_week: Field::parse(FieldName::DayOfWeek, day_of_week)?,
    }))
}

/// Whole seconds, at least one. A negative length, which robfig takes for one second, is refused.
fn parse_every(length: &str) -> Result<When, CronError> {
    let length = duration::parse(length, Units::Go).map_err(CronError::Every)?;
    Ok(When::Every(i64::try_from(length.0 / 1000).unwrap_or(i64::MAX).max(1)))
}
