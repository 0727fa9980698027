//! What the record of a claim's holder says about the claim.

use crate::fixtures::CLUSTER;
use shared::{
    barrier::{Milestone, Record},
    claims::Standing,
    epoch::Epoch,
    request::Request,
    time::Timestamp,
};

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
        let mut record = Record::new(Request::example(&[]), Timestamp(1));
        (record.milestone, record.epoch, record.cluster) = (milestone, Epoch(4), Some(CLUSTER));
        let may_hold = holds.then_some((CLUSTER, Epoch(4)));
        assert_eq!(Standing::of(&record), Standing { under_way, may_hold }, "{milestone:?}");
        record.cluster = None;
        assert_eq!(Standing::of(&record).may_hold, None, "{milestone:?}: of no TiDB cluster");
    }
}
