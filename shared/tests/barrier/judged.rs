//! The judge by itself: one thing bent in the record or in what planes saw, and every word that it says of it.

use crate::fixtures::*;
use shared::{
    barrier::{Certificate, Record, certify},
    epoch::Epoch,
    evidence::{AcceptedSnapshot, ClusterStore, Evidence, PreparedStore, PreparedVolume},
    ids::{PlaneId, SnapshotId, StoreId, VolumeId},
    reason::Reason,
    time::Timestamp,
    ts::Ts,
};
use std::collections::BTreeMap;

/// A record and what planes saw, of which everything is proved.
struct Case {
    record: Record,
    seen: BTreeMap<PlaneId, Evidence>,
}

impl Case {
    fn new() -> Self {
        let mut kit = Kit::new(request());
        kit.confirming();
        let seen = (0..3).map(|i| (plane(i), evidence(i, Epoch(5)))).collect();
        Self { record: kit.view().record, seen }
    }

    fn kept(&mut self, i: usize) -> &mut Vec<PreparedStore> {
        &mut self.record.planes.get_mut(&plane(i)).unwrap().stores
    }

    fn seen(&mut self, i: usize) -> &mut Evidence {
        self.seen.get_mut(&plane(i)).unwrap()
    }

    /// Plane 1 has a second volume, on the same instance, with its snapshot from the same call.
    fn with_two_volumes(mut self) -> Self {
        let volumes = &mut self.kept(1)[0].volumes;
        let second = PreparedVolume {
            volume: VolumeId::new("vol-1b"),
            mount_path: "/var/lib/tikv-wal".into(),
            directories: BTreeMap::new(),
            ..volumes[0].clone()
        };
        volumes.push(second);
        let snapshots = &mut self.seen(1).snapshots;
        let second = AcceptedSnapshot {
            volume: VolumeId::new("vol-1b"),
            snapshot: SnapshotId::new("snap-1b"),
            ..snapshots[0].clone()
        };
        snapshots.push(second);
        self
    }

    fn judge(&self) -> Result<Certificate, String> {
        certify(&self.record, &self.seen, Timestamp(9)).map_err(|refusal| {
            assert_eq!(refusal.reason, Reason::EvidenceBroken);
            refusal.message
        })
    }

    /// Nothing else is wrong with it.
    fn lacks(&self, what: &[&str]) {
        assert_eq!(self.judge(), Err(what.join("; ")));
    }
}

fn bent(mut case: Case, bend: impl FnOnce(&mut Case)) -> Case {
    bend(&mut case);
    case
}

#[test]
fn several_volumes_of_an_instance_are_certified_with_snapshots_of_one_call() {
    let certificate = Case::new().with_two_volumes().judge().unwrap();
    assert_eq!(certificate.planes[&plane(1)].evidence.snapshots.len(), 2);
    assert_eq!(certificate.planes[&plane(1)].directories[0].volumes, [VolumeId::new("vol-1")], "what lies on none");
    let case = bent(Case::new().with_two_volumes(), |case| case.seen(1).snapshots[1].start_time = Timestamp(6));
    case.lacks(&["E4: snapshots of instance i-1 came from more than one call"]);
}

#[test]
fn a_volume_has_one_snapshot_and_a_snapshot_one_volume() {
    let not_one_each = ["E4: snapshots of plane az2 are not one per volume prepared"];
    let two = || Case::new().with_two_volumes();
    bent(two(), |case| drop(case.seen(1).snapshots.pop())).lacks(&not_one_each);
    bent(two(), |case| case.seen(1).snapshots[1].snapshot = SnapshotId::new("snap-1")).lacks(&not_one_each);
    bent(two(), |case| {
        let again = AcceptedSnapshot { snapshot: SnapshotId::new("snap-1c"), ..case.seen(1).snapshots[0].clone() };
        case.seen(1).snapshots.push(again);
    })
    .lacks(&not_one_each);
}

#[test]
fn a_snapshot_is_of_the_volume_where_it_was_prepared() {
    let case = bent(Case::new(), |case| case.seen(1).snapshots[0].instance = "i-9".into());
    case.lacks(&["E4: volume vol-1 was snapshotted on another instance"]);
    let case = bent(Case::new(), |case| case.seen(1).snapshots[0].volume = VolumeId::new("vol-9"));
    case.lacks(&["E4: snapshots of plane az2 are not one per volume prepared"]);
}

#[test]
fn every_store_of_the_cluster_is_in_one_member() {
    let case = bent(Case::new(), |case| {
        case.kept(2).clear();
        case.seen(2).stores.clear();
        case.seen(2).snapshots.clear();
    });
    case.lacks(&["E1: store 3 is in 0 members"]);
    let case = bent(Case::new(), |case| {
        let (store, held) = (stores(0)[0].clone(), evidence(0, Epoch(5)).stores[0].clone());
        let volume = PreparedVolume { volume: VolumeId::new("vol-2b"), ..store.volumes[0].clone() };
        case.kept(2).push(PreparedStore { instance: "i-2".into(), volumes: vec![volume], ..store });
        case.seen(2).stores.push(held);
        let snapshot = AcceptedSnapshot {
            volume: VolumeId::new("vol-2b"),
            snapshot: SnapshotId::new("snap-2b"),
            ..case.seen(2).snapshots[0].clone()
        };
        case.seen(2).snapshots.push(snapshot);
    });
    case.lacks(&["E1: store 1 is in 2 members"]);
}

