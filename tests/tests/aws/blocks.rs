//! EBS direct with the real SDK: pages, what counts, and what it refuses.

use super::bench::{Bench, DATA, call};
use plane_actor::ports::{BlockAt, BlockPage, BlockRead, CloudError, CreateVolume, SnapshotState, Storage, Tier, Zone};
use shared::{
    ids::{SnapshotId, VolumeId},
    wire::VolumeKind,
};
use std::time::Duration;
use tests::servers::ec2::Fault;

const BLOCK: u64 = 512 * 1024;
/// Three pages of EBS's largest.
const WRITTEN: u64 = 25_000 * BLOCK;

/// Two snapshots of each volume, the first volume of them written over in between.
async fn two(bench: &Bench) -> [Vec<(VolumeId, SnapshotId)>; 2] {
    bench.handle().rules(|rules| rules.volume_gap = Duration::ZERO);
    bench.handle().state(|state| {
        for volume in state.ec2.volumes.values_mut() {
            (volume.written, volume.ever_written) = (WRITTEN, WRITTEN);
        }
    });
    let mut made = Vec::new();
    for attempt in ["1", "2"] {
        let taken = bench.cloud.ec2.create_snapshots(&call(attempt)).await.expect("accepted");
        made.push(taken.into_iter().map(|one| (one.volume, one.snapshot)).collect());
        bench.handle().complete_all();
        bench.handle().state(|state| {
            let first = state.ec2.volumes.get_mut(DATA[0]).expect("there");
            first.ever_written += 7 * BLOCK;
            // Trimmed since: what only the first snapshot has counts for nothing.
            let second = state.ec2.volumes.get_mut(DATA[1]).expect("there");
            second.written = WRITTEN - 3 * BLOCK;
        });
    }
    made.try_into().expect("two")
}

fn of(snapshots: &[(VolumeId, SnapshotId)], volume: &str) -> SnapshotId {
    snapshots.iter().find(|(kept, _)| kept.as_str() == volume).expect("made").1.clone()
}

async fn counted<F>(mut page: impl FnMut(Option<String>) -> F) -> (u64, usize)
where
    F: Future<Output = Result<BlockPage, CloudError>>,
{
    let (mut blocks, mut pages, mut next) = (0, 0, None);
    loop {
        let answer = page(next).await.expect("listed");
        assert_eq!(answer.block_bytes, BLOCK);
        (blocks, pages, next) = (blocks + answer.blocks, pages + 1, answer.next);
        if next.is_none() {
            return (blocks, pages);
        }
    }
}

#[tokio::test]
async fn blocks_are_counted_over_all_pages_the_empty_ones_too() {
    let bench = Bench::new().await;
    let [first, second] = two(&bench).await;
    let blocks = &bench.cloud.blocks;
    let (before, this) = (of(&first, DATA[0]), of(&second, DATA[0]));
    assert_eq!(counted(|page| blocks.changed(&before, &this, page)).await, (7, 3));
    let (before, this) = (of(&first, DATA[1]), of(&second, DATA[1]));
    assert_eq!(
        counted(|page| blocks.changed(&before, &this, page)).await,
        (0, 3),
        "three blocks are gone, none is new"
    );
    assert_eq!(counted(|page| blocks.written(&this, page)).await, (24_997, 3));
    let asked = bench.handle().calls_of("ListChangedBlocks");
    assert!(asked.iter().all(|call| call.fields["maxResults"] == "10000"), "{asked:?}");
}

