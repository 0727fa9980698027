//! What is remembered of a backup that has ended: some hundred bytes in the place of a record of some hundred KiB. The
//! ledger holds the rest, and is read when somebody asks.

use super::{
    certificate::Verdict,
    record::{Milestone, Record},
    times::Times,
};
use crate::{ids::BackupUid, reason::Reason, ts::Ts, verify::Verification};
use serde::{Deserialize, Serialize};

/// Derived from a record; also stored beside it, where the ledger finds it without reading the record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Summary {
    /// `metadata.uid` of the VolumeBackup.
    pub backup: BackupUid,
    /// Under which uid its record lay before another object adopted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted_from: Option<BackupUid>,
    /// By which uid planes, tags and locks know it, where that is another: an object adopted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_as: Option<BackupUid>,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How far it came.
    #[serde(rename = "stage")] // Its name in what is stored already.
    pub milestone: Milestone,
    /// In which attempt.
    pub attempt: u32,
    /// What its certificate claims, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// As in its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_ts: Option<Ts>,
    /// Why it ended badly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// How many snapshots its certificate names.
    #[serde(default)]
    pub snapshots: u32,
    /// Bytes that it added to those before it; `None`: not known, not yet known, or not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_bytes: Option<u64>,
    /// How it was found when it was last looked at as a whole, without the words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verification>,
    /// Its moments.
    pub times: Times,
    /// It has ended, and nothing is owed or will be tried again: whoever reads this need not read the record.
    #[serde(default)]
    pub settled: bool,
}

impl Summary {
    /// Of a record in any milestone.
    pub fn of(record: &Record) -> Self {
        let certificate = record.certificate.as_ref();
        Self {
            backup: record.key().clone(),
            adopted_from: record.adopted.as_ref().filter(|by| by.from != by.object).map(|by| by.from.clone()),
            known_as: Some(&record.request.backup).filter(|first| *first != record.key()).cloned(),
            namespace: record.request.namespace.clone(),
            name: record.request.name.clone(),
            milestone: record.milestone,
            attempt: record.attempt,
            verdict: certificate.map(|certificate| certificate.verdict),
            commit_ts: certificate.map(|certificate| certificate.commit_ts),
            reason: record.failure.as_ref().map(|refusal| refusal.reason),
            snapshots: certificate.map_or(0, |certificate| {
                let named = certificate.planes.values().map(|plane| plane.evidence.snapshots.len()).sum::<usize>();
                u32::try_from(named).unwrap_or(u32::MAX)
            }),
            added_bytes: record.added().bytes(),
            verified: record.verified.as_ref().map(Verification::without_words),
            times: record.times.clone(),
            settled: is_settled(record),
        }
    }
}

/// By the record alone: where a new attempt is allowed, time decides, and the record has to be read.
fn is_settled(record: &Record) -> bool {
    let ended = match record.milestone {
        Milestone::Complete => !record.measures(),
        Milestone::Failed => {
            let cleaned = record.planes.values().all(|kept| kept.cleaned.is_some() || kept.abandoned);
            cleaned && record.request.retry_within.is_none()
        }
        Milestone::Preparing
        | Milestone::Barrier
        | Milestone::Aborting
        | Milestone::Snapshotting
        | Milestone::Certified
        | Milestone::Cleaning
        | Milestone::Cleaned => false,
    };
    ended && !record.deleting
}
