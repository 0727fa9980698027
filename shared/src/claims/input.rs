//! What the arbiter of claims is told, and what it wants done.

use super::standing::HolderRecord;
use crate::{
    barrier::Claim,
    epoch::Epoch,
    ids::{BackupUid, ClusterId},
    reason::Refusal,
};

/// A barrier asks for the claim of a TiDB cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Want {
    /// Who asks.
    pub backup: BackupUid,
    /// For which attempt.
    pub attempt: u32,
    /// Of which TiDB cluster.
    pub cluster: ClusterId,
    /// The highest epoch that its planes have obeyed: the one to grant must be above.
    pub floor: Epoch,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A barrier of this process begins.
    BarrierStarted {
        /// Whose.
        backup: BackupUid,
        /// `namespace/name`, for people who wait for what it holds.
        name: String,
    },
    /// A barrier has saved its record: from now on a process that had the record before cannot save it any more.
    BarrierSaved(BackupUid),
    /// A barrier of this process is gone. Whatever starts again for its backup comes as another one.
    BarrierEnded {
        /// Whose.
        backup: BackupUid,
        /// Its record is deleted too.
        deleted: bool,
    },
    /// A barrier could not be told something.
    NotTold(BackupUid),
    /// A barrier asks for a claim. One that asks again waits for its turn where it stands.
    Wanted(Want),
    /// A barrier needs the claim no more, or waits for it no more.
    GivenBack {
        /// Whose barrier.
        backup: BackupUid,
        /// Of which TiDB cluster.
        cluster: ClusterId,
    },
    /// What was to be saved is stored.
    Saved(ClusterId),
    /// Nobody knows what is stored.
    NotSaved {
        /// Of which TiDB cluster.
        cluster: ClusterId,
        /// Why, for people.
        error: String,
    },
    /// What the ledger holds; asked for by `Read`, or found when the process began to lead.
    Read {
        /// Of which TiDB cluster.
        cluster: ClusterId,
        /// `None`: there is no claim.
        claim: Option<Claim>,
    },
    /// The ledger did not answer.
    NotRead(ClusterId),
    /// Answer to `ReadHolder`.
    HolderRead {
        /// Of which TiDB cluster.
        cluster: ClusterId,
        /// The epoch that was asked about.
        epoch: Epoch,
        /// Whose record.
        backup: BackupUid,
        /// What was found.
        record: HolderRecord,
    },
    /// The record of this backup may have been written by another process, and so the claim that it names (if it names
    /// one) and all that this process believes it holds.
    Doubted {
        /// Whose record.
        backup: BackupUid,
        /// Which claim it names.
        named: Option<ClusterId>,
    },
    /// Every claim that the ledger holds for somebody; answer to `List`.
    Listed(Vec<(ClusterId, BackupUid)>),
    /// The ledger did not answer.
    NotListed,
    /// The process is to end: nothing new is granted.
    Draining,
    /// A timer is due.
    Expired(Timer),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Store this claim in the place of the one last read or saved; answered by `Saved` or `NotSaved`. There is never
    /// more than one save of a claim under way.
    Save(Claim),
    /// Read a claim; answered by `Read` or `NotRead`.
    Read(ClusterId),
    /// Read the record of a claim's holder; answered by `HolderRead`.
    ReadHolder {
        /// Of which TiDB cluster.
        cluster: ClusterId,
        /// The epoch of the claim.
        epoch: Epoch,
        /// Whose record.
        backup: BackupUid,
    },
    /// Read every claim; answered by `Listed` or `NotListed`.
    List,
    /// Tell a barrier; `NotTold` if that is not possible.
    Tell(BackupUid, Answer),
}

/// What a barrier is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It has the claim, under this epoch.
    Granted(Epoch),
    /// Somebody else has it, in words for people; it has a place in the queue.
    Taken(String),
    /// It will never have it under these circumstances.
    Refused(Refusal),
    /// It is first in the queue, and nobody has the claim: prepare anew and ask.
    Free,
    /// The claim that its backup holds is not from this process, and neither is the record: another process saved it
    /// since this barrier did. It goes on only from what the ledger holds.
    Contradicted,
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Read this claim.
    Read(ClusterId),
    /// Look again whether the holder of this claim may hold anything.
    Judge(ClusterId),
    /// Read every claim.
    List,
    /// See whether a claim that is waited for is free and nobody comes for it.
    Call,
}

/// One step of this machine, under way.
pub(super) type Step = crate::machine::Step<Effect>;
