//! What stands on a volume of a restore, from its create call on: by what it is found again, what the EBS CSI driver and its
//! policies want of it, and for people (`facts/restore.md` §2.5, §5.1).

use crate::ids::{PlaneId, SnapshotId, StoreId};
use std::collections::BTreeSet;

/// `metadata.uid` of the VolumeRestore.
pub const RESTORE: &str = "isochron/restore";
/// `k8sClusterName` of where the volume goes.
pub const PLANE: &str = "isochron/plane";
/// Which attempt of the restore.
pub const ATTEMPT: &str = "isochron/attempt";
/// How many times this volume was made.
pub const NTH: &str = "isochron/nth";
/// Name of the ledger of the plane that made it: in one account two planes may have one name.
pub const LEDGER: &str = "isochron/ledger";
/// `metadata.name` of the VolumeRestore.
pub const NAME: &str = "isochron/restore-name";
/// `metadata.namespace` of the VolumeRestore.
pub const NAMESPACE: &str = "isochron/restore-namespace";
/// Of which it was made.
pub const SNAPSHOT: &str = "isochron/snapshot";
/// Whose data it holds.
pub const STORE: &str = "isochron/store";

/// What the driver's policies allow to attach, modify and delete.
const CSI: &str = "ebs.csi.aws.com/cluster";
const OF_PV: &str = "kubernetes.io/created-for/pv/name";
const OF_PVC: &str = "kubernetes.io/created-for/pvc/name";
const OF_PVC_NAMESPACE: &str = "kubernetes.io/created-for/pvc/namespace";
const CSI_NAME: &str = "CSIVolumeName";

/// Tags of one resource (`facts/aws.md` A1).
const MOST: usize = 50;

/// Whose volumes: of a restore, in a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumesOf<'a> {
    /// `metadata.uid` of the VolumeRestore.
    pub restore: &'a str,
    /// `metadata.name` of it.
    pub name: &'a str,
    /// `metadata.namespace` of it.
    pub namespace: &'a str,
    /// Where they go.
    pub plane: &'a PlaneId,
    /// Name of that plane's ledger.
    pub ledger: &'a str,
}

/// A claim that a volume is made for, where that is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForClaim<'a> {
    /// Of the PersistentVolume.
    pub pv: &'a str,
    /// Of the PersistentVolumeClaim.
    pub claim: &'a str,
    /// `tcNamespace`
    pub namespace: &'a str,
}

/// By what all volumes of a restore in a plane are found, of whichever attempt.
#[must_use]
pub fn found_by(restore: &str, plane: &PlaneId) -> Vec<(String, String)> {
    vec![tag(RESTORE, restore), tag(PLANE, plane.as_str())]
}

impl VolumesOf<'_> {
    /// Of one volume; `nth` and `attempt` as in its token ([`super::VolumeCall`]) are put on by [`numbered`]. Every word follows
    /// from what is restored, and none from a moment or an epoch: EC2 refuses a token that comes with other tags. `more` are
    /// the user's own, as far as there is room and none of ours has the key.
    #[must_use]
    pub fn tags(
        &self,
        snapshot: &SnapshotId,
        store: Option<StoreId>,
        claim: Option<ForClaim<'_>>,
        more: &[(String, String)],
    ) -> Vec<(String, String)> {
        let mut tags = found_by(self.restore, self.plane);
        tags.extend([
            tag(LEDGER, self.ledger),
            tag(NAME, self.name),
            tag(NAMESPACE, self.namespace),
            tag(SNAPSHOT, snapshot.as_str()),
            tag(CSI, "true"),
        ]);
        tags.extend(store.map(|store| (STORE.to_owned(), store.to_string())));
        if let Some(ForClaim { pv, claim, namespace }) = claim {
            let of_claim = [(OF_PV, pv), (OF_PVC, claim), (OF_PVC_NAMESPACE, namespace), (CSI_NAME, pv)];
            tags.extend(of_claim.map(|(key, value)| tag(key, value)));
        }
        let ours: BTreeSet<String> =
            tags.iter().map(|(key, _)| key.clone()).chain([ATTEMPT, NTH].map(str::to_owned)).collect();
        let room = MOST.saturating_sub(ours.len());
        tags.extend(more.iter().filter(|(key, _)| !ours.contains(key)).take(room).cloned());
        tags
    }
}

/// The tags of one try: what its token has besides.
#[must_use]
pub fn numbered(tags: &[(String, String)], attempt: u32, nth: u32) -> Vec<(String, String)> {
    let numbers = [(ATTEMPT, attempt), (NTH, nth)].map(|(key, number)| (key.to_owned(), number.to_string()));
    tags.iter().cloned().chain(numbers).collect()
}

fn tag(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(more: usize, claim: bool) -> Vec<(String, String)> {
        let plane = PlaneId::new("az1");
        let of = VolumesOf { restore: "u", name: "shop-back", namespace: "br-fed", plane: &plane, ledger: "l-1" };
        let claim =
            claim.then_some(ForClaim { pv: "isochron-u-az1-0-tikv", claim: "tikv-shop-tikv-0", namespace: "tidb" });
        let mut own: Vec<_> = (0..more).map(|number| tag(&format!("own{number:02}"), "x")).collect();
        own.extend([tag(RESTORE, "somebody's"), tag(NTH, "7")]);
        let tags = of.tags(&SnapshotId::new("snap-0a"), Some(StoreId(4)), claim, &own);
        numbered(&tags, 1, 2)
    }

    #[test]
    fn a_volume_bears_whose_it_is_and_what_the_csi_driver_asks_for() {
        let expected = [
            ("isochron/restore", "u"),
            ("isochron/plane", "az1"),
            ("isochron/ledger", "l-1"),
            ("isochron/restore-name", "shop-back"),
            ("isochron/restore-namespace", "br-fed"),
            ("isochron/snapshot", "snap-0a"),
            ("ebs.csi.aws.com/cluster", "true"),
            ("isochron/store", "4"),
            ("kubernetes.io/created-for/pv/name", "isochron-u-az1-0-tikv"),
            ("kubernetes.io/created-for/pvc/name", "tikv-shop-tikv-0"),
            ("kubernetes.io/created-for/pvc/namespace", "tidb"),
            ("CSIVolumeName", "isochron-u-az1-0-tikv"),
            ("own00", "x"),
            ("isochron/attempt", "1"),
            ("isochron/nth", "2"),
        ];
        assert_eq!(of(1, true), expected.map(|(key, value)| tag(key, value)));
        assert!(of(0, false).iter().all(|(key, _)| !key.starts_with("kubernetes.io/")), "no claim is known");
    }

    #[test]
    fn there_are_never_more_than_ec2_takes_and_ours_come_first() {
        for (more, claim) in [(0, true), (36, true), (60, true), (60, false)] {
            let tags = of(more, claim);
            let keys: BTreeSet<&String> = tags.iter().map(|(key, _)| key).collect();
            assert!(tags.len() <= MOST && keys.len() == tags.len(), "{more}: {tags:?}");
            assert_eq!(tags.iter().find(|(key, _)| key == RESTORE), Some(&tag(RESTORE, "u")), "{more}");
        }
        assert_eq!(of(60, true).len(), MOST);
    }
}
