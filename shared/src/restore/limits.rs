//! What EC2 takes of a wish, as far as it is written down (`facts/restore.md` §5.1, §5.2).

use crate::wire::{VolumeKind, VolumeWish};
use std::ops::RangeInclusive;

/// MiB/s of one volume's initialisation.
const RATE: RangeInclusive<u32> = 100..=300;

struct Limits {
    name: &'static str,
    /// `None`: it takes none.
    iops: Option<RangeInclusive<u32>>,
    /// It has none by itself.
    needs_iops: bool,
    throughput: Option<RangeInclusive<u32>>,
}

const KINDS: [Limits; 6] = [
    Limits { name: "gp3", iops: Some(3_000..=80_000), needs_iops: false, throughput: Some(125..=2_000) },
    Limits { name: "gp2", iops: None, needs_iops: false, throughput: None },
    Limits { name: "io1", iops: Some(100..=64_000), needs_iops: true, throughput: None },
    Limits { name: "io2", iops: Some(100..=256_000), needs_iops: true, throughput: None },
    Limits { name: "st1", iops: None, needs_iops: false, throughput: None },
    Limits { name: "sc1", iops: None, needs_iops: false, throughput: None },
];

/// Is it a wish that EC2 can fulfil?
///
/// # Errors
/// It is not; in words for who wished.
pub fn check(wish: &VolumeWish) -> Result<(), String> {
    within("the initialisation rate", wish.rate, &RATE, "MiB/s")?;
    let VolumeKind { name, iops, throughput } = &wish.kind;
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        let known = KINDS.map(|kind| kind.name).join(", ");
        return Err(format!("{name} is no type of volume that is known here: {known}"));
    };
    for (what, asked, range, unit) in
        [("IOPS", iops, &kind.iops, "IOPS"), ("throughput", throughput, &kind.throughput, "MiB/s")]
    {
        match range {
            Some(range) => within(&format!("{what} of {name}"), *asked, range, unit)?,
            None if asked.is_some() => return Err(format!("{name} takes no {what}")),
            None => {}
        }
    }
    if kind.needs_iops && iops.is_none() {
        return Err(format!("{name} has no IOPS by itself: say how many"));
    }
    let blank = |zone: &String| zone.trim().is_empty();
    if wish.zones.iter().any(|(from, to)| blank(from) || blank(to)) || wish.zone.as_ref().is_some_and(blank) {
        return Err("a zone has a name".to_owned());
    }
    Ok(())
}

fn within(what: &str, asked: Option<u32>, range: &RangeInclusive<u32>, unit: &str) -> Result<(), String> {
    match asked {
        Some(asked) if !range.contains(&asked) => {
            Err(format!("{what} is {} to {} {unit}, not {asked}", range.start(), range.end()))
        }
        _ => Ok(()),
    }
}

/// `7.5` of `v7.5.2-x`: within it a restore is known to work; `None`: it is no version.
pub fn version_line(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('v').split(['.', '-']).map(str::parse::<u32>);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// No fault of recovery is known of it (`facts/restore.md` §3.5).
pub fn recovers(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let mut next = || numbers.next().unwrap_or_default();
    match (next(), next(), next()) {
        (6, 5, patch) => patch >= 9,
        (7, 1, patch) => patch >= 5,
        (7, 5, patch) => patch >= 2,
        (major, minor, _) => (major, minor) >= (8, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn wish(name: &str, iops: Option<u32>, throughput: Option<u32>, rate: Option<u32>) -> VolumeWish {
        let kind = VolumeKind { name: name.to_owned(), iops, throughput };
        VolumeWish { zones: BTreeMap::new(), zone: None, kind, rate }
    }

    #[test]
    fn what_ec2_does_not_take_is_said_before_anybody_is_asked() {
        let fine = [
            wish("gp3", None, None, None),
            wish("gp3", Some(3_000), Some(2_000), Some(100)),
            wish("gp3", Some(80_000), Some(125), Some(300)),
            wish("io2", Some(256_000), None, None),
            wish("st1", None, None, Some(200)),
        ];
        for wish in fine {
            assert_eq!(check(&wish), Ok(()), "{wish:?}");
        }
        for (wish, word) in [
            (wish("gp3", None, None, Some(99)), "100 to 300 MiB/s, not 99"),
            (wish("gp3", None, None, Some(301)), "not 301"),
            (wish("gp3", Some(2_999), None, None), "3000 to 80000"),
            (wish("gp3", None, Some(2_001), None), "125 to 2000"),
            (wish("gp2", Some(100), None, None), "gp2 takes no IOPS"),
            (wish("io1", Some(64_001), None, None), "100 to 64000"),
            (wish("io1", None, None, None), "no IOPS by itself"),
            (wish("io2", Some(100), Some(125), None), "takes no throughput"),
            (wish("gp4", None, None, None), "gp4 is no type"),
            (VolumeWish { zone: Some(" ".to_owned()), ..wish("gp3", None, None, None) }, "a zone has a name"),
        ] {
            let why = check(&wish).expect_err("refused");
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn a_zone_is_the_one_wished_for_else_its_own() {
        let mut wish = wish("gp3", None, None, None);
        assert_eq!(wish.zone_for("a"), "a");
        wish.zone = Some("c".to_owned());
        wish.zones = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        assert_eq!((wish.zone_for("a"), wish.zone_for("x")), ("b", "c"));
    }

    #[test]
    fn a_version_has_a_line() {
        assert_eq!(version_line("v7.5.2"), Some((7, 5)));
        assert_eq!(version_line("8.1.0-alpha"), Some((8, 1)));
        for none in ["", "nightly", "7", "v7.x"] {
            assert_eq!(version_line(none), None, "{none}");
        }
    }

    #[test]
    fn versions_that_recover() {
        for (version, does) in [
            ("v6.5.9", true),
            ("6.5.8", false),
            ("7.1.5", true),
            ("7.1.4", false),
            ("7.5.2", true),
            ("7.5.1", false),
            ("7.6.0", false),
            ("8.0.9", false),
            ("8.1.0", true),
            ("v9.0.0-beta.1", true),
        ] {
            assert_eq!(recovers(version), does, "{version}");
        }
    }
}
