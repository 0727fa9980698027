//! RecoverData (`facts/restore.md` §3.4).

use super::*;

const BOTH: [RegionId; 2] = [RegionId(10), RegionId(20)];

fn standing_after(played: &mut Played, call: &LeadCall, seconds: i64) -> Standing {
    played.pass(seconds);
    played.cluster.standing(call)
}

#[test]
fn an_empty_call_takes_ten_seconds_and_a_good_one_twenty() {
    let mut played = Played::met();
    let call = played.cluster.begin_lead(&pod(0), &[], played.now).unwrap();
    assert_eq!(standing_after(&mut played, &call, 9), Standing::Waiting);
    assert_eq!(standing_after(&mut played, &call, 2), Standing::Answered);
    let call = played.cluster.begin_lead(&pod(0), &BOTH, played.now).unwrap();
    assert_eq!(standing_after(&mut played, &call, 19), Standing::Waiting);
    assert!(played.cluster.is_whole(), "long before it says so");
    assert_eq!(standing_after(&mut played, &call, 2), Standing::Answered);
}

#[test]
fn nobody_is_elected_who_was_not_told_to_be() {
    let mut played = Played::met();
    played.pass(300);
    assert_eq!(played.cluster.led().count(), 0);
    played.cluster.begin_lead(&pod(0), &BOTH[..1], played.now).unwrap();
    played.pass(60);
    assert_eq!(played.cluster.led().map(|led| led.region).collect::<Vec<_>>(), BOTH[..1]);
    assert_eq!(played.cluster.pd.regions.len(), 1, "the made-up region goes with the first report");
    assert!(played.cluster.pd.regions.contains_key(&BOTH[0]));
}

#[test]
fn a_copy_whose_log_is_behind_is_not_elected_and_has_a_higher_term_all_the_same() {
    let mut played = Played::met();
    let told = |played: &mut Played| played.cluster.region_metas(&pod(2)).unwrap()[0].clone();
    let before = told(&mut played);
    let call = played.cluster.begin_lead(&pod(2), &BOTH[..1], played.now).unwrap();
    assert_eq!(standing_after(&mut played, &call, 300), Standing::Waiting, "for ever");
    assert_eq!(played.cluster.leader_of(BOTH[0]), None);
    let after = told(&mut played);
    assert!(after.term > before.term + 20, "a round each ten seconds: {before:?} {after:?}");
    assert_eq!(after.last_index, before.last_index);
    assert_eq!(played.cluster.standing(&call), Standing::Aborted, "the question for metas ended it");
}

#[test]
fn the_second_call_ends_the_first() {
    let mut played = Played::met();
    let first = played.cluster.begin_lead(&pod(0), &BOTH, played.now).unwrap();
    let second = played.cluster.begin_lead(&pod(0), &BOTH, played.now).unwrap();
    assert_eq!(played.cluster.standing(&first), Standing::Aborted);
    assert_eq!(standing_after(&mut played, &second, 21), Standing::Answered);
}

#[test]
fn a_majority_must_be_there() {
    let mut played = Played::met();
    for ordinal in [1, 2] {
        played.cluster.restart(&pod(ordinal), played.now);
    }
    let call = played.cluster.begin_lead(&pod(0), &BOTH, played.now).unwrap();
    assert_eq!(played.cluster.leader_of(BOTH[0]), None);
    assert_eq!(standing_after(&mut played, &call, 60), Standing::Answered, "once the others are back");
}

#[test]
fn metas_tell_the_largest_peer_and_may_end_too_early() {
    let mut played = Played::met();
    let metas = played.cluster.region_metas(&pod(0)).unwrap();
    assert_eq!(metas.iter().map(|meta| (meta.region.0, meta.peer)).collect::<Vec<_>>(), [(10, 1_003), (20, 2_003)]);
    played.cluster.streams_end_after.insert(StoreId(1), 1);
    assert_eq!(played.cluster.region_metas(&pod(0)).unwrap().len(), 1);
}

#[test]
fn a_process_that_restarts_forgets_its_leaders_and_what_it_was_asked_for() {
    let mut played = Played::led();
    let call = played.cluster.begin_lead(&pod(0), &BOTH[..1], played.now).unwrap();
    played.cluster.restart(&pod(0), played.now);
    assert_eq!(played.cluster.standing(&call), Standing::Broken);
    played.pass(40);
    assert!(played.cluster.processes[&pod(0)].recovers());
    assert_eq!(played.cluster.leader_of(BOTH[0]), None, "until it is asked again");
    assert_eq!(played.cluster.leader_of(BOTH[1]), Some(StoreId(2)));
    played.cluster.begin_lead(&pod(0), &BOTH[..1], played.now).unwrap();
    played.pass(1);
    assert_eq!(played.cluster.leader_of(BOTH[0]), Some(StoreId(1)));
}

#[test]
fn rows_of_a_leader_are_seen_when_its_log_is_applied() {
    let mut played = Played::met();
    let value = |played: &Played| {
        let piece = played.cluster.leading(&pod(0)).into_iter().find(|led| led.piece.region == BOTH[0]).unwrap().piece;
        played.cluster.checksum(&pod(0), &piece, Ts(1_000)).map_err(|error| error.to_string())
    };
    played.cluster.begin_lead(&pod(0), &BOTH[..1], played.now).unwrap();
    assert!(value(&played).unwrap_err().contains("read index not ready"));
    let at = played.cluster.leading(&pod(0))[0].piece.clone();
    let at = plane_actor::ports::RegionAt { region: at.region, conf_ver: at.conf_ver, version: at.version };
    assert_eq!(played.cluster.wait_apply(&pod(0), at), None);
    played.pass(1);
    assert_eq!(value(&played).unwrap().keys, 2);
    assert_eq!(played.cluster.wait_apply(&pod(0), at), Some(Ok(())));
    let other = plane_actor::ports::RegionAt { version: 99, ..at };
    assert!(played.cluster.wait_apply(&pod(0), other).unwrap().unwrap_err().contains("epoch_not_match"));
}
