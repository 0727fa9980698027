//! After the certificate: snapshots on their way to S3, then the metadata. The certificate goes first, so that a
//! backupmeta is never there without it.

use super::{
    cloud,
    cloud::{Service, cloud_refusal},
    context::WorkContext,
    deleting::Deleting,
    left::Left,
    looking, manifests, meta,
    outcome::Carried,
    reserve, storage,
    storage::Lock,
    tags::attempt_tags,
};
use crate::ports::{Cloud, CloudError, Find, Objects, SnapshotInfo, SnapshotState};
use shared::{
    ids::SnapshotId,
    member::{CallsMade, Done, SnapshotCalls},
    reason::{Reason, Refusal},
    request::{S3Target, SizeLevel},
    time::Instant,
    wire::{CleanReport, Complete, Completed, PlanePhase},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
    sync::Arc,
    time::Duration,
};

/// As today's tool polls (`facts/tidb-operator.md` §5.4).
const POLL: Duration = Duration::from_secs(5);
/// The first polls: what is small or has changed little is completed in seconds.
const FIRST_POLLS: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
/// A week of polls; a first snapshot of a large volume takes hours.
const MAX_POLLS: usize = 7 * 24 * 720;
/// Describes lag up to five minutes (`facts/aws.md` A2); a certified snapshot that is not shown for this many polls in a
/// row (10 min) was deleted by somebody.
const MAX_UNSEEN: u32 = 120;
/// Polls in a row that failed: an hour.
const MAX_FAILED: u32 = 720;

pub(super) async fn complete(
    context: &WorkContext,
    order: &Complete,
    calls: &CallsMade,
) -> Result<(Done, Carried), Refusal> {
    let cloud = cloud::connect(&context.env, &order.spec).await?;
    let ids: Vec<SnapshotId> = order.snapshots.iter().map(|taken| taken.snapshot.clone()).collect();
    let finished = follow(context, &cloud, &ids).await?;
    let (objects, target) = (cloud.objects.as_ref(), &order.spec.storage);
    let alone = context.env.objects_of(&context.attempt.backup);
    let _alone = alone.lock().await;
    hold_prefix(context, objects, target).await?;
    let clustermeta = clustermeta(context, objects, target).await?;
    let backupmeta = meta::backupmeta(order, &clustermeta)?;
    let notes = manifests::write(context, objects, &order.spec).await;
    storage::put(objects, &target.key(storage::CERTIFICATE), order.certificate.as_bytes()).await?;
    storage::put(objects, &target.key(storage::BACKUPMETA), &backupmeta).await?;
    delete_surplus(context, &cloud, order, calls, &ids).await;
    let wanted = matches!(order.spec.size_level, SizeLevel::All | SizeLevel::Full);
    let sizes = || finished.values().filter(|_| wanted).map(|info| info.full_bytes);
    let completed = Completed {
        full_bytes: sizes().flatten().fold(0, u64::saturating_add),
        unknown: u32::try_from(sizes().filter(Option::is_none).count()).unwrap_or(u32::MAX),
        measures: true,
        notes,
    };
    Ok((Done::Completed(completed), Carried::ClusterMeta(None)))
}

/// The lock names this attempt. Where it is gone (a person or a lifecycle rule), the process that wrote it puts it back;
/// one that has restarted cannot know whether the backup was deleted meanwhile, and leaves that to a person.
async fn hold_prefix(context: &WorkContext, objects: &dyn Objects, target: &S3Target) -> Result<(), Refusal> {
    let lock = storage::lock(objects, target, &context.attempt.backup).await?;
    match lock {
        Lock::Ours(number) if number == context.attempt.number => Ok(()),
        Lock::Absent if context.clustermeta.is_some() => reserve::take_lock(context, objects, target).await,
        Lock::Absent | Lock::Ours(_) | Lock::Foreign => {
            let lock = target.key(storage::LOCK);
            let text =
                format!("s3://{}/{lock} no longer names attempt {}; put it back", target.bucket, context.attempt);
            Err(Refusal::new(Reason::StorageUnavailable, text))
        }
    }
}

/// As this process wrote it; after a restart S3's copy is all there is.
async fn clustermeta(context: &WorkContext, objects: &dyn Objects, target: &S3Target) -> Result<Arc<Vec<u8>>, Refusal> {
    if let Some(meta) = &context.clustermeta {
        return Ok(meta.clone());
    }
    let key = target.key(storage::CLUSTERMETA);
    let found = storage::get(objects, &key).await?.map(Arc::new);
    found.ok_or_else(|| {
        Refusal::new(Reason::StorageUnavailable, format!("s3://{}/{key} is gone; put it back", target.bucket))
    })
}

