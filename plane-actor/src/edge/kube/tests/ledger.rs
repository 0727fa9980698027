//! The plane's one small object: what a lost answer, a foreign writer and a deletion do.

use super::refusal;
use crate::{
    edge::kube::{KubeLedger, ledger::fitting},
    ports::{PlaneLedger, PortError},
};
use api_server::{ApiServer, Fault};
use serde_json::json;
use shared::{
    epoch::Epoch,
    evidence::{AcceptedSnapshot, Evidence, PdEvidence, StoreEvidence},
    ids::{Attempt, BackupUid, ClusterId, InstanceId, PlaneId, SnapshotId, StoreId, VolumeId},
    member::{AttemptRecord, AttemptState, MemberLedger},
    reason::Reason,
    time::Timestamp,
    ts::Ts,
};

const PATH: &str = "/api/v1/namespaces/isochron/configmaps/isochron-plane-az1";

fn ledger_of(fake: &ApiServer) -> KubeLedger {
    KubeLedger::new(fake.client(), "isochron", &PlaneId::new("az1"))
}

fn at(epoch: u64) -> MemberLedger {
    let mut ledger = MemberLedger { name: "a \"name\"".to_owned(), ..MemberLedger::default() };
    ledger.put(AttemptRecord {
        attempt: Attempt { backup: BackupUid::new("uid"), number: 1 },
        epoch: Epoch(epoch),
        cluster: ClusterId(u64::MAX),
        state: AttemptState::Live,
        taken_back: false,
    });
    ledger
}

#[tokio::test(start_paused = true)]
async fn what_is_saved_is_loaded() {
    let fake = ApiServer::default();
    let first = ledger_of(&fake);
    assert!(matches!(first.save(&at(1)).await, Err(PortError::Unavailable(_))), "save before load");
    assert_eq!(first.load().await.unwrap(), MemberLedger::default());
    first.save(&at(1)).await.unwrap();
    first.save(&at(2)).await.unwrap();
    assert_eq!(ledger_of(&fake).load().await.unwrap(), at(2));
}

