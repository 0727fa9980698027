//! What the machine wants done, as data.

use super::{calls::CallsMade, ledger::AttemptRecord};
use crate::{
    alarm::Alarm,
    epoch::Epoch,
    ids::StoreId,
    time::Millis,
    ts::Ts,
    wire::{Answer, CallShare, Clean, Complete, Measure, Prepare},
};
use std::collections::BTreeSet;

/// One step of this machine, under way.
pub(super) type Step = crate::machine::Step<Effect>;

/// Carried out in order. `Save` is a fence: nothing after it happens before it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Store this attempt's state in the plane's ledger.
    Save(Box<AttemptRecord>),
    /// Tell the coordinator, if a session is up; the coordinator repeats what it has no answer to.
    Send {
        /// The epoch of the order answered.
        epoch: Epoch,
        /// What.
        answer: Answer,
    },
    /// Begin; ends in `Done` with the same number, unless cancelled.
    Work {
        /// Grows within an attempt.
        number: u64,
        /// What.
        work: Work,
    },
    /// Stop a piece of work; its `Done` may still come and is ignored.
    CancelWork {
        /// Which.
        number: u64,
    },
    /// Renew the leases of these stores now, each on its own stream; each answers `StoreLeased` or `StoreBroken`.
    RenewStores {
        /// Grows within an attempt.
        number: u64,
        /// Those that owe no earlier answer.
        stores: BTreeSet<StoreId>,
    },
    /// End every hold that there is: finish streams, resume PD, drop the safe point. Ends in `HoldsDropped`, in bounded time.
    /// Carried out again it ends what has come meanwhile.
    DropHolds {
        /// The attempt was confirmed here; for the log only.
        confirmed: bool,
    },
    /// An impossible state was seen.
    Alarm(Alarm),
}

/// What is done outside the machine; every piece takes what `Prepare` found from the one who carries it out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// Look at everything, touch nothing.
    Prepare(Prepare),
    /// Lock object and clustermeta.
    Reserve,
    /// GC hold at the present minimum, schedulers paused and read back.
    HoldPd {
        /// Service id of the safe point; contains the epoch.
        service: String,
        /// Of the safe point.
        ttl: Millis,
    },
    /// Both once more. Runs beside other work.
    RenewPd {
        /// Service id of the safe point.
        service: String,
        /// Of the safe point.
        ttl: Millis,
        /// Where it stands.
        gc_hold: Ts,
    },
    /// Every local leader says its safe_ts, above this.
    Leaders {
        /// What GC stands still at.
        gc_hold: Ts,
    },
    /// Probe each store, then take its first lease; each answers `StoreHeld` on the way.
    OpenHolds {
        /// All of this member.
        stores: BTreeSet<StoreId>,
    },
    /// One round of coverage.
    Cover {
        /// As ordered.
        round: u32,
        /// As ordered.
        name_missing: bool,
        /// New regions' safe_ts must lie above this too.
        gc_hold: Ts,
    },
    /// One CreateSnapshots per instance.
    Snapshot {
        /// For the description and the tags.
        commit_ts: Ts,
        /// What may be taken of the account's budget of CreateSnapshots.
        share: Option<CallShare>,
        /// Of CreateSnapshot, for instances with one volume.
        one_volume: Option<CallShare>,
    },
    /// Stores, attachments and (init plane) PD, read once more.
    ReadBack {
        /// What GC was held at.
        gc_hold: Ts,
    },
    /// Follow snapshots, write metadata.
    Complete {
        /// As ordered.
        order: Complete,
        /// What its certificate does not name of these is deleted.
        calls: CallsMade,
    },
    /// Say how much snapshots added.
    Measure(Measure),
    /// Delete; on the init plane also the safe point of an attempt that was forgotten here.
    Clean {
        /// As ordered.
        order: Clean,
        /// Service id of the safe point; contains the epoch.
        service: String,
        /// How long to look, and for what.
        calls: CallsMade,
    },
}
