//! The first touch: the lock object names our backup, clustermeta is written.

use super::{
    Share,
    cloud::{Service, cloud_refusal},
    meta, storage,
};
use crate::ports::CloudError;
use shared::{
    member::Done,
    reason::{Reason, Refusal},
};
use std::time::Duration;

/// Tries to put the lock; between two of them its present owner is looked at.
const TRIES: u32 = 4;
const WAIT: Duration = Duration::from_secs(1);

pub(super) async fn reserve(share: &Share) -> Result<Done, Refusal> {
    let site = share.site()?;
    take_lock(share).await?;
    let body = meta::clustermeta(&site)?;
    storage::put(site.cloud.objects.as_ref(), &site.spec.storage.key(storage::CLUSTERMETA), &body).await?;
    Ok(Done::Reserved)
}

/// Put only if absent. An answer that was lost, or an object that is there, is decided by what stands in it.
async fn take_lock(share: &Share) -> Result<(), Refusal> {
    let site = share.site()?;
    let (objects, target) = (site.cloud.objects.as_ref(), &site.spec.storage);
    let key = target.key(storage::LOCK);
    let body = storage::lock_text(&share.attempt.backup).into_bytes();
    let mut last = String::new();
    for _ in 0..TRIES {
        match objects.put_if_absent(&key, body.clone()).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error @ (CloudError::Throttled(_) | CloudError::OutcomeUnknown(_))) => last = error.to_string(),
            Err(error) => return Err(cloud_refusal(Service::S3, &format!("writing {key}"), &error)),
        }
        match storage::get(objects, &key).await? {
            Some(found) if storage::is_lock_of(&found, &share.attempt.backup) => return Ok(()),
            Some(_) => return Err(storage::in_use(target, storage::LOCK)),
            None => tokio::time::sleep(WAIT).await,
        }
    }
    Err(Refusal::new(Reason::StorageUnavailable, format!("writing {key}: {last}")))
}
