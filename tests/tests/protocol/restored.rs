//! A ledger that comes back from an earlier time: what ended well since stays, what ended badly ends again.

use crate::{
    LIMIT, at,
    lifecycle::{WHILE, complete, is_there},
    nothing_left, slow, soon, story, world,
};
use shared::barrier::Milestone;
use std::{collections::BTreeSet, rc::Rc};
use tests::{rig::Rig, world::Ec2Faults};

/// The ledger was copied while the barrier was under way, the backup became Complete, and only then the copy comes back.
fn restored_from_before_the_end(seed: u64, copied: Milestone, policy: &str, restart_planes: bool) {
    story(slow(world(seed)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest_of("backup", "p", policy, "")).unwrap();
        at(&rig, copied).await;
        let export = rig.control.export();
        let made = complete(&rig, policy).await;
        rig.kill_coordinator();
        rig.control.restore_ledger(&export, &BTreeSet::new());
        if restart_planes {
            for plane in ["az1", "az2", "az3"] {
                rig.kill_plane(plane);
                rig.start_plane(plane);
            }
        }
        rig.start_coordinator();
        tokio::time::sleep(3 * WHILE).await;
        assert!(is_there(&rig, &made), "an orphan from {copied:?}: {:?}", rig.record().map(|record| record.milestone));
        rig.control.restore_objects(&export, false, true);
        tokio::time::sleep(3 * WHILE).await;
        let record = rig.record().unwrap();
        assert!(is_there(&rig, &made), "from {copied:?}: {:?}", record.milestone);
        if record.milestone == Milestone::Complete {
            assert_eq!(rig.lies(), Vec::<String>::new());
        } else {
            let told = rig.control.events().iter().any(|told| !told.normal && told.reason == "BackupProven");
            assert!(told, "{:#?}", rig.control.events());
        }
        if policy == "Delete" {
            nothing_left(&rig).await;
        } else {
            assert!(rig.delete(LIMIT).await, "{:?}", rig.record());
            assert!(is_there(&rig, &made), "it was made to be kept");
        }
    });
}

#[test]
fn a_ledger_restored_from_before_the_end_deletes_nothing_that_s3_proves() {
    restored_from_before_the_end(320, Milestone::Snapshotting, "Delete", true);
    restored_from_before_the_end(321, Milestone::Snapshotting, "Retain", true);
    restored_from_before_the_end(322, Milestone::Snapshotting, "Delete", false);
    restored_from_before_the_end(323, Milestone::Barrier, "Delete", true);
    restored_from_before_the_end(324, Milestone::Barrier, "Retain", false);
    restored_from_before_the_end(325, Milestone::Certified, "Delete", true);
}

/// Its snapshots were deleted with right; only the copy says that they are good. Planes that obeyed the end know better.
#[test]
fn a_ledger_restored_from_before_a_failure_is_not_waited_for_for_ever() {
    for (seed, restart_planes) in [(340, false), (341, true)] {
        story(world(seed), async |rig: Rc<Rig>| {
            rig.world.faults(|f| {
                f.ec2.insert("az1".into(), Ec2Faults { error_sets: 1, ..Ec2Faults::default() });
            });
            rig.control.apply(&rig.manifest_of("backup", "p", "Retain", "")).unwrap();
            at(&rig, Milestone::Certified).await;
            let export = rig.control.export();
            at(&rig, Milestone::Failed).await;
            assert_eq!(rig.failure().0, "SnapshotFailed", "{:?}", rig.failure());
            soon("all of it is cleaned", || rig.world.left_over().total() == 0).await;
            rig.kill_coordinator();
            rig.control.restore_ledger(&export, &BTreeSet::new());
            rig.control.restore_objects(&export, true, true);
            if restart_planes {
                for plane in ["az1", "az2", "az3"] {
                    rig.kill_plane(plane);
                    rig.start_plane(plane);
                }
            }
            rig.start_coordinator();
            at(&rig, Milestone::Failed).await;
            assert_eq!(rig.failure().0, "RecordOutdated", "{:?}", rig.failure());
            let adopted = || rig.record().is_some_and(|record| record.adopted.is_some());
            soon("the object has it again", adopted).await;
            nothing_left(&rig).await;
        });
    }
}
