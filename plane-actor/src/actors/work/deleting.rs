//! Deleting snapshots: some at a time, at the user's rate and at that which the account's bucket gives to all who delete.

use super::{
    cloud::{Service, cloud_refusal, throttled},
    context::WorkContext,
    left::Left,
};
use crate::{
    actors::{obstacle::Obstacle, plane_context::length, stuck::Refused},
    budgets::Action,
    ports::{Cloud, CloudError},
};
use futures::{StreamExt, stream};
use shared::{
    ids::SnapshotId,
    limiter::{Budget, Limiter},
    reason::Refusal,
    request::MemberSpec,
    time::Millis,
    wire::PlanePhase,
};
use std::cell::Cell;
use tokio::sync::Mutex;

/// Calls of one clean in flight: the 5/s of EC2's bucket at three seconds each, which a call takes at worst but for an outage.
const AT_ONCE: usize = 16;
/// Tries to delete one snapshot against throttling, each when there is room for it.
const TRIES: u32 = 8;
/// So many denials with nothing deleted between them, and the others are not asked for: permissions are the same for all
/// snapshots of a backup, as their tags are.
const DENIED: u32 = 3;
/// `snapshotsDeleteRatio` allows groups of ten (`facts/tidb-operator.md` §3.4).
const GROUP_MILLI: u64 = 10_000;
const DELETE: Action = Action::DeleteSnapshot;

/// One clean's deletions.
pub(super) struct Deleting<'a> {
    context: &'a WorkContext,
    cloud: &'a Cloud,
    afresh: bool,
    /// The user's, over the whole clean. Who holds it is next.
    rate: Mutex<Limiter>,
    denied: Cell<u32>,
}

/// What became of one.
enum Fate {
    Gone,
    Left(Refused, Option<Millis>),
}

impl<'a> Deleting<'a> {
    /// `afresh`: EC2 is asked also for what it refused lately.
    pub(super) fn new(context: &'a WorkContext, cloud: &'a Cloud, spec: &MemberSpec, afresh: bool) -> Self {
        let rate_milli = u64::from(spec.delete_ratio_milli.max(1));
        let budget = Budget { rate_milli, burst_milli: GROUP_MILLI };
        let rate = Mutex::new(Limiter::new(budget, context.env.clock.at()));
        Self { context, cloud, afresh, rate, denied: Cell::new(0) }
    }

    /// Deletes them; how many went. What did not is `left`.
    ///
    /// # Errors
    /// The credentials are not accepted, so nobody would go.
    pub(super) async fn all(&self, snapshots: Vec<SnapshotId>, left: &mut Left) -> Result<u64, Refusal> {
        let total = snapshots.len();
        let deleting = |id: SnapshotId| async move { (self.in_turn(&id).await, id) };
        let mut fates = stream::iter(snapshots).map(deleting).buffer_unordered(AT_ONCE);
        let (mut gone, mut seen) = (0, 0);
        while let Some((fate, id)) = fates.next().await {
            seen += 1;
            match fate? {
                Fate::Gone => gone += 1,
                Fate::Left(refused, again) => left.add(id, refused, again),
            }
            self.context.progress(PlanePhase::Cleaning, seen, total, "deleting snapshots");
        }
        Ok(gone)
    }

    async fn in_turn(&self, id: &SnapshotId) -> Result<Fate, Refusal> {
        let env = &self.context.env;
        if self.afresh {
            env.stuck.forget(id);
        } else if let Some((refused, wait)) = env.stuck.lately(id, env.clock.at()) {
            return Ok(Fate::Left(refused, Some(wait)));
        }
        let mut rate = self.rate.lock().await;
        if self.denied.get() >= DENIED {
            let said = format!("not asked for, after {DENIED} denials");
            return Ok(Fate::Left(Refused { obstacle: Obstacle::Denied, said }, None));
        }
        while let Err(wait) = rate.take(env.clock.at(), 1) {
            tokio::time::sleep(length(wait)).await;
        }
        drop(rate);
        let Err(error) = self.one(id).await else { return Ok(Fate::Gone) };
        let refused = self.refused(&error)?;
        if refused.obstacle.needs_person() {
            env.stuck.note(id, &refused, env.clock.at());
        }
        Ok(Fate::Left(refused, None))
    }

    /// What an answer means.
    ///
    /// # Errors
    /// It is about the credentials.
    pub(super) fn refused(&self, error: &CloudError) -> Result<Refused, Refusal> {
        let obstacle = Obstacle::of(error).ok_or_else(|| cloud_refusal(Service::Ec2, "DeleteSnapshot", error))?;
        Ok(Refused { obstacle, said: error.to_string() })
    }

    /// Deletes one. False: EC2 knows no such snapshot.
    pub(super) async fn one(&self, id: &SnapshotId) -> Result<bool, CloudError> {
        let (env, cloud) = (&self.context.env, self.cloud);
        let mut last = CloudError::Throttled("not asked".to_owned());
        for _ in 0..TRIES {
            env.permit(&cloud.account, &cloud.region, DELETE).await;
            match throttled(env, cloud, DELETE, cloud.ec2.delete_snapshot(id).await) {
                // Deleting twice is deleting once.
                Err(error @ (CloudError::Throttled(_) | CloudError::OutcomeUnknown(_))) => last = error,
                Err(error) => {
                    let denied = matches!(error, CloudError::Denied(_));
                    self.denied.set(if denied { self.denied.get() + 1 } else { self.denied.get() });
                    return Err(error);
                }
                Ok(existed) => {
                    env.stuck.forget(id);
                    self.denied.set(0);
                    return Ok(existed);
                }
            }
        }
        Err(last)
    }
}
