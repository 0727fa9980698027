//! One CreateSnapshots (or CreateSnapshot) per instance. EC2 takes no client token (`facts/aws.md` A4), so a lost answer is looked up by our
//! tags, never blindly repeated.

use super::{
    buckets::Buckets,
    cloud::{Service, cloud_refusal, throttled},
    context::WorkContext,
    discovery::Discovery,
    looks::Looks,
    tags::{CallTags, attempt_tags},
    volumes::exclusions_now,
};
use crate::{
    actors::plane_context::length,
    budgets::Action,
    ports::{CloudError, CreateSnapshot, CreateSnapshots, SnapshotInfo, SnapshotState},
};
use futures::{StreamExt, TryStreamExt, stream};
use shared::{
    backoff::Backoff,
    evidence::AcceptedSnapshot,
    ids::{InstanceId, SnapshotId, VolumeId},
    member::{Done, SnapshotCalls},
    reason::{Reason, Refusal},
    time::Timestamp,
    ts::Ts,
    wire::{CallAccepted, CallShare, PlanePhase},
};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Calls at a time: as many as EC2's two whole buckets take at once (`facts/aws.md` A7). This plane's part of them bounds
/// them below that.
const CALLS_AT_ONCE: usize = 200;
/// Calls for one instance that were refused before anything happened; the hold clock bounds the whole.
const TRIES: u32 = 12;
/// Looks for the snapshots of a call whose answer was lost, before EC2 is asked again. All of them lie within the 15 s in
/// which EC2 refuses a second snapshot of a volume (`facts/aws.md` A3): if the first call had an effect, the second one
/// is refused, and that proves it.
const LOOKS: u32 = 3;
/// Looks once a refusal has proved that the snapshots exist: describes lag up to some minutes; the hold clock ends it.
const LOOKS_PROVED: u32 = 30;
/// From 1 s on, so that [`LOOKS`] of them and their calls stay below 15 s.
const LOOK: Backoff = Backoff { first: shared::time::Millis(1_000), cap: shared::time::Millis(4_000) };
/// An instance or volume in transition, or an earlier request of a stranger, is over in seconds.
const STATE_WAIT: Duration = Duration::from_secs(2);
const CREATE: &str = Action::CreateSnapshots.name();

pub(super) async fn snapshot(
    context: &WorkContext,
    commit_ts: Ts,
    share: Option<CallShare>,
    one_volume: Option<CallShare>,
) -> Result<Done, Refusal> {
    let discovery = context.discovery()?;
    let buckets = Buckets::new(&context.env, &discovery.cloud, share, one_volume);
    let unknown = Cell::new(false);
    let (Set { snapshots, surplus }, accepted) = all(context, &discovery, commit_ts, &buckets, &unknown).await?;
    let made = snapshots.iter().map(|accepted| accepted.snapshot.clone()).chain(surplus);
    let calls = if unknown.get() { SnapshotCalls::Unknown } else { SnapshotCalls::Known(made.collect()) };
    Ok(Done::Snapshotted { snapshots, accepted, calls })
}

/// What calls made.
#[derive(Debug, Default, PartialEq, Eq)]
struct Set {
    /// One of each volume wanted.
    snapshots: Vec<AcceptedSnapshot>,
    /// Of volumes that came to an instance after its exclusions were read; deleted once the backup is complete.
    surplus: Vec<SnapshotId>,
}

