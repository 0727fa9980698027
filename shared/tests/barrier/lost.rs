//! Deletion of a backup whose record is lost.

use crate::fixtures::*;
use shared::{
    barrier::{Effect, Input, Milestone, Record},
    reason::{Reason, Refusal},
    request::CleanPolicy,
    wire::{Answer, CleanScope, Order},
};

fn lost(policy: CleanPolicy) -> Kit {
    let mut request = request();
    request.clean_policy = policy;
    let mut kit = Kit::of(Record::to_clean(request, 1, Default::default()));
    kit.feed(Input::Start);
    kit
}

fn order(kit: &mut Kit, i: usize) -> Option<(CleanScope, bool)> {
    kit.raw(Input::PlaneUp(plane(i))).into_iter().find_map(|effect| match effect {
        Effect::Send { order: Order::Clean(clean), .. } => Some((clean.scope, clean.unless_proven)),
        _ => None,
    })
}

/// Its status may not have come to say so, but S3 knows whether it ended well.
#[test]
fn on_failure_keeps_what_s3_proves() {
    let mut kit = lost(CleanPolicy::OnFailure);
    for i in 0..3 {
        assert_eq!(order(&mut kit, i), Some((CleanScope::Backup, true)));
    }
    let proven = || Answer::Refused(Refusal::new(Reason::BackupProven, "S3 certifies this very backup"));
    (0..3).for_each(|i| drop(kit.says(i, proven())));
    let record = kit.view().record.clone();
    assert_eq!(record.milestone, Milestone::Cleaned, "the object is let go");
    assert!(record.planes.values().all(|kept| kept.proven));
}

#[test]
fn delete_deletes_it_all_the_same() {
    let mut kit = lost(CleanPolicy::Delete);
    assert_eq!(order(&mut kit, 0), Some((CleanScope::Backup, false)));
}
