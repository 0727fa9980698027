//! How much snapshots added: blocks that the one before, of the same volume, does not have (`facts/aws.md` A6,
//! `facts/tidb-operator.md` §7). What cannot be told is said to be unknown, never counted as nothing.

use super::{
    cloud::{self, Service, cloud_refusal, throttled},
    context::WorkContext,
    looking,
};
use crate::{
    actors::plane_context::PlaneContext,
    budgets::Action,
    ports::{BlockPage, Cloud, CloudError, SnapshotInfo},
};
use futures::{StreamExt, stream};
use shared::{
    evidence::AcceptedSnapshot,
    ids::{SnapshotId, VolumeId},
    member::Done,
    reason::Refusal,
    wire::{Measure, Measured, PlanePhase},
};
use std::{collections::BTreeMap, time::Duration};

/// Snapshots listed at a time: a page takes some 100 ms, so eight use what an account may list.
const AT_ONCE: usize = 8;
/// Pages of one snapshot: 64 TiB, EBS's largest volume, are 13,422 pages of 10,000 blocks; pages may be short or empty.
const PAGES: usize = 40_000;
/// Tries of one page that may pass, and the pause between: a quarter of an hour, then the coordinator asks again.
const TRIES: usize = 180;
const PAUSE: Duration = Duration::from_secs(5);
/// Lines that say why something is unknown; more of the same say nothing new.
const NOTES: usize = 4;

/// Of one snapshot: bytes, or why they are unknown.
type Told = Result<u64, String>;

pub(super) async fn measure(context: &WorkContext, order: &Measure) -> Result<Done, Refusal> {
    let cloud = cloud::connect(&context.env, &order.spec).await?;
    for action in [Action::ListChangedBlocks, Action::ListSnapshotBlocks] {
        context.env.divide(&cloud.account, &cloud.region, action, order.share);
    }
    let mut volumes: Vec<VolumeId> = order.snapshots.iter().map(|one| one.volume.clone()).collect();
    volumes.sort_unstable();
    volumes.dedup();
    let kept = looking::completed(&context.env, &cloud, &volumes)
        .await
        .map_err(|error| cloud_refusal(Service::Ec2, "DescribeSnapshots by volume", &error))?;
    let lineage = Lineage::of(kept);
    let listing = Listing { env: &context.env, cloud: &cloud };
    let mut told = stream::iter(&order.snapshots).map(|one| listing.added(one, &lineage)).buffer_unordered(AT_ONCE);
    let mut measured = Measured { from: order.from, ..Measured::default() };
    let mut done = 0;
    while let Some(one) = told.next().await {
        match one? {
            Ok(bytes) => measured.bytes = measured.bytes.saturating_add(bytes),
            Err(why) => {
                measured.unknown += 1;
                if measured.notes.len() < NOTES {
                    measured.notes.push(why);
                }
            }
        }
        done += 1;
        let text = format!("{done} of {} snapshots after the first {}", order.snapshots.len(), order.from);
        context.progress(PlanePhase::Measuring, done, order.snapshots.len(), text);
    }
    Ok(Done::Measured(measured))
}

/// Completed snapshots of each volume.
struct Lineage(BTreeMap<VolumeId, Vec<SnapshotInfo>>);

impl Lineage {
    fn of(kept: Vec<SnapshotInfo>) -> Self {
        let mut by_volume: BTreeMap<VolumeId, Vec<SnapshotInfo>> = BTreeMap::new();
        for info in kept {
            by_volume.entry(info.volume.clone()).or_default().push(info);
        }
        Self(by_volume)
    }

    fn of_volume(&self, volume: &VolumeId) -> &[SnapshotInfo] {
        self.0.get(volume).map(Vec::as_slice).unwrap_or_default()
    }

    fn itself(&self, one: &AcceptedSnapshot) -> Option<&SnapshotInfo> {
        self.of_volume(&one.volume).iter().find(|info| info.snapshot == one.snapshot)
    }

    /// The last one that was begun before this one, whoever made it: what it holds is not stored again.
    fn before(&self, this: &SnapshotInfo) -> Option<&SnapshotInfo> {
        let earlier = self.of_volume(&this.volume).iter().filter(|info| info.start_time < this.start_time);
        earlier.max_by_key(|info| (info.start_time, info.snapshot.clone()))
    }
}

