//! Sizes as Go writes them, which users read in status and on the console; and lengths of time.

use shared::barrier::Size;

/// A size for people; `None`: there is nothing to say yet, or nobody asked.
pub(crate) fn human_size(size: Size) -> Option<String> {
    match size {
        Size::Known(bytes) => Some(human_bytes(bytes)),
        Size::Unknown => Some("unknown".to_owned()),
        Size::Unwanted | Size::Pending => None,
    }
}

/// go-humanize's `Bytes` (`facts/tidb-operator.md` §7): SI units, one decimal below ten.
fn human_bytes(bytes: u64) -> String {
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

/// As exact as it matters: a barrier's steps in milliseconds, a copy to S3 in minutes.
pub(crate) fn span(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0..10 => format!("{millis} ms"),
        10..100 => format!("{seconds}.{} s", millis % 1000 / 100),
        100..7200 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_as_exact_as_it_matters() {
        for (millis, text) in [
            (0, "0 ms"),
            (9_999, "9999 ms"),
            (10_000, "10.0 s"),
            (99_999, "99.9 s"),
            (100_000, "1 min 40 s"),
            (7_200_000, "2 h 00 min"),
        ] {
            assert_eq!(span(millis), text);
        }
    }

    #[test]
    fn sizes_read_as_go_writes_them() {
        for (bytes, text) in [
            (0, "0 B"),
            (9, "9 B"),
            (10, "10 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1500, "1.5 kB"),
            (9_999, "10 kB"),
            (82_854_982, "83 MB"),
            (2_199_023_255_552, "2.2 TB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(human_bytes(bytes), text);
        }
    }
}
