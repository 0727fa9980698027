//! Deleting: by what the record names, by backupmeta, and by tags; S3 objects last, the lock at the very end. Where S3
//! cannot be read, nothing is deleted (I10).

use super::{
    cloud,
    cloud::{Service, cloud_refusal, cloud_tried},
    context::WorkContext,
    deleting::Deleting,
    left::{Left, line},
    looking, manifests, meta, old_backup, prepare, storage,
    storage::Lock,
    tags::{attempt_tags, backup_tags},
};
use crate::{
    actors::plane_context::length,
    budgets::Action,
    ports::{Cloud, Find, SnapshotInfo},
};
use shared::{
    backoff::Backoff,
    ids::SnapshotId,
    member::{CallsMade, Done, SnapshotCalls},
    reason::{Reason, Refusal},
    time::Millis,
    wire::{Clean, CleanReport, CleanScope, PlanePhase},
};
use std::collections::BTreeSet;
use tokio::sync::SemaphorePermit;

/// Between two looks. EC2 shows a new snapshot within seconds as a rule, within minutes at worst (`facts/aws.md` A2).
const LOOK: Backoff = Backoff { first: Millis(2_000), cap: Millis(15_000) };
/// Looks at most, whatever finds itself anew: an hour of them.
const MAX_LOOKS: u32 = 240;

pub(super) async fn clean(
    context: &WorkContext,
    order: &Clean,
    service: &str,
    calls: &CallsMade,
) -> Result<Done, Refusal> {
    if order.spec.init && order.scope != CleanScope::Surplus {
        prepare::drop_forgotten_gc_hold(context, &order.spec, service).await;
    }
    let cloud = cloud::connect(&context.env, &order.spec).await?;
    if let Some(old) = &order.old_backup {
        return Ok(Done::Cleaned(old_backup::clean(context, &cloud, order, old).await?));
    }
    if order.scope == CleanScope::Attempt && !order.taken_back || order.unless_proven {
        refuse_proven(context, &cloud, order).await?;
    }
    let mut work =
        Cleaning { context, order, calls, cloud: &cloud, report: CleanReport::default(), deleted: BTreeSet::new() };
    let below = work.below(&BTreeSet::new()).await?;
    let unproven = work.delete_snapshots(&below).await;
    let unproven = unproven.map_err(|refusal| cloud::named(&order.spec, refusal))?;
    work.tell_unproven(&unproven);
    if work.report.left.is_empty() && order.scope != CleanScope::Surplus {
        work.delete_objects().await?;
    }
    work.look_into_recycle_bin().await;
    let report = work.report;
    if !report.notes.is_empty() {
        tracing::warn!(notes = ?report.notes, "cleaned, but a person should know");
    }
    Ok(Done::Cleaned(report))
}

/// The certificate of this very attempt lies in S3, and whoever orders does not know of it: a ledger that was restored from
/// an earlier time. What is proven is not cleaned as the rest of a failure.
async fn refuse_proven(context: &WorkContext, cloud: &Cloud, order: &Clean) -> Result<(), Refusal> {
    let target = &order.spec.storage;
    let key = target.key(storage::CERTIFICATE);
    let body = storage::get(cloud.objects.as_ref(), &key).await?;
    let attempt = &context.attempt;
    let proven = body.as_deref().and_then(meta::certified_attempt);
    // What is deleted as a whole may have been at a later attempt than its status said.
    let reaches = |number: u32| number == attempt.number || order.scope == CleanScope::Backup;
    if proven.is_some_and(|(backup, number)| backup == attempt.backup && reaches(number)) {
        let what = if order.scope == CleanScope::Backup { "backup" } else { "attempt" };
        let text = format!("s3://{}/{key} certifies this very {what}; nothing of it is deleted", target.bucket);
        return Err(Refusal::new(Reason::BackupProven, text));
    }
    Ok(())
}

/// Whose the objects below the prefix are.
enum Below {
    /// This order's to delete: the whole backup's, or what this attempt or one before it left. With the snapshots that
    /// backupmeta names.
    Ours(Vec<SnapshotId>),
    /// Somebody else's, or a later attempt's; or there are none.
    NotOurs,
    /// Nothing says whose they are. Their keys.
    Unclaimed(Vec<String>),
}

