//! Deleting snapshots: one after the other, at the user's rate and within the account's budget; what EC2 refuses is told
//! apart by what a person has to do about it.

use super::{cloud::throttled, context::WorkContext};
use crate::{
    actors::plane_context::length,
    budgets::Action,
    ports::{Cloud, CloudError},
};
use shared::{
    ids::SnapshotId,
    limiter::{Budget, Limiter},
    request::MemberSpec,
    wire::{CleanReport, PlanePhase},
};

/// Tries to delete one snapshot against throttling.
const TRIES: u32 = 8;
/// Lines of a report that a person can still read.
pub(super) const MAX_LINES: usize = 20;
/// `snapshotsDeleteRatio` allows groups of ten (`facts/tidb-operator.md` §3.4).
const GROUP_MILLI: u64 = 10_000;
const DELETE: Action = Action::DeleteSnapshot;

/// Deletes one after the other.
pub(super) async fn delete_found(
    context: &WorkContext,
    cloud: &Cloud,
    spec: &MemberSpec,
    snapshots: Vec<SnapshotId>,
) -> CleanReport {
    let env = &context.env;
    let budget = Budget { rate_milli: u64::from(spec.delete_ratio_milli.max(1)), burst_milli: GROUP_MILLI };
    let mut rate = Limiter::new(budget, env.clock.at());
    let mut report = CleanReport::default();
    let total = snapshots.len();
    for (done, id) in snapshots.into_iter().enumerate() {
        if let Some(text) = env.stuck.refused_lately(&id, env.clock.at()) {
            line(&mut report.left, text);
            continue;
        }
        while let Err(wait) = rate.take(env.clock.at(), 1) {
            tokio::time::sleep(length(wait)).await;
        }
        context.progress(PlanePhase::Cleaning, done, total, format!("deleting {id}"));
        match delete(context, cloud, &id).await {
            Ok(_) => report.snapshots += 1,
            Err(error) => {
                let text = told(&id, &error);
                if let CloudError::Refused { .. } = error {
                    env.stuck.refused(&id, &text, env.clock.at());
                }
                line(&mut report.left, text);
            }
        }
    }
    report
}

/// Adds a line while a person can still read them all.
pub(super) fn line(lines: &mut Vec<String>, text: String) {
    if lines.len() < MAX_LINES {
        lines.push(text);
    }
}

/// Deletes one. False: EC2 knows no such snapshot.
pub(super) async fn delete(context: &WorkContext, cloud: &Cloud, id: &SnapshotId) -> Result<bool, CloudError> {
    let env = &context.env;
    let mut last = CloudError::Throttled("not asked".to_owned());
    for _ in 0..TRIES {
        env.permit(&cloud.account, &cloud.region, DELETE).await;
        match throttled(env, cloud, DELETE, cloud.ec2.delete_snapshot(id).await) {
            // Deleting twice is deleting once.
            Err(error @ (CloudError::Throttled(_) | CloudError::OutcomeUnknown(_))) => last = error,
            outcome => return outcome,
        }
    }
    Err(last)
}

/// What a person has to do, where EC2's words tell it (`facts/aws.md` A5: some of these have no code of their own).
pub(super) fn told(id: &SnapshotId, error: &CloudError) -> String {
    let said = error.to_string();
    let low = said.to_lowercase();
    let why = if low.contains("aws backup") {
        "AWS Backup manages it: delete its recovery point there"
    } else if low.contains("locked") || low.contains("snapshotlock") {
        "it is locked: it can go when its lock ends or is lifted"
    } else if low.contains("invalidsnapshot.inuse") || low.contains("in use") {
        "it is in use: deregister the AMI that is made of it, or stop sharing it"
    } else {
        match error {
            CloudError::Denied(_) => "the permission is missing, or a policy of the organisation forbids it",
            CloudError::Throttled(_) => "EC2 throttles: it is tried again",
            CloudError::OutcomeUnknown(_) => "EC2 gave no clear answer: it is tried again",
            _ => return format!("{id}: {said}"),
        }
    };
    format!("{id}: {why} ({said})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_way_is_told_apart() {
        let refused = |code: &str, message: &str| CloudError::Refused { code: code.into(), message: message.into() };
        let table = [
            (refused("InvalidSnapshot.InUse", "The snapshot is currently in use by ami-1"), "deregister the AMI"),
            (refused("InvalidParameterValue", "This snapshot is managed by the AWS Backup service"), "recovery point"),
            (refused("OperationNotPermitted", "The snapshot is locked in compliance mode"), "its lock ends"),
            (CloudError::Denied("ec2:DeleteSnapshot: SnapshotLocked".into()), "its lock ends"),
            (CloudError::Denied("ec2:DeleteSnapshot: UnauthorizedOperation".into()), "permission is missing"),
            (CloudError::Throttled("RequestLimitExceeded".into()), "EC2 throttles"),
            (refused("Strange", "who knows"), "Strange: who knows"),
        ];
        let id = SnapshotId::new("snap-1");
        for (error, part) in table {
            let text = told(&id, &error);
            assert!(text.starts_with("snap-1: ") && text.contains(part), "{text}: {part}");
        }
    }
}
