//! What the record of a claim's holder says about the claim.

use crate::kit::{CLUSTER, uid};
use shared::{
    barrier::{Milestone, Record},
    claims::Standing,
    epoch::Epoch,
    request::{CleanPolicy, Credentials, Limits, Request, S3Target, SizeLevel},
    time::Timestamp,
};

fn request() -> Request {
    let none = String::new;
    let storage = S3Target {
        provider: "aws".into(),
        region: none(),
        bucket: "b".into(),
        prefix: none(),
        endpoint: none(),
        force_path_style: true,
        acl: none(),
        sse: none(),
        storage_class: none(),
    };
    Request {
        backup: uid("x"),
        name: "x".into(),
        namespace: "ns".into(),
        members: Vec::new(),
        storage,
        credentials: Credentials::Default,
        clean_policy: CleanPolicy::Delete,
        size_level: SizeLevel::Full,
        delete_ratio_milli: 1000,
        limits: Limits::default(),
        retry_within: None,
        allow_weaker_holds: false,
    }
}

#[test]
fn an_attempt_may_hold_from_its_epoch_to_its_end_and_is_under_way_before() {
    let table = [
        (Milestone::Preparing, true, false),
        (Milestone::Barrier, true, true),
        (Milestone::Snapshotting, true, true),
        (Milestone::Certified, true, true),
        (Milestone::Complete, false, false),
        (Milestone::Aborting, true, true),
        (Milestone::Failed, false, false),
        (Milestone::Cleaning, false, false),
        (Milestone::Cleaned, false, false),
    ];
    for (milestone, under_way, holds) in table {
        let mut record = Record::new(request(), Timestamp(1));
        (record.milestone, record.epoch, record.cluster) = (milestone, Epoch(4), Some(CLUSTER));
        let may_hold = holds.then_some((CLUSTER, Epoch(4)));
        assert_eq!(Standing::of(&record), Standing { under_way, may_hold }, "{milestone:?}");
        record.cluster = None;
        assert_eq!(Standing::of(&record).may_hold, None, "{milestone:?}: of no TiDB cluster");
    }
}
