//! Deleting: by what the record names, by backupmeta, and by tags; S3 objects last, the lock at the very end. Where S3
//! cannot be read, nothing is deleted (I10).

use super::{
    Creates, Share, cloud,
    cloud::{Service, cloud_tried},
    meta, prepare,
    snapshot::{attempt_tags, backup_tags},
    storage,
};
use crate::{
    actors::env::length,
    ports::{Cloud, CloudError},
};
use shared::{
    backoff::Backoff,
    ids::SnapshotId,
    limiter::{Budget, Limiter},
    member::Done,
    reason::Refusal,
    request::MemberSpec,
    time::Millis,
    wire::{Clean, CleanReport, CleanScope, Phase},
};
use std::collections::BTreeSet;

/// Between two looks. EC2 shows a new snapshot within seconds as a rule, within minutes at worst (`facts/aws.md` A2).
const LOOK: Backoff = Backoff { first: Millis(2_000), cap: Millis(15_000) };
/// Looks at most, whatever finds itself anew: an hour of them.
const MAX_LOOKS: u32 = 240;
/// Ids per describe: at most 1000 are allowed (`facts/aws.md` A2).
const PAGE: usize = 200;
/// Tries to delete one snapshot against throttling.
const TRIES: u32 = 8;
/// Lines of a report that a person can still read.
const MAX_LEFT: usize = 20;
/// `snapshotsDeleteRatio` allows groups of ten (`facts/tidb-operator.md` §3.4).
const GROUP_MILLI: u64 = 10_000;
const DELETE: &str = "DeleteSnapshot";

pub(super) async fn clean(share: &Share, order: &Clean, service: &str) -> Result<Done, Refusal> {
    if order.spec.init && order.scope != CleanScope::Surplus {
        prepare::drop_forgotten_gc_hold(share, &order.spec, service).await;
    }
    let cloud = cloud::connect(&share.env, &order.spec).await?;
    let (objects, target) = (cloud.objects.as_ref(), &order.spec.storage);
    let ours = holds_prefix(share, &cloud, order).await?;
    let mut named: BTreeSet<SnapshotId> = BTreeSet::new();
    if order.scope != CleanScope::Surplus {
        named.extend(order.snapshots.iter().cloned());
        if ours && let Some(body) = storage::get(objects, &target.key(storage::BACKUPMETA)).await? {
            named.extend(meta::snapshots_of(&body).unwrap_or_default());
        }
    }
    let mut report = CleanReport::default();
    let mut deleted: BTreeSet<SnapshotId> = BTreeSet::new();
    let mut unseen = accepted(share, order);
    for looked in 1..=MAX_LOOKS {
        let mut now = find(share, &cloud, order).await?;
        now.extend(shown(&cloud, &unseen).await?);
        now.extend(named.iter().cloned());
        now.retain(|id| !deleted.contains(id));
        let part = delete_found(share, &cloud, &order.spec, now.iter().cloned().collect()).await;
        report.snapshots += part.snapshots;
        report.left = part.left;
        if !report.left.is_empty() {
            break;
        }
        unseen.retain(|id| !now.contains(id));
        deleted.extend(now);
        let outstanding = share.creates == Creates::Unknown || !unseen.is_empty();
        if !outstanding || share.env.clock.at().since(share.last_create) >= share.env.config.clean_quiet {
            break;
        }
        share.progress(Phase::Cleaning, 0, 0, "waiting for snapshots that EC2 may not show yet");
        tokio::time::sleep(length(LOOK.wait(looked, share.number))).await;
    }
    if report.left.is_empty() && ours && order.scope != CleanScope::Surplus {
        // Looked at again, and no later attempt of this plane takes the prefix in between.
        let alone = share.env.objects_of(&share.attempt.backup);
        let _alone = alone.lock().await;
        if holds_prefix(share, &cloud, order).await? {
            delete_objects(&cloud, order, &mut report).await?;
        }
    }
    Ok(Done::Cleaned(report))
}

/// What lies below the prefix is this order's to delete: the whole backup's, or what this attempt or one before it left.
/// A late order of an attempt must not take a later one's metadata.
async fn holds_prefix(share: &Share, cloud: &Cloud, order: &Clean) -> Result<bool, Refusal> {
    let holder = storage::holder(cloud.objects.as_ref(), &order.spec.storage, &share.attempt.backup).await?;
    Ok(holder.is_some_and(|number| order.scope == CleanScope::Backup || number <= share.attempt.number))
}