#[tokio::test(start_paused = true)]
async fn a_foreign_writer_is_final() {
    let fake = ApiServer::default();
    let (first, second) = (ledger_of(&fake), ledger_of(&fake));
    first.load().await.unwrap();
    second.load().await.unwrap();
    first.save(&at(1)).await.unwrap();
    let refused = refusal(second.save(&at(2)).await, Reason::LedgerLost);
    assert!(refused.message.contains("isochron/isochron-plane-az1"), "{refused}");
    assert_eq!(ledger_of(&fake).load().await.unwrap(), at(1), "the loser has written nothing");
    // It took over after a restart: now the first has lost.
    let third = ledger_of(&fake);
    third.load().await.unwrap();
    third.save(&at(3)).await.unwrap();
    refusal(first.save(&at(4)).await, Reason::LedgerLost);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_up() {
    let fake = ApiServer::default();
    let ledger = ledger_of(&fake);
    ledger.load().await.unwrap();
    for epoch in [1, 2] {
        fake.fail_write(Fault::Mute);
        ledger.save(&at(epoch)).await.unwrap();
    }
    for fault in [Fault::Lost, Fault::Refuse(500)] {
        fake.fail_write(fault);
        let result = ledger.save(&at(3)).await;
        assert!(matches!(&result, Err(PortError::Unavailable(text)) if text.contains("configmaps")), "{result:?}");
        assert_eq!(ledger_of(&fake).load().await.unwrap(), at(2));
    }
    ledger.save(&at(4)).await.unwrap();
    assert_eq!(ledger_of(&fake).load().await.unwrap(), at(4));
}

#[tokio::test(start_paused = true)]
async fn an_own_write_that_lands_late_is_no_foreign_one() {
    let fake = ApiServer::default();
    let ledger = ledger_of(&fake);
    ledger.load().await.unwrap();
    ledger.save(&at(1)).await.unwrap();
    let landed = fake.get(PATH).unwrap();
    fake.fail_write(Fault::Lost);
    ledger.save(&at(2)).await.unwrap_err();
    // The write that nobody answered arrives now.
    fake.change(PATH, |object| {
        *object = landed;
        object["metadata"]["resourceVersion"] = json!("99");
        object["data"]["save"] = json!("2");
    });
    ledger.save(&at(3)).await.unwrap();
    assert_eq!(ledger_of(&fake).load().await.unwrap(), at(3));
}

#[tokio::test(start_paused = true)]
async fn a_save_ends_in_time() {
    let fake = ApiServer::default();
    let ledger = ledger_of(&fake);
    ledger.load().await.unwrap();
    let before = tokio::time::Instant::now();
    fake.fail_write(Fault::Lost);
    ledger.save(&at(1)).await.unwrap_err();
    assert!(before.elapsed() < std::time::Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_ours_is_never_overwritten() {
    let named =
        |key: &str, value: &str| json!({"metadata": {"name": "n", "resourceVersion": "5"}, "data": {key: value}});
    for object in [named("plane", "az2"), named("other", "x"), named("ledger.json", "{}")] {
        let refused = refusal(ledger_of(&ApiServer::default().with(PATH, object)).load().await, Reason::LedgerLost);
        assert!(refused.message.contains("isochron-plane-az1"), "{refused}");
    }
    let refused = refusal(ledger_of(&ApiServer::default().failing(PATH, 403)).load().await, Reason::LedgerLost);
    assert!(refused.message.contains("get configmaps"), "{refused}");
}

#[test]
fn a_large_ledger_forgets_its_oldest_attempts_but_no_epoch() {
    let mut ledger = MemberLedger::default();
    for number in 0..32 {
        ledger.put(AttemptRecord {
            attempt: Attempt { backup: BackupUid::new("u".repeat(60_000)), number },
            epoch: Epoch(u64::from(number)),
            cluster: ClusterId(u64::from(number)),
            state: AttemptState::Broken,
            taken_back: false,
        });
    }
    let text = fitting(&ledger).unwrap();
    assert!(text.len() <= 900 * 1024);
    let kept: MemberLedger = serde_json::from_str(&text).unwrap();
    assert_eq!(kept.epochs, ledger.epochs);
    assert_eq!(kept.attempts.last(), ledger.attempts.last());
}

/// What a plane of a hundred stores of three volumes proves in one attempt.
fn evidence(epoch: u64) -> Evidence {
    let name = |what: &str, number: u64| format!("{what}-0{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let address = |store: u64| format!("shop-tikv-{store}.shop-tikv-peer.tidb-cluster.svc.az1.example.com:20160");
    let stores: Vec<StoreEvidence> = (0..100)
        .map(|store| StoreEvidence {
            store: StoreId(store),
            address: address(store),
            start_timestamp: 1_714_532_420,
            renewals_sent: 14,
            renewals_valid: 14,
            confirmed: true,
            kind: Default::default(),
        })
        .collect();
    Evidence {
        epoch: Epoch(epoch),
        cluster: ClusterId(7),
        cover: Default::default(),
        snapshots: (0..300)
            .map(|volume| AcceptedSnapshot {
                volume: VolumeId::new(name("vol", volume)),
                snapshot: SnapshotId::new(name("snap", volume + 1000 * epoch)),
                instance: InstanceId::new(name("i", volume / 3)),
                start_time: Timestamp(1_714_532_420_000),
            })
            .collect(),
        commit_ts: Ts(449_462_718_912_512_000),
        pd: Some(PdEvidence {
            gc_hold: Ts(449_462_718_912_512_000),
            gc_safe_point: Ts(449_462_718_912_512_000),
            min_resolved_ts: Ts(449_462_718_912_512_000),
            ts_ceiling: Some(Ts(449_462_718_912_512_000)),
            stores: (0..100).map(|store| super::store(store, &address(store))).collect(),
        }),
        set_after: None,
        stores,
    }
}

fn attempt(cluster: u64, epoch: u64, state: AttemptState) -> AttemptRecord {
    let attempt = Attempt { backup: BackupUid::new(format!("backup-{cluster}-{epoch}")), number: 1 };
    AttemptRecord { attempt, epoch: Epoch(epoch), cluster: ClusterId(cluster), state, taken_back: false }
}

#[test]
fn a_save_under_the_hold_is_one_attempts_evidence_however_many_went_before() {
    let mut ledger = MemberLedger { name: "a \"name\"".to_owned(), ..MemberLedger::default() };
    for epoch in 1..=100 {
        ledger.put(attempt(7, epoch, AttemptState::Live));
        let confirmed = AttemptState::Confirmed(evidence(epoch));
        ledger.put(attempt(7, epoch, confirmed.clone()));
        let text = fitting(&ledger).unwrap();
        assert!(text.len() <= 128 * 1024, "{} bytes at epoch {epoch}", text.len());
        assert_eq!(text, serde_json::to_string(&ledger).unwrap());
        assert_eq!(ledger.attempt(&attempt(7, epoch, AttemptState::Live).attempt).unwrap().state, confirmed);
    }
    // Other TiDB clusters, whose certificates the coordinator has.
    for cluster in 8..40 {
        let one = attempt(cluster, 3, AttemptState::Confirmed(evidence(3)));
        ledger.put(one.clone());
        let text = fitting(&ledger).unwrap();
        assert!(text.len() <= 256 * 1024, "{} bytes at cluster {cluster}", text.len());
        ledger.forget(&one.attempt);
    }
    assert_eq!(ledger.epochs.len(), 33, "no epoch is forgotten");
}

#[test]
fn an_attempt_that_cannot_be_kept_is_refused_and_no_other_is_dropped_for_nothing() {
    let mut ledger = MemberLedger::default();
    ledger.put(AttemptRecord {
        attempt: Attempt { backup: BackupUid::new("u".repeat(1_000_000)), number: 1 },
        ..attempt(7, 1, AttemptState::Live)
    });
    refusal(fitting(&ledger), Reason::TooLarge);
}
