//! Status, events and the last good-bye of a restore. Slow or failing writes here never hold up the restore.

use super::store;
use crate::ports::{EventKind, LedgerKey, PortError, Ports, RestoreRef, RestoreStatus, Restores, Version};
use shared::restoring::{Record, Stage, View};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// Status writes of one object are at least this far apart, so that progress does not flood the API server.
const PACE: Duration = Duration::from_secs(1);
/// After a failed write; doubled up to the cap.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Which stage.
pub(super) type Reached = Stage;

/// Publishes the newest view until the restore is gone; older ones are skipped. `told`: what was reached before this process
/// looked, and is no event of it.
pub(super) async fn follow(
    restores: Arc<dyn Restores>,
    object: RestoreRef,
    mut views: watch::Receiver<Option<Arc<View>>>,
    mut told: Option<Reached>,
) {
    let mut retry = RETRY_FIRST;
    while views.changed().await.is_ok() {
        loop {
            let Some(view) = views.borrow_and_update().clone() else { break };
            match restores.publish(&object, &RestoreStatus::Of(view.clone())).await {
                Ok(()) => retry = RETRY_FIRST,
                Err(PortError::NotFound(_)) => break,
                Err(error) => {
                    tracing::warn!(%error, restore = %object.uid, "status was not written; trying again");
                    tokio::time::sleep(retry).await;
                    retry = (retry * 2).min(RETRY_MAX);
                    continue;
                }
            }
            let now = view.record.stage;
            if told.replace(now) != Some(now) {
                tell(restores.as_ref(), &object, &view.record).await;
            }
            break;
        }
        tokio::time::sleep(PACE).await;
    }
}

/// An event for every stage; lost events are not repeated (the status holds the truth).
async fn tell(restores: &dyn Restores, object: &RestoreRef, record: &Record) {
    let (kind, reason, message) = match (&record.failure, record.stage) {
        (_, Stage::Cleaned) => return,
        (Some((stage, refusal)), Stage::Undoing | Stage::Failed) => {
            let text = format!("in {}: {}", stage.as_str(), refusal.message);
            (EventKind::Warning, refusal.reason.as_str(), text)
        }
        (_, Stage::Complete) => (EventKind::Normal, "Complete", complete(record)),
        (_, stage) => {
            (EventKind::Normal, stage.as_str(), format!("{} of {} planes", stage.as_str(), record.planes.len()))
        }
    };
    if let Err(error) = restores.event(object, kind, reason, &message).await {
        tracing::warn!(%error, restore = %object.uid, "event was not written");
    }
}

fn complete(record: &Record) -> String {
    let volumes: u32 = record.planes.values().filter_map(|kept| kept.built.as_ref()).map(|built| built.volumes).sum();
    match (&record.certificate, record.request.drill) {
        (Some(certificate), _) => {
            format!("the cluster runs on {volumes} new volumes; certificate: {:?}", certificate.verdict)
        }
        (None, Some(level)) => {
            format!("drill of level {} passed: {volumes} volumes were made and deleted", level.number())
        }
        (None, None) => String::new(),
    }
}

/// Lets the object go, deletes the record; each is repeated until it is done.
pub(super) async fn finalize(ports: Ports, object: RestoreRef, version: Option<Version>) {
    until_done("finalizer", || ports.restores.remove_finalizer(&object)).await;
    if version.is_none() {
        return;
    }
    let (key, ledger) = (LedgerKey::Restore(object.uid.clone()), ports.ledger);
    // Nobody makes another record of it, because a uid is not used again: whatever version is there now may go.
    until_done("record", || async {
        match store::read::<Record>(ledger.as_ref(), &key).await? {
            Some((_, version)) => ledger.delete(&key, &version).await,
            None => Ok(()),
        }
    })
    .await;
}

/// Not bounded in count: the object must go some day, and the wait between tries is.
async fn until_done<F>(what: &str, mut attempt: impl FnMut() -> F)
where
    F: Future<Output = Result<(), PortError>>,
{
    let mut retry = RETRY_FIRST;
    loop {
        match attempt().await {
            Ok(()) | Err(PortError::NotFound(_)) => return,
            Err(error) => {
                tracing::warn!(%error, what, "could not let the object go; trying again");
                tokio::time::sleep(retry).await;
                retry = (retry * 2).min(RETRY_MAX);
            }
        }
    }
}
