//! The first touch: the lock object names our backup, clustermeta is written. Both are read back at once: whoever
//! completes has to read them, and a right that is missing then (`s3:GetObject`, `kms:Decrypt`) would leave a proved
//! backup without its metadata for ever.

use super::{
    cloud::{Service, cloud_refusal},
    context::WorkContext,
    meta,
    outcome::Carried,
    storage,
};
use crate::ports::{CloudError, Objects};
use shared::{
    member::Done,
    reason::{Reason, Refusal},
    request::S3Target,
};
use std::{sync::Arc, time::Duration};

/// Tries to put the lock; between two of them its present owner is looked at.
const TRIES: u32 = 4;
const WAIT: Duration = Duration::from_secs(1);

pub(super) async fn reserve(context: &WorkContext) -> Result<(Done, Carried), Refusal> {
    let discovery = context.discovery()?;
    let objects = context.env.objects_of(&context.attempt.backup);
    let _alone = objects.lock().await;
    let (objects, target) = (discovery.cloud.objects.as_ref(), &discovery.spec.storage);
    take_lock(context, objects, target).await?;
    let body = meta::clustermeta(&discovery)?;
    storage::put(objects, &target.key(storage::CLUSTERMETA), &body).await?;
    let lock = storage::lock_text(&context.attempt, &context.env.ledger.name()).into_bytes();
    for (name, written) in [(storage::LOCK, &lock), (storage::CLUSTERMETA, &body)] {
        let key = target.key(name);
        if storage::get(objects, &key).await?.as_ref() != Some(written) {
            let text = format!("s3://{}/{key} does not read as it was written", target.bucket);
            return Err(Refusal::new(Reason::StorageUnavailable, text));
        }
    }
    Ok((Done::Reserved, Carried::ClusterMeta(Some(Arc::new(body)))))
}

/// Put only if absent. An answer that was lost, or an object that is there, is decided by what stands in it.
pub(super) async fn take_lock(context: &WorkContext, objects: &dyn Objects, target: &S3Target) -> Result<(), Refusal> {
    let key = target.key(storage::LOCK);
    let body = storage::lock_text(&context.attempt, &context.env.ledger.name()).into_bytes();
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
        return match storage::locked_by(&found, &context.attempt.backup) {
            Some(number) if number == context.attempt.number => Ok(()),
            // Left by an attempt that nobody cleaned here (its plane was given up): its successor takes over.
            Some(number) if number < context.attempt.number => storage::put(objects, &key, &body).await,
            Some(number) => {
                let text = format!("attempt {number} of this backup already holds s3://{}/{key}", target.bucket);
                Err(Refusal::new(Reason::EpochStale, text))
            }
            None => Err(storage::in_use(target, storage::LOCK)),
        };
    }
    Err(Refusal::new(Reason::StorageUnavailable, format!("writing {key}: {last}")))
}
