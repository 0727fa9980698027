//! Calls about volumes, each within the account's budget for it.

use super::super::{
    cloud::{Service, cloud_tried, throttled},
    looking,
};
use crate::{
    actors::plane_context::PlaneContext,
    budgets::Action,
    ports::{Cloud, CloudError, Initialized, VolumeInfo},
};
use shared::{ids::VolumeId, reason::Refusal, restore::tags};

/// Ids per describe: at most 200, as of snapshots.
const IDS: usize = 200;
/// Pages of one look: an account may hold 100,000 volumes in a Region, and pages may be short or empty.
const PAGES: usize = 1_000;
/// Tries of one deletion against throttling, each when there is room for it.
const TRIES: u32 = 8;
const DELETE: Action = Action::DeleteVolume;

/// A plane's way to the volumes of one account.
#[derive(Clone, Copy)]
pub(super) struct Ec2<'a> {
    pub(super) env: &'a PlaneContext,
    pub(super) cloud: &'a Cloud,
}

impl Ec2<'_> {
    /// Every volume that bears the tags of this restore and this plane, page by page. Finding nothing is not absence.
    pub(super) async fn find(&self, restore: &str) -> Result<Vec<VolumeInfo>, Refusal> {
        const BY_TAG: Action = Action::VolumesByFilter;
        let (cloud, tags) = (self.cloud, tags::found_by(restore, &self.env.config.plane));
        let tags = &tags;
        let ask = |page| async move {
            self.permit(BY_TAG).await;
            let found = throttled(self.env, cloud, BY_TAG, cloud.volumes.find_volumes(tags, page).await)?;
            Ok::<_, CloudError>((found.volumes, found.next))
        };
        let look = || async {
            let text = || format!("{}: no end: a page came twice, or more than {PAGES}", BY_TAG.name());
            let pages = looking::follow(PAGES, ask).await?;
            pages.ok_or_else(|| CloudError::OutcomeUnknown(text()))
        };
        let pages = cloud_tried(Service::Ec2, BY_TAG.name(), look).await?;
        Ok(pages.into_iter().flatten().collect())
    }

    /// Those of `ids` that EC2 shows.
    pub(super) async fn described(&self, ids: &[VolumeId]) -> Result<Vec<VolumeInfo>, Refusal> {
        const BY_ID: Action = Action::VolumesByIds;
        let mut found = Vec::with_capacity(ids.len());
        for part in ids.chunks(IDS) {
            let look = || async {
                self.permit(BY_ID).await;
                throttled(self.env, self.cloud, BY_ID, self.cloud.volumes.described(part).await)
            };
            found.extend(cloud_tried(Service::Ec2, BY_ID.name(), look).await?);
        }
        Ok(found)
    }

    /// How much of their data is there.
    pub(super) async fn initialized(&self, ids: &[VolumeId]) -> Result<Vec<Initialized>, Refusal> {
        const STATUS: Action = Action::VolumeStatus;
        let mut told = Vec::with_capacity(ids.len());
        for part in ids.chunks(IDS) {
            let look = || async {
                self.permit(STATUS).await;
                throttled(self.env, self.cloud, STATUS, self.cloud.volumes.initialized(part).await)
            };
            told.extend(cloud_tried(Service::Ec2, STATUS.name(), look).await?);
        }
        Ok(told)
    }

    /// Deletes one. False: there is no such volume.
    pub(super) async fn delete(&self, id: &VolumeId) -> Result<bool, CloudError> {
        let mut last = CloudError::Throttled("not asked".to_owned());
        for _ in 0..TRIES {
            self.permit(DELETE).await;
            match throttled(self.env, self.cloud, DELETE, self.cloud.volumes.delete_volume(id).await) {
                // Deleting twice is deleting once.
                Err(error @ (CloudError::Throttled(_) | CloudError::OutcomeUnknown(_))) => last = error,
                done => return done,
            }
        }
        Err(last)
    }

    pub(super) async fn permit(&self, action: Action) {
        self.env.permit(&self.cloud.account, &self.cloud.region, action).await;
    }
}