async fn all(
    context: &WorkContext,
    discovery: &Discovery,
    commit_ts: Ts,
    buckets: &Buckets<'_>,
    unknown: &Cell<bool>,
) -> Result<(Set, Vec<CallAccepted>), Refusal> {
    let began = context.env.clock.at();
    let total = context.calls.len();
    let done = Cell::new(0);
    let tags = attempt_tags(&context.attempt, &context.env.config.plane);
    let looks = Looks::new(&context.env, &discovery.cloud, tags);
    let tagging = discovery.tagging(&context.env, &context.attempt);
    // Those that can go one way only, first.
    let (either, sets): (Vec<_>, Vec<_>) =
        context.calls.iter().partition(|(_, (volumes, _))| buckets.either(volumes.len()));
    let sets: Vec<(Set, CallAccepted)> = stream::iter(sets.into_iter().chain(either))
        .map(|(instance, (volumes, exclude))| {
            let CallTags { tags, copies, .. } = tagging.of_call(volumes);
            let call = CreateSnapshots {
                instance: instance.clone(),
                exclude: exclude.clone(),
                tags,
                copy_tags: copies,
                description: format!(
                    "{}/{} at {commit_ts}",
                    discovery.spec.backup_namespace, discovery.spec.backup_name
                ),
            };
            let (done, looks) = (&done, &looks);
            async move {
                let instance = call.instance.clone();
                let set = one(context, discovery, call, volumes, unknown, Ways { buckets, looks }).await?;
                let accepted = CallAccepted { instance, after: context.env.clock.at().since(began) };
                done.set(done.get() + 1);
                context.progress(
                    PlanePhase::Snapshotting,
                    done.get(),
                    total,
                    format!("{} of {total} calls", done.get()),
                );
                Ok::<_, Refusal>((set, accepted))
            }
        })
        .buffer_unordered(CALLS_AT_ONCE)
        .try_collect()
        .await?;
    let (mut all, mut calls) = (Set::default(), Vec::new());
    for (set, accepted) in sets {
        all.snapshots.extend(set.snapshots);
        all.surplus.extend(set.surplus);
        calls.push(accepted);
    }
    Ok((all, calls))
}

/// What the calls of one order have in common.
#[derive(Clone, Copy)]
struct Ways<'a> {
    buckets: &'a Buckets<'a>,
    looks: &'a Looks<'a>,
}

/// The same call for the one volume of its instance.
pub(super) fn alone(call: &CreateSnapshots, volume: &VolumeId) -> CreateSnapshot {
    CreateSnapshot {
        instance: call.instance.clone(),
        volume: volume.clone(),
        tags: call.tags.clone(),
        description: call.description.clone(),
    }
}

async fn one(
    context: &WorkContext,
    discovery: &Discovery,
    mut call: CreateSnapshots,
    wanted: &BTreeSet<VolumeId>,
    unknown: &Cell<bool>,
    Ways { buckets, looks }: Ways<'_>,
) -> Result<Set, Refusal> {
    let (env, cloud) = (&context.env, &discovery.cloud);
    let instance = call.instance.clone();
    let way = Cell::new(Action::CreateSnapshots);
    let failed = |error: &CloudError| {
        let refusal = cloud_refusal(Service::Ec2, &format!("{} of {instance}", way.get().name()), error);
        let reason = if refusal.reason == Reason::Ec2Unavailable { Reason::SnapshotFailed } else { refusal.reason };
        Refusal::new(reason, refusal.message)
    };
    let mut last = CloudError::OutcomeUnknown("not asked".to_owned());
    // An answer of this very instance was lost: from then on some refusals prove that the call had an effect.
    let mut lost = false;
    for _ in 0..TRIES {
        way.set(buckets.permit(wanted.len(), call.exclude.len()).await);
        let answer = match (way.get(), wanted.first()) {
            (Action::CreateSnapshot, Some(volume)) => {
                cloud.ec2.create_snapshot(&alone(&call, volume)).await.map(|accepted| vec![accepted])
            }
            _ => cloud.ec2.create_snapshots(&call).await,
        };
        let answer = throttled(env, cloud, way.get(), answer);
        env.taken(wanted);
        match answer {
            Ok(accepted) => return whole(accepted, &instance, wanted),
            Err(error @ CloudError::Throttled(_)) => last = error,
            // Nobody has asked before, so it says only that it is not possible now.
            Err(error @ CloudError::InvalidState(_)) if !lost => {
                tokio::time::sleep(STATE_WAIT).await;
                last = error;
            }
            Err(error @ CloudError::OutcomeUnknown(_)) => {
                (lost, last) = (true, error);
                unknown.set(true);
                if let Some(set) = look(context, looks, &instance, wanted, LOOKS).await? {
                    return Ok(set);
                }
            }
            // Somebody snapshotted these volumes within 15 s, or an identical request is unfinished: ours, or a
            // stranger's, for whom this wait is long enough.
            Err(error @ (CloudError::PerVolumeRate(_) | CloudError::InvalidState(_))) => {
                last = error;
                let times = if lost { LOOKS_PROVED } else { LOOKS };
                if let Some(set) = look(context, looks, &instance, wanted, times).await? {
                    return Ok(set);
                }
            }
            // A volume was given another tag since they were counted: nothing was made, and the rest matters more.
            Err(error @ CloudError::Refused { .. }) if call.copy_tags && error.code() == Some("TagLimitExceeded") => {
                (call.copy_tags, last) = (false, error);
            }
            Err(error @ (CloudError::Refused { .. } | CloudError::NotFound(_))) => {
                // A volume that is excluded and has gone since the list was read: worth one look, nothing was made.
                let exclude = exclusions_now(cloud, &instance, wanted).await?;
                if exclude == call.exclude {
                    return Err(failed(&error));
                }
                (call.exclude, last) = (exclude, error);
            }
            Err(error) => return Err(failed(&error)),
        }
    }
    Err(failed(&last))
}