struct Cleaning<'a> {
    context: &'a WorkContext,
    order: &'a Clean,
    calls: &'a CallsMade,
    cloud: &'a Cloud,
    report: CleanReport,
    deleted: BTreeSet<SnapshotId>,
}

impl Cleaning<'_> {
    /// The lock says whose the objects are. Where it was removed (by a person, by a lifecycle rule), the certificate
    /// does, or a backupmeta that names one of the snapshots that are ours. A late order of an attempt must not take a
    /// later one's metadata.
    async fn below(&self, ours: &BTreeSet<SnapshotId>) -> Result<Below, Refusal> {
        let (objects, target) = (self.cloud.objects.as_ref(), &self.order.spec.storage);
        let attempt = &self.context.attempt;
        let reaches = |number: u32| self.order.scope == CleanScope::Backup || number <= attempt.number;
        let lock = storage::lock(objects, target, &attempt.backup).await?;
        if lock == Lock::Foreign || matches!(lock, Lock::Ours(number) if !reaches(number)) {
            return Ok(Below::NotOurs);
        }
        let meta = storage::get(objects, &target.key(storage::BACKUPMETA)).await?;
        let named = meta.as_deref().and_then(meta::snapshots_of).unwrap_or_default();
        if let Lock::Ours(_) = lock {
            return Ok(Below::Ours(named));
        }
        let certificate = storage::get(objects, &target.key(storage::CERTIFICATE)).await?;
        let certified = certificate.as_deref().and_then(meta::certified_attempt);
        let proved = certified.is_some_and(|(backup, number)| backup == attempt.backup && reaches(number));
        let recorded = |id: &SnapshotId| ours.contains(id) || self.order.snapshots.contains(id);
        if proved || named.iter().any(recorded) {
            return Ok(Below::Ours(named));
        }
        let mut keys = Vec::new();
        for name in storage::OBJECTS {
            let key = target.key(name);
            if storage::exists(objects, &key).await? {
                keys.push(key);
            }
        }
        Ok(if keys.is_empty() { Below::NotOurs } else { Below::Unclaimed(keys) })
    }

    /// Until nothing is found any more and nothing that was accepted can still be hidden. What backupmeta names and nothing
    /// proves to be this backup's is not touched, and comes back.
    async fn delete_snapshots(&mut self, below: &Below) -> Result<Vec<SnapshotId>, Refusal> {
        let (context, order) = (self.context, self.order);
        let (mut named, mut unproven): (BTreeSet<SnapshotId>, _) = (BTreeSet::new(), Vec::new());
        if order.scope != CleanScope::Surplus {
            named.extend(order.snapshots.iter().cloned());
            if let Below::Ours(in_backupmeta) = below {
                let (ours, others) = self.by_their_tags(in_backupmeta).await?;
                named.extend(ours);
                unproven = others;
            }
        }
        let mut unseen = accepted(self.calls, order);
        context.env.divide(&self.cloud.account, &self.cloud.region, Action::DeleteSnapshot, order.share);
        let (deleting, mut left) = (Deleting::new(context, self.cloud, &order.spec, order.afresh), Left::default());
        for looked in 1..=MAX_LOOKS {
            let turn = turn(context).await?;
            loop {
                let mut now = self.find().await?;
                now.extend(self.shown(&unseen).await?);
                now.extend(named.iter().cloned());
                now.retain(|id| !self.deleted.contains(id));
                if now.is_empty() {
                    break;
                }
                self.report.snapshots += deleting.all(now.iter().cloned().collect(), &mut left).await?;
                if !left.is_empty() {
                    left.tell(self.cloud, &mut self.report);
                    return Ok(unproven);
                }
                // Pages may shift while this clean or another one deletes, so it is looked again. It ends, because what was
                // found once is not found again.
                unseen.retain(|id| !now.contains(id));
                self.deleted.extend(now);
            }
            drop(turn);
            let outstanding = self.calls.snapshots == SnapshotCalls::Unknown || !unseen.is_empty();
            if !outstanding || context.env.clock.at().since(self.calls.last) >= context.env.config.clean_quiet {
                break;
            }
            context.progress(PlanePhase::Cleaning, 0, 0, "waiting for snapshots that EC2 may not show yet");
            tokio::time::sleep(length(LOOK.wait(looked, context.number))).await;
        }
        self.delete_unseen(unseen, &deleting, &mut left).await?;
        left.tell(self.cloud, &mut self.report);
        Ok(unproven)
    }

    /// Of what backupmeta names and no record does: what bears this backup's tags, and what does not. Whoever can write that
    /// file must not have others' snapshots deleted by it.
    async fn by_their_tags(&self, in_backupmeta: &[SnapshotId]) -> Result<(Vec<SnapshotId>, Vec<SnapshotId>), Refusal> {
        let recorded: BTreeSet<&SnapshotId> = self.order.snapshots.iter().collect();
        let asked: Vec<SnapshotId> = in_backupmeta.iter().filter(|id| !recorded.contains(id)).cloned().collect();
        let (env, cloud) = (&self.context.env, self.cloud);
        let infos = cloud_tried(Service::Ec2, "DescribeSnapshots", || looking::by_id(env, cloud, &asked)).await?;
        let tags = backup_tags(&self.context.attempt, &env.config.plane);
        let (ours, others): (Vec<_>, Vec<_>) =
            infos.into_iter().partition(|info| tags.iter().all(|tag| info.tags.contains(tag)));
        let ids = |infos: Vec<SnapshotInfo>| infos.into_iter().map(|info| info.snapshot).collect();
        Ok((ids(ours), ids(others)))
    }

    /// They keep their metadata, which alone names them, until a person has looked.
    fn tell_unproven(&mut self, unproven: &[SnapshotId]) {
        let Some(first) = unproven.first() else { return };
        let (count, target) = (unproven.len(), &self.order.spec.storage);
        let text = format!(
            "s3://{}/{} names {count} snapshots that do not bear this backup's tags, {first} first: none of them was deleted. \
             If they are its own, delete them by hand; if not, somebody changed that file. Then annotate \
             isochron.pingcap.com/abandon-planes",
            target.bucket,
            target.key(storage::BACKUPMETA)
        );
        self.report.needs_person |= self.report.left.is_empty();
        line(&mut self.report.left, text);
    }

    /// EC2 accepted these and never showed them, which may be its mistake: each is deleted by its id once, and named.
    async fn delete_unseen(
        &mut self,
        unseen: BTreeSet<SnapshotId>,
        deleting: &Deleting<'_>,
        left: &mut Left,
    ) -> Result<(), Refusal> {
        for id in unseen {
            let shown = format!("EC2 accepted {id} and never showed it");
            match deleting.one(&id).await {
                Ok(true) => {
                    self.report.snapshots += 1;
                    line(&mut self.report.notes, format!("{shown}; it was deleted by its id"));
                    self.deleted.insert(id);
                }
                Ok(false) => {
                    let text = format!("{shown}; asked to delete it, EC2 says that there is none. Look for it in EC2");
                    line(&mut self.report.notes, text);
                }
                Err(error) => left.add(id, deleting.refused(&error)?, None),
            }
        }
        Ok(())
    }

    /// Those of `ids` that EC2 shows.
    async fn shown(&self, ids: &BTreeSet<SnapshotId>) -> Result<Vec<SnapshotId>, Refusal> {
        let ids: Vec<SnapshotId> = ids.iter().cloned().collect();
        let (env, cloud) = (&self.context.env, self.cloud);
        let infos = cloud_tried(Service::Ec2, "DescribeSnapshots", || looking::by_id(env, cloud, &ids)).await?;
        Ok(infos.into_iter().map(|info| info.snapshot).collect())
    }

    /// What EC2 shows under our tags. Finding nothing is not absence.
    async fn find(&self) -> Result<BTreeSet<SnapshotId>, Refusal> {
        let (env, cloud, order) = (&self.context.env, self.cloud, self.order);
        let plane = &env.config.plane;
        let tags = match order.scope {
            CleanScope::Backup => backup_tags(&self.context.attempt, plane),
            CleanScope::Attempt | CleanScope::Surplus => attempt_tags(&self.context.attempt, plane),
        };
        let by = Find { tags, volumes: Vec::new() };
        let found = cloud_tried(Service::Ec2, "DescribeSnapshots by tag", || looking::find(env, cloud, &by)).await?;
        let keep = |id: &SnapshotId| order.scope == CleanScope::Surplus && order.snapshots.contains(id);
        Ok(found.into_iter().map(|info| info.snapshot).filter(|id| !keep(id)).collect())
    }

    /// Looked at again, and no later attempt of this plane takes the prefix in between. Ours by name only: another backup
    /// may lie further down the same prefix.
    async fn delete_objects(&mut self) -> Result<(), Refusal> {
        let alone = self.context.env.objects_of(&self.context.attempt.backup);
        let _alone = alone.lock().await;
        let (objects, target) = (self.cloud.objects.as_ref(), &self.order.spec.storage);
        match self.below(&self.deleted).await? {
            Below::NotOurs => {}
            Below::Unclaimed(keys) => {
                let text = format!(
                    "left in s3://{}: {}. There is no {}, and nothing else says that they are this backup's",
                    target.bucket,
                    keys.join(", "),
                    storage::LOCK
                );
                line(&mut self.report.notes, text);
            }
            Below::Ours(_) => {
                for key in manifests::keys(objects, target).await? {
                    self.delete_object(&key).await?;
                }
                // The lock says that the rest is ours, so it goes last.
                for name in storage::OBJECTS {
                    let key = target.key(name);
                    if storage::exists(objects, &key).await? {
                        self.delete_object(&key).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn delete_object(&mut self, key: &str) -> Result<(), Refusal> {
        let objects = self.cloud.objects.as_ref();
        cloud_tried(Service::S3, &format!("deleting {key}"), || objects.delete(key)).await?;
        self.report.objects += 1;
        Ok(())
    }

    /// A rule of the Recycle Bin lets a deletion succeed and goes on to bill the snapshot. A right that few have granted is
    /// needed to see it, so a refusal says nothing.
    async fn look_into_recycle_bin(&mut self) {
        let deleted: Vec<SnapshotId> = self.deleted.iter().cloned().collect();
        let kept = match looking::in_recycle_bin(&self.context.env, self.cloud, &deleted).await {
            Ok(kept) => kept,
            Err(error) => {
                let refusal = cloud_refusal(Service::Ec2, "ListSnapshotsInRecycleBin", &error);
                tracing::debug!(%refusal, "not seen whether a Recycle Bin keeps what was deleted");
                return;
            }
        };
        if let Some(first) = kept.first() {
            let text = format!(
                "the Recycle Bin keeps, and bills, {} of the deleted snapshots until its rule lets them go: {first}{}",
                kept.len(),
                if kept.len() > 1 { ", …" } else { "" }
            );
            line(&mut self.report.notes, text);
        }
    }
}

/// Some cleans at a time; those that wait for EC2 to show something let others pass.
async fn turn(context: &WorkContext) -> Result<SemaphorePermit<'_>, Refusal> {
    let cleans = &context.env.cleans;
    if cleans.available_permits() == 0 {
        context.progress(PlanePhase::Cleaning, 0, 0, "waiting for other cleans of this plane");
    }
    let over = |_| Refusal::new(Reason::Internal, "the queue of cleans is closed");
    cleans.acquire().await.map_err(over)
}

/// Snapshots that EC2 accepted in this process. They are deleted once EC2 shows them: a delete before that may be told
/// "not found", which would pass for success.
fn accepted(calls: &CallsMade, order: &Clean) -> BTreeSet<SnapshotId> {
    match (&calls.snapshots, order.scope) {
        (SnapshotCalls::Known(ids), CleanScope::Attempt | CleanScope::Backup) => ids.clone(),
        _ => BTreeSet::new(),
    }
}