/// Snapshots that EC2 accepted in this process. They are deleted once EC2 shows them: a delete before that may be told
/// "not found", which would pass for success.
fn accepted(share: &Share, order: &Clean) -> BTreeSet<SnapshotId> {
    match (&share.creates, order.scope) {
        (Creates::Known(ids), CleanScope::Attempt | CleanScope::Backup) => ids.clone(),
        _ => BTreeSet::new(),
    }
}

/// Those of `ids` that EC2 shows.
async fn shown(cloud: &Cloud, ids: &BTreeSet<SnapshotId>) -> Result<Vec<SnapshotId>, Refusal> {
    let ids: Vec<SnapshotId> = ids.iter().cloned().collect();
    let mut shown = Vec::new();
    for page in ids.chunks(PAGE) {
        let infos = cloud_tried(Service::Ec2, "DescribeSnapshots", || cloud.ec2.snapshots(page)).await?;
        shown.extend(infos.into_iter().map(|info| info.snapshot));
    }
    Ok(shown)
}

/// What EC2 shows under our tags. Finding nothing is not absence.
async fn find(share: &Share, cloud: &Cloud, order: &Clean) -> Result<BTreeSet<SnapshotId>, Refusal> {
    let plane = &share.env.config.plane;
    let tags = match order.scope {
        CleanScope::Backup => backup_tags(&share.attempt, plane),
        CleanScope::Attempt | CleanScope::Surplus => attempt_tags(&share.attempt, plane),
    };
    let found = cloud_tried(Service::Ec2, "DescribeSnapshots by tag", || cloud.ec2.find_snapshots(&tags)).await?;
    let keep = |id: &SnapshotId| order.scope == CleanScope::Surplus && order.snapshots.contains(id);
    Ok(found.into_iter().map(|info| info.snapshot).filter(|id| !keep(id)).collect())
}

/// Deletes one after the other, at the user's rate and within the account's budget.
pub(super) async fn delete_found(
    share: &Share,
    cloud: &Cloud,
    spec: &MemberSpec,
    snapshots: Vec<SnapshotId>,
) -> CleanReport {
    let env = &share.env;
    let budget = Budget { rate_milli: u64::from(spec.delete_ratio_milli.max(1)), burst_milli: GROUP_MILLI };
    let mut rate = Limiter::new(budget, env.clock.at());
    let mut report = CleanReport::default();
    let total = snapshots.len();
    for (done, id) in snapshots.into_iter().enumerate() {
        while let Err(wait) = rate.take(env.clock.at(), 1) {
            tokio::time::sleep(length(wait)).await;
        }
        share.progress(Phase::Cleaning, done, total, format!("deleting {id}"));
        match delete(share, cloud, &id).await {
            Ok(()) => report.snapshots += 1,
            Err(error) if report.left.len() < MAX_LEFT => report.left.push(format!("{id}: {error}")),
            Err(_) => {}
        }
    }
    report
}

async fn delete(share: &Share, cloud: &Cloud, id: &SnapshotId) -> Result<(), CloudError> {
    let (env, account, region) = (&share.env, &cloud.account, &cloud.region);
    let mut last = CloudError::Throttled("not asked".to_owned());
    for _ in 0..TRIES {
        env.permit(account, region, DELETE, Budget::EC2_DELETE_SNAPSHOT).await;
        match cloud.ec2.delete_snapshot(id).await {
            Ok(()) | Err(CloudError::NotFound(_)) => return Ok(()),
            Err(error @ CloudError::Throttled(_)) => {
                env.throttled(account, region, DELETE);
                last = error;
            }
            // Deleting twice is deleting once.
            Err(error @ CloudError::OutcomeUnknown(_)) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// Ours by name only: another backup may lie further down the same prefix.
async fn delete_objects(cloud: &Cloud, order: &Clean, report: &mut CleanReport) -> Result<(), Refusal> {
    let (objects, target) = (cloud.objects.as_ref(), &order.spec.storage);
    // The lock says that the rest is ours, so it goes last.
    let names = [storage::CERTIFICATE, storage::RESTOREMETA, storage::BACKUPMETA, storage::CLUSTERMETA, storage::LOCK];
    for name in names {
        let key = target.key(name);
        if storage::exists(objects, &key).await? {
            cloud_tried(Service::S3, &format!("deleting {key}"), || objects.delete(&key)).await?;
            report.objects += 1;
        }
    }
    Ok(())
}
