//! Lengths of time as users write them: Go's `time.ParseDuration`, and the same with days and weeks.

use crate::time::Millis;
use std::fmt;

/// Which units are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    /// Go's own: ns, us, ms, s, m, h.
    Go,
    /// Also `d` (24 h) and `w` (7 d), for limits of retention. A day is always 24 hours, whatever clocks do.
    DaysAndWeeks,
}

/// Why a text is no length of time. It says what was read and what may stand there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("'{text}' is not a length of time: {problem}")]
pub struct DurationError {
    /// What was read, at most its first 64 characters.
    pub text: String,
    /// What is wrong with it.
    pub problem: DurationProblem,
}

/// What is wrong with a length of time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DurationProblem {
    /// Nothing was written.
    #[error("it is empty; write for example 72h or 1h30m")]
    Empty,
    /// A sign.
    #[error("it must not be negative")]
    Negative,
    /// Something that is no number where one has to stand.
    #[error("a number is expected before '{0}'")]
    Number(String),
    /// A number without a unit.
    #[error("'{number}' has no unit; allowed are {units}")]
    UnitMissing {
        /// The number.
        number: String,
        /// The units that are read here.
        units: UnitNames,
    },
    /// A unit that is not read here.
    #[error("unit '{unit}' is unknown; allowed are {units}")]
    UnitUnknown {
        /// What was read.
        unit: String,
        /// The units that are read here.
        units: UnitNames,
    },
    /// More than Go's 64-bit nanoseconds hold.
    #[error("it is longer than 292 years")]
    TooLong,
}

/// Prints the units that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnitNames(bool);

impl fmt::Display for UnitNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "ns, us, ms, s, m, h, d, w" } else { "ns, us, ms, s, m, h" })
    }
}

/// Reads a length of time that is not negative; what is below a millisecond counts as nothing.
pub fn parse(text: &str, units: Units) -> Result<Millis, DurationError> {
    nanos(text, units)
        .map(|nanos| Millis(nanos / 1_000_000))
        .map_err(|problem| DurationError { text: text.chars().take(64).collect(), problem })
}

fn nanos(text: &str, units: Units) -> Result<u64, DurationProblem> {
    let names = UnitNames(units == Units::DaysAndWeeks);
    if text.starts_with('-') {
        return Err(DurationProblem::Negative);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(DurationProblem::Empty);
    }
    let mut sum: u128 = 0;
    while !rest.is_empty() {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let (number, after) = rest.split_at(rest.find(|c| !is_number(c)).unwrap_or(rest.len()));
        let (unit, after) = after.split_at(after.find(is_number).unwrap_or(after.len()));
        let short = |text: &str| text.chars().take(16).collect::<String>();
        if number.is_empty() {
            return Err(DurationProblem::Number(short(unit)));
        }
        if unit.is_empty() {
            return Err(DurationProblem::UnitMissing { number: short(number), units: names });
        }
        let scale =
            unit_nanos(unit, units).ok_or_else(|| DurationProblem::UnitUnknown { unit: short(unit), units: names })?;
        sum += scaled(number, scale)?;
        rest = after;
        // Go keeps nanoseconds in an int64.
        if sum > i64::MAX.unsigned_abs().into() {
            return Err(DurationProblem::TooLong);
        }
    }
    u64::try_from(sum).map_err(|_| DurationProblem::TooLong)
}

fn unit_nanos(unit: &str, units: Units) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" if units == Units::DaysAndWeeks => 86_400_000_000_000,
        "w" if units == Units::DaysAndWeeks => 604_800_000_000_000,
        _ => return None,
    })
}

/// `number` (digits with at most one point) times `unit`.
fn scaled(number: &str, unit: u128) -> Result<u128, DurationProblem> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let malformed = || DurationProblem::Number(number.chars().take(16).collect());
    // Eighteen digits are finer than any unit is; also keeps the power below from overflowing.
    if fraction.contains('.') || fraction.len() > 18 || (whole.is_empty() && fraction.is_empty()) {
        return Err(malformed());
    }
    // Longer than any number that fits.
    if whole.len() > 19 {
        return Err(DurationProblem::TooLong);
    }
    let read = |text: &str| if text.is_empty() { Ok(0) } else { text.parse::<u128>().map_err(|_| malformed()) };
    let scale = (0..fraction.len()).fold(1_u128, |scale, _| scale * 10);
    Ok(read(whole)? * unit + read(fraction)? * unit / scale)
}

/// Writes a length of time as people write it in specs: the largest units first, days and weeks included: `1w2d`, `36h`
/// is `1d12h`, nothing is `0s`. Milliseconds are dropped.
#[must_use]
pub fn human(length: Millis) -> String {
    let mut rest = length.0 / 1000;
    let mut out = String::new();
    for (unit, seconds) in [("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        if rest >= seconds {
            out.push_str(&format!("{}{unit}", rest / seconds));
            rest %= seconds;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_go_reads() {
        for (text, ms) in [
            ("0", 0),
            ("72h", 259_200_000),
            ("1h30m", 5_400_000),
            ("+1.5s", 1500),
            (".5s", 500),
            ("1.s", 1000),
            ("1ms2us", 1),
            ("999999ns", 0),
            ("1h0.5m", 3_630_000),
        ] {
            assert_eq!(parse(text, Units::Go), Ok(Millis(ms)), "{text}");
            assert_eq!(parse(text, Units::DaysAndWeeks), Ok(Millis(ms)), "{text}");
        }
        assert_eq!(parse("1w1.5d", Units::DaysAndWeeks), Ok(Millis::secs(7 * 86_400 + 36 * 3600)));
    }

    #[test]
    fn errors_say_what_and_where() {
        for (text, units, message) in [
            ("", Units::Go, "'' is not a length of time: it is empty; write for example 72h or 1h30m"),
            ("7d", Units::Go, "'7d' is not a length of time: unit 'd' is unknown; allowed are ns, us, ms, s, m, h"),
            (
                "3x",
                Units::DaysAndWeeks,
                "'3x' is not a length of time: unit 'x' is unknown; allowed are ns, us, ms, s, m, h, d, w",
            ),
            ("-1h", Units::Go, "'-1h' is not a length of time: it must not be negative"),
            ("72", Units::Go, "'72' is not a length of time: '72' has no unit; allowed are ns, us, ms, s, m, h"),
            ("h", Units::Go, "'h' is not a length of time: a number is expected before 'h'"),
            ("1.2.3s", Units::Go, "'1.2.3s' is not a length of time: a number is expected before '1.2.3'"),
            (".s", Units::Go, "'.s' is not a length of time: a number is expected before '.'"),
            ("9999999h", Units::Go, "'9999999h' is not a length of time: it is longer than 292 years"),
        ] {
            assert_eq!(parse(text, units).unwrap_err().to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC{0,40}", days in any::<bool>()) {
            let _ = parse(&text, if days { Units::DaysAndWeeks } else { Units::Go });
        }

        #[test]
        fn what_is_written_is_read(seconds in 0_u64..5_000_000_000) {
            let length = Millis(seconds * 1000);
            prop_assert_eq!(parse(&human(length), Units::DaysAndWeeks), Ok(length));
        }
    }
}
