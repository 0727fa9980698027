//! What is no backup, or no restore of it, is refused by the rule that it breaks.

use crate::fixtures::{Play, Told, answer, looked, request};
use shared::{
    ids::{ClusterId, StoreId},
    reason::{Reason, Refusal},
    restoring::{Content, RestoreRequest, Stage, Verdict},
    tiling::Tiling,
    ts::Ts,
    wire::{Finding, FindingState, LookedAt, RestoreAnswer},
};

/// Plays until `stage`, has the answer of `who` bent, and says how it ended.
fn bent(stage: Stage, who: &str, bend: impl Fn(&mut RestoreAnswer)) -> Option<Refusal> {
    let mut play = Play::new(request());
    play.until(stage);
    for (plane, order) in play.orders() {
        let mut answer = answer(&plane, &order);
        if plane.as_str() == who {
            bend(&mut answer);
        }
        play.say(&plane, &order, answer);
    }
    play.saved.failure.map(|(at, refusal)| {
        assert_eq!(at, stage);
        refusal
    })
}

#[test]
fn planes_must_hold_one_backup_and_all_of_it() {
    type Row = (&'static str, fn(&mut LookedAt), Reason, &'static str);
    let broken = |text: &str| Finding {
        subject: "snapshots".to_owned(),
        took: shared::time::Millis(1),
        state: FindingState::Broken,
        text: text.to_owned(),
    };
    assert_eq!(
        bent(Stage::Looking, "az2", |answer| of(answer).findings.push(broken("snap-2 is gone")))
            .map(|refusal| (refusal.reason, refusal.message.contains("snap-2 is gone"))),
        Some((Reason::NotRestorable, true))
    );
    let table: [Row; 11] = [
        ("az2", |looked| looked.backup = "backup-2".into(), Reason::BackupMismatch, "backup-2"),
        ("az2", |looked| looked.attempt = 2, Reason::BackupMismatch, "attempt 2"),
        ("az2", |looked| looked.commit_ts = Ts(5), Reason::BackupMismatch, "commitTs 5"),
        ("az1", |looked| looked.commit_ts = Ts::ZERO, Reason::NotRestorable, "no moment"),
        ("az2", |looked| looked.certificate = "bad".into(), Reason::BackupMismatch, "different certificates"),
        ("az2", |looked| looked.proven = false, Reason::BackupUnproven, "allowUnproven"),
        ("az2", |looked| looked.stores = vec![StoreId(1)], Reason::BackupMismatch, "store 1"),
        ("az2", |looked| looked.stores.clear(), Reason::BackupMismatch, "2 stores"),
        ("az2", |looked| looked.snapshots = vec!["snap-1".into()], Reason::BackupMismatch, "snap-1"),
        ("az2", |looked| looked.target = Some(ClusterId(9)), Reason::ClusterMismatch, "9"),
        ("az2", |looked| looked.target = None, Reason::TidbClusterNotFound, "az2"),
    ];
    for (who, bend, reason, word) in table {
        let refusal = bent(Stage::Looking, who, |answer| bend(of(answer))).unwrap_or_else(|| panic!("{word}"));
        assert_eq!(refusal.reason, reason, "{refusal}");
        assert!(refusal.message.contains(word), "{refusal}");
    }
}

