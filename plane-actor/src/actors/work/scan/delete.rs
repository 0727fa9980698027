//! Deleting what a person named, as a clean of each attempt deletes: what is proven stays, S3 objects go last, and what EC2
//! refuses is told by its cause.

use super::{
    super::{clean, context::WorkContext},
    files,
    names::Key,
    seen::Group,
};
use crate::actors::plane_context::PlaneContext;
use shared::{
    ids::{Attempt, SnapshotId},
    member::{CallsMade, Done, SnapshotCalls},
    request::MemberSpec,
    wire::{Clean, CleanReport, CleanScope, Unnamed},
};
use std::{collections::BTreeSet, rc::Rc};

/// Lines of one report (`CleanReport::left`).
const LINES: usize = 20;

/// Deletes each attempt that nothing keeps; `None`: there is none.
pub(super) async fn delete(
    env: &Rc<PlaneContext>,
    spec: &MemberSpec,
    found: &[(Key, Group, Unnamed)],
) -> Option<CleanReport> {
    let mut all: Option<CleanReport> = None;
    for ((backup, number), group, row) in found.iter().filter(|(_, _, row)| row.kept.is_none()) {
        let Some(storage) = group.path().and_then(|path| files::target(&spec.storage, path)) else { continue };
        // PD is none of this, and a hold that a dead attempt left there ends by itself.
        let spec = MemberSpec { storage, init: false, ..spec.clone() };
        let attempt = Attempt { backup: backup.clone(), number: *number };
        tracing::warn!(%attempt, snapshots = row.snapshots, path = row.path, "deleting what nothing names, on a person's word");
        let context = WorkContext::alone(env.clone(), attempt);
        // Of snapshots alone, where the files are not this attempt's.
        let scope = if row.files { CleanScope::Attempt } else { CleanScope::Surplus };
        let order = Clean { afresh: true, ..Clean::of(spec, scope) };
        let none: BTreeSet<SnapshotId> = BTreeSet::new();
        let calls = CallsMade { snapshots: SnapshotCalls::Known(none), last: env.clock.at() };
        let sum = all.get_or_insert_default();
        match clean::clean(&context, &order, "", &calls).await {
            Ok(Done::Cleaned(report)) => add(sum, report),
            Ok(_) => {}
            Err(refusal) => sum.left.push(format!("{}: {refusal}", row.path)),
        }
        sum.left.truncate(LINES);
        sum.notes.truncate(LINES);
    }
    all
}

fn add(sum: &mut CleanReport, one: CleanReport) {
    sum.snapshots = sum.snapshots.saturating_add(one.snapshots);
    sum.objects = sum.objects.saturating_add(one.objects);
    sum.left.extend(one.left);
    sum.notes.extend(one.notes);
    sum.needs_person |= one.needs_person;
}
