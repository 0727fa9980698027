//! The ledger as a process finds it that begins to lead: of backups that have ended their notes, of the others the records.

use crate::{
    actors::messages::Ended,
    ports::{Entry, Ledger, LedgerKey, Noted, PortError, Version},
};
use futures::{StreamExt, TryStreamExt, stream};
use shared::{barrier::Summary, reason::Refusal, verify::Verification};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Why a record is read anew.
#[derive(Default)]
pub(super) struct Cause {
    /// What its barrier wanted to save can never be saved.
    pub(super) hopeless: Option<Refusal>,
    /// It had ended at this version.
    pub(super) ended: Option<Version>,
    /// It was looked at as a whole, and this is to be kept.
    pub(super) verified: Option<Verification>,
}

/// What there is.
pub(super) struct Found {
    pub(super) claims: Vec<Entry>,
    /// Backups of which the note says that nothing is left to do.
    pub(super) ended: Vec<Ended>,
    /// Every other record.
    pub(super) records: Vec<Entry>,
    /// Those of restores.
    pub(super) restores: Vec<Entry>,
}

/// Records are read `few` at a time. One that is gone meanwhile is nobody's.
pub(super) async fn everything(ledger: Arc<dyn Ledger>, few: Arc<Semaphore>) -> Result<Found, PortError> {
    let claims = ledger.claims().await?;
    let restores = ledger.restores().await?;
    let (mut ended, mut open) = (Vec::new(), Vec::new());
    for noted in ledger.records().await? {
        match settled(&noted) {
            Some(summary) => ended.push(Ended { summary, version: noted.version }),
            None => open.push(LedgerKey::Record(noted.backup)),
        }
    }
    let width = few.available_permits().max(1);
    let reads = open.into_iter().map(|key| {
        let (ledger, few) = (ledger.clone(), few.clone());
        async move {
            // Nobody closes it.
            let _one = few.acquire().await;
            ledger.read(&key).await
        }
    });
    let read: Vec<Option<Entry>> = stream::iter(reads).buffer_unordered(width).try_collect().await?;
    let mut records: Vec<Entry> = read.into_iter().flatten().collect();
    records.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(Found { claims, ended, records, restores })
}

/// A note that says that its record needs no look. One without a note was written by a version that made none.
fn settled(noted: &Noted) -> Option<Summary> {
    let summary: Summary = serde_json::from_str(&noted.note).ok()?;
    (summary.settled && summary.backup == noted.backup).then_some(summary)
}