#[test]
fn a_store_that_is_told_twice_is_not_the_one_that_was_prepared() {
    let case = bent(Case::new(), |case| {
        let again = case.seen(1).stores[0].clone();
        case.seen(1).stores.push(again);
    });
    case.lacks(&["E1: stores of plane az2 at the confirmation are not those that were prepared"]);
}

#[test]
fn a_store_that_came_went_or_changed_until_the_confirmation_is_seen() {
    let table: [fn(&mut Vec<ClusterStore>); 4] = [
        |stores| stores.push(ClusterStore { store: StoreId(4), ..stores[0].clone() }),
        |stores| drop(stores.pop()),
        |stores| stores[1].start_timestamp = 101,
        |stores| stores[1].address = "elsewhere:1".into(),
    ];
    for bend in table {
        let case = bent(Case::new(), |case| bend(&mut case.seen(0).pd.as_mut().unwrap().stores));
        case.lacks(&["E1: the cluster's stores changed between Prepared and the confirmation"]);
    }
}

#[test]
fn renewals_are_counted_and_confirmed() {
    let of = |sent: u64, valid: u64, confirmed: bool| {
        bent(Case::new(), |case| {
            let held = &mut case.seen(1).stores[0];
            (held.renewals_sent, held.renewals_valid, held.confirmed) = (sent, valid, confirmed);
        })
    };
    assert!(of(1, 1, true).judge().is_ok());
    for (sent, valid, confirmed) in [(3, 3, false), (3, 2, true), (2, 3, true), (0, 0, true)] {
        let text = format!("E2: store 2 of plane az2 answered {valid} of {sent} renewals, confirmation {confirmed}");
        of(sent, valid, confirmed).lacks(&[&text]);
    }
}

#[test]
fn commit_ts_is_the_least_safe_ts_and_a_moment() {
    let of = |least: Ts, commit: Ts| {
        bent(Case::new(), |case| {
            case.record.commit_ts = Some(commit);
            (0..3).for_each(|i| (case.seen(i).commit_ts, case.seen(i).cover.least_safe_ts) = (commit, least));
            let pd = case.seen(0).pd.as_mut().unwrap();
            (pd.gc_safe_point, pd.ts_ceiling) = (Ts::ZERO, None);
        })
    };
    assert!(of(Ts(1), Ts(1)).judge().is_ok());
    of(Ts(2), Ts(1)).lacks(&["E5: commitTs 1 is not the least safe_ts 2 of the last cover"]);
    let never = Ts::NOT_INITIALIZED;
    of(never, never).lacks(&[&format!("E5: commitTs {never} is not the least safe_ts {never} of the last cover")]);
}

#[test]
fn the_gc_safe_point_is_below_commit_ts_and_the_ceiling_above_it() {
    let of = |gc_safe_point: Ts, ceiling: Ts| {
        bent(Case::new(), |case| {
            let pd = case.seen(0).pd.as_mut().unwrap();
            (pd.gc_safe_point, pd.ts_ceiling) = (gc_safe_point, Some(ceiling));
        })
    };
    assert!(of(Ts(1_999), Ts(2_001)).judge().is_ok());
    of(Ts(2_000), Ts(2_001)).lacks(&["E5: GC safe point 2000 reached commitTs 2000"]);
    of(Ts(1_999), Ts(2_000)).lacks(&["E5: ts_ceiling 2000 is not above commitTs 2000"]);
}

#[test]
fn what_nobody_saw_is_not_proved() {
    let text = "the record names no TiDB cluster or no commitTs";
    bent(Case::new(), |case| case.record.commit_ts = None).lacks(&[text]);
    bent(Case::new(), |case| case.record.cluster = None).lacks(&[text]);
    bent(Case::new(), |case| drop(case.seen.remove(&plane(2))))
        .lacks(&["plane az3 has no evidence", "E3: the regions of the last cover do not tile the key space"]);
    bent(Case::new(), |case| case.seen(0).pd = None).lacks(&[
        "E1: the cluster's stores changed between Prepared and the confirmation",
        "E5: no plane read PD's GC safe point at the confirmation",
    ]);
}

/// What is wrong is told together: a person mends it once.
#[test]
fn all_that_is_not_proved_is_told_at_once() {
    let case = bent(Case::new(), |case| {
        case.seen(1).epoch = Epoch(4);
        case.seen(2).commit_ts = Ts(1);
    });
    case.lacks(&["plane az2 speaks of epoch 4 instead of 5", "E5: plane az3 snapshotted for 1 instead of 2000"]);
}