/// Looks for a complete set of this attempt on this instance.
async fn look(
    context: &WorkContext,
    looks: &Looks<'_>,
    instance: &InstanceId,
    wanted: &BTreeSet<VolumeId>,
    times: u32,
) -> Result<Option<Set>, Refusal> {
    looks.join(instance, wanted);
    let mut found = Ok(None);
    for looked in 1..=times {
        tokio::time::sleep(length(LOOK.wait(looked, context.number))).await;
        found = match looks.look().await {
            Ok(shown) => {
                let set = complete_set(&shown, instance, wanted);
                Ok(set.map(|snapshots| Set { snapshots, surplus: Vec::new() }))
            }
            Err(CloudError::Throttled(_) | CloudError::OutcomeUnknown(_)) => Ok(None),
            Err(error) => Err(cloud_refusal(Service::Ec2, "DescribeSnapshots by tag", &error)),
        };
        if !matches!(found, Ok(None)) {
            break;
        }
    }
    looks.leave(instance);
    found
}

/// The first complete set: all volumes, one call (one StartTime), none in error. A surplus is deleted later, by tag.
fn complete_set(
    found: &[SnapshotInfo],
    instance: &InstanceId,
    wanted: &BTreeSet<VolumeId>,
) -> Option<Vec<AcceptedSnapshot>> {
    let mut calls: BTreeMap<Timestamp, BTreeMap<&VolumeId, &SnapshotInfo>> = BTreeMap::new();
    let usable = |info: &&SnapshotInfo| matches!(info.state, SnapshotState::Pending | SnapshotState::Completed);
    for info in found.iter().filter(|info| wanted.contains(&info.volume)).filter(usable) {
        calls.entry(info.start_time).or_default().insert(&info.volume, info);
    }
    let set = calls.into_values().find(|set| set.len() == wanted.len())?;
    let accepted = |info: &SnapshotInfo| AcceptedSnapshot {
        volume: info.volume.clone(),
        snapshot: info.snapshot.clone(),
        instance: instance.clone(),
        start_time: info.start_time,
    };
    Some(set.into_values().map(accepted).collect())
}

