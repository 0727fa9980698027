//! As many planes as a backup may have.

use super::*;
use crate::{
    evidence::{ClusterStore, PreparedVolume},
    ids::{ClusterId, InstanceId, StoreId},
    request::{MEMBERS_MAX, Request},
};

/// Identifiers as random as EC2's.
fn digits(number: usize) -> String {
    let mut hasher = SipHasher13::new();
    number.hash(&mut hasher);
    format!("0{:016x}", hasher.finish())
}

/// So many planes with so many stores each, of so many volumes.
fn record(planes: usize, stores: usize, volumes: usize) -> Record {
    let names: Vec<String> = (0..planes).map(|plane| format!("prod-eu-west-1-{plane:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut record = Record::new(Request::example(&names), Timestamp(0));
    record.cluster = Some(ClusterId(7_391_001_002_003_004_005));
    record.cluster_version = "8.5.3".to_owned();
    for (plane, kept) in record.planes.values_mut().enumerate() {
        (kept.account, kept.region) = (format!("{:012}", plane / 10), "eu-west-1".to_owned());
        kept.stores = (0..stores)
            .map(|number| {
                let store = plane * 1_000 + number;
                let volume = |at| PreparedVolume {
                    mount_path: format!("/var/lib/tikv-{at}"),
                    directories: [("storage.data-dir", "/var/lib/tikv"), ("raft-engine.dir", "/var/lib/tikv/raft")]
                        .map(|(key, path)| (key.to_owned(), path.to_owned()))
                        .into(),
                    ..PreparedVolume::example(&format!("vol-{}", digits(store * 10 + at)))
                };
                PreparedStore {
                    store: StoreId(store as u64),
                    address: format!("shop-tikv-{number}.shop-tikv-peer.tidb.svc.{plane}.example.com:20160"),
                    start_timestamp: 1_714_532_420 + store as i64,
                    instance: InstanceId::new(format!("i-{}", digits(store + 77_777))),
                    volumes: (0..volumes).map(volume).collect(),
                }
            })
            .collect();
    }
    let all = record.planes.values().flat_map(|kept| &kept.stores);
    record.cluster_stores = all
        .map(|store| ClusterStore { address: store.address.clone(), ..ClusterStore::example(store.store.0) })
        .collect();
    record
}

/// Length of the certificate, and of the packed record.
fn lengths(record: &Record) -> (usize, usize) {
    let full = largest(record);
    (full.certificate_of_all().unwrap().len(), pack(&serde_json::to_vec(&full).unwrap()).len())
}

#[test]
fn as_many_planes_as_a_backup_may_have_fit() {
    let record = record(MEMBERS_MAX, 1, 1);
    assert_eq!(check_room(&record), Ok(()));
    let (text, packed) = lengths(&record);
    println!("{MEMBERS_MAX} planes of one store and volume: record {packed} packed, certificate {text}");
    assert!(packed * 2 < LEDGER_TEXT_MAX && text * 3 < CERTIFICATE_MAX * 2, "{packed} packed, certificate {text}");
}

#[test]
fn a_certificate_that_fits_into_no_message_is_refused() {
    let told = |record: &Record| check_room(record).map_err(|refusal| (refusal.reason, refusal.message));
    assert_eq!(told(&record(256, 3, 2)), Ok(()));
    // Which planes they are on makes no difference to the frame.
    for (planes, stores, volumes) in [(3, 400, 20), (MEMBERS_MAX, 4, 3)] {
        let Err((reason, message)) = told(&record(planes, stores, volumes)) else { panic!("it fits") };
        assert!(reason == Reason::TooLarge && message.contains("fit into a message"), "{message}");
    }
}
