//! TiKV versions that are known to lack what a proven backup needs (`facts/pd-tikv.md` §7). Patch releases and forks
//! differ, so anything else is allowed here and found out by calling.

use shared::evidence::HoldKind;

/// Why this version cannot work; `None`: it may.
pub(super) fn lacking(version: &str) -> Option<&'static str> {
    let (major, minor, patch) = parse(version)?;
    match (major, minor, patch) {
        (..=5, _, _) | (6, ..=4, _) => Some("versions before 6.5 have no disk snapshot preparation"),
        (6, 5, ..=7) => Some("6.5.0 to 6.5.7 lack PrepareSnapshotBackup; 6.5.9 has it"),
        (6, 5, 8) => Some("the prepare lease of 6.5.8 does not stop log compaction; that of 6.5.9 does"),
        (6, 5, _) => None,
        (6, _, _) | (7, ..=4, _) => Some("6.6 to 7.4 (7.1 included) lack PrepareSnapshotBackup"),
        (7, 5, 0) => Some("7.5.0 lacks PrepareSnapshotBackup; 7.5.1 has it"),
        (7, 5, _) => None,
        (7, _, _) => Some("7.6 lacks PrepareSnapshotBackup; 8.0 has it"),
        _ => None,
    }
}

/// Why not even a weaker hold is possible; `None`: it may be. What the table of facts has for SuspendImportRPC.
pub(super) fn lacking_weaker(version: &str) -> Option<&'static str> {
    let (major, minor, patch) = parse(version)?;
    match (major, minor, patch) {
        (..=5, _, _) | (6, ..=4, _) => Some("versions before 6.5 have none of its calls"),
        (6, 5, ..=5) => Some("6.5.0 to 6.5.5 lack SuspendImportRPC; 6.5.6 has it"),
        (7, 1, ..=1) => Some("7.1.0 and 7.1.1 lack SuspendImportRPC; 7.1.2 has it"),
        (6, 6.., _) | (7, 0 | 2..=4, _) => Some("6.6 to 7.4 lack SuspendImportRPC, except 7.1.2 and later of 7.1"),
        _ => None,
    }
}

/// What a prepare lease of this version stops.
pub(super) fn kind_of_lease(version: &str) -> HoldKind {
    if parse(version) == Some((6, 5, 8)) { HoldKind::Compacting } else { HoldKind::Full }
}

fn parse(version: &str) -> Option<(u32, u32, u32)> {
    let digits = |text: &str| -> Option<u32> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text.get(..end)?.parse().ok()
    };
    let mut parts = version.trim().trim_start_matches('v').splitn(3, '.');
    Some((digits(parts.next()?)?, digits(parts.next()?)?, digits(parts.next()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_bad_versions_are_refused_and_no_others() {
        for bad in ["5.4.3", "6.1.7", "6.5.4", "v6.5.8", "6.6.0", "7.1.6", "7.4.0", "7.5.0", "v7.6.0", "7.5.0-alpha"] {
            assert!(lacking(bad).is_some(), "{bad}");
        }
        for good in ["6.5.9", "6.5.12", "7.5.1", "v7.5.6", "8.0.0", "8.5.1", "9.0.0-beta.2", "nightly", ""] {
            assert_eq!(lacking(good), None, "{good}");
        }
    }

    #[test]
    fn a_weaker_hold_needs_imports_that_can_be_suspended() {
        for bad in ["5.4.3", "6.1.7", "6.5.4", "v6.5.5", "6.6.0", "7.0.0", "7.1.1", "7.4.0"] {
            assert!(lacking_weaker(bad).is_some(), "{bad}");
        }
        for good in ["6.5.6", "v6.5.8", "7.1.2", "7.1.6", "7.5.0", "v7.6.0", "8.5.1", "nightly"] {
            assert_eq!(lacking_weaker(good), None, "{good}");
        }
    }

    #[test]
    fn only_one_version_has_a_lease_that_lets_the_log_be_compacted() {
        for version in ["6.5.8", "v6.5.8", "6.5.8-20240110"] {
            assert_eq!(kind_of_lease(version), HoldKind::Compacting, "{version}");
        }
        for version in ["6.5.9", "6.5.10", "7.5.1", "8.5.8", "nightly", ""] {
            assert_eq!(kind_of_lease(version), HoldKind::Full, "{version}");
        }
    }
}
