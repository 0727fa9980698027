//! Bad input: a phase, a reason and a message that a person can act on; nothing is touched.

use crate::{LIMIT, story, world};
use shared::ids::StoreId;
use tests::{
    rig::{KEY, Rig},
    world::Faults,
};

/// Applies the manifest (bent by `bend`) to a world with faults; the phase, reason and a word of the message must be
/// these, and no double may have been changed.
fn refused(faults: impl Fn(&mut Faults), bend: impl Fn(String) -> String, (phase, reason, word): (&str, &str, &str)) {
    story(world(3), async |rig| {
        rig.world.faults(|f| faults(f));
        rig.control.apply(&bend(rig.manifest(""))).unwrap();
        assert_eq!(rig.ended(LIMIT).await, phase, "{reason}: {:?}", rig.failure());
        let (seen, message) = told(&rig);
        assert_eq!(seen, reason, "{message}");
        assert!(message.contains(word), "{reason}: {message:?} should name {word}");
        assert_eq!(rig.world.mutations().total(), 0, "{reason} touches nothing: {:?}", rig.world.mutations());
    });
}

fn told(rig: &Rig) -> (String, String) {
    let object = rig.control.get(KEY).unwrap();
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let last = conditions.last().cloned().unwrap_or_default();
    let text = |key: &str| last[key].as_str().unwrap_or_default().to_owned();
    (text("reason"), text("message"))
}

fn keep(text: String) -> String {
    text
}

#[test]
fn a_spec_that_can_never_work_is_invalid() {
    let good = |_: &mut Faults| {};
    let cases: [(&str, &str, &str, &str); 5] = [
        ("k8sClusterName: az2", "k8sClusterName: az9", "PlaneUnknown", "az9"),
        ("k8sClusterName: az2", "k8sClusterName: az1", "PlaneDuplicate", "az1"),
        ("    br:\n      sendCredToTikv: true\n", "", "BrMissing", "br"),
        ("      bucket: backups\n", "", "SpecInvalid", "bucket"),
        ("cleanPolicy: Delete", "cleanPolicy: Delte", "SpecInvalid", "Delte"),
    ];
    for (from, to, reason, word) in cases {
        refused(good, |text| text.replace(from, to), ("Invalid", reason, word));
    }
}

#[test]
fn a_world_that_is_not_ready_fails_and_is_not_touched() {
    let one = |id: u64| std::collections::BTreeSet::from([StoreId(id)]);
    let some_store = {
        let found = std::cell::Cell::new(0);
        story(world(3), async |rig| found.set(rig.world.stores()[0].0.0));
        found.get()
    };
    refused(|f| f.no_bucket = true, keep, ("Failed", "BucketMissing", "backups"));
    refused(|f| f.no_secret.extend(["az2".into()]), keep, ("Failed", "CredentialsUnreadable", "s3-secret"));
    refused(|f| f.no_tidb_cluster.extend(["az3".into()]), keep, ("Failed", "TidbClusterNotFound", "az3"));
    refused(|f| f.not_ebs = one(some_store), keep, ("Failed", "VolumeUnsupported", ""));
    refused(|f| f.raft_elsewhere = one(some_store), keep, ("Failed", "VolumeUnsupported", "raft-engine.dir in /nvme"));
    refused(|f| f.old_tikv = one(some_store), keep, ("Failed", "VersionUnsupported", "7.1"));
    refused(|f| f.raft_v2 = one(some_store), keep, ("Failed", "EngineUnsupported", ""));
    refused(|f| f.resolved_ts_off = one(some_store), keep, ("Failed", "ResolvedTsDisabled", ""));
    refused(|f| f.min_resolved_off = true, keep, ("Failed", "ResolvedTsDisabled", ""));
    refused(|f| f.disconnected = one(some_store), keep, ("Failed", "StoreNotUp", ""));
    refused(|f| f.stranger = true, keep, ("Failed", "StoreInNoPlane", ""));
    refused(|f| f.other_cluster.extend(["az2".into()]), keep, ("Failed", "ClusterMismatch", "az2"));
    refused(|f| f.recovering = true, keep, ("Failed", "ClusterRecovering", ""));
}

#[test]
fn a_wrong_tc_name_is_named() {
    refused(|_| {}, |text| text.replace("shop-az2", "shap-az2"), ("Failed", "TidbClusterNotFound", "shap-az2"));
}

#[test]
fn a_prefix_in_use_is_refused_by_the_key_that_is_there() {
    story(world(3), async |rig| {
        rig.world.put_object("p-az2/backupmeta", b"{}");
        let before = rig.world.mutations().total();
        assert_eq!(rig.backup("", LIMIT).await, "Failed");
        let (reason, message) = told(&rig);
        assert_eq!(reason, "PrefixInUse", "{message}");
        assert!(message.contains("p-az2/backupmeta"), "{message}");
        assert_eq!(rig.world.mutations().total(), before);
    });
}

#[test]
fn a_plane_that_is_not_connected_is_waited_for_and_then_named() {
    story(world(3), async |rig| {
        rig.net.cut("az3");
        let begun = tokio::time::Instant::now();
        assert_eq!(rig.backup("", LIMIT).await, "Failed");
        assert!(begun.elapsed() >= std::time::Duration::from_secs(60));
        let (reason, message) = told(&rig);
        assert_eq!(reason, "PlaneNotConnected", "{message}");
        assert!(message.contains("az3"), "{message}");
        assert_eq!(rig.world.mutations().total(), 0);
    });
}
