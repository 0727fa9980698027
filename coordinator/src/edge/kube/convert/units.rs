//! Go's ways to write lengths of time and sizes, which users read in status and write in specs.

use shared::time::Millis;

/// `time.ParseDuration` for lengths that are not negative; below a millisecond counts as nothing. `None` when it is not
/// a duration.
pub fn parse_go_duration(text: &str) -> Option<Millis> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Millis(0));
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (digits, after) = rest.split_at(number);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        nanos = nanos.checked_add(scaled(digits, unit_nanos(unit)?)?)?;
        rest = after;
    }
    // Go keeps nanoseconds in an int64.
    let nanos = i64::try_from(nanos).ok()?;
    Some(Millis(nanos.unsigned_abs() / 1_000_000))
}

fn unit_nanos(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// `digits` (with at most one point, and at least one digit) times `unit`.
fn scaled(digits: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    // Longer than any number that fits; also keeps the power below from overflowing.
    if whole.len() > 19 || fraction.len() > 18 || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u128>().ok() };
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    number(whole)?.checked_mul(unit)?.checked_add(number(fraction)? * unit / scale)
}

/// `Duration.Round(time.Second).String()`: `45s`, `16m4s`, `1h0m3s`.
pub fn go_duration(length: Millis) -> String {
    let seconds = length.0.saturating_add(500) / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// go-humanize's `Bytes` (`facts/tidb-operator.md` §7): SI units, one decimal below ten.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 10 {
        return format!("{bytes} B");
    }
    let (mut unit, mut scale) = (0, 1.0_f64);
    while unit + 1 < UNITS.len() && bytes as f64 >= scale * 1000.0 {
        unit += 1;
        scale *= 1000.0;
    }
    let value = (bytes as f64 / scale * 10.0 + 0.5).floor() / 10.0;
    if value < 10.0 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}
