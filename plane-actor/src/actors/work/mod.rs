//! Work: what the machine wants done, as futures over ports. Nothing here touches an actor: a future takes what it needs
//! ([`Share`]) and brings home its result and what later work needs ([`Outcome`]).

mod clean;
mod cloud;
mod complete;
mod cover;
mod deleting;
mod directories;
#[cfg(test)]
mod kit;
mod looking;
mod looks;
mod manifests;
mod meta;
mod old_backup;
mod pd;
mod prepare;
mod readback;
mod reserve;
mod safe_ts;
mod snapshot;
mod storage;
mod suspend;
mod versions;
mod volumes;

pub(crate) use prepare::{Site, preflight};
pub(crate) use volumes::Calls;

use super::{
    env::Env,
    holds::{HoldEvent, Opening},
};
use crate::ports::{Cloud, Hold, PdPause, PortError};
use shared::{
    ids::{Attempt, SnapshotId, StoreId},
    member::{Done, Work, coverage::SafeTimes},
    reason::{Reason, Refusal},
    time::Instant,
    wire::{Phase, Progress},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::sync::mpsc;

/// Stores asked at the same time: a plane's stores are few hundred at most, and each is asked on its own connection.
pub(crate) const STORES_AT_ONCE: usize = 32;

/// Tries of a read that may pass by itself, 0.5 s, 1 s and 2 s apart: enough for a leader change, and far within every
/// clock of a barrier.
const TRIES: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// What is known of CreateSnapshots calls of this attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Creates {
    /// None was made.
    None,
    /// Every call was answered, with these, a surplus included.
    Known(BTreeSet<SnapshotId>),
    /// One may have had an effect that is not known.
    Unknown,
}

/// What a piece of work takes with it.
pub(crate) struct Share {
    pub(crate) env: Rc<Env>,
    pub(crate) attempt: Attempt,
    pub(crate) number: u64,
    pub(crate) site: Option<Arc<Site>>,
    pub(crate) pause: Option<PdPause>,
    pub(crate) safe: Arc<SafeTimes>,
    pub(crate) holds: BTreeMap<StoreId, Arc<dyn Hold>>,
    pub(crate) opening: Opening,
    pub(crate) hold_events: Option<mpsc::Sender<HoldEvent>>,
    pub(crate) progress: Option<mpsc::Sender<(u64, Progress)>>,
    /// One CreateSnapshots per instance, as instances were at the last look.
    pub(crate) calls: Arc<Calls>,
    pub(crate) creates: Creates,
    /// What this process has written to S3 as clustermeta.
    pub(crate) clustermeta: Option<Arc<Vec<u8>>>,
    /// No create call was made later than this.
    pub(crate) last_create: Instant,
}

impl Share {
    /// What `Prepare` found. The machine orders nothing that needs it before.
    fn site(&self) -> Result<Arc<Site>, Refusal> {
        self.site.clone().ok_or_else(|| Refusal::new(Reason::NotPrepared, "this plane has lost what it had prepared"))
    }

    /// Overflow rule: a report that finds no room is replaced by the next.
    fn progress(&self, phase: Phase, done: usize, total: usize, text: impl Into<String>) {
        if let Some(progress) = &self.progress {
            let said = Progress { phase, done: done as u64, total: total as u64, text: text.into() };
            let _ = progress.try_send((self.number, said));
        }
    }
}

/// What later work needs.
pub(crate) enum Kept {
    Nothing,
    Site(Arc<Site>),
    Pause(PdPause),
    SafeTimes(SafeTimes),
    /// Learned while covering: times, and the calls as they have to be now.
    Covered(SafeTimes, Calls),
    Creates(Creates),
    /// As it stands in S3 since `Reserve`; `None`: nobody needs it any more.
    ClusterMeta(Option<Arc<Vec<u8>>>),
}

/// What a piece of work brings home.
pub(crate) struct Outcome {
    pub(crate) result: Result<Done, Refusal>,
    pub(crate) kept: Kept,
}

impl From<Result<Done, Refusal>> for Outcome {
    fn from(result: Result<Done, Refusal>) -> Self {
        Self { result, kept: Kept::Nothing }
    }
}

/// The result's `Done`, and what is kept only when it went well.
fn with_kept(result: Result<(Done, Kept), Refusal>) -> Outcome {
    match result {
        Ok((done, kept)) => Outcome { result: Ok(done), kept },
        Err(refusal) => Outcome { result: Err(refusal), kept: Kept::Nothing },
    }
}

pub(crate) async fn run(share: Share, work: Work) -> Outcome {
    match work {
        Work::Prepare(prepare) => with_kept(prepare::prepare(&share, prepare).await),
        Work::Reserve => with_kept(reserve::reserve(&share).await),
        Work::HoldPd { service, ttl } => with_kept(pd::hold(&share, &service, ttl).await),
        Work::RenewPd { service, ttl, gc_hold } => with_kept(pd::renew(&share, &service, ttl, gc_hold).await),
        Work::Leaders { gc_hold } => with_kept(safe_ts::leaders(&share, gc_hold).await),
        Work::OpenHolds { stores } => suspend::open(&share, &stores).await.into(),
        Work::Cover { round, name_missing, gc_hold } => {
            with_kept(cover::cover(&share, round, name_missing, gc_hold).await)
        }
        Work::Snapshot { commit_ts } => snapshot::snapshot(&share, commit_ts).await,
        Work::ReadBack { gc_hold } => readback::read(&share, gc_hold).await.into(),
        Work::Complete(complete) => with_kept(complete::complete(&share, &complete).await),
        Work::Clean { order, service } => clean::clean(&share, &order, &service).await.into(),
    }
}

/// For logs.
pub(crate) fn name(work: &Work) -> &'static str {
    match work {
        Work::Prepare(_) => "prepare",
        Work::Reserve => "reserve",
        Work::HoldPd { .. } => "hold PD",
        Work::RenewPd { .. } => "renew PD",
        Work::Leaders { .. } => "ask leaders",
        Work::OpenHolds { .. } => "open holds",
        Work::Cover { .. } => "cover",
        Work::Snapshot { .. } => "snapshot",
        Work::ReadBack { .. } => "read back",
        Work::Complete(_) => "complete",
        Work::Clean { .. } => "clean",
    }
}

/// A port's refusal word for word; what may pass by itself has not passed, so it gets the reason of its system.
fn refusal_of(error: PortError, reason: Reason) -> Refusal {
    match error {
        PortError::Refused(refusal) => refusal,
        PortError::Unavailable(text) => Refusal::new(reason, text),
    }
}

/// A read, tried again while its failure may pass by itself.
async fn tried<T, F>(reason: Reason, mut call: impl FnMut() -> F) -> Result<T, Refusal>
where
    F: Future<Output = Result<T, PortError>>,
{
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES {
        match call().await {
            Ok(value) => return Ok(value),
            Err(PortError::Refused(refusal)) => return Err(refusal),
            Err(PortError::Unavailable(text)) => tracing::debug!(text, "trying again"),
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    call().await.map_err(|error| refusal_of(error, reason))
}
