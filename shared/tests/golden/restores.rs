//! Orders of a restore, and answers to them.

use super::samples::refusal;
use shared::{
    epoch::Epoch,
    ids::{BackupUid, ClusterId, RestoreUid, SnapshotId, StoreId, VolumeId},
    recovery::{Checked, FlashbackTimes, Led, Met, MetStore, Normal, RolledBack},
    restoring::RestoreRequest,
    tiling::Tiling,
    time::Millis,
    ts::Ts,
    wire::{
        self, Built, Down, Finding, FindingState, LookedAt, PlacedVolume, Restore, RestoreAnswer, RestoreOrder,
        RestoreProgress, Restored, Undone, Up,
    },
};

fn stores() -> Vec<MetStore> {
    vec![MetStore { store: StoreId(4), address: "shop-tikv-0:20160".into(), start_timestamp: 1_700_000_000 }]
}

fn times() -> FlashbackTimes {
    FlashbackTimes { version: Ts(40), start_ts: Ts(50), commit_ts: Ts(51) }
}

fn orders() -> Vec<RestoreOrder> {
    vec![
        RestoreOrder::Look,
        RestoreOrder::Mark { above: Ts(45) },
        RestoreOrder::Build,
        RestoreOrder::Warm,
        RestoreOrder::Place,
        RestoreOrder::Start,
        RestoreOrder::Meet { stores: vec![StoreId(4), StoreId(5)] },
        RestoreOrder::Lead { floor: 100_000 },
        RestoreOrder::Time { version: Ts(40), above: Ts(45) },
        RestoreOrder::RollBack(times()),
        RestoreOrder::Check { times: times(), one_in: 64 },
        RestoreOrder::Unmark,
        RestoreOrder::Restart { stores: stores() },
        RestoreOrder::Settle { stores: stores() },
        RestoreOrder::Finish { certificate: "{}".into() },
        RestoreOrder::Undo { unmark: true, started: false },
    ]
}

fn looked() -> LookedAt {
    let state = FindingState::Sound;
    LookedAt {
        findings: vec![Finding { subject: "lock".into(), took: Millis(9), state, text: "t".into() }],
        backup: BackupUid::new("uid-1"),
        attempt: 1,
        commit_ts: Ts(40),
        ceiling: Some(Ts(45)),
        proven: true,
        certificate: "c0ffee".into(),
        cluster_stores: 2,
        stores: vec![StoreId(4)],
        snapshots: vec![SnapshotId::new("snap-1")],
        gib: 500,
        account: "123456789012".into(),
        region: "eu-west-1".into(),
        target: Some(ClusterId(77)),
        now: Some(Ts(48)),
        highest_epoch: Epoch(3),
    }
}

fn answers() -> Vec<(&'static str, RestoreAnswer)> {
    let tiling = Tiling::whole;
    let placed = PlacedVolume {
        store: StoreId(4),
        snapshot: SnapshotId::new("snap-1"),
        volume: VolumeId::new("vol-9"),
        claim: "tikv-back-tikv-0".into(),
    };
    let checked = Checked {
        regions: 3,
        tiling: tiling(),
        in_flashback: 0,
        compared: 1,
        different: 0,
        keys: 10,
        bytes: 1 << 20,
        stores: stores(),
    };
    vec![
        ("looked", RestoreAnswer::Looked(Box::new(looked()))),
        ("marked", RestoreAnswer::Marked { now: Ts(49) }),
        ("built", RestoreAnswer::Built(Built { volumes: 1, gib: 500, replaced: 1, took: Millis(90_000) })),
        ("warmed", RestoreAnswer::Warmed),
        ("placed", RestoreAnswer::Placed { volumes: vec![placed] }),
        ("started", RestoreAnswer::Started),
        ("met", RestoreAnswer::Met(Met { cluster: ClusterId(77), stores: stores() })),
        ("led", RestoreAnswer::Led(Led { regions: 3, tiling: tiling(), rounds: 1, largest_id: 90 })),
        ("timed", RestoreAnswer::Timed { start_ts: Ts(50), commit_ts: Ts(51) }),
        ("rolled_back", RestoreAnswer::RolledBack(RolledBack { regions: 3, tiling: tiling() })),
        ("checked", RestoreAnswer::Checked(checked)),
        ("unmarked", RestoreAnswer::Unmarked),
        ("restarted", RestoreAnswer::Restarted { pods: 2 }),
        ("settled", RestoreAnswer::Settled(Normal { stores: stores(), regions: 3, tiling: tiling() })),
        ("finished", RestoreAnswer::Finished),
        ("undone", RestoreAnswer::Undone(Undone { deleted: 2, left: vec!["vol-1 is attached".into()] })),
        ("progress", RestoreAnswer::Progress(RestoreProgress { done: 1, total: 2, text: "volumes".into() })),
        ("refused", RestoreAnswer::Refused(refusal())),
    ]
}

/// Name and bytes of every message.
pub(crate) fn all() -> Vec<(String, Vec<u8>)> {
    let (restore, epoch) = (RestoreUid::new("restore-1"), Epoch(5));
    let request = RestoreRequest::example(&["az1", "az2"]);
    let spec = request.spec(&request.members[0].plane).unwrap();
    let mut all = Vec::new();
    for order in orders() {
        let name = format!("down.restore_{}", order.name().to_lowercase());
        let cluster = Some(ClusterId(77));
        let down = Restore { restore: restore.clone(), epoch, cluster, spec: spec.clone(), order };
        all.push((name, wire::encode(&Down::Restore(Box::new(down))).unwrap()));
    }
    for (name, answer) in answers() {
        let up = Restored { restore: restore.clone(), epoch, answer };
        all.push((format!("up.restore_{name}"), wire::encode(&Up::Restored(Box::new(up))).unwrap()));
    }
    all
}
