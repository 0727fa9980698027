//! What actors tell each other.

use crate::ports::PdPause;
use actix::{Message, dev::MessageResponse};
use bytes::Bytes;
use shared::{
    epoch::Epoch,
    ids::{Attempt, ClusterId},
    member::View,
    wire::Order,
};
use shell::driver::Stepped;
use tokio::sync::oneshot;

/// A session came up or ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Linked(pub(crate) bool);

/// One frame of it.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Frame(pub(crate) Bytes);

/// The process is told to end: answered through the channel once nothing is held here.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct End(pub(crate) oneshot::Sender<()>);

/// An order for this attempt.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct FromCoordinator {
    pub(crate) epoch: Epoch,
    pub(crate) order: Order,
}

/// A session came up or ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Link(pub(crate) bool);

/// Another attempt's epoch was saved.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Superseded {
    pub(crate) cluster: ClusterId,
    pub(crate) epoch: Epoch,
}

/// The process is told to end.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Stop {
    /// What is about to be confirmed or released may still end well.
    pub(crate) finish: bool,
}

/// Nothing more will come to this member: its actor ends once nothing is under way there.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Forget;

/// What a member has been through, and what it changed in PD: for people.
#[derive(Message)]
#[rtype(result = "OfMember")]
pub(crate) struct AskPast;

/// The answer to it.
#[derive(MessageResponse)]
pub(crate) struct OfMember {
    pub(crate) steps: Vec<Stepped>,
    /// What it paused.
    pub(crate) pause: Option<PdPause>,
    /// The service whose safe point it holds.
    pub(crate) service: Option<String>,
}

/// From a member.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) enum FromMember {
    /// It has stepped.
    ViewChanged(Box<View>),
    /// An epoch was saved as obeyed.
    EpochRaised { attempt: Attempt, cluster: ClusterId, epoch: Epoch },
}
