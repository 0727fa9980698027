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

/// Whose labels and annotations say by what means an object came into its cluster: Argo CD, Flux, Helm, kustomize,
/// kubectl (its memory of the last `apply`, ApplySets), cli-utils, Rancher, Carvel, Config Sync, Pulumi, Skaffold, Tanka.
/// On a backup they would claim that it came the same way, and what is not in Git any more is pruned, snapshots and all.
const DEPLOYERS: [&str; 17] = [
    "applyset.kubernetes.io",
    "argoproj.io",
    "cattle.io",
    "cli-utils.sigs.k8s.io",
    "config.k8s.io",
    "config.kubernetes.io",
    "configmanagement.gke.io",
    "configsync.gke.io",
    "flux.weave.works",
    "fluxcd.io",
    "helm.sh",
    "kapp.k14s.io",
    "kubectl.kubernetes.io",
    "kustomize.sigs.k8s.io",
    "pulumi.com",
    "skaffold.dev",
    "tanka.dev",
];

/// Argo CD goes by a label whose key each installation chooses; this holds whichever it is, `app.kubernetes.io/instance`
/// included, which is ours by the old manager's rules and may be an application's name.
const NOT_FROM_GIT: [(&str, &str); 2] =
    [("argocd.argoproj.io/compare-options", "IgnoreExtraneous"), ("argocd.argoproj.io/sync-options", "Prune=false")];

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

/// Does a label or annotation of this key belong to what brought the object into its cluster?
fn is_a_deployers(key: &str) -> bool {
    let Some((domain, _)) = key.split_once('/') else { return false };
    DEPLOYERS.iter().any(|deployer| {
        domain.strip_suffix(deployer).is_some_and(|subdomain| subdomain.is_empty() || subdomain.ends_with('.'))
    })
}

/// Labels of a run: the schedule's own but those of GitOps tools, over which the built-in ones win.
#[must_use]
pub fn run_labels(schedule: &str, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels = own.clone();
    labels.retain(|key, _| !is_a_deployers(key));
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
/// schedule itself; and two that keep Argo CD from pruning the run.
#[must_use]
pub fn run_annotations(own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut annotations = own.clone();
    annotations.retain(|key, _| !is_a_deployers(key) && !key.starts_with(OWN_ANNOTATIONS));
    annotations.extend(NOT_FROM_GIT.map(|(key, value)| (key.to_owned(), value.to_owned())));
    annotations
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
        let own = map(&[("iam.amazonaws.com/role", "r"), ("isochron.pingcap.com/on-hold", "true")]);
        let mut expected = map(&NOT_FROM_GIT);
        expected.extend(map(&[("iam.amazonaws.com/role", "r")]));
        assert_eq!(run_annotations(&own), expected);
    }

    #[test]
    fn what_brought_the_schedule_does_not_claim_its_backups() {
        for key in [
            "argocd.argoproj.io/instance",
            "argocd.argoproj.io/tracking-id",
            "argocd.argoproj.io/sync-wave",
            "argocd.argoproj.io/hook",
            "argocd.argoproj.io/sync-options",
            "kustomize.toolkit.fluxcd.io/name",
            "helm.toolkit.fluxcd.io/namespace",
            "fluxcd.io/sync-checksum",
            "helm.sh/chart",
            "helm.sh/hook",
            "meta.helm.sh/release-name",
            "config.kubernetes.io/origin",
            "internal.config.kubernetes.io/index",
            "config.k8s.io/owning-inventory",
            "applyset.kubernetes.io/part-of",
            "cli-utils.sigs.k8s.io/inventory-id",
            "kubectl.kubernetes.io/last-applied-configuration",
            "objectset.rio.cattle.io/hash",
            "kapp.k14s.io/app",
            "configsync.gke.io/declared-version",
        ] {
            let own = BTreeMap::from([(key.to_owned(), "shop".to_owned())]);
            assert_ne!(run_annotations(&own).get(key).map(String::as_str), Some("shop"), "{key}");
            assert!(!run_labels("nightly", &own).contains_key(key), "{key}");
        }
        let own = BTreeMap::from([("app.kubernetes.io/managed-by".to_owned(), "Helm".to_owned())]);
        assert_eq!(run_labels("nightly", &own)["app.kubernetes.io/managed-by"], "backup-schedule-operator");
        for key in ["team", "sh/chart", "myhelm.sh/x", "argoproj.io.example.com/x", "app.kubernetes.io/part-of"] {
            let own = BTreeMap::from([(key.to_owned(), "shop".to_owned())]);
            assert!(run_labels("nightly", &own).contains_key(key) && run_annotations(&own).contains_key(key), "{key}");
        }
    }
}
