//! What a checker sees, and what every one of them is.

use crate::{
    control::{EventSeen, Life},
    world::{Facts, World},
};
use coordinator::ports::LedgerKey;
use serde_json::Value;
use shared::{
    barrier::{Claim, Record},
    ids::{BackupUid, ClusterId, SnapshotId, StoreId},
    wire::{Down, Up},
};
use std::collections::{BTreeMap, BTreeSet};

/// The ledger as it stands.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// By backup.
    pub records: BTreeMap<BackupUid, Record>,
    /// By TiDB cluster.
    pub claims: BTreeMap<ClusterId, Claim>,
}

/// What was written.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// A record.
    Record(&'a Record),
    /// A claim.
    Claim(&'a Claim),
    /// Deleted by the coordinator, or lost.
    Gone,
}

/// One write to the ledger.
#[derive(Clone, Copy)]
pub struct Write<'a> {
    /// Where.
    pub key: &'a LedgerKey,
    /// What.
    pub entry: Entry<'a>,
    /// It came with another ledger: no coordinator has written it now.
    pub restored: bool,
    /// The ledger before it.
    pub before: &'a Books,
    /// Truth.
    pub world: &'a World,
}

/// One message at the moment it is sent.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// The plane at one end.
    pub plane: &'a str,
    /// What.
    pub message: Message<'a>,
    /// The ledger as it stands.
    pub books: &'a Books,
    /// Truth.
    pub world: &'a World,
}

/// Its content.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// From the coordinator.
    Down(&'a Down),
    /// From the plane.
    Up(&'a Up),
}

/// One look at the world.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// Milliseconds of the world.
    pub at: u64,
    /// The ledger as it stands.
    pub books: &'a Books,
    /// Stores with a live lease, whether PD is paused, service safe points.
    pub holds: &'a (Vec<StoreId>, bool, usize),
    /// `None`: nothing changed since the last look.
    pub facts: Option<&'a Facts>,
    /// Every VolumeBackup that ever was, and who deleted it.
    pub lives: &'a BTreeMap<BackupUid, Life>,
}

/// After healing, when everything has ended.
#[derive(Clone, Copy)]
pub struct End<'a> {
    /// The ledger as it stands.
    pub books: &'a Books,
    /// VolumeBackup objects by name.
    pub objects: &'a BTreeMap<String, Value>,
    /// Every event.
    pub events: &'a [EventSeen],
    /// Nothing was ever done to the coordinator or its API server, so that every event was told.
    pub undisturbed: bool,
    /// Truth.
    pub facts: &'a Facts,
    /// Every VolumeBackup that ever was, and who deleted it.
    pub lives: &'a BTreeMap<BackupUid, Life>,
    /// A control plane was lost, or a part of its ledger: what it had not finished nobody knows any more.
    pub lost: bool,
}

/// One invariant's checker. Each answers what is wrong, in words.
pub(super) trait Checker: Send {
    fn name(&self) -> &'static str;
    fn write(&mut self, _: &Write<'_>) -> Vec<String> {
        Vec::new()
    }
    fn frame(&mut self, _: &Frame<'_>) -> Vec<String> {
        Vec::new()
    }
    fn look(&mut self, _: &Look<'_>) -> Vec<String> {
        Vec::new()
    }
    fn end(&mut self, _: &End<'_>) -> Vec<String> {
        Vec::new()
    }
}

/// Snapshots that a record's certificate names.
pub fn certified(record: &Record) -> BTreeSet<SnapshotId> {
    let planes = record.certificate.iter().flat_map(|certificate| certificate.planes.values());
    planes.flat_map(|plane| &plane.evidence.snapshots).map(|snapshot| snapshot.snapshot.clone()).collect()
}
