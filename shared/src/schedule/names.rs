//! Names, labels and prefixes of what a schedule makes (`facts/tidb-operator.md` §1.5, §1.7).

use crate::{
    calendar::{name_stamp, parse_name_stamp},
    time::Timestamp,
};
use std::collections::BTreeMap;

/// On a VolumeBackup: the name of the schedule that made it.
pub const SCHEDULE_LABEL: &str = "tidb.pingcap.com/backup-schedule";

/// On a VolumeBackupSchedule: schedules of one namespace with the same value never run at the same time.
pub const GROUP_LABEL: &str = "tidb.pingcap.com/backup-schedule-group";

/// Annotations under this prefix speak of the object that bears them, so a run does not inherit them.
const OWN_ANNOTATIONS: &str = "isochron.pingcap.com/";

/// `kubectl apply`'s memory of the schedule: on a backup it would make the next `apply` there undo things.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The name of the run of a fire time: `nightly-2024-05-01t03-00-00`, always in UTC.
#[must_use]
pub fn backup_name(schedule: &str, fire: Timestamp) -> String {
    format!("{schedule}-{}", name_stamp(fire))
}

/// The fire time of a run's name; `None` for names that this schedule does not give.
#[must_use]
pub fn fire_of_name(schedule: &str, name: &str) -> Option<Timestamp> {
    parse_name_stamp(name.strip_prefix(schedule)?.strip_prefix('-')?)
}

/// The S3 prefix of a run: the schedule's prefix, a slash, a dash and the fire time, cleaned like Go's `path.Join`:
/// `vol` gives `vol/-2024-05-01t03-00-00`, nothing gives `-2024-05-01t03-00-00`.
#[must_use]
pub fn scheduled_prefix(prefix: &str, fire: Timestamp) -> String {
    let rooted = prefix.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in prefix.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            _ => parts.push(part),
        }
    }
    let stamp = format!("-{}", name_stamp(fire));
    parts.push(&stamp);
    let joined = parts.join("/");
    if rooted { format!("/{joined}") } else { joined }
}

/// Labels of a run: the schedule's own, over which the built-in ones win.
#[must_use]
pub fn run_labels(schedule: &str, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels = own.clone();
    for (key, value) in [
        ("app.kubernetes.io/name", "backup-schedule"),
        ("app.kubernetes.io/managed-by", "backup-schedule-operator"),
        ("app.kubernetes.io/instance", schedule),
        (SCHEDULE_LABEL, schedule),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    labels
}

/// Annotations of a run: the schedule's (this is how `iam.amazonaws.com/role` travels), without those that speak of the
/// schedule itself.
#[must_use]
pub fn run_annotations(own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    own.iter()
        .filter(|(key, _)| key.as_str() != LAST_APPLIED && !key.starts_with(OWN_ANNOTATIONS))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRE: Timestamp = Timestamp(1_714_532_400_000);

    #[test]
    fn names_as_in_the_facts() {
        assert_eq!(backup_name("nightly", FIRE), "nightly-2024-05-01t03-00-00");
        assert_eq!(fire_of_name("nightly", "nightly-2024-05-01t03-00-00"), Some(FIRE));
        for other in ["nightly", "nightly-", "nightly-x", "nightly2-2024-05-01t03-00-00", "2024-05-01t03-00-00"] {
            assert_eq!(fire_of_name("nightly", other), None, "{other}");
        }
    }

    #[test]
    fn prefixes_as_go_joins_them() {
        for (prefix, joined) in [
            ("vol", "vol/-2024-05-01t03-00-00"),
            ("", "-2024-05-01t03-00-00"),
            ("a//b/", "a/b/-2024-05-01t03-00-00"),
            ("./a/../b", "b/-2024-05-01t03-00-00"),
            ("../a", "../a/-2024-05-01t03-00-00"),
            ("/vol/..//../x", "/x/-2024-05-01t03-00-00"),
        ] {
            assert_eq!(scheduled_prefix(prefix, FIRE), joined, "{prefix}");
        }
    }

    #[test]
    fn labels_and_annotations_travel() {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(
            run_labels("nightly", &map(&[("team", "db"), (SCHEDULE_LABEL, "mine")])),
            map(&[
                ("app.kubernetes.io/instance", "nightly"),
                ("app.kubernetes.io/managed-by", "backup-schedule-operator"),
                ("app.kubernetes.io/name", "backup-schedule"),
                ("team", "db"),
                (SCHEDULE_LABEL, "nightly"),
            ])
        );
        let own =
            map(&[("iam.amazonaws.com/role", "r"), (LAST_APPLIED, "{}"), ("isochron.pingcap.com/on-hold", "true")]);
        assert_eq!(run_annotations(&own), map(&[("iam.amazonaws.com/role", "r")]));
    }
}
