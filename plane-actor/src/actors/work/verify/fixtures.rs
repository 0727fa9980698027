//! What tests of a verification share.

use super::super::fixtures::spec;
use shared::{
    ids::{Attempt, BackupUid, ClusterId, SnapshotId, VolumeId},
    request::Credentials,
    ts::Ts,
    wire::{CertifiedSnapshot, Verify},
};

/// The question about two snapshots.
pub(super) fn ask() -> Verify {
    let one = |volume: &str, snapshot: &str| CertifiedSnapshot {
        volume: VolumeId::new(volume),
        snapshot: SnapshotId::new(snapshot),
        zone: "eu-west-1a".into(),
    };
    Verify {
        number: 1,
        attempt: Attempt { backup: BackupUid::new("u-1"), number: 2 },
        spec: spec(Credentials::Default),
        cluster: ClusterId(7),
        commit_ts: Ts(449_462_718_912_512_001),
        snapshots: vec![one("vol-a", "snap-a"), one("vol-b", "snap-b")],
        full_bytes: Some(300),
        certificate: r#"{"format":1,"certificate":{"backup":"u-1","attempt":2},"barrier":{"hold_ms":1}}"#.into(),
    }
}
