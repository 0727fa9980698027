//! What tests of more than one part share.

mod proven;

pub(crate) use proven::proven;

use crate::ports::{Logs, Text};
use shared::{
    barrier::{BarrierTimes, Certificate, Milestone, Record, Verdict},
    epoch::Epoch,
    ids::{ClusterId, PlaneId},
    request::{MemberRequest, Request, S3Target},
    tiling::Tiling,
    time::{Millis, Timestamp},
    ts::Ts,
};
use std::collections::BTreeMap;

/// 2024-05-01T03:00:20Z, as in the example of `facts/tidb-operator.md` §1.4.
pub(crate) const START: i64 = 1_714_532_420_000;

/// Of a backup of two planes, first seen 0.3 s later.
pub(crate) fn record() -> Record {
    let member = |plane: &str| MemberRequest {
        plane: plane.into(),
        tc_name: format!("shop-{plane}"),
        tc_namespace: "tidb".to_owned(),
    };
    let request = Request {
        backup: "u1".into(),
        namespace: "br-admin".to_owned(),
        members: vec![member("az1"), member("az2")],
        storage: S3Target { region: "eu-west-1".to_owned(), ..S3Target::example("shop-bk", "vol") },
        ..Request::example(&[])
    };
    Record::new(request, Timestamp(START + 300))
}

/// It is good, and its snapshots are being copied.
pub(crate) fn certified() -> Record {
    let mut record = record();
    record.milestone = Milestone::Certified;
    record.epoch = Epoch(7);
    record.commit_ts = Some(Ts(449_462_718_912_512_000));
    record.certificate = Some(certificate(Verdict::Consistent));
    record.times.snapshots_created = Some(Timestamp(START + 162_000));
    record.barrier = BarrierTimes { settle: Some(Millis(812)), reach: Some(Millis(1_204)), hold: Some(Millis(2_020)) };
    for (plane, ts) in [("az1", 449_462_718_912_512_000), ("az2", 449_462_718_938_726_401)] {
        record.planes.get_mut(&PlaneId::from(plane)).unwrap().least_safe_ts = Some(Ts(ts));
    }
    record
}

/// It has ended well.
pub(crate) fn complete() -> Record {
    let mut record = certified();
    record.milestone = Milestone::Complete;
    record.times.completed = Some(Timestamp(START + 964_000));
    for plane in record.planes.values_mut() {
        plane.completed_bytes = Some(1_099_511_627_776);
    }
    record
}

/// Of that backup, without a word on its planes.
pub(crate) fn certificate(verdict: Verdict) -> Certificate {
    Certificate {
        verdict,
        backup: "u1".into(),
        name: "br-admin/nightly".to_owned(),
        attempt: 1,
        epoch: Epoch(7),
        cluster: ClusterId(7_365_000_000_000_000_001),
        commit_ts: Ts(449_462_718_912_512_000),
        gc_hold: Ts(449_462_718_000_000_000),
        gc_safe_point: Ts(449_462_718_000_000_000),
        pd_min_resolved_ts: Ts(449_462_718_912_512_000),
        ts_ceiling: None,
        regions: 42,
        tiling: Tiling::default(),
        planes: BTreeMap::new(),
        made_at: Timestamp(START + 100_000),
    }
}

/// A text of the ledger without a note.
pub(crate) fn bare(body: &str) -> Text<'_> {
    Text { body, note: "" }
}

/// A process without logs.
pub(crate) struct NoLogs;

impl Logs for NoLogs {
    fn filter(&self) -> Result<String, String> {
        Err("there are none".to_owned())
    }

    fn set_filter(&self, _: &str) -> Result<(), String> {
        self.filter().map(drop)
    }
}

/// Those of these anchors that no heading of the runbook has.
pub(crate) fn not_in_the_runbook(anchors: impl Iterator<Item = String>) -> Vec<String> {
    let headings = include_str!("../../deploy/runbook.md").lines().filter(|line| line.starts_with('#'));
    let there: Vec<String> =
        headings.map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-")).collect();
    anchors.filter(|anchor| !there.contains(anchor)).collect()
}
