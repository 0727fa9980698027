//! What actors tell each other. Domain and wire types stay free of actix: each message wraps them.

use crate::ports::{AdminCall, IncomingPlane, ObjectEvent, Version};
use actix::Message;
use bytes::Bytes;
use shared::{
    account::Demand,
    barrier::{Summary, View},
    epoch::Epoch,
    ids::{BackupUid, ClusterId, PlaneId},
    reason::Refusal,
    request::CleanPolicy,
    verify::Verification,
    wire::{Answer, Hello, Up},
};
use shell::{driver::Stepped, link::Link};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::{Notify, mpsc, oneshot};

/// The source saw something.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ObjectSeen(pub ObjectEvent);

/// A plane knocked.
#[derive(Message)]
#[rtype(result = "()")]
pub struct PlaneConnecting(pub IncomingPlane);

/// An admin asks.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ask(pub AdminCall);

/// This replica leads from now on: read the ledger and go on from it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct StartLeading;

/// Every plane that may be named from now on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Known(pub BTreeSet<String>);

/// The process is to end. Nothing new is begun; it is over when nothing is under way any more, which is told here.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Drain(pub oneshot::Sender<()>);

/// There is no time left to drain: what is under way is aborted, as the record will say.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AbortAll;

/// A plane's link is open.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct LinkOpen {
    pub(super) plane: PlaneId,
    pub(super) generation: u64,
    pub(super) hello: Hello,
    pub(super) link: Link,
}

/// From a plane's session.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) enum FromSession {
    PlaneMessage(PlaneMessage),
    Over(SessionOver),
}

/// A plane said something.
pub(super) struct PlaneMessage {
    pub(super) plane: PlaneId,
    pub(super) generation: u64,
    pub(super) up: Up,
}

/// A plane's session ended.
pub(super) struct SessionOver {
    pub(super) plane: PlaneId,
    pub(super) generation: u64,
}

/// Where a plane's frames go.
#[derive(Clone)]
pub(super) struct Channel {
    pub(super) generation: u64,
    pub(super) tx: mpsc::Sender<Bytes>,
    /// The plane takes a certificate packed.
    pub(super) unpacks: bool,
    /// The plane restores.
    pub(super) restores: bool,
    /// Ends the session: what was owed is sent again on the next one.
    pub(super) close: Arc<Notify>,
}

/// To a barrier: what its machine must know.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) enum ToBarrier {
    PlaneUp(PlaneId, Channel),
    PlaneDown(PlaneId, u64),
    /// Every session that there is of its planes.
    Sessions(BTreeMap<PlaneId, Channel>),
    Answer {
        plane: PlaneId,
        attempt: u32,
        epoch: Epoch,
        answer: Box<Answer>,
    },
    Claimed(Epoch),
    ClaimTaken(String),
    ClaimRefused(Refusal),
    ClaimFree,
    Cancel,
    Delete(CleanPolicy),
    /// The object vanished, and nobody had deleted it.
    ObjectLost,
    /// What was refused is tried again now.
    TryAgain,
    Abandon(BTreeSet<PlaneId>),
    /// Its planes looked at it as a whole.
    Verified(Verification),
    /// The process is to end: stop, at once or when nothing is under way any more.
    Drain,
    /// It ends before the barrier does.
    Stop,
    /// The object's status is not what was published, or the claim not what was granted: another process wrote it, and
    /// perhaps the record as well.
    Contradicted,
}

/// To a barrier: its last steps are wanted.
#[derive(Message)]
#[rtype(result = "Vec<Stepped>")]
pub(super) struct AskPast;

/// From a barrier.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) enum FromBarrier {
    WantClaim(WantClaim),
    GiveClaim(GiveClaim),
    /// Its newest view.
    ViewChanged(Arc<View>),
    /// It has saved its record for the first time: whoever had the record before cannot save it any more.
    Saved(BackupUid),
    Over(BarrierOver),
}

/// It asks for the claim.
pub(super) struct WantClaim {
    pub(super) backup: BackupUid,
    pub(super) incarnation: u64,
    pub(super) attempt: u32,
    pub(super) cluster: ClusterId,
    pub(super) floor: Epoch,
    /// The calls that it would make.
    pub(super) demand: Demand,
}

/// It gives the claim back.
pub(super) struct GiveClaim {
    pub(super) backup: BackupUid,
    pub(super) cluster: ClusterId,
}

/// A backup that has ended and owes nothing, as this process remembers it.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) summary: Summary,
    /// Of its record.
    pub(super) version: Version,
}

/// How a barrier's actor ended.
pub(super) enum Ending {
    /// Its object is gone and its record deleted.
    Gone,
    /// Nothing is left to do for it, and its status says so.
    Over(Box<Ended>),
    /// It lost its record and must be made anew from the ledger.
    Lost,
    /// The same, and what it wanted to save can never be saved.
    Hopeless(Refusal),
}

/// It stopped.
pub(super) struct BarrierOver {
    pub(super) backup: BackupUid,
    pub(super) ending: Ending,
    /// Which of the barriers of this backup, one after the other, that this process has had.
    pub(super) incarnation: u64,
    /// Its last steps.
    pub(super) past: Vec<Stepped>,
}
