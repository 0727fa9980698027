//! The room in the ledger: known at Preparing, refused there, and a save that is refused ends the attempt.

use crate::fixtures::*;
use shared::{
    barrier::{Input, LEDGER_TEXT_MAX, Milestone, Phase, Record, certify},
    evidence::{AcceptedSnapshot, ClusterStore, Evidence, PreparedStore, PreparedVolume, StoreEvidence},
    ids::{InstanceId, PlaneId, SnapshotId, StoreId},
    pack::pack,
    reason::{Reason, Refusal},
    time::{Millis, Timestamp},
    wire::{Answer, Prepared},
};
use std::collections::BTreeMap;

/// Digits that do not repeat, as those of EC2's identifiers.
fn digits(number: u64) -> String {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    format!("0{:016x}", mixed ^ (mixed >> 31))
}

fn address(plane: usize, number: u64) -> String {
    format!("shop-tikv-{number}.shop-tikv-peer.tidb-cluster.svc.{}.example.com:20160", PLANES[plane])
}

fn directories() -> BTreeMap<String, String> {
    ["storage.data-dir", "raft-engine.dir", "raft-engine.spill-dir", "rocksdb.wal-dir", "rocksdb.titan.dirname"]
        .into_iter()
        .map(|key| (key.to_owned(), format!("/var/lib/tikv/{key}")))
        .collect()
}

fn large_stores(plane: usize, stores: u64, volumes: u64) -> Vec<PreparedStore> {
    (0..stores)
        .map(|number| {
            let store = plane as u64 * 10_000 + number;
            let volume = |at| PreparedVolume {
                mount_path: format!("/var/lib/tikv-{at}"),
                zone: format!("eu-west-1{}", ["a", "b", "c"][plane]),
                directories: match at {
                    0 => directories(),
                    _ => BTreeMap::new(),
                },
                ..PreparedVolume::example(&format!("vol-{}", digits(store * 100 + at)))
            };
            PreparedStore {
                store: StoreId(store),
                address: address(plane, number),
                start_timestamp: 1_714_532_420 + number as i64,
                instance: InstanceId::new(format!("i-{}", digits(store + 77_777))),
                volumes: (0..volumes).map(volume).collect(),
            }
        })
        .collect()
}

fn listed(stores: u64) -> Vec<ClusterStore> {
    (0..3)
        .flat_map(|plane| (0..stores).map(move |number| (plane, number)))
        .map(|(plane, number)| ClusterStore {
            address: address(plane, number),
            start_timestamp: 1_714_532_420 + number as i64,
            uptime: Millis::secs(9_000 + number),
            heartbeat_age: Millis(number * 7 % 9_000),
            ..ClusterStore::example(plane as u64 * 10_000 + number)
        })
        .collect()
}

/// What one plane has prepared, with so many stores on instances of their own.
pub(crate) fn large_prepared(plane: usize, stores: u64, volumes: u64) -> Answer {
    Answer::Prepared(Prepared {
        stores: large_stores(plane, stores, volumes),
        cluster_stores: listed(stores),
        ..prepared(plane, 1)
    })
}

/// Every plane has answered; of so many stores each, with so many volumes.
fn large(stores: u64, volumes: u64) -> (Kit, Vec<String>) {
    let mut request = request();
    // Long enough for all their calls.
    request.limits.hold = Millis::secs(3_600);
    let mut kit = Kit::new(request);
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    let lines = kit.all(|i| large_prepared(i, stores, volumes));
    (kit, lines)
}

fn large_evidence(plane: usize, record: &Record) -> Evidence {
    let stores = &record.planes[&PlaneId::from(PLANES[plane])].stores;
    let held = |store: &PreparedStore| StoreEvidence {
        store: store.store,
        address: store.address.clone(),
        start_timestamp: store.start_timestamp,
        renewals_sent: 14,
        renewals_valid: 14,
        confirmed: true,
        kind: Default::default(),
    };
    let mut evidence = evidence(plane, record.epoch);
    evidence.stores = stores.iter().map(held).collect();
    evidence.snapshots = stores
        .iter()
        .flat_map(|store| store.volumes.iter().map(move |volume| (store, volume)))
        .enumerate()
        .map(|(at, (store, volume))| AcceptedSnapshot {
            volume: volume.volume.clone(),
            snapshot: SnapshotId::new(format!("snap-{}", digits(at as u64 + 1_000_000 * (plane as u64 + 1)))),
            instance: store.instance.clone(),
            start_time: Timestamp(1_714_532_420_000),
        })
        .collect();
    if let Some(pd) = &mut evidence.pd {
        pd.stores.clone_from(&record.cluster_stores);
    }
    evidence
}