/// An answer names every volume wanted, once; what else it names is a surplus (E4), no fault.
fn whole(accepted: Vec<AcceptedSnapshot>, instance: &InstanceId, wanted: &BTreeSet<VolumeId>) -> Result<Set, Refusal> {
    let (snapshots, other): (Vec<_>, Vec<_>) = accepted.into_iter().partition(|made| wanted.contains(&made.volume));
    let got: BTreeSet<&VolumeId> = snapshots.iter().map(|made| &made.volume).collect();
    if let Some(missing) = wanted.iter().find(|volume| !got.contains(volume)) {
        let text = format!("{CREATE} of {instance} named no volume {missing}: it is no longer attached there");
        return Err(Refusal::new(Reason::VolumeMoved, text));
    }
    if snapshots.len() != wanted.len() {
        let text = format!("{CREATE} of {instance} named {} snapshots of {} volumes", snapshots.len(), wanted.len());
        return Err(Refusal::new(Reason::SnapshotFailed, text));
    }
    let surplus: Vec<SnapshotId> = other.into_iter().map(|made| made.snapshot).collect();
    if !surplus.is_empty() {
        tracing::info!(%instance, ?surplus, "snapshots of foreign volumes were made as well; they will be deleted");
    }
    Ok(Set { snapshots, surplus })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ports::Storage;

    fn info(snapshot: &str, volume: &str, start: i64, state: SnapshotState) -> SnapshotInfo {
        SnapshotInfo {
            snapshot: SnapshotId::new(snapshot),
            volume: VolumeId::new(volume),
            state,
            progress: 0,
            start_time: Timestamp(start),
            full_bytes: None,
            message: String::new(),
            tags: vec![],
            storage: Storage::default(),
        }
    }

    #[test]
    fn one_complete_set_of_one_call_is_kept() {
        let wanted = BTreeSet::from([VolumeId::new("a"), VolumeId::new("b")]);
        let instance = InstanceId::new("i");
        let pending = SnapshotState::Pending;
        let names = |found: &[SnapshotInfo]| {
            complete_set(found, &instance, &wanted)
                .map(|set| set.into_iter().map(|s| s.snapshot.0).collect::<Vec<_>>().join(" "))
        };
        let (a1, b1) = (info("a1", "a", 1, pending), info("b1", "b", 1, pending));
        let (a2, b2) = (info("a2", "a", 2, pending), info("b2", "b", 2, pending));
        assert_eq!(names(&[a1.clone(), b1.clone(), a2.clone(), b2.clone()]).unwrap(), "a1 b1");
        assert_eq!(names(&[a1.clone(), a2.clone(), b2.clone()]).unwrap(), "a2 b2", "half a set is none");
        assert_eq!(names(&[a1.clone(), b2.clone()]), None, "volumes of two calls are not one moment");
        let broken = info("b1", "b", 1, SnapshotState::Error);
        assert_eq!(names(&[a1, broken]), None);
        assert_eq!(
            names(&[a2, b2, info("c", "c", 2, pending)]).unwrap(),
            "a2 b2",
            "other instances' volumes are ignored"
        );
    }

    #[test]
    fn an_answer_may_name_more_than_was_wanted_but_never_less() {
        let wanted = BTreeSet::from([VolumeId::new("a"), VolumeId::new("b")]);
        let instance = InstanceId::new("i");
        let made = |snapshot: &str, volume: &str| AcceptedSnapshot {
            volume: VolumeId::new(volume),
            snapshot: SnapshotId::new(snapshot),
            instance: instance.clone(),
            start_time: Timestamp(1),
        };
        let of = |made: Vec<AcceptedSnapshot>| whole(made, &instance, &wanted);
        let (a, b, foreign) = (made("s-a", "a"), made("s-b", "b"), made("s-x", "x"));
        let exact = of(vec![a.clone(), b.clone()]).unwrap();
        assert_eq!((exact.snapshots.len(), exact.surplus), (2, vec![]));
        let more = of(vec![a.clone(), foreign.clone(), b.clone()]).unwrap();
        assert_eq!((more.snapshots, more.surplus), (vec![a.clone(), b.clone()], vec![SnapshotId::new("s-x")]));
        assert_eq!(of(vec![a.clone(), foreign]).unwrap_err().reason, Reason::VolumeMoved);
        assert_eq!(of(vec![a.clone(), b, made("s-a2", "a")]).unwrap_err().reason, Reason::SnapshotFailed);
    }
}