#[tokio::test]
async fn what_ebs_refuses_is_told_apart() {
    let bench = Bench::new().await;
    let [first, second] = two(&bench).await;
    let (blocks, this) = (&bench.cloud.blocks, of(&second, DATA[0]));
    let gone = SnapshotId::new("snap-00000000000000bad");
    let outcome = blocks.changed(&gone, &this, None).await;
    assert!(matches!(&outcome, Err(CloudError::NotFound(text)) if text.contains("ListChangedBlocks")), "{outcome:?}");
    let outcome = blocks.changed(&of(&first, DATA[1]), &this, None).await;
    assert!(matches!(&outcome, Err(CloudError::Refused { code, .. }) if code == "ValidationException"), "{outcome:?}");
    bench.handle().plan("ListSnapshotBlocks", Fault::refuse(400, "ThrottlingException"), 3);
    let outcome = blocks.written(&this, None).await;
    assert!(matches!(outcome, Err(CloudError::Throttled(_))), "{outcome:?}");
    bench.handle().deny("ListSnapshotBlocks", true);
    let outcome = blocks.written(&this, None).await;
    assert!(
        matches!(&outcome, Err(CloudError::Denied(text)) if text.contains("ebs:ListSnapshotBlocks")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn every_completed_snapshot_of_a_volume_is_found_whoever_made_it() {
    let bench = Bench::new().await;
    let [first, second] = two(&bench).await;
    let volume = VolumeId::from(DATA[0]);
    let found = bench.cloud.ec2.completed_snapshots(std::slice::from_ref(&volume), None).await.expect("found");
    let mut ids: Vec<_> = found.snapshots.iter().map(|one| one.snapshot.clone()).collect();
    ids.sort();
    let mut made = vec![of(&first, DATA[0]), of(&second, DATA[0])];
    made.sort();
    assert_eq!(ids, made);
    assert!(found.snapshots.iter().all(|one| one.state == SnapshotState::Completed));
    assert!(bench.cloud.ec2.completed_snapshots(&[], None).await.is_err(), "that would be every snapshot there is");
}

/// One is read as it is; what is not what its sum was made of shows.
#[tokio::test]
async fn a_block_is_read_and_compared_with_its_sum() {
    let bench = Bench::new().await;
    let [_, second] = two(&bench).await;
    let (blocks, this) = (&bench.cloud.blocks, of(&second, DATA[0]));
    let some = blocks.some_blocks(&this, None).await.expect("listed");
    assert_eq!((some.blocks.len(), some.blocks[99].index, some.next.is_some()), (100, 99, true));
    let read = blocks.read(&this, &some.blocks[7]).await.expect("read");
    assert_eq!(read, BlockRead { bytes: BLOCK, matches: true });
    bench.handle().state(|state| state.ec2.snapshots.get_mut(this.as_str()).expect("there").later.damaged = true);
    assert!(!blocks.read(&this, &some.blocks[7]).await.expect("read").matches);
    let other = BlockAt { index: 7, token: "AAAZ".to_owned() };
    let outcome = blocks.read(&this, &other).await;
    assert!(matches!(&outcome, Err(CloudError::Refused { code, .. }) if code == "ValidationException"), "{outcome:?}");
    bench.handle().deny("GetSnapshotBlock", true);
    let outcome = blocks.read(&this, &some.blocks[7]).await;
    assert!(matches!(&outcome, Err(CloudError::Denied(text)) if text.contains("ebs:GetSnapshotBlock")), "{outcome:?}");
}

/// A volume that nothing special is asked of.
fn volume(snapshot: &SnapshotId, zone: &str) -> CreateVolume {
    let kind = VolumeKind { name: "gp3".to_owned(), iops: None, throughput: None };
    CreateVolume { snapshot: snapshot.clone(), zone: zone.to_owned(), kind, rate: None }
}

/// What a restore is planned by: every field of a wish reaches EC2, zones with their states, sums over pages, types.
#[tokio::test]
async fn volumes_are_asked_for_as_they_are_wished_for_and_none_is_made() {
    let bench = Bench::new().await;
    let [_, second] = two(&bench).await;
    let (ec2, this) = (&bench.cloud.ec2, of(&second, DATA[0]));
    let zone = format!("{}c", bench.cloud.region);
    let before = bench.handle().mutations();
    let fast = |iops, throughput, rate| CreateVolume {
        kind: VolumeKind { iops: Some(iops), throughput: Some(throughput), name: "gp3".to_owned() },
        rate: Some(rate),
        ..volume(&this, &zone)
    };
    assert_eq!(ec2.may_create_volume(&fast(80_000, 2_000, 300)).await, Ok(()));
    let asked = bench.handle().calls_of("CreateVolume dry run").pop().expect("one");
    for (field, value) in [
        ("VolumeType", "gp3"),
        ("Iops", "80000"),
        ("Throughput", "2000"),
        ("VolumeInitializationRate", "300"),
        ("AvailabilityZone", zone.as_str()),
        ("DryRun", "true"),
    ] {
        assert_eq!(asked.fields.get(field).map(String::as_str), Some(value), "{asked:?}");
    }
    for wrong in [fast(80_001, 2_000, 300), fast(80_000, 2_001, 300), fast(80_000, 2_000, 301)] {
        let code = ec2.may_create_volume(&wrong).await.expect_err("refused");
        assert_eq!(code.code(), Some("InvalidParameterValue"), "{code}");
    }
    let kind = VolumeKind { name: "io9".to_owned(), iops: None, throughput: None };
    let unknown = ec2.may_create_volume(&CreateVolume { kind, ..volume(&this, &zone) }).await.expect_err("refused");
    assert_eq!(unknown.code(), Some("UnknownVolumeType"), "{unknown}");
    bench.handle().state(|state| drop(state.ec2.zone_states.insert(zone.clone(), "impaired".to_owned())));
    let zones = ec2.zones().await.expect("told");
    assert!(zones.contains(&Zone { name: zone.clone(), state: "impaired".to_owned() }), "{zones:?}");
    assert!(
        zones.contains(&Zone { name: format!("{}a", bench.cloud.region), state: "available".to_owned() }),
        "{zones:?}"
    );
    let sum = ec2.sum_volumes("gp3", None).await.expect("told");
    bench.handle().state(|state| assert_eq!((sum.gib, sum.next), (500 * state.ec2.volumes.len() as u64, None)));
    assert_eq!(ec2.sum_volumes("io2", None).await.expect("told").gib, 0);
    let found = ec2.volumes(&[VolumeId::from(DATA[0])]).await.expect("told");
    let today = VolumeKind { name: "gp3".to_owned(), iops: Some(3_000), throughput: Some(125) };
    assert_eq!(found.first().map(|at| at.kind.clone()), Some(today));
    for (action, deny) in [("DescribeAvailabilityZones", true), ("DescribeVolumes", true)] {
        bench.handle().deny(action, deny);
    }
    assert!(matches!(ec2.zones().await, Err(CloudError::Denied(_))));
    assert!(matches!(ec2.sum_volumes("gp3", None).await, Err(CloudError::Denied(_))));
    assert_eq!(bench.handle().calls_of("CreateVolume").len(), 0, "only dry runs");
    assert_eq!(bench.handle().mutations(), before);
}

/// What became of a snapshot, as EC2 tells it.
#[tokio::test]
async fn tier_key_sharing_and_bin_are_told_and_no_volume_is_made() {
    let bench = Bench::new().await;
    let [first, second] = two(&bench).await;
    let (ec2, this, other) = (&bench.cloud.ec2, of(&second, DATA[0]), of(&first, DATA[0]));
    let zone = format!("{}a", bench.cloud.region);
    let before = bench.handle().mutations();
    let told = async |id: &SnapshotId| {
        let found = ec2.snapshots(std::slice::from_ref(id)).await.expect("described");
        found.first().map(|info| info.storage.clone())
    };
    let storage = Storage { gib: 500, tier: Tier::Standard, encrypted: false, key: String::new() };
    assert_eq!(told(&this).await, Some(storage.clone()));
    assert_eq!(ec2.shared_with(&this).await, Ok(Vec::new()));
    assert_eq!(ec2.may_create_volume(&volume(&this, &zone)).await, Ok(()));
    bench.handle().state(|state| {
        let later = &mut state.ec2.snapshots.get_mut(this.as_str()).expect("there").later;
        (later.archived, later.key) = (true, Some("arn:aws:kms:k".to_owned()));
        later.shared_with = vec!["999988887777".to_owned(), "all".to_owned()];
        state.ec2.snapshots.get_mut(other.as_str()).expect("there").later.binned = true;
    });
    let key = "arn:aws:kms:k".to_owned();
    assert_eq!(told(&this).await, Some(Storage { tier: Tier::Archive, encrypted: true, key, ..storage }));
    assert_eq!(ec2.shared_with(&this).await.expect("told"), ["999988887777", "all"]);
    assert_eq!(told(&other).await, None);
    assert_eq!(ec2.in_recycle_bin(&[this.clone(), other.clone()]).await, Ok(vec![other]));
    for (zone, code) in [(zone.as_str(), "IncorrectState"), ("mars-1a", "NotFound")] {
        let outcome = ec2.may_create_volume(&volume(&this, zone)).await;
        assert!(outcome.as_ref().is_err_and(|error| error.to_string().contains(code)), "{outcome:?}");
    }
    bench.handle().deny("CreateVolume dry run", true);
    assert!(matches!(ec2.may_create_volume(&volume(&this, &zone)).await, Err(CloudError::Denied(_))));
    assert_eq!(bench.handle().calls_of("CreateVolume").len(), 0, "only dry runs");
    assert_eq!(bench.handle().mutations(), before);
}
