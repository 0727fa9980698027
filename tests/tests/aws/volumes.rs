//! Volumes of a restore by the real SDK: sent once, one token one volume, and every way of not succeeding told apart.

use super::bench::{Bench, DATA, call, tags, volumes};
use plane_actor::ports::{CloudError, CreateVolume, NewVolume, VolumeInfo, VolumeState};
use shared::{
    ids::{SnapshotId, VolumeId},
    wire::VolumeKind,
};
use std::time::Duration;
use tests::{models::ec2::Spoil, servers::ec2::Fault};
use tokio::time::sleep;

/// A bench with three completed snapshots.
async fn with_snapshots() -> (Bench, Vec<SnapshotId>) {
    let bench = Bench::new().await;
    let accepted = bench.cloud.ec2.create_snapshots(&call("1")).await.expect("accepted");
    bench.handle().complete_all();
    (bench, accepted.into_iter().map(|one| one.snapshot).collect())
}

fn new(snapshot: &SnapshotId, token: &str) -> NewVolume {
    let kind = VolumeKind { name: "gp3".into(), iops: Some(4_000), throughput: Some(250) };
    let call = CreateVolume { snapshot: snapshot.clone(), zone: "eu-west-1b".into(), kind, rate: Some(200) };
    NewVolume { call, token: token.into(), tags: tags("1") }
}

fn sorted(mut tags: Vec<(String, String)>) -> Vec<(String, String)> {
    tags.sort();
    tags
}

#[tokio::test]
async fn one_token_is_one_volume_sent_once() {
    let (bench, snapshots) = with_snapshots().await;
    let ec2 = &bench.cloud.volumes;
    bench.handle().rules(|rules| rules.creating_for = Duration::from_millis(500));
    bench.handle().plan("CreateVolume", Fault::LostReply, 1);
    let wanted = new(&snapshots[0], "token-1");
    let lost = ec2.create_volume(&wanted).await;
    assert!(matches!(lost, Err(CloudError::OutcomeUnknown(_))), "{lost:?}");
    assert_eq!((bench.handle().count("CreateVolume"), bench.handle().made_volumes().len()), (1, 1), "sent once");
    let made = ec2.create_volume(&wanted).await.expect("the same");
    assert_eq!(bench.handle().made_volumes().len(), 1);
    let expected = VolumeInfo {
        volume: made.volume.clone(),
        snapshot: Some(snapshots[0].clone()),
        zone: "eu-west-1b".into(),
        state: VolumeState::Creating,
        created: made.created,
        gib: 500,
        kind: wanted.call.kind.clone(),
        instance: None,
        tags: sorted(tags("1")),
    };
    assert_eq!(VolumeInfo { tags: sorted(made.tags.clone()), ..made.clone() }, expected);
    let age = jiff::Timestamp::now().as_millisecond() - made.created.expect("told").0;
    assert!((0..60_000).contains(&age), "{age} ms");
    let sent = bench.handle().calls_of("CreateVolume").remove(0);
    assert_eq!((sent.attempt.as_str(), sent.fields["ClientToken"].as_str()), ("attempt=1; max=1", "token-1"));
    let other = NewVolume { tags: tags("2"), ..wanted.clone() };
    let outcome = ec2.create_volume(&other).await.map_err(|error| error.code().map(str::to_owned));
    assert_eq!(outcome, Err(Some("IdempotentParameterMismatch".to_owned())));
    sleep(Duration::from_millis(550)).await;
    let described = ec2.described(std::slice::from_ref(&made.volume)).await.expect("found").remove(0);
    assert_eq!(described.state, VolumeState::Available);
    assert_eq!(ec2.find_volumes(&tags("1"), None).await.expect("found").volumes, [described]);
    assert!(ec2.find_volumes(&tags("2"), None).await.expect("found").volumes.is_empty());
    let outcome = ec2.find_volumes(&[], None).await;
    assert!(matches!(outcome, Err(CloudError::Refused { .. })), "{outcome:?}");
}

