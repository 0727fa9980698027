//! Wishes that can never be, and planes that never come: what the API server and the coordinator say without any plane.

use tests::processes::{
    backup::{Wish, why},
    environment::{ADMIN_NAMESPACE, BUCKET},
    leftovers::Leftovers,
    rig::{ABSENT_PLANE, Rig},
    site::PLANES,
};

fn wish(name: &str, planes: &[&str]) -> Wish {
    let cluster = |plane: &&str| [(*plane).to_owned(), "shop".to_owned(), "tidb".to_owned()];
    Wish {
        name: name.to_owned(),
        clusters: planes.iter().map(cluster).collect(),
        secret: "s3-secret".to_owned(),
        bucket: BUCKET.to_owned(),
        prefix: "volumes/bad".to_owned(),
    }
}

/// `manifest` without the lines from the one that says `from` up to, not including, the one that says `to`.
fn without(manifest: &str, from: &str, to: &str) -> String {
    let start = manifest.find(from).unwrap_or_else(|| panic!("no {from:?}"));
    let end = manifest.find(to).unwrap_or_else(|| panic!("no {to:?}"));
    format!("{}{}", &manifest[..start], &manifest[end..])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_never_work_is_told_before_anything_happens() {
    let rig = Rig::coordinator_alone().await.unwrap();
    refused_at_apply(&rig).await;

    // The last needs the coordinator's patience (60 s), so it goes first.
    rig.apply_backup(&wish("absent", &[ABSENT_PLANE]).manifest()).await.unwrap();
    rig.apply_backup(&wish("unknown", &["prod-az1", "prod-az7"]).manifest()).await.unwrap();
    let status = rig.ended("unknown").await.unwrap();
    let (reason, message) = why(&status);
    assert_eq!((&status["phase"], reason.as_str()), (&"Invalid".into(), "PlaneUnknown"), "{status:#}");
    assert!(message.contains("prod-az7") && message.contains("Correct k8sClusterName"), "{message}");
    assert!(status["commitTs"].is_null(), "{status:#}");

    let waiting = rig.backup_status("absent").await.unwrap();
    assert_ne!(waiting["phase"], "Invalid", "a plane that is known is waited for: {waiting:#}");
    let why_not = rig.programs().console(&["why", "absent"]).await.unwrap();
    assert!(why_not["action"].as_str().is_some_and(|text| text.contains(ABSENT_PLANE)), "{why_not:#}");
    let status = rig.ended("absent").await.unwrap();
    let (reason, message) = why(&status);
    assert_eq!((&status["phase"], reason.as_str()), (&"Failed".into(), "PlaneNotConnected"), "{status:#}");
    assert!(message.contains(ABSENT_PLANE) && message.contains("7443/udp"), "{message}");

    assert_eq!(rig.traces().await.unwrap(), Leftovers::default());
    assert_eq!(rig.touched().await.unwrap(), rig.untouched());
    for name in ["unknown", "absent"] {
        rig.delete_backup(name).await.unwrap();
    }
}

async fn refused_at_apply(rig: &Rig) {
    let right = wish("wrong", &PLANES).manifest();
    let twice = wish("wrong", &["prod-az1", "prod-az2", "prod-az1"]).manifest();
    let rows = [
        (
            without(&right, "\n  - k8sClusterName", "\n  template:").replace("clusters:", "clusters: []"),
            "spec.clusters is empty",
        ),
        (without(&right, "    br:", "    s3:"), "spec.template.br is missing"),
        (right.replace("    br:\n      sendCredToTikv: true\n", "    br:\n"), "spec.template.br is missing"),
        (without(&right, "    s3:", "    toolImage:"), "spec.template.s3 is missing"),
        (twice, r#"spec.clusters[2]: Duplicate value: {"k8sClusterName":"prod-az1"}"#),
        (right.replace("tcName: shop", "tcName: ''"), "tcName is missing"),
        (right.replace("cleanPolicy: Delete", "cleanPolicy: Never"), "cleanPolicy must be Retain, OnFailure or Delete"),
    ];
    for (manifest, expected) in rows {
        let outcome = rig.apply_backup(&manifest).await;
        let told = outcome.err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(told.contains(expected), "{expected:?} is not in {told:?} for\n{manifest}");
    }
    assert!(rig.get("vbk", "wrong", ADMIN_NAMESPACE).await.unwrap().is_none(), "nothing was stored");
}
