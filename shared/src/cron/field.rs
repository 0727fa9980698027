//! One field of an expression: a set of numbers below 64, and whether a star was in it.

use super::error::{CronError, FieldName, FieldProblem};

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// What a field lets pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Field {
    /// Bit n: n matches. Empty (a list of commas only): nothing ever does.
    bits: u64,
    /// `*`, `?` or `*/n` stood in it: the day rule asks.
    pub(super) star: bool,
}

impl Field {
    /// Reads a whole field. Empty items of a list are skipped, as robfig does.
    pub(super) fn parse(name: FieldName, text: &str) -> Result<Self, CronError> {
        let mut field = Self::default();
        for item in text.split(',').filter(|item| !item.is_empty()) {
            let read = parse_item(name, item).map_err(|problem| {
                let item = item.chars().take(32).collect();
                CronError::Field { field: name, item, problem }
            })?;
            field.bits |= read.bits;
            field.star |= read.star;
        }
        Ok(field)
    }

    pub(super) fn matches(self, number: u8) -> bool {
        number < 64 && self.bits >> number & 1 == 1
    }

    /// The least matching number that is not below `from`.
    pub(super) fn first_from(self, from: u8) -> Option<u8> {
        let rest = self.bits.checked_shr(u32::from(from))?;
        // At most 63: it fits.
        (rest != 0).then(|| from.saturating_add(u8::try_from(rest.trailing_zeros()).unwrap_or(u8::MAX)))
    }
}

/// `*`, `?`, `n`, `a-b`, each with an optional `/step`.
fn parse_item(name: FieldName, item: &str) -> Result<Field, FieldProblem> {
    let (least, most) = bounds(name);
    let (range, step) = match item.split_once('/') {
        None => (item, None),
        Some((_, step)) if step.contains('/') => return Err(FieldProblem::Slashes),
        Some((range, step)) => (range, Some(parse_step(step)?)),
    };
    let (first, last, star) = match range.split_once('-') {
        None if range == "*" || range == "?" => (least, most, true),
        None => {
            let value = parse_value(name, range)?;
            // `a/n` goes on to the end of the field.
            (value, if step.is_some() { most } else { value }, false)
        }
        Some(("*" | "?", _)) => return Err(FieldProblem::StarRange),
        Some((_, last)) if last.contains('-') => return Err(FieldProblem::Hyphens),
        Some((first, last)) => (parse_value(name, first)?, parse_value(name, last)?, false),
    };
    if first > last {
        return Err(FieldProblem::Backwards);
    }
    let step = usize::try_from(step.unwrap_or(1)).unwrap_or(usize::MAX);
    let bits = (first..=last).step_by(step).fold(0_u64, |bits, number| bits | 1 << number);
    Ok(Field { bits, star })
}

fn bounds(name: FieldName) -> (u32, u32) {
    match name {
        FieldName::Minute => (0, 59),
        FieldName::Hour => (0, 23),
        FieldName::DayOfMonth => (1, 31),
        FieldName::Month => (1, 12),
        FieldName::DayOfWeek => (0, 6),
    }
}

fn parse_step(text: &str) -> Result<u32, FieldProblem> {
    match number(text) {
        Some(0) => Err(FieldProblem::StepZero),
        Some(step) => Ok(step),
        None => Err(FieldProblem::Step(text.chars().take(16).collect())),
    }
}

fn parse_value(name: FieldName, text: &str) -> Result<u32, FieldProblem> {
    let position = |names: &[&str]| names.iter().position(|name| text.eq_ignore_ascii_case(name));
    let named = match name {
        FieldName::Month => position(&MONTHS).map(|at| at + 1),
        FieldName::DayOfWeek => position(&DAYS),
        FieldName::Minute | FieldName::Hour | FieldName::DayOfMonth => None,
    };
    let value = named
        .and_then(|at| u32::try_from(at).ok())
        .or_else(|| number(text))
        .ok_or_else(|| FieldProblem::NotAValue(text.chars().take(16).collect()))?;
    let (least, most) = bounds(name);
    if value < least || value > most { Err(FieldProblem::OutOfRange(value)) } else { Ok(value) }
}

/// Digits only: no sign, no space.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
