//! Through which of EC2's two buckets the call for an instance goes (`facts/aws.md` A7): CreateSnapshots takes any, and an
//! instance with exactly one volume may go through CreateSnapshot as well, where the coordinator has divided that, too.

use super::volumes::MAX_EXCLUDED;
use crate::{
    actors::plane_context::{PlaneContext, length},
    budgets::Action,
    ports::Cloud,
};
use shared::wire::CallShare;

/// Both buckets of one account, as far as this plane may take from them.
pub(super) struct Buckets<'a> {
    env: &'a PlaneContext,
    cloud: &'a Cloud,
}

impl<'a> Buckets<'a> {
    /// From now on the plane takes these parts.
    pub(super) fn new(
        env: &'a PlaneContext,
        cloud: &'a Cloud,
        share: Option<CallShare>,
        one_volume: Option<CallShare>,
    ) -> Self {
        env.divide(&cloud.account, &cloud.region, Action::CreateSnapshots, share);
        env.divide(&cloud.account, &cloud.region, Action::CreateSnapshot, one_volume);
        Self { env, cloud }
    }

    /// May this many volumes go through either?
    pub(super) fn either(&self, volumes: usize) -> bool {
        volumes == 1 && self.env.has_part(&self.cloud.account, &self.cloud.region, Action::CreateSnapshot)
    }

    /// Waits until one of the buckets has room for the call of an instance with so many volumes, beside so many that it leaves
    /// out; says which.
    pub(super) async fn permit(&self, volumes: usize, exclude: usize) -> Action {
        let take = |action| self.env.take(&self.cloud.account, &self.cloud.region, action);
        if volumes == 1 && exclude > MAX_EXCLUDED {
            self.env.permit(&self.cloud.account, &self.cloud.region, Action::CreateSnapshot).await;
            return Action::CreateSnapshot;
        }
        if !self.either(volumes) {
            self.env.permit(&self.cloud.account, &self.cloud.region, Action::CreateSnapshots).await;
            return Action::CreateSnapshots;
        }
        loop {
            // Its own first: the other is the only one that sets have.
            let Err(own) = take(Action::CreateSnapshot) else { return Action::CreateSnapshot };
            let Err(other) = take(Action::CreateSnapshots) else { return Action::CreateSnapshots };
            tokio::time::sleep(length(own.min(other))).await;
        }
    }
}
