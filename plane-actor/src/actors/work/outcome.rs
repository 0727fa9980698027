//! What a piece of work brings home, and what later work needs of it.

use super::{discovery::Discovery, volumes::Calls};
use crate::ports::PdPause;
use shared::{
    ids::StoreId,
    member::{Done, safe_times::SafeTimes},
    reason::Refusal,
};
use std::sync::Arc;

/// All that a store has said.
pub(crate) type Said = (StoreId, Arc<SafeTimes>);

/// What later work needs.
pub(crate) enum Carried {
    Nothing,
    /// And what leaders said of their `safe_ts` already.
    Discovery(Arc<Discovery>, Vec<Said>),
    Pause(PdPause),
    SafeTimes(Vec<Said>),
    /// Learned while covering: times, and the calls as they have to be now.
    Covered(Vec<Said>, Calls),
    /// As it stands in S3 since `Reserve`; `None`: nobody needs it any more.
    ClusterMeta(Option<Arc<Vec<u8>>>),
}

/// What a piece of work brings home.
pub(crate) struct Outcome {
    pub(crate) result: Result<Done, Refusal>,
    pub(crate) kept: Carried,
}

impl From<Result<Done, Refusal>> for Outcome {
    fn from(result: Result<Done, Refusal>) -> Self {
        Self { result, kept: Carried::Nothing }
    }
}

/// The result's `Done`, and what is kept only when it went well.
pub(super) fn with_kept(result: Result<(Done, Carried), Refusal>) -> Outcome {
    match result {
        Ok((done, kept)) => Outcome { result: Ok(done), kept },
        Err(refusal) => Outcome { result: Err(refusal), kept: Carried::Nothing },
    }
}
