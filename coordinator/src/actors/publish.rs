//! Status, events and the last good-bye. Slow or failing writes here never hold up a barrier.

mod troubles;

use super::store;
use crate::ports::{EventKind, Ledger, LedgerKey, ObjectRef, Objects, PortError, Ports, Status, Version};
use shared::barrier::{Milestone, Record, Verdict, View};
use std::{sync::Arc, time::Duration};
use tokio::sync::{Mutex, watch};
use troubles::{CLEAN_NOTE, Troubles, is_clean, notes};

/// Status writes of one object are at least this far apart, so that progress does not flood the API server.
const PACE: Duration = Duration::from_millis(500);
/// After a failed write; doubled up to the cap, which is also how long a status may be behind an API server that is back.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Which milestone of which attempt.
pub(super) type Reached = (Milestone, u32);

/// Publishes the newest view until the barrier is gone; older ones are skipped. `told`: what was reached before this
/// process looked, and is no event of it. `said` becomes each view that is written, or that has no object to go to.
pub(super) async fn follow(
    objects: Arc<dyn Objects>,
    object: ObjectRef,
    mut views: watch::Receiver<Option<Arc<View>>>,
    mut told: Option<Reached>,
    said: watch::Sender<Option<Arc<View>>>,
) {
    let mut troubles = Troubles::default();
    let mut retry = RETRY_FIRST;
    while views.changed().await.is_ok() {
        loop {
            let Some(view) = views.borrow_and_update().clone() else { break };
            // The last words are said by `finalize`, in order with the finalizer.
            if view.record.milestone == Milestone::Cleaned {
                return;
            }
            let now = (view.record.milestone, view.record.attempt);
            match objects.publish(&object, &Status::Barrier(view.clone())).await {
                Ok(()) => retry = RETRY_FIRST,
                Err(PortError::NotFound(_)) => {
                    said.send_replace(Some(view));
                    break;
                }
                Err(error) => {
                    tracing::warn!(%error, backup = %object.uid, "status was not written; trying again");
                    tokio::time::sleep(retry).await;
                    retry = (retry * 2).min(RETRY_MAX);
                    continue;
                }
            }
            if told != Some(now) {
                told = Some(now);
                tell(objects.as_ref(), &object, &view).await;
            }
            for (kind, reason, message) in troubles.news(&view) {
                event(objects.as_ref(), &object, kind, reason, &message).await;
            }
            said.send_replace(Some(view));
            break;
        }
        tokio::time::sleep(PACE).await;
    }
}

/// An event for every change of milestone; lost events are not repeated (the status holds the truth).
async fn tell(objects: &dyn Objects, object: &ObjectRef, view: &View) {
    let record = &view.record;
    let (kind, reason, message) = match record.milestone {
        Milestone::Preparing => (EventKind::Normal, "Preparing", format!("attempt {} started", record.attempt)),
        Milestone::Barrier => {
            (EventKind::Normal, "Settling", format!("attempt {} holds epoch {}", record.attempt, record.epoch))
        }
        Milestone::Snapshotting => {
            let ts = record.commit_ts.map(|ts| ts.to_string()).unwrap_or_default();
            (EventKind::Normal, "Snapshotting", format!("commitTs {ts} is fixed"))
        }
        Milestone::Certified if is_weaker(record) => {
            (EventKind::Warning, "SnapshotsCreated", format!("barrier released; {}", Verdict::Weaker.meaning()))
        }
        Milestone::Certified => {
            (EventKind::Normal, "SnapshotsCreated", "certificate saved; barrier released".to_owned())
        }
        Milestone::Complete if is_weaker(record) => {
            (EventKind::Warning, "Complete", format!("backup is complete; {}", Verdict::Weaker.meaning()))
        }
        Milestone::Complete => (EventKind::Normal, "Complete", "backup is complete and proven consistent".to_owned()),
        Milestone::Aborting | Milestone::Failed => {
            let failure = record.failure.as_ref();
            let reason = failure.map_or("Failed", |refusal| refusal.reason.as_str());
            (EventKind::Warning, reason, failure.map(|refusal| refusal.message.clone()).unwrap_or_default())
        }
        Milestone::Cleaning => (EventKind::Normal, "Cleaning", "deleting snapshots and objects".to_owned()),
        Milestone::Cleaned => return,
    };
    event(objects, object, kind, reason, &message).await;
}

async fn event(objects: &dyn Objects, object: &ObjectRef, kind: EventKind, reason: &str, message: &str) {
    if let Err(error) = objects.event(object, kind, reason, message).await {
        tracing::warn!(%error, backup = %object.uid, "event was not written");
    }
}

fn is_weaker(record: &Record) -> bool {
    record.certificate.as_ref().is_some_and(|certificate| certificate.verdict == Verdict::Weaker)
}

/// Writes the last status, lets the object go, deletes the record; each is repeated until it is done.
/// `before`: the view before it.
pub(super) async fn finalize(
    ports: Ports,
    object: ObjectRef,
    before: Option<Arc<View>>,
    view: Arc<View>,
    version: Option<Version>,
) {
    // Of an attempt that failed and was cleaned, long ago perhaps, they were told then.
    if let Some(message) = notes(&view).filter(|_| !before.is_some_and(|before| is_clean(&before))) {
        event(ports.objects.as_ref(), &object, EventKind::Normal, CLEAN_NOTE, &message).await;
    }
    let status = Status::Barrier(view);
    until_done("last status", || ports.objects.publish(&object, &status)).await;
    until_done("finalizer", || ports.objects.remove_finalizer(&object)).await;
    if let Some(version) = version {
        let (key, ledger) = (LedgerKey::Record(object.uid.clone()), ports.ledger);
        let version = Mutex::new(version);
        until_done("record", || delete_record(ledger.as_ref(), &key, &version)).await;
    }
}

/// Somebody may have put a label on it: what is stored there says whether it is still the record of a backup whose object
/// is gone. Nobody makes another of it, because a uid is not used again.
async fn delete_record(ledger: &dyn Ledger, key: &LedgerKey, version: &Mutex<Version>) -> Result<(), PortError> {
    let known = version.lock().await.clone();
    match ledger.delete(key, &known).await {
        Err(PortError::Conflict(text)) => {
            let Some((stored, now)) = store::read::<Record>(ledger, key).await? else { return Ok(()) };
            if stored.body.milestone == Milestone::Cleaned {
                *version.lock().await = now;
            }
            Err(PortError::Conflict(text))
        }
        other => other,
    }
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
