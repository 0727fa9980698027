#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    evidence::{ClusterStore, CoverDigest, HoldKind, StoreState},
    ids::{Attempt, BackupUid, ClusterId},
    member::{holds::StoreHolds, machine::Ready},
    request::{Credentials, Limits, MemberSpec, S3Target, SizeLevel},
    time::{Instant, Millis},
    ts::Ts,
    wire::Prepared,
};

fn spec() -> MemberSpec {
    let none = String::new;
    let storage = S3Target {
        provider: none(),
        region: none(),
        bucket: none(),
        prefix: none(),
        endpoint: none(),
        force_path_style: false,
        acl: none(),
        sse: none(),
        storage_class: none(),
    };
    MemberSpec {
        backup_name: none(),
        backup_namespace: none(),
        tc_name: none(),
        tc_namespace: none(),
        init: false,
        storage,
        credentials: Credentials::Default,
        size_level: SizeLevel::Full,
        delete_ratio_milli: 1000,
        limits: Limits::default(),
        allow_weaker_holds: false,
    }
}

/// How a store was held: renewals answered, whether one more was asked for, and whether it is confirmed.
type Held = (u64, bool, bool);

fn hold(holds: &mut StoreHolds, known: &PreparedStore, (renewals, one_more, confirmed): Held) {
    let store = known.store;
    holds.take(store, Instant(0), HoldKind::Full);
    for number in 1..=renewals {
        holds.ask(number, Instant(0), Some(store));
        holds.answered(store, number, true, Millis(1));
    }
    if one_more {
        holds.ask(renewals + 1, Instant(0), Some(store));
    }
    if confirmed {
        holds.freeze(known);
    }
}

/// Two stores without volumes.
fn proved(how: [Held; 2]) -> Result<Evidence, Refusal> {
    let ids = [1, 2].map(StoreId);
    let store = |store| PreparedStore {
        store,
        address: "tikv:20160".to_owned(),
        start_timestamp: 100,
        instance: InstanceId::new("i-1"),
        volumes: Vec::new(),
    };
    let prepared = Prepared {
        round: 1,
        cluster: ClusterId(7),
        cluster_version: String::new(),
        stores: ids.map(store).to_vec(),
        cluster_stores: Vec::new(),
        account: String::new(),
        region: String::new(),
        highest_epoch: Epoch::NONE,
    };
    let mut member = Member::new(Attempt { backup: BackupUid::new("uid"), number: 1 }, None, Instant(0));
    for (known, how) in prepared.stores.iter().zip(how) {
        hold(&mut member.holds, known, how);
    }
    member.ready = Some(Ready { spec: spec(), prepared });
    (member.commit_ts, member.cover) = (Some(Ts(5)), Some(CoverDigest::default()));
    let listed = |store| ClusterStore {
        store,
        address: "tikv:20160".to_owned(),
        state: StoreState::Up,
        start_timestamp: 100,
        uptime: Millis(0),
        heartbeat_age: Millis(0),
        version: String::new(),
    };
    member.prove(ReadBack { stores: ids.map(listed).to_vec(), attached: BTreeMap::new(), pd: None, set: None })
}

/// The machine never comes here without; evidence is looked through all the same, because it is what others rely on.
#[test]
fn no_evidence_without_every_store_and_every_renewal() {
    let (good, not_confirmed, owed) = ((3, false, true), (4, false, false), (2, true, true));
    assert_eq!(proved([good, good]).unwrap().stores.len(), 2);
    for how in [[good, not_confirmed], [not_confirmed, not_confirmed], [owed, good], [good, owed]] {
        assert_eq!(proved(how).unwrap_err().reason, Reason::StoreHoldLost, "{how:?}");
    }
}
