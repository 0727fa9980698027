//! EC2's rules on snapshots of a volume are met while nothing is held, or end the attempt at once.

use crate::{LIMIT, at, completes, nothing_left, story, world};
use shared::{barrier::Milestone, reason::Reason, time::Millis};
use std::{rc::Rc, time::Duration};
use tests::{
    control::parse_record,
    rig::{KEY, Rig},
    world::Span,
};

/// How long the stores of each backup were held, by its name.
fn held(rig: &Rig, name: &str) -> Option<Millis> {
    let records = rig.control.ledger().into_values().filter_map(|body| parse_record(&body));
    records.into_iter().find(|record| record.request.name == name).and_then(|record| record.barrier.hold)
}

/// One snapshot of a volume in 15 s (`facts/aws.md` A3).
#[test]
fn a_backup_right_after_another_waits_before_it_holds_anything() {
    let mut config = world(130);
    config.ec2.pending = Span(100, 200);
    story(config, async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        assert!(completes(&rig, KEY, LIMIT).await);
        rig.control.apply(&rig.manifest_of("second", "q", "Delete", "")).unwrap();
        assert!(completes(&rig, "br-admin/second", LIMIT).await);
        for name in ["backup", "second"] {
            let held = held(&rig, name).unwrap();
            assert!(held < Millis::secs(5), "{name} held its stores for {held:?}");
        }
        rig.control.delete("br-admin/second");
        rig.control.wait("br-admin/second", |object| object.is_none()).await;
        nothing_left(&rig).await;
    });
}

/// Whatever frees room under a quota takes minutes, and every store would be held for them.
#[test]
fn a_quota_that_is_met_under_the_hold_ends_the_attempt_at_once() {
    let mut config = world(131);
    config.ec2.concurrent = 0;
    story(config, async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        let begun = tokio::time::Instant::now();
        at(&rig, Milestone::Failed).await;
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        let reason = rig.record().and_then(|record| record.failure).map(|refusal| refusal.reason);
        assert_eq!(reason, Some(Reason::SnapshotQuota));
        nothing_left(&rig).await;
    });
}