fn packed(record: &Record) -> usize {
    pack(&serde_json::to_vec(record).unwrap()).len()
}

#[test]
fn three_hundred_stores_of_four_volumes_fit_with_a_wide_margin() {
    let (kit, lines) = large(100, 4);
    assert_eq!(lines, ["claim above 4"]);
    let mut record = kit.view().record.clone();
    record.epoch = shared::epoch::Epoch(5);
    record.commit_ts = Some(safe_ts(1));
    record.milestone = Milestone::Certified;
    let evidence: BTreeMap<_, _> = (0..3).map(|i| (plane(i), large_evidence(i, &record))).collect();
    record.certificate = Some(certify(&record, &evidence, Timestamp(1)).unwrap());
    let plain = serde_json::to_vec(&record).unwrap().len();
    assert!(plain > 400_000, "{plain} bytes: a smaller one shows nothing");
    assert!(packed(&record) * 4 < LEDGER_TEXT_MAX, "{} bytes packed, {plain} plain", packed(&record));
}

#[test]
fn what_cannot_fit_is_refused_before_anything_is_touched() {
    let (kit, lines) = large(1_300, 20);
    assert_eq!(lines, ["save Failed"], "no claim, no order");
    let failure = kit.view().record.failure.clone().unwrap();
    assert_eq!(failure.reason, Reason::TooLarge);
    assert!(failure.message.starts_with("the certificate of 3900 stores has "), "{failure}");
}

#[test]
fn a_save_that_is_refused_for_good_ends_the_attempt() {
    let mut kit = Kit::new(request());
    kit.snapshotting();
    let mut again = Kit::of(kit.view().record.clone());
    again.feed(Input::Start);
    (0..3).for_each(|i| drop(again.up(i)));
    let refusal = Refusal::new(Reason::TooLarge, "x".repeat(100_000));
    let lines = again.feed(Input::Unsaved(refusal));
    assert_eq!(lines[0], "save Aborting");
    assert_eq!(lines[1..], to_all("@5 Abort TooLarge"));
    let failure = again.view().record.failure.clone().unwrap();
    assert!(failure.reason == Reason::TooLarge && failure.message.len() <= 512);
    assert!(again.view().record.planes.values().all(|kept| kept.stores.is_empty()), "room is made");
    again.later(10);
    again.all(|_| aborted());
    let at_the_end = again.view().record;
    assert!(at_the_end.moments.is_empty(), "nor does it grow again: {:?}", at_the_end.moments);

    let mut kit = Kit::new(request());
    kit.releasing();
    let mut again = Kit::of(kit.view().record.clone());
    again.feed(Input::Start);
    assert_eq!(again.feed(Input::Unsaved(Refusal::new(Reason::TooLarge, "no"))), Vec::<String>::new());
    assert_eq!(again.view().phase, Phase::Releasing, "a certificate that is saved stays");
}

/// The first save of its end is the one that says why; it may have been refused before, and `Unsaved` comes after `Start`.
#[test]
fn what_a_restart_ends_is_saved_smaller_than_it_was() {
    let mut kit = Kit::new(request());
    kit.suspending();
    let before = kit.view().record.clone();
    assert_eq!(before.milestone, Milestone::Barrier);
    let mut again = Kit::of(before.clone());
    assert_eq!(again.feed(Input::Start)[0], "save Aborting");
    let saved = again.view().record.clone();
    let length = |record: &Record| serde_json::to_vec(record).unwrap().len();
    assert!(length(&saved) < length(&before), "{} bytes after {}", length(&saved), length(&before));
}

#[test]
fn a_claim_that_cannot_be_granted_ends_the_backup() {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    kit.all(|i| Answer::Prepared(prepared(i, 1)));
    let refusal = Refusal::new(Reason::EpochImplausible, "a plane has obeyed epoch 18446744073709551614");
    assert_eq!(kit.feed(Input::ClaimRefused(refusal)), ["save Failed", "end claim"]);
    assert_eq!(kit.view().record.failure.clone().unwrap().reason, Reason::EpochImplausible);
}
