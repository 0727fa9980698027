//! What the machine is told, and what it waits for.

use super::calls::SnapshotCalls;
use crate::{
    epoch::Epoch,
    evidence::{AcceptedSnapshot, ClusterStore, HoldKind, PdEvidence},
    ids::{ClusterId, InstanceId, StoreId, VolumeId},
    reason::Refusal,
    region_set::RegionSet,
    time::Millis,
    ts::Ts,
    wire::{CallAccepted, CleanReport, Completed, Covered, Measured, Order, Prepared, Progress},
};
use std::collections::BTreeMap;

/// Facts, already parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// From the coordinator, for this attempt.
    Order {
        /// Under which epoch.
        epoch: Epoch,
        /// What.
        order: Order,
    },
    /// Work ended.
    Done {
        /// Which.
        number: u64,
        /// How. A refusal's text goes to the coordinator word for word.
        result: Result<Done, Refusal>,
    },
    /// Work goes on.
    Progress {
        /// Which.
        number: u64,
        /// Where it stands.
        progress: Progress,
    },
    /// The first lease of a store was answered on its stream.
    StoreHeld {
        /// Which.
        store: StoreId,
        /// How long ago the lease was asked for: it runs from there.
        age: Millis,
        /// How it is held.
        kind: HoldKind,
    },
    /// A renewal was answered.
    StoreLeased {
        /// By which store.
        store: StoreId,
        /// Which renewal.
        number: u64,
        /// `last_lease_is_valid` of the reply.
        valid: bool,
    },
    /// A stream broke or was taken over.
    StoreBroken {
        /// Of which store.
        store: StoreId,
        /// Why.
        refusal: Refusal,
    },
    /// `DropHolds` has been carried out.
    HoldsDropped,
    /// Another attempt of this TiDB cluster was obeyed under this epoch.
    Superseded {
        /// Of which TiDB cluster.
        cluster: ClusterId,
        /// The highest epoch obeyed now.
        epoch: Epoch,
    },
    /// A session to the coordinator is up.
    LinkUp,
    /// It ended. Changes nothing: only the clock of the plane's own lease does.
    LinkLost,
    /// The process is told to end.
    Stop {
        /// An attempt that is about to be confirmed or released may still end well.
        finish: bool,
    },
    /// A timer ran out.
    Expired(Timer),
}

/// Results of work, one for each kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Done {
    /// Everything was found and in order.
    Prepared(Prepared),
    /// Lock and clustermeta are there.
    Reserved,
    /// The safe point was accepted, schedulers are paused.
    PdHeld {
        /// At which it stands.
        gc_hold: Ts,
        /// Read back as paused.
        schedulers: Vec<String>,
    },
    /// Both were renewed.
    PdRenewed,
    /// All leaders answered.
    Leaders {
        /// Regions asked.
        regions: u64,
        /// Least answer.
        least_safe_ts: Ts,
    },
    /// Every store was opened.
    HoldsOpen,
    /// This round is done.
    Covered(Covered),
    /// Every call was accepted.
    Snapshotted {
        /// One of each volume prepared.
        snapshots: Vec<AcceptedSnapshot>,
        /// When each call was accepted.
        accepted: Vec<CallAccepted>,
        /// All that the calls made.
        calls: SnapshotCalls,
    },
    /// Read once more.
    ReadBack(ReadBack),
    /// Written.
    Completed(Completed),
    /// Counted.
    Measured(Measured),
    /// Deleted, as far as the report says.
    Cleaned(CleanReport),
}

/// What is read after the confirmation's renewals.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReadBack {
    /// Every store that PD lists.
    pub stores: Vec<ClusterStore>,
    /// Where each volume is attached.
    pub attached: BTreeMap<VolumeId, Option<InstanceId>>,
    /// Init plane only.
    pub pd: Option<PdEvidence>,
    /// Regions led here, none pending; read where weaker holds are allowed.
    pub set: Option<RegionSet>,
}

/// Timers; at one moment the first of this list is due first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// The plane's own lease from the coordinator ends.
    PlaneLease,
    /// A store's lease may have ended without an answered renewal.
    StoreLease,
    /// Store leases are due for renewal.
    RenewStores,
    /// Scheduler hold and GC hold are due for renewal.
    RenewPd,
}
