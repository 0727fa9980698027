//! `facts/restore.md` §5.1, §5.2 on the wire.

use super::*;

/// A server with a completed snapshot.
async fn with_snapshot() -> (Ask, String) {
    let ask = Ask::new(state()).await;
    let made = ask.create(&[("InstanceSpecification.ExcludeBootVolume", "true")]).await.1;
    ask.server.handle.complete_all();
    (ask, text(&made, "snapshotId").remove(0))
}

/// The fields of one CreateVolume.
fn create<'a>(snapshot: &'a str, token: &'a str, restore: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("Action", "CreateVolume"),
        ("SnapshotId", snapshot),
        ("AvailabilityZone", "eu-west-1b"),
        ("VolumeType", "gp3"),
        ("Iops", "4000"),
        ("VolumeInitializationRate", "200"),
        ("ClientToken", token),
        ("TagSpecification.1.ResourceType", "volume"),
        ("TagSpecification.1.Tag.1.Key", "isochron/restore"),
        ("TagSpecification.1.Tag.1.Value", restore),
    ]
}

#[tokio::test]
async fn a_volume_is_told_by_its_create_call_and_found_by_its_tag() {
    let (ask, snapshot) = with_snapshot().await;
    let handle = &ask.server.handle;
    handle.rules(|rules| rules.creating_for = Duration::from_millis(300));
    let (status, made) = ask.ask(&create(&snapshot, "t1", "u")).await;
    assert_eq!(status, 200, "{made}");
    assert!(made.contains("<CreateVolumeResponse "), "its fields are directly below the root: {made}");
    let volume = text(&made, "volumeId").remove(0);
    let told = ["snapshotId", "availabilityZone", "status", "volumeType", "iops", "volumeInitializationRate", "size"];
    let values = told.map(|name| text(&made, name).join(","));
    assert_eq!(values, [snapshot.as_str(), "eu-west-1b", "creating", "gp3", "4000", "200", "500"]);
    assert!(text(&made, "attachmentSet").is_empty(), "only a describe tells where it is");
    let again = ask.ask(&create(&snapshot, "t1", "u")).await.1;
    assert_eq!(text(&again, "volumeId"), [volume.as_str()]);
    assert_eq!(ask.code(&create(&snapshot, "t1", "v")).await, (400, "IdempotentParameterMismatch".to_owned()));
    assert_eq!(handle.made_volumes().len(), 1);
    let mutations = handle.mutations();
    let dry = [create(&snapshot, "t2", "u"), vec![("DryRun", "true")]].concat();
    assert_eq!(ask.code(&dry).await, (412, "DryRunOperation".to_owned()));
    assert_eq!(handle.mutations(), mutations);

    let find = [("Action", "DescribeVolumes"), ("Filter.1.Name", "tag:isochron/restore"), ("Filter.1.Value.1", "u")];
    let found = ask.ask(&find).await.1;
    assert_eq!((text(&found, "volumeId"), text(&found, "status")), (vec![volume.clone()], vec!["creating".to_owned()]));
    sleep(Duration::from_millis(350)).await;
    assert_eq!(text(&ask.ask(&find).await.1, "status"), ["available"]);
    let by_snapshot = [find[0], ("Filter.1.Name", "snapshot-id"), ("Filter.1.Value.1", snapshot.as_str())];
    assert_eq!(text(&ask.ask(&by_snapshot).await.1, "volumeId"), [volume.as_str()]);
    handle.rules(|rules| rules.visible_after = Duration::from_secs(3_600));
    let hidden = text(&ask.ask(&create(&snapshot, "t3", "u")).await.1, "volumeId").remove(0);
    assert_eq!(text(&ask.ask(&find).await.1, "volumeId"), [volume.as_str()], "not shown yet");
    let by_id = [("Action", "DescribeVolumes"), ("VolumeId.1", hidden.as_str())];
    assert_eq!(ask.code(&by_id).await, (400, "InvalidVolume.NotFound".to_owned()));
    let delete = [("Action", "DeleteVolume"), ("VolumeId", hidden.as_str())];
    assert_eq!(ask.code(&delete).await, (400, "InvalidVolume.NotFound".to_owned()));
}

#[tokio::test]
async fn progress_is_told_of_volumes_made_of_snapshots() {
    let (ask, snapshot) = with_snapshot().await;
    ask.server.handle.rules(|rules| (rules.creating_for, rules.lazily) = (Duration::ZERO, 1_000));
    let plain: Vec<_> =
        create(&snapshot, "t", "u").into_iter().filter(|(name, _)| *name != "VolumeInitializationRate").collect();
    let lazy = text(&ask.ask(&plain).await.1, "volumeId").remove(0);
    let rated = text(&ask.ask(&create(&snapshot, "r", "u")).await.1, "volumeId").remove(0);
    sleep(Duration::from_millis(50)).await;
    let status = async |id: &str| ask.ask(&[("Action", "DescribeVolumeStatus"), ("VolumeId.1", id)]).await.1;
    let (lazy, rated, old) = (status(&lazy).await, status(&rated).await, status(DATA[0]).await);
    assert!(lazy.contains("<volumeStatusSet><item>") && lazy.contains("<initializationStatusDetails>"), "{lazy}");
    let of = |body: &str| {
        ["initializationType", "progress", "estimatedTimeToCompleteInSeconds"].map(|name| text(body, name).join(","))
    };
    assert_eq!(of(&lazy), ["default", "100", ""]);
    assert_eq!(of(&rated), ["provisioned-rate", "100", "0"]);
    assert_eq!((text(&old, "volumeId"), of(&old)), (vec![DATA[0].to_owned()], ["", "", ""].map(str::to_owned)));
}

#[tokio::test]
async fn only_what_is_attached_to_nothing_is_deleted_and_it_takes_a_while() {
    let (ask, snapshot) = with_snapshot().await;
    let handle = &ask.server.handle;
    handle.rules(|rules| (rules.creating_for, rules.deleting_for) = (Duration::ZERO, Duration::from_millis(300)));
    let made = text(&ask.ask(&create(&snapshot, "t", "u")).await.1, "volumeId").remove(0);
    let delete = async |id: &str| ask.code(&[("Action", "DeleteVolume"), ("VolumeId", id)]).await;
    assert_eq!(delete(DATA[0]).await, (400, "VolumeInUse".to_owned()));
    let (status, body) = ask.ask(&[("Action", "DeleteVolume"), ("VolumeId", &made)]).await;
    assert_eq!((status, text(&body, "return")), (200, vec!["true".to_owned()]));
    let by_id = [("Action", "DescribeVolumes"), ("VolumeId.1", made.as_str())];
    assert_eq!(text(&ask.ask(&by_id).await.1, "status"), ["deleting"]);
    sleep(Duration::from_millis(350)).await;
    assert_eq!(delete(&made).await, (400, "InvalidVolume.NotFound".to_owned()));
    assert_eq!(handle.made_volumes().len(), 0);
    handle.plan("CreateVolume", Fault::LostReply, 1);
    assert_eq!(ask.with_key("AKIAKNOWN", &create(&snapshot, "lost", "u")).await, None);
    assert_eq!(handle.made_volumes().len(), 1, "it happened all the same");
    ask.ask(&create(&snapshot, "lost", "u")).await;
    assert_eq!(handle.made_volumes().len(), 1);
    assert_eq!(ask.code(&[create(&snapshot, "x", "u"), vec![("Name", "x")]].concat()).await.1, "UnknownParameter");
}
