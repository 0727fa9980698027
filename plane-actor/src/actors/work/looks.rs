//! Looking up lost answers under the hold: one look serves every instance that waits, and asks for their volumes only.
//! Without the volumes EC2 would walk through all snapshots of the account, page after page.

use super::looking;
use crate::{
    actors::plane_context::PlaneContext,
    ports::{Cloud, CloudError, Find, SnapshotInfo},
};
use shared::ids::{InstanceId, VolumeId};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};
use tokio::{sync::Mutex, time::Instant};

/// Volumes of one look. EC2 takes 200 filter values; the tags are three of them.
const VOLUMES: usize = 190;

type Answer = Result<Vec<SnapshotInfo>, CloudError>;

/// One per piece of snapshotting.
pub(super) struct Looks<'a> {
    env: &'a PlaneContext,
    cloud: &'a Cloud,
    tags: Vec<(String, String)>,
    waiting: RefCell<BTreeMap<InstanceId, BTreeSet<VolumeId>>>,
    /// The last look, and when it was begun.
    last: Mutex<Option<(Instant, Answer)>>,
}

impl<'a> Looks<'a> {
    pub(super) fn new(env: &'a PlaneContext, cloud: &'a Cloud, tags: Vec<(String, String)>) -> Self {
        Self { env, cloud, tags, waiting: RefCell::default(), last: Mutex::default() }
    }

    /// This instance's volumes belong to every look until [`Looks::leave`].
    pub(super) fn join(&self, instance: &InstanceId, volumes: &BTreeSet<VolumeId>) {
        self.waiting.borrow_mut().insert(instance.clone(), volumes.clone());
    }

    pub(super) fn leave(&self, instance: &InstanceId) {
        self.waiting.borrow_mut().remove(instance);
    }

    /// What EC2 shows, by a look that was begun after this was called.
    pub(super) async fn look(&self) -> Answer {
        let due = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((begun, answer)) = last.as_ref()
            && *begun > due
        {
            return answer.clone();
        }
        let begun = Instant::now();
        let answer = self.all().await;
        *last = Some((begun, answer.clone()));
        answer
    }

    async fn all(&self) -> Answer {
        let volumes: Vec<VolumeId> = self.waiting.borrow().values().flatten().cloned().collect();
        let mut found = Vec::new();
        for part in volumes.chunks(VOLUMES) {
            let find = Find { tags: self.tags.clone(), volumes: part.to_vec() };
            found.extend(looking::find(self.env, self.cloud, &find).await?);
        }
        Ok(found)
    }
}
