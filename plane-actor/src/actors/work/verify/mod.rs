//! Is this plane's part of a Complete backup still whole (`console verify`)? Everything is read, nothing is changed: the
//! findings go to the coordinator, and what to do about them is a person's question.

mod blocks;
#[cfg(test)]
mod fixtures;
mod metadata;
mod sharing;
mod snapshots;
mod volumes;

use super::{
    cloud,
    question::{self, Look, Said, Stop},
    storage,
    tags::{CLUSTER, attempt_tags},
};
use crate::{actors::plane_context::PlaneContext, budgets::Action, ports::Cloud};
use shared::{
    ids::SnapshotId,
    verify::Subject,
    wire::{Finding, FindingState, Verified, Verify, VolumeWish},
};
pub(super) use snapshots::Shown;
use std::time::Duration;

/// What stands before everything else, and is no subject of its own where it is well.
pub(super) const CREDENTIALS: &str = "credentials";
/// Ids of one describe, as with every other look (`facts/aws.md` A2).
pub(super) const IDS: usize = 200;

/// Ports' calls that a verification of so many snapshots makes at the most, each with its second try: known before the
/// first one.
pub(super) const fn calls_at_most(snapshots: usize) -> usize {
    let describes = 2 * snapshots.div_ceil(IDS);
    let objects = 3;
    question::TRIES * (1 + objects + describes + sharing::AT_MOST + volumes::AT_MOST + blocks::CALLS_AT_MOST)
}

/// Looks at everything that the question names, within `limit`. While an attempt holds something in this plane no call is
/// made: what was not looked at by then says so.
pub(crate) async fn verify(env: &PlaneContext, ask: &Verify, limit: Duration) -> Verified {
    let look = Look::new(env, limit, calls_at_most(ask.snapshots.len()));
    let findings = match connect(&look, ask).await {
        Ok(cloud) => all(&look, &cloud, ask, &VolumeWish::plain()).await.findings,
        Err(said) => vec![look.finding(CREDENTIALS, look.now(), said)],
    };
    Verified { number: ask.number, findings, at: env.clock.wall(), calls: look.calls() }
}

pub(super) async fn connect(look: &Look<'_>, ask: &Verify) -> Result<Cloud, Said> {
    look.may_call().map_err(Said::from)?;
    look.count();
    let connecting = cloud::connect(look.env(), &ask.spec);
    match look.within(connecting).await {
        Ok(Ok(cloud)) => Ok(cloud),
        Ok(Err(refusal)) => Err(Said::new(FindingState::Unchecked, refusal.to_string())),
        Err(stop) => Err(stop.into()),
    }
}

/// All that a verification finds, and of what.
pub(super) struct Looked {
    pub(super) findings: Vec<Finding>,
    pub(super) shown: Shown,
    /// backupmeta as it lies in S3.
    pub(super) meta: Option<Vec<u8>>,
}

/// `wish`: what the volumes would be that EC2 is asked about.
pub(super) async fn all(look: &Look<'_>, cloud: &Cloud, ask: &Verify, wish: &VolumeWish) -> Looked {
    let target = &ask.spec.storage;
    let mut findings = Vec::new();
    let mut add = |subject: Subject, begun, said| findings.push(look.finding(subject.as_str(), begun, said));

    let begun = look.now();
    let lock = look.object(cloud, &target.key(storage::LOCK)).await;
    add(Subject::Lock, begun, said(lock, |body| metadata::lock(body.as_deref(), &ask.attempt)));
    let begun = look.now();
    let meta = look.object(cloud, &target.key(storage::BACKUPMETA)).await;
    let judged = meta.as_ref().map(|body| metadata::backupmeta(body.as_deref(), ask));
    add(Subject::Backupmeta, begun, judged.unwrap_or_else(|stop| Said::from(stop.clone())));
    let meta = meta.ok().flatten();
    let sizes = meta.as_deref().and_then(metadata::volume_sizes).unwrap_or_default();
    let begun = look.now();
    let certificate = look.object(cloud, &target.key(storage::CERTIFICATE)).await;
    add(
        Subject::Certificate,
        begun,
        said(certificate, |body| metadata::certificate(body.as_deref(), &ask.certificate)),
    );

    let begun = look.now();
    let shown = match describe(look, cloud, ask).await {
        Ok(shown) => shown,
        Err(stop) => {
            let said = Said::from(stop);
            for subject in [Subject::Snapshots, Subject::StorageTier, Subject::Tags, Subject::Sizes] {
                add(subject, begun, said.clone());
            }
            for subject in [Subject::Sharing, Subject::Volumes, Subject::Blocks] {
                add(subject, begun, Said::new(FindingState::Unchecked, "the snapshots were not described"));
            }
            return Looked { findings, shown: Shown::default(), meta };
        }
    };
    let mut tags = attempt_tags(&ask.attempt, &look.env().config.plane);
    tags.push((CLUSTER.to_owned(), ask.cluster.to_string()));
    add(Subject::Snapshots, begun, snapshots::exist(ask, &shown));
    add(Subject::StorageTier, begun, snapshots::tiers(ask, &shown));
    add(Subject::Tags, begun, snapshots::tags(ask, &shown, &tags));
    add(Subject::Sizes, begun, snapshots::sizes(ask, &shown, &sizes));
    let begun = look.now();
    add(Subject::Sharing, begun, sharing::look(look, cloud, ask, &shown).await);
    let begun = look.now();
    add(Subject::Volumes, begun, volumes::look(look, cloud, ask, wish, &shown).await);
    let begun = look.now();
    add(Subject::Blocks, begun, blocks::look(look, cloud, ask, &shown).await);
    Looked { findings, shown, meta }
}

/// What was read is judged; else it is told why it was not.
fn said<T>(read: Result<T, Stop>, judge: impl FnOnce(T) -> Said) -> Said {
    read.map_or_else(Said::from, judge)
}

/// What EC2 shows of the snapshots, and which of the others the Recycle Bin has.
async fn describe(look: &Look<'_>, cloud: &Cloud, ask: &Verify) -> Result<Shown, Stop> {
    let ids: Vec<SnapshotId> = ask.snapshots.iter().map(|one| one.snapshot.clone()).collect();
    let mut shown = Shown::default();
    for part in ids.chunks(IDS) {
        let found = look.ec2(cloud, Action::DescribeByIds, || cloud.ec2.snapshots(part)).await?;
        shown.here.extend(found.into_iter().map(|info| (info.snapshot.clone(), info)));
    }
    let missing: Vec<SnapshotId> = ids.into_iter().filter(|id| !shown.here.contains_key(id)).collect();
    for part in missing.chunks(IDS) {
        // Only how it is missing hangs on this.
        if let Ok(kept) = look.ec2(cloud, Action::DescribeByIds, || cloud.ec2.in_recycle_bin(part)).await {
            shown.binned.extend(kept);
        }
    }
    Ok(shown)
}
