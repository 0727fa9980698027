//! Wishes that the world does not allow: each is refused before anything is touched, with a reason and a message that a
//! person can act on.

use serde_json::Value;
use tests::processes::{
    backup::{Wish, why},
    cluster_objects::Part,
    leftovers::Leftovers,
    rig::Rig,
    site::SitePlan,
};

/// A backup of somebody else, under the prefix that case `occupied` asks for.
const FOREIGN: &str = "volumes/occupied-prod-az2/backupmeta";

/// Name of the backup, its reason, and what the message says.
type Case = (Wish, &'static str, &'static [&'static str]);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_world_does_not_allow_touches_nothing() {
    let old = SitePlan { name: "old", number: 2, stores: [1, 1, 1], first_version: "7.1.5" };
    let rig = Rig::start(&[SitePlan::shop(), old]).await.unwrap();
    rig.cloud().await.unwrap().objects.put(FOREIGN, b"{}".to_vec()).await.unwrap();
    let elsewhere = on_another_driver(&rig).await;

    let cases = cases(&rig, &elsewhere);
    for (wish, ..) in &cases {
        rig.apply_backup(&wish.manifest()).await.unwrap();
    }
    for case in &cases {
        refused(&rig, case).await;
    }
    // Last, because it concerns every backup of the cluster.
    let shop = &rig.sites[0];
    shop.tikv.turn(shop.stores_of(1)[0], |knobs| knobs.resolved_ts_enable = false);
    let disabled: Case =
        (Wish::of(shop, "no-resolved-ts"), "ResolvedTsDisabled", &["resolved-ts.enable is false on store"]);
    rig.apply_backup(&disabled.0.manifest()).await.unwrap();
    refused(&rig, &disabled).await;

    let nothing = Leftovers { objects: vec![FOREIGN.to_owned()], ..Leftovers::default() };
    assert_eq!(rig.traces().await.unwrap(), nothing);
    assert_eq!(rig.touched().await.unwrap(), rig.untouched());
    // Deleting them deletes nothing of anybody else's, though they all say cleanPolicy: Delete.
    for (wish, ..) in cases.iter().chain([&disabled]) {
        rig.delete_backup(&wish.name).await.unwrap();
    }
    assert_eq!(rig.traces().await.unwrap(), nothing);
    assert_eq!(rig.touched().await.unwrap(), rig.untouched());
}

fn cases(rig: &Rig, elsewhere: &Part) -> Vec<Case> {
    let shop = &rig.sites[0];
    let typo = {
        let mut wish = Wish::of(shop, "typo");
        wish.clusters[1][1] = "shop-az22".to_owned();
        wish
    };
    let other_driver = {
        let mut wish = Wish::of(shop, "other-driver");
        wish.clusters[2][2] = elsewhere.namespace.clone();
        wish
    };
    let left_out = {
        let mut wish = Wish::of(shop, "left-out");
        wish.clusters.pop();
        wish
    };
    vec![
        (typo, "TidbClusterNotFound", &["shop-tidb-az2", "shop-az22", "Check tcName and tcNamespace"]),
        (
            Wish { secret: "no-such-secret".to_owned(), ..Wish::of(shop, "no-secret") },
            "CredentialsUnreadable",
            &["no-such-secret", "access_key, secret_key"],
        ),
        (
            Wish { bucket: "no-such-bucket".to_owned(), ..Wish::of(shop, "no-bucket") },
            "BucketMissing",
            &["no-such-bucket", "Create the bucket"],
        ),
        (Wish::of(shop, "occupied"), "PrefixInUse", &[FOREIGN, "Choose another spec.template.s3.prefix"]),
        (other_driver, "VolumeUnsupported", &["efs.csi.aws.com", "must lie on EBS volumes"]),
        (left_out, "StoreInNoPlane", &["is in no plane", "Add the Kubernetes cluster"]),
        (
            Wish::of(&rig.sites[1], "too-old"),
            "VersionUnsupported",
            &["TiKV 7.1.5", "7.1 included", "Upgrade TiKV to 6.5.9+ (6.5 line), 7.5.1+ or 8.x"],
        ),
    ]
}

/// The last plane's part of `shop` once more, in a namespace where its volumes are no EBS volumes.
async fn on_another_driver(rig: &Rig) -> Part {
    let part = rig.sites[0].parts.last().expect("three planes");
    let part = Part { namespace: "shop-on-efs".to_owned(), ..part.clone() };
    rig.add_part(&part, "efs.csi.aws.com").await.unwrap();
    part
}

async fn refused(rig: &Rig, (wish, expected, parts): &Case) {
    let status = rig.ended(&wish.name).await.unwrap();
    let (reason, message) = why(&status);
    assert_eq!((&status["phase"], reason.as_str()), (&Value::from("Failed"), *expected), "{}: {status:#}", wish.name);
    for part in *parts {
        assert!(message.contains(part), "{}: {part:?} is not in {message:?}", wish.name);
    }
    assert!(status["commitTs"].is_null() && status["certificate"].is_null(), "{status:#}");
}
