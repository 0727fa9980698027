//! Sizes as Go writes them, which users read in status and on the console.

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

#[cfg(test)]
mod tests {
    use super::*;

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