/// Whoever held the claim meanwhile may have made it somebody's cluster, or put another backup into the folder.
#[test]
fn what_has_changed_until_the_claim_was_given_ends_it_before_anything_is_marked() {
    type Row = (fn(&mut LookedAt), Reason, &'static str);
    let table: [Row; 4] = [
        (
            |looked| {
                looked.findings.push(Finding {
                    subject: "stores".to_owned(),
                    took: shared::time::Millis(1),
                    state: FindingState::Broken,
                    text: "2 stores already".to_owned(),
                });
            },
            Reason::NotRestorable,
            "2 stores already",
        ),
        (|looked| looked.attempt = 2, Reason::BackupMismatch, "attempt 2"),
        (|looked| looked.target = Some(ClusterId(9)), Reason::BackupMismatch, "cluster 9"),
        (|looked| looked.stores[0].0 += 7, Reason::BackupMismatch, "under it"),
    ];
    for (bend, reason, word) in table {
        let mut play = Play::new(request());
        play.until(Stage::Confirming);
        for (plane, order) in play.orders() {
            let mut answer = answer(&plane, &order);
            bend(of(&mut answer));
            play.say(&plane, &order, answer);
        }
        let (stage, refusal) = play.saved.failure.clone().unwrap_or_else(|| panic!("{word}"));
        assert_eq!((stage, refusal.reason), (Stage::Confirming, reason), "{refusal}");
        assert!(refusal.message.contains(word), "{refusal}");
        assert_eq!(play.machine.record().stage, Stage::Failed, "nothing was touched");
        let sent = play.told.iter().filter(|told| matches!(told, Told::Sent(_, order) if order.order.name() != "Look"));
        assert_eq!(sent.count(), 0);
    }
}

fn of(answer: &mut RestoreAnswer) -> &mut LookedAt {
    let RestoreAnswer::Looked(looked) = answer else { panic!("{answer:?}") };
    looked
}

#[test]
fn every_piece_of_evidence_counts() {
    type Row = (Stage, &'static str, fn(&mut RestoreAnswer), &'static str);
    let table: [Row; 19] = [
        (Stage::Placing, "az2", |answer| placed(answer).clear(), "RE1"),
        (Stage::Placing, "az2", |answer| placed(answer)[0].snapshot = "snap-1".into(), "RE1"),
        (Stage::Placing, "az2", |answer| placed(answer)[0].volume = "vol-1".into(), "RE2"),
        (Stage::Placing, "az2", |answer| placed(answer)[0].store = StoreId(1), "RE2"),
        (
            Stage::Meeting,
            "az1",
            |answer| {
                if let RestoreAnswer::Met(met) = answer {
                    met.cluster = ClusterId(9)
                }
            },
            "RE3",
        ),
        (
            Stage::Meeting,
            "az1",
            |answer| {
                if let RestoreAnswer::Met(met) = answer {
                    drop(met.stores.pop())
                }
            },
            "RE3",
        ),
        (
            Stage::Meeting,
            "az1",
            |answer| {
                if let RestoreAnswer::Met(met) = answer {
                    met.stores[1].store = StoreId(3)
                }
            },
            "RE3",
        ),
        (
            Stage::Leading,
            "az1",
            |answer| {
                if let RestoreAnswer::Led(led) = answer {
                    led.tiling = Tiling::default()
                }
            },
            "RE4",
        ),
        (
            Stage::Timing,
            "az1",
            |answer| {
                if let RestoreAnswer::Timed { commit_ts, .. } = answer {
                    *commit_ts = crate::fixtures::CEILING
                }
            },
            "RE5",
        ),
        (
            Stage::Meeting,
            "az1",
            |answer| {
                if let RestoreAnswer::Met(met) = answer {
                    let more = met.stores[1].clone();
                    met.stores.push(shared::recovery::MetStore { store: StoreId(3), ..more })
                }
            },
            "RE3",
        ),
        (
            Stage::Timing,
            "az1",
            |answer| {
                if let RestoreAnswer::Timed { start_ts, commit_ts } = answer {
                    (*start_ts, *commit_ts) = (Ts(crate::fixtures::COMMIT.0 + 1), Ts(crate::fixtures::COMMIT.0 + 2))
                }
            },
            "RE5",
        ),
        (
            Stage::Timing,
            "az1",
            |answer| {
                if let RestoreAnswer::Timed { start_ts, .. } = answer {
                    *start_ts = crate::fixtures::COMMIT
                }
            },
            "RE5",
        ),
        (
            Stage::RollingBack,
            "az1",
            |answer| {
                if let RestoreAnswer::RolledBack(rolled) = answer {
                    rolled.tiling = Tiling::default()
                }
            },
            "RE5",
        ),
        (
            Stage::Checking,
            "az1",
            |answer| {
                if let RestoreAnswer::Checked(checked) = answer {
                    checked.in_flashback = 1
                }
            },
            "RE5",
        ),
        (
            Stage::Checking,
            "az1",
            |answer| {
                if let RestoreAnswer::Checked(checked) = answer {
                    checked.different = 1
                }
            },
            "RE6",
        ),
        (
            Stage::Checking,
            "az1",
            |answer| {
                if let RestoreAnswer::Checked(checked) = answer {
                    checked.compared = 0
                }
            },
            "RE6",
        ),
        (
            Stage::Checking,
            "az1",
            |answer| {
                if let RestoreAnswer::Checked(checked) = answer {
                    drop(checked.stores.pop())
                }
            },
            "RE3",
        ),
        (
            Stage::Settling,
            "az1",
            |answer| {
                if let RestoreAnswer::Settled(normal) = answer {
                    normal.stores[0].start_timestamp = 100
                }
            },
            "RE6",
        ),
        (
            Stage::Settling,
            "az1",
            |answer| {
                if let RestoreAnswer::Settled(normal) = answer {
                    normal.tiling = Tiling::default()
                }
            },
            "RE6",
        ),
    ];
    for (stage, who, bend, rule) in table {
        let refusal = bent(stage, who, bend).unwrap_or_else(|| panic!("{rule} at {stage:?}"));
        assert_eq!(refusal.reason, Reason::RestoreEvidenceBroken, "{refusal}");
        assert!(refusal.message.starts_with(&format!("{rule}: ")), "{refusal}");
    }
}

fn placed(answer: &mut RestoreAnswer) -> &mut Vec<shared::wire::PlacedVolume> {
    let RestoreAnswer::Placed { volumes } = answer else { panic!("{answer:?}") };
    volumes
}

#[test]
fn a_backup_that_proves_less_gives_a_restore_that_proves_less() {
    let mut play = Play::new(RestoreRequest { unproven: true, content: Content::None, ..request() });
    let look = |play: &mut Play| {
        for (plane, order) in play.orders() {
            let found = LookedAt { proven: false, ceiling: None, ..looked(&plane, false) };
            play.say(&plane, &order, RestoreAnswer::Looked(Box::new(found)));
        }
    };
    look(&mut play);
    let admitted = play.saved.admitted.clone().unwrap();
    assert!(admitted.ceiling_guessed && admitted.ceiling.physical_ms() >= 1_000_000 + 3_600_000, "{admitted:?}");
    play.told.clear();
    play.step(shared::restoring::Input::Claimed(shared::epoch::Epoch(5)));
    look(&mut play);
    play.until(Stage::Timing);
    // As PD's clock stands that was marked above the ceiling.
    let (plane, order) = play.orders().remove(0);
    let above = admitted.ceiling;
    let timed = RestoreAnswer::Timed { start_ts: Ts(above.0 + 1), commit_ts: Ts(above.0 + 2) };
    play.say(&plane, &order, timed);
    play.until(Stage::Complete);
    let certificate = play.saved.certificate.unwrap();
    assert_eq!((certificate.verdict, certificate.weaker.len()), (Verdict::Weaker, 3));
}