#[tokio::test]
async fn refusals_are_told_apart_and_name_the_right() {
    let (bench, snapshots) = with_snapshots().await;
    let ec2 = &bench.cloud.volumes;
    let code = async |wanted: &NewVolume| match ec2.create_volume(wanted).await {
        Err(CloudError::Refused { code, .. }) => code,
        Err(CloudError::NotFound(_)) => "not found".to_owned(),
        Err(CloudError::Quota(text)) => text,
        other => panic!("{other:?}"),
    };
    let plain = new(&snapshots[0], "t");
    let with = |change: fn(&mut CreateVolume)| {
        let mut wanted = plain.clone();
        change(&mut wanted.call);
        wanted
    };
    assert_eq!(code(&with(|call| call.snapshot = SnapshotId::from("snap-00000000"))).await, "not found");
    assert_eq!(code(&with(|call| call.zone = "us-east-1a".into())).await, "not found");
    assert_eq!(code(&with(|call| call.kind.iops = Some(1))).await, "InvalidParameterValue");
    assert_eq!(code(&with(|call| call.kind.name = "gp9".into())).await, "UnknownVolumeType");
    bench.handle().rules(|rules| rules.initialization = 100);
    assert_eq!(code(&plain).await, "InitializationRateLimitExceeded");
    bench.handle().rules(|rules| rules.volume_gib = [("gp3".to_owned(), 1)].into());
    assert!(code(&plain).await.starts_with("ec2:CreateVolume: VolumeLimitExceeded"));
    bench.handle().deny("CreateVolume", true);
    let denied = ec2.create_volume(&plain).await;
    assert!(matches!(&denied, Err(CloudError::Denied(text)) if text.starts_with("ec2:CreateVolume")), "{denied:?}");
    bench.handle().plan("CreateVolume", Fault::refuse(503, "RequestLimitExceeded"), 1);
    let throttled = ec2.create_volume(&plain).await;
    assert!(matches!(throttled, Err(CloudError::Throttled(_))), "{throttled:?}");
    assert_eq!(bench.handle().made_volumes().len(), 0);
}

#[tokio::test]
async fn what_is_attached_or_not_made_yet_is_not_deleted_and_what_is_gone_is() {
    let (bench, snapshots) = with_snapshots().await;
    let ec2 = &bench.cloud.volumes;
    let attached = ec2.delete_volume(&VolumeId::from(DATA[0])).await;
    assert!(matches!(&attached, Err(CloudError::InvalidState(text)) if text.contains("VolumeInUse")), "{attached:?}");
    bench.handle().rules(|rules| rules.creating_for = Duration::from_millis(300));
    let made = ec2.create_volume(&new(&snapshots[0], "t")).await.expect("made").volume;
    let early = ec2.delete_volume(&made).await;
    assert!(matches!(early, Err(CloudError::InvalidState(_))), "{early:?}");
    sleep(Duration::from_millis(350)).await;
    bench.handle().rules(|rules| rules.deleting_for = Duration::from_millis(300));
    bench.handle().plan("DeleteVolume", Fault::LostReply, 1);
    let lost = ec2.delete_volume(&made).await;
    assert!(matches!(lost, Err(CloudError::OutcomeUnknown(_))), "{lost:?}");
    assert_eq!(bench.handle().count("DeleteVolume"), 3);
    let both = [made.clone(), VolumeId::from(DATA[1])];
    let states: Vec<_> = ec2.described(&both).await.expect("found").into_iter().map(|one| one.state).collect();
    assert_eq!(states, [VolumeState::InUse, VolumeState::Deleting], "in the order of their ids");
    sleep(Duration::from_millis(350)).await;
    assert_eq!(ec2.delete_volume(&made).await, Ok(false), "gone is deleted");
    let left = ec2.described(&both).await.expect("one missing id fails nothing");
    assert_eq!(left.into_iter().map(|one| one.volume).collect::<Vec<_>>(), volumes(&DATA[1..2]));
    bench.handle().deny("DeleteVolume", true);
    let denied = ec2.delete_volume(&VolumeId::from(DATA[0])).await;
    assert!(matches!(&denied, Err(CloudError::Denied(text)) if text.starts_with("ec2:DeleteVolume")), "{denied:?}");
}

#[tokio::test]
async fn progress_and_a_volume_in_error_are_read_as_they_are() {
    let (bench, snapshots) = with_snapshots().await;
    let ec2 = &bench.cloud.volumes;
    let spoilt = snapshots[1].0.clone();
    bench.handle().state(|state| drop(state.ec2.spoiling.insert(spoilt, [Spoil::Error].into())));
    bench.handle().rules(|rules| rules.creating_for = Duration::ZERO);
    let good = ec2.create_volume(&new(&snapshots[0], "1")).await.expect("made").volume;
    let bad = ec2.create_volume(&new(&snapshots[1], "2")).await.expect("made").volume;
    assert_eq!(ec2.described(&[bad]).await.expect("found")[0].state, VolumeState::Error);
    sleep(Duration::from_millis(100)).await;
    let asked = [good.clone(), VolumeId::from(DATA[0]), VolumeId::from("vol-00000000")];
    let told = ec2.initialized(&asked).await.expect("one missing id fails nothing");
    let percent = |id: &str| told.iter().find(|one| one.volume.as_str() == id).map(|one| one.percent);
    assert_eq!(percent(good.as_str()), Some(Some(100)));
    assert_eq!(percent(DATA[0]), Some(None), "no snapshot made it");
    assert_eq!(percent("vol-00000000"), None);
    assert!(ec2.initialized(&[]).await.expect("nothing").is_empty());
    assert!(ec2.described(&[]).await.expect("nothing").is_empty());
}
