//! Volumes: made of every snapshot, waited for, taken away.

use super::{
    super::{
        build::{self, Wish, WishedVolume},
        inspect,
    },
    data,
    folder::{self, Folder},
    telling::Telling,
    with::{owner, ports},
};
use crate::{actors::plane_context::PlaneContext, ports::CreateVolume};
use shared::{
    reason::{Reason, Refusal},
    restore::{
        mapping,
        tags::{ForClaim, VolumesOf},
    },
    restorer::Work,
    wire::{Built, RestoreAnswer, Source, Undone},
};
use std::time::Duration;

/// One try of building; the coordinator asks again within its own limit.
const BUILD_LIMIT: Duration = Duration::from_secs(3000);
/// Between two looks at how much data is there: EC2's word lags by minutes (`facts/restore.md` §5.2).
const WARM_LOOK: Duration = Duration::from_secs(60);
const WARM_LIMIT: Duration = Duration::from_secs(23 * 3600);
const UNDO_LIMIT: Duration = Duration::from_secs(1800);
/// A restore has one try: a new one is a new object.
const ATTEMPT: u32 = 1;

/// What there is to be made, in the order of restore.
pub(super) fn sources(work: &Work, folder: &Folder) -> Vec<Source> {
    inspect::sources_of(&folder.question(&work.spec), &folder.meta)
}

fn wished(env: &PlaneContext, work: &Work, sources: &[Source]) -> Result<Vec<WishedVolume>, Refusal> {
    let spec = &work.spec;
    let ledger = env.ledger.name();
    let of = VolumesOf {
        restore: work.restore.as_str(),
        name: &spec.name,
        namespace: &spec.namespace,
        plane: &env.config.plane,
        ledger: &ledger,
    };
    let none: Option<ForClaim<'_>> = None;
    let more: Vec<_> = env.config.tags.iter().collect();
    mapping(sources)
        .placed
        .into_iter()
        .map(|placed| {
            let source = placed.source;
            let zone = spec.wish.zone_for(&source.zone).to_owned();
            if zone.is_empty() {
                let text = format!("where {} was is not known: name a zone (azName)", source.volume);
                return Err(Refusal::new(Reason::NotRestorable, text));
            }
            let call = CreateVolume {
                snapshot: source.snapshot.clone(),
                zone,
                kind: spec.wish.kind.clone(),
                rate: spec.wish.rate,
            };
            Ok(WishedVolume { tags: of.tags(&source.snapshot, source.store, none, &more), call })
        })
        .collect()
}

/// The volumes of this restore, all of them there.
pub(super) async fn made(
    env: &PlaneContext,
    work: &Work,
    folder: &Folder,
    telling: &Telling,
) -> Result<Vec<build::Built>, Refusal> {
    let volumes = wished(env, work, &sources(work, folder))?;
    let wish = Wish { restore: work.restore.as_str(), attempt: ATTEMPT, volumes: &volumes, limit: BUILD_LIMIT };
    let tell = |progress: build::BuildProgress| {
        let text = format!("{} of {} volumes are there, {} are asked for", progress.done, progress.of, progress.asked);
        telling.tell(progress.done as u64, progress.of as u64, &text);
    };
    build::make(env, &folder.cloud, &wish, &tell).await
}

pub(super) async fn build(env: &PlaneContext, work: &Work, telling: &Telling) -> Result<RestoreAnswer, Refusal> {
    let begun = env.clock.at();
    let folder = folder::read(env, &work.spec).await?;
    let made = made(env, work, &folder, telling).await?;
    let count = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
    Ok(RestoreAnswer::Built(Built {
        volumes: count(made.len()),
        gib: made.iter().map(|volume| volume.gib).sum(),
        replaced: count(made.iter().filter(|volume| volume.nth > 1).count()),
        took: env.clock.at().since(begun),
    }))
}

pub(super) async fn warm(env: &PlaneContext, work: &Work, telling: &Telling) -> Result<RestoreAnswer, Refusal> {
    let folder = folder::read(env, &work.spec).await?;
    let made = made(env, work, &folder, telling).await?;
    let ids: Vec<_> = made.into_iter().map(|volume| volume.volume).collect();
    let end = tokio::time::Instant::now() + WARM_LIMIT;
    loop {
        let seen = build::initialized(env, &folder.cloud, &ids).await?;
        if seen.done == seen.of {
            return Ok(RestoreAnswer::Warmed);
        }
        let least = seen.least.map_or_else(|| "unknown".to_owned(), |least| format!("{least} %"));
        let text = format!("the data of {} of {} volumes is there; the last one: {least}", seen.done, seen.of);
        telling.tell(seen.done as u64, ids.len() as u64, &text);
        if tokio::time::Instant::now() >= end {
            return Err(Refusal::new(Reason::RestoreTimedOut, text));
        }
        tokio::time::sleep(WARM_LOOK).await;
    }
}

/// Kubernetes first: a claim that is bound would have its volume back.
pub(super) async fn undo(
    env: &PlaneContext,
    work: &Work,
    unmark: bool,
    started: bool,
) -> Result<RestoreAnswer, Refusal> {
    let mut left = Vec::new();
    if let Some(target) = &work.spec.target {
        let placement = &ports(env)?.placement;
        let taken = placement.take_away(&owner(work, target)).await;
        left.extend(taken.map_err(|error| super::super::retry::refusal_of(error, Reason::TidbClusterNotFound))?);
        if unmark && work.spec.init {
            left.extend(data::take_mark_away(env, work).await?);
        }
    }
    // Claims that stay keep their volumes: those of pods that run are attached anyway.
    let folder = folder::connect(env, &work.spec).await?;
    let taken = build::take_away(env, &folder, work.restore.as_str(), env.config.clean_quiet, UNDO_LIMIT).await?;
    left.extend(taken.stays.iter().map(|stays| format!("{} ({} GiB) {}", stays.volume, stays.gib, stays.why)));
    // A cluster that was started is its users' to stop; until then its volumes are in use, which is no fault.
    if started && !left.is_empty() {
        tracing::info!(restore = %work.restore, left = left.len(), "volumes stay for as long as the cluster runs");
    }
    let deleted = u32::try_from(taken.deleted.len()).unwrap_or(u32::MAX);
    Ok(RestoreAnswer::Undone(Undone { deleted, left }))
}
