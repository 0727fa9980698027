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
    let objects = share.env.objects_of(&share.attempt.backup);
    let _alone = objects.lock().await;
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
    let body = storage::lock_text(&share.attempt).into_bytes();
    let mut last = String::new();
    for _ in 0..TRIES {
        match objects.put_if_absent(&key, body.clone()).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error @ (CloudError::Throttled(_) | CloudError::OutcomeUnknown(_))) => last = error.to_string(),
            Err(error) => return Err(cloud_refusal(Service::S3, &format!("writing {key}"), &error)),
        }
        let Some(found) = storage::get(objects, &key).await? else {
            tokio::time::sleep(WAIT).await;
            continue;
        };
        return match storage::locked_by(&found, &share.attempt.backup) {
            Some(number) if number == share.attempt.number => Ok(()),
            // Left by an attempt that nobody cleaned here (its plane was given up): its successor takes over.
            Some(number) if number < share.attempt.number => storage::put(objects, &key, &body).await,
            Some(number) => {
                let text = format!("attempt {number} of this backup already holds s3://{}/{key}", target.bucket);
                Err(Refusal::new(Reason::EpochStale, text))
            }
            None => Err(storage::in_use(target, storage::LOCK)),
        };
    }
    Err(Refusal::new(Reason::StorageUnavailable, format!("writing {key}: {last}")))
}