struct Listing<'a> {
    env: &'a PlaneContext,
    cloud: &'a Cloud,
}

impl Listing<'_> {
    /// `Err`: nothing can be told now, of any.
    async fn added(&self, one: &AcceptedSnapshot, lineage: &Lineage) -> Result<Told, Refusal> {
        let Some(this) = lineage.itself(one) else {
            return Ok(Err(format!("{} is not among the completed snapshots that EC2 shows", one.snapshot)));
        };
        match (lineage.before(this), this.full_bytes) {
            (Some(before), _) => self.count(Some(&before.snapshot), &this.snapshot).await,
            // The first one of its volume holds all of it.
            (None, Some(full)) => Ok(Ok(full)),
            (None, None) => self.count(None, &this.snapshot).await,
        }
    }

    /// Bytes in blocks that `this` has and `before` has not; without one, all of its blocks.
    async fn count(&self, before: Option<&SnapshotId>, this: &SnapshotId) -> Result<Told, Refusal> {
        let (mut bytes, mut next) = (0_u64, None);
        for _ in 0..PAGES {
            let page = match self.page(before, this, next.clone()).await? {
                Ok(page) => page,
                Err(why) => return Ok(Err(why)),
            };
            bytes = bytes.saturating_add(page.blocks.saturating_mul(page.block_bytes));
            match page.next {
                None => return Ok(Ok(bytes)),
                again if again == next => return Ok(Err(format!("{this}: EBS told one page twice"))),
                another => next = another,
            }
        }
        Ok(Err(format!("{this}: EBS listed more than {PAGES} pages")))
    }

    async fn page(
        &self,
        before: Option<&SnapshotId>,
        this: &SnapshotId,
        next: Option<String>,
    ) -> Result<Result<BlockPage, String>, Refusal> {
        let (action, what) = match before {
            Some(before) => (Action::ListChangedBlocks, format!("ebs:ListChangedBlocks of {before} and {this}")),
            None => (Action::ListSnapshotBlocks, format!("ebs:ListSnapshotBlocks of {this}")),
        };
        let mut last = None;
        for _ in 0..TRIES {
            self.env.permit(&self.cloud.account, &self.cloud.region, action).await;
            let answer = match before {
                Some(before) => self.cloud.blocks.changed(before, this, next.clone()).await,
                None => self.cloud.blocks.written(this, next.clone()).await,
            };
            match throttled(self.env, self.cloud, action, answer) {
                Ok(page) => return Ok(Ok(page)),
                Err(error @ (CloudError::Throttled(_) | CloudError::OutcomeUnknown(_))) => last = Some(error),
                // Deleted meanwhile, archived, shared away, or of another lineage.
                Err(error @ (CloudError::NotFound(_) | CloudError::Refused { .. })) => {
                    return Ok(Err(format!("{what}: {error}")));
                }
                Err(error) => return Err(cloud_refusal(Service::Ec2, &what, &error)),
            }
            tokio::time::sleep(PAUSE).await;
        }
        let error = last.unwrap_or_else(|| CloudError::OutcomeUnknown("no answer".to_owned()));
        Err(cloud_refusal(Service::Ec2, &what, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{SnapshotState, Storage};
    use shared::time::Timestamp;

    fn kept(id: &str, volume: &str, at: i64) -> SnapshotInfo {
        SnapshotInfo {
            snapshot: SnapshotId::new(id),
            volume: VolumeId::from(volume),
            state: SnapshotState::Completed,
            progress: 100,
            start_time: Timestamp(at),
            full_bytes: Some(1),
            message: String::new(),
            tags: Vec::new(),
            storage: Storage::default(),
        }
    }

    #[test]
    fn a_snapshot_is_compared_with_the_last_one_before_it() {
        let lineage = Lineage::of(vec![
            kept("late", "a", 4),
            kept("second", "a", 2),
            kept("first", "a", 1),
            kept("third", "a", 3),
            kept("other", "b", 2),
        ]);
        let before = |this: &SnapshotInfo| lineage.before(this).map(|info| info.snapshot.0.clone());
        assert_eq!(before(&kept("third", "a", 3)).as_deref(), Some("second"));
        assert_eq!(before(&kept("first", "a", 1)), None);
        assert_eq!(before(&kept("other", "b", 2)), None);
        assert_eq!(before(&kept("beside", "a", 2)).as_deref(), Some("first"), "one of the same call is none before it");
    }
}