/// Until every snapshot is completed.
async fn follow(
    context: &WorkContext,
    cloud: &Cloud,
    ids: &[SnapshotId],
) -> Result<BTreeMap<SnapshotId, SnapshotInfo>, Refusal> {
    let mut open: BTreeSet<SnapshotId> = ids.iter().cloned().collect();
    let mut finished = BTreeMap::new();
    let (mut unseen, mut failed) = (0, 0);
    for pause in FIRST_POLLS.into_iter().chain(iter::repeat(POLL)).take(MAX_POLLS) {
        if open.is_empty() {
            return Ok(finished);
        }
        let asked: Vec<SnapshotId> = open.iter().cloned().collect();
        match looking::by_id(&context.env, cloud, &asked).await {
            Ok(found) => {
                failed = 0;
                unseen = if found.len() < open.len() { unseen + 1 } else { 0 };
                take_finished(found, &mut open, &mut finished, context, ids.len())?;
            }
            Err(error @ (CloudError::Throttled(_) | CloudError::OutcomeUnknown(_))) if failed < MAX_FAILED => {
                failed += 1;
                tracing::debug!(%error, failed, "snapshots not described");
            }
            Err(error) => return Err(cloud_refusal(Service::Ec2, "DescribeSnapshots", &error)),
        }
        if unseen > MAX_UNSEEN {
            let first = open.first().map(SnapshotId::as_str).unwrap_or_default();
            return Err(Refusal::new(Reason::SnapshotFailed, format!("EC2 no longer shows snapshot {first}")));
        }
        if !open.is_empty() {
            tokio::time::sleep(pause).await;
        }
    }
    Err(Refusal::new(Reason::Ec2Unavailable, format!("{} snapshots are not completed after a week", open.len())))
}

fn take_finished(
    found: Vec<SnapshotInfo>,
    open: &mut BTreeSet<SnapshotId>,
    finished: &mut BTreeMap<SnapshotId, SnapshotInfo>,
    context: &WorkContext,
    total: usize,
) -> Result<(), Refusal> {
    let mut slowest: Option<(u8, SnapshotId)> = None;
    for info in found {
        match info.state {
            SnapshotState::Completed => {
                open.remove(&info.snapshot);
                finished.insert(info.snapshot.clone(), info);
            }
            SnapshotState::Error | SnapshotState::Recoverable => {
                let text =
                    format!("snapshot {} of {} is in {:?}: {}", info.snapshot, info.volume, info.state, info.message);
                return Err(Refusal::new(Reason::SnapshotFailed, text));
            }
            SnapshotState::Pending | SnapshotState::Unknown => {
                let this = (info.progress, info.snapshot);
                slowest = Some(slowest.map_or(this.clone(), |slowest| slowest.min(this)));
            }
        }
    }
    let text = match slowest {
        Some((percent, snapshot)) => format!("{} of {total} snapshots; {snapshot} at {percent} %", finished.len()),
        None => format!("{} of {total} snapshots", finished.len()),
    };
    context.progress(PlanePhase::Completing, finished.len(), total, text);
    Ok(())
}

/// A delete before EC2 shows a snapshot may be told "not found", which would pass for success.
async fn until_shown(context: &WorkContext, cloud: &Cloud, last: Instant, ids: &BTreeSet<SnapshotId>) {
    let ids: Vec<SnapshotId> = ids.iter().cloned().collect();
    while !ids.is_empty() && context.env.clock.at().since(last) < context.env.config.clean_quiet {
        match looking::by_id(&context.env, cloud, &ids).await {
            Ok(found) if found.len() >= ids.len() => return,
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "surplus snapshots not described"),
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Snapshots of this attempt that the certificate does not name: left by answers that were lost, or of volumes that came to
/// an instance at the last moment. They fail nothing; what
/// cannot be deleted now is found by its tags when the backup is deleted.
async fn delete_surplus(
    context: &WorkContext,
    cloud: &Cloud,
    order: &Complete,
    calls: &CallsMade,
    certified: &[SnapshotId],
) {
    if calls.snapshots == SnapshotCalls::Unknown {
        // What a lost answer left may still be hidden; finding nothing is not absence (`facts/aws.md` A2).
        let quiet = context.env.config.clean_quiet.0.saturating_sub(context.env.clock.at().since(calls.last).0);
        tokio::time::sleep(Duration::from_millis(quiet)).await;
    }
    let mut surplus: BTreeSet<SnapshotId> = match &calls.snapshots {
        SnapshotCalls::Known(made) => made.clone(),
        SnapshotCalls::None | SnapshotCalls::Unknown => BTreeSet::new(),
    };
    surplus.retain(|id| !certified.contains(id));
    until_shown(context, cloud, calls.last, &surplus).await;
    let find = Find { tags: attempt_tags(&context.attempt, &context.env.config.plane), volumes: Vec::new() };
    match looking::find(&context.env, cloud, &find).await {
        Ok(found) => surplus.extend(found.into_iter().map(|info| info.snapshot)),
        Err(error) => tracing::warn!(%error, "surplus snapshots not looked for"),
    }
    let surplus: Vec<SnapshotId> = surplus.into_iter().filter(|id| !certified.contains(id)).collect();
    if !surplus.is_empty() {
        let (mut left, mut report) = (Left::default(), CleanReport::default());
        match Deleting::new(context, cloud, &order.spec, false).all(surplus, &mut left).await {
            Ok(deleted) => {
                left.tell(cloud, &mut report);
                tracing::info!(deleted, left = ?report.left, "surplus snapshots deleted");
            }
            Err(refusal) => tracing::warn!(%refusal, "surplus snapshots were not deleted"),
        }
    }
}
