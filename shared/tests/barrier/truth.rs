//! What a certificate names: on which volumes TiKV keeps what, and above which moment the snapshots hold nothing.

use crate::fixtures::*;
use shared::{
    barrier::{Certificate, Input},
    epoch::Epoch,
    evidence::Evidence,
    ids::VolumeId,
    ts::Ts,
    wire::{Answer, Confirmed, Prepared, Reserved, Snapshotted, Suspended},
};

/// Everybody confirms, with what was prepared and what was seen bent.
fn played(prepare: impl Fn(usize, &mut Prepared), confirm: impl Fn(usize, &mut Evidence)) -> Kit {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    kit.all(|i| {
        let mut answer = prepared(i, 1);
        prepare(i, &mut answer);
        Answer::Prepared(answer)
    });
    kit.feed(Input::Claimed(Epoch(5)));
    kit.all(|_| Answer::Reserved(Reserved {}));
    kit.says(0, pd_held());
    kit.all(leaders);
    kit.all(|_| Answer::Suspended(Suspended { stores: 1 }));
    kit.all(|i| covered(i, 1));
    kit.all(|i| Answer::Snapshotted(Snapshotted { snapshots: snapshots(i), accepted: vec![] }));
    kit.all(|i| {
        let mut seen = evidence(i, Epoch(5));
        confirm(i, &mut seen);
        Answer::Confirmed(Confirmed { evidence: seen })
    });
    kit
}

fn certificate(kit: &Kit) -> Certificate {
    kit.view().record.certificate.expect("certified")
}

#[test]
fn directories_stand_in_the_certificate() {
    let certified = certificate(&played(|_, _| {}, |_, _| {}));
    let on = &certified.planes[&plane(1)].directories;
    assert_eq!(on.len(), 1, "the same directories, told once");
    assert_eq!(on[0].volumes, [VolumeId::new("vol-1")]);
    assert_eq!(on[0].directories["raft-engine.dir"], "/var/lib/tikv/raft-engine");
}

#[test]
fn a_store_whose_raft_log_is_nowhere_is_not_certified() {
    for key in ["storage.data-dir", "raft-engine.dir"] {
        let kit = played(
            |i, answer| {
                if i == 1 {
                    answer.stores[0].volumes[0].directories.remove(key);
                }
            },
            |_, _| {},
        );
        refused(&kit, "E4: store 2 of plane az2");
    }
    let raftdb = |_: usize, answer: &mut Prepared| {
        let on = &mut answer.stores[0].volumes[0].directories;
        let path = on.remove("raft-engine.dir").unwrap();
        on.insert("raftstore.raftdb-path".into(), path);
    };
    certificate(&played(raftdb, |_, _| {}));
}

/// A plane of the version before says neither; its backup is as good as it was then, and the certificate does not claim
/// more.
#[test]
fn what_an_older_plane_did_not_look_at_is_left_out() {
    let certified = certificate(&played(
        |_, answer| answer.stores[0].volumes[0].directories.clear(),
        |_, seen| {
            if let Some(pd) = &mut seen.pd {
                pd.ts_ceiling = None;
            }
        },
    ));
    assert!(certified.planes.values().all(|plane| plane.directories.is_empty()));
    assert_eq!(certified.ts_ceiling, None);
    let json = serde_json::to_string(&certified).unwrap();
    assert!(!json.contains("ts_ceiling") && !json.contains("directories"), "{json}");
}

#[test]
fn the_ceiling_stands_in_the_certificate_and_is_above_commit_ts() {
    assert_eq!(certificate(&played(|_, _| {}, |_, _| {})).ts_ceiling, Some(CEILING));
    let low = |_: usize, seen: &mut Evidence| {
        let at = seen.commit_ts;
        if let Some(pd) = &mut seen.pd {
            pd.ts_ceiling = Some(at);
        }
    };
    refused(&played(|_, _| {}, low), "ts_ceiling");
    let zero = |_: usize, seen: &mut Evidence| {
        if let Some(pd) = &mut seen.pd {
            pd.ts_ceiling = Some(Ts::ZERO);
        }
    };
    refused(&played(|_, _| {}, zero), "ts_ceiling");
}
