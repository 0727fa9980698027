//! Work: what the machine wants done, as futures over ports. Nothing here touches an actor: a future takes what it needs
//! ([`WorkContext`]) and brings home its result and what later work needs ([`Outcome`]).

mod ahead;
mod beside;
mod buckets;
pub mod build;
mod checks;
mod clean;
mod cloud;
mod complete;
mod connect;
mod context;
mod cover;
mod deleting;
mod directories;
mod discovery;
#[cfg(test)]
mod fixtures;
mod inspect;
mod leaders;
mod left;
mod list;
mod looking;
mod looks;
mod manifests;
mod measure;
pub(crate) mod meta;
mod missing;
mod old_backup;
mod outcome;
mod pd;
mod prepare;
mod question;
mod quotas;
mod readback;
pub mod recover;
mod reserve;
mod rest;
pub(crate) mod restoring;
mod retry;
mod rights;
mod safe_ts;
mod scan;
mod snapshot;
pub(crate) mod storage;
mod stores;
mod suspend;
mod tags;
mod verify;
mod versions;
mod volumes;

pub(crate) use beside::beside;
pub(crate) use context::WorkContext;
pub(crate) use discovery::Discovery;
pub(crate) use inspect::inspect;
pub(crate) use outcome::{Carried, Outcome, Said};
pub(crate) use prepare::{Findings, preflight};
pub(crate) use scan::scan;
pub(crate) use verify::verify;
pub(crate) use volumes::Calls;

use outcome::with_kept;
use shared::member::Work;

pub(crate) async fn run(context: WorkContext, work: Work) -> Outcome {
    match work {
        Work::Prepare(prepare) => with_kept(prepare::prepare(&context, prepare).await),
        Work::Reserve => with_kept(reserve::reserve(&context).await),
        Work::HoldPd { service, ttl } => with_kept(pd::hold(&context, &service, ttl).await),
        Work::RenewPd { service, ttl, gc_hold } => with_kept(pd::renew(&context, &service, ttl, gc_hold).await),
        Work::Leaders { gc_hold } => with_kept(leaders::leaders(&context, gc_hold).await),
        Work::OpenHolds { stores } => suspend::open(&context, &stores).await.into(),
        Work::Cover { round, name_missing, gc_hold } => {
            with_kept(cover::cover(&context, round, name_missing, gc_hold).await)
        }
        Work::Snapshot { commit_ts, share, one_volume } => {
            snapshot::snapshot(&context, commit_ts, share, one_volume).await.into()
        }
        Work::ReadBack { gc_hold } => readback::read(&context, gc_hold).await.into(),
        Work::Measure(order) => measure::measure(&context, &order).await.into(),
        Work::Complete { order, calls } => with_kept(complete::complete(&context, &order, &calls).await),
        Work::Clean { order, service, calls } => clean::clean(&context, &order, &service, &calls).await.into(),
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
        Work::Complete { .. } => "complete",
        Work::Measure(_) => "measure",
        Work::Clean { .. } => "clean",
    }
}
