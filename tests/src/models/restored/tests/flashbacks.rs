//! Flashback (`facts/restore.md` §3.7).

use super::*;

/// What a reader of a region sees.
fn seen(played: &Played, ordinal: u32, at: u64) -> Result<plane_actor::ports::Summed, String> {
    played.cluster.checksum(&pod(ordinal), &played.piece(ordinal), Ts(at)).map_err(|error| error.to_string())
}

#[test]
fn what_was_then_is_seen_again_and_history_stays() {
    let mut played = Played::led();
    let piece = played.piece(0);
    let between = seen(&played, 0, 180).unwrap();
    assert_eq!(played.prepare(0, &piece, times(200, 201)), FlashedBack::Done);
    assert!(seen(&played, 0, 100).unwrap_err().contains("flashback in progress"));
    assert!(played.cluster.leading(&pod(0))[0].in_flashback);
    assert_eq!(played.flash(0, &piece, times(200, 201)), Ok(FlashedBack::Done));
    assert_eq!(seen(&played, 0, 201), seen(&played, 0, 100));
    assert_eq!(seen(&played, 0, 180).unwrap(), between, "by a reader with an old timestamp");
    assert_ne!(seen(&played, 0, 180), seen(&played, 0, 100));
    for _ in 0..2 {
        assert_eq!(played.flash(0, &piece, times(200, 201)), Ok(FlashedBack::Done), "the same times again");
        assert_eq!(played.prepare(0, &piece, times(200, 201)), FlashedBack::Done);
    }
    assert_eq!(played.flash(0, &piece, times(200, 201)), Ok(FlashedBack::Done));
    played.cluster.forgets_flashbacks = true;
    assert_eq!(played.flash(0, &piece, times(200, 201)), Ok(FlashedBack::NotPrepared), "as it may be");
    assert_eq!(seen(&played, 0, 201), seen(&played, 0, 100));
    assert_eq!(played.cluster.deaths, []);
}

#[test]
fn who_was_not_prepared_is_refused() {
    let mut played = Played::led();
    let piece = played.piece(0);
    assert_eq!(played.flash(0, &piece, times(200, 201)), Ok(FlashedBack::NotPrepared));
    assert_eq!(played.prepare(0, &piece, times(200, 201)), FlashedBack::Done);
    assert_eq!(played.flash(0, &piece, times(300, 301)), Ok(FlashedBack::NotPrepared), "a lock of other times");
    assert_eq!(played.prepare(0, &piece, times(300, 301)), FlashedBack::Done, "which takes the old one's place");
    assert_eq!(played.flash(0, &piece, times(200, 201)), Ok(FlashedBack::NotPrepared));
    assert_eq!(played.flash(0, &piece, times(300, 301)), Ok(FlashedBack::Done));
}

#[test]
fn a_version_above_commit_ts_is_death_and_what_was_written_stays() {
    let mut played = Played::led();
    let piece = played.piece(0);
    // Versions at 150 and 151: the second one is too new.
    played.prepare(0, &piece, times(149, 150));
    assert_eq!(played.flash(0, &piece, times(149, 150)), Err("connection reset".to_owned()));
    let died = Died { at: played.now, store: StoreId(1), region: piece.region, newest: Ts(151), commit_ts: Ts(150) };
    assert_eq!(played.cluster.deaths, [died]);
    assert!(!played.cluster.processes[&pod(0)].is_up());
    assert_eq!(played.flash(0, &piece, times(201, 200)).unwrap_err().split(':').next(), Some("InvalidTxnTso"));
}

#[test]
fn a_flashback_is_in_the_region_and_survives_its_process() {
    let mut played = Played::led();
    let piece = played.piece(0);
    played.prepare(0, &piece, times(200, 201));
    played.cluster.end_in_flashback.insert(StoreId(1), 1);
    assert!(played.flash(0, &piece, times(200, 201)).is_err());
    played.pass(40);
    assert_eq!(played.flash(0, &piece, times(200, 201)), Ok(FlashedBack::Moved("not leader: region 10".to_owned())));
    // Another copy leads from here on: it has the same state, and half of the keys.
    played.cluster.begin_lead(&pod(2), &[RegionId(10)], played.now).unwrap();
    played.pass(1);
    let moved = played.piece(2);
    assert_eq!((moved.region, moved.store), (RegionId(10), StoreId(3)));
    assert!(played.cluster.leading(&pod(2))[0].in_flashback);
    assert_eq!(played.flash(2, &moved, times(200, 201)), Ok(FlashedBack::Done));
    assert_eq!(seen(&played, 2, 201), seen(&played, 2, 100));
}

#[test]
fn what_is_not_as_it_was_asked_for_is_looked_up_anew() {
    let mut played = Played::led();
    let piece = played.piece(0);
    let table = [
        ("epoch not match", Piece { version: 4, ..piece.clone() }),
        ("epoch not match", Piece { conf_ver: 9, ..piece.clone() }),
        ("store not match", Piece { store: StoreId(2), ..piece.clone() }),
        ("mismatch peer id", Piece { peer: 7, ..piece.clone() }),
        ("key not in region", Piece { end: Vec::new(), ..piece.clone() }),
        ("not leader", played.piece(1)),
    ];
    for (word, piece) in table {
        let FlashedBack::Moved(why) = played.prepare(0, &piece, times(200, 201)) else { panic!("{word}") };
        assert!(why.starts_with(word), "{why}");
        let summed = played.cluster.checksum(&pod(0), &piece, Ts(100));
        assert!(summed.is_err(), "{word}");
    }
    for ordinal in [1, 2] {
        played.cluster.restart(&pod(ordinal), played.now);
    }
    let FlashedBack::Again(why) = played.prepare(0, &piece, times(200, 201)) else { panic!("no quorum") };
    assert!(why.starts_with("proposal timed out"), "{why}");
}

#[test]
fn locks_are_rolled_back_and_what_was_not_there_is_gone() {
    let mut played = Played::led();
    let piece = played.piece(0);
    let engine = played.cluster.processes[&pod(0)].engine;
    let rows = &mut played.cluster.engines[engine].disk.peers.get_mut(&piece.region).unwrap().rows;
    let lock = crate::models::regions::kv::Lock { start_ts: Ts(90), primary: account_key(0), value: 1 };
    rows.get_mut(&account_key(0)).unwrap().lock = Some(lock);
    let new = Row { lock: None, writes: [(Ts(160), Write::put(Ts(159), 5))].into() };
    rows.insert(b"acct-00000000x".to_vec(), new);
    assert!(seen(&played, 0, 100).unwrap_err().contains("locked"));
    played.prepare(0, &piece, times(200, 201));
    assert_eq!(played.flash(0, &piece, times(200, 201)), Ok(FlashedBack::Done));
    assert_eq!(seen(&played, 0, 201).unwrap().keys, 2);
    assert_eq!(seen(&played, 0, 201), seen(&played, 0, 100));
    assert_eq!(seen(&played, 0, 180).unwrap().keys, 3);
}

/// By the old times a flashback dies of what users wrote; by later ones it takes it back.
#[test]
fn users_and_a_flashback_do_not_go_together() {
    for later in [false, true] {
        let mut played = Played::led();
        let piece = played.piece(0);
        played.prepare(0, &piece, times(200, 201));
        played.flash(0, &piece, times(200, 201)).unwrap();
        played.cluster.users_come(played.now);
        assert_eq!(played.cluster.faults, Vec::<String>::new());
        let (start, commit) = (played.cluster.pd.tso(played.now), played.cluster.pd.tso(played.now));
        let times = if later { times(start.0, commit.0) } else { times(200, 201) };
        played.prepare(0, &piece, times);
        let flashed = played.flash(0, &piece, times);
        assert_eq!((flashed.is_ok(), played.cluster.deaths.len()), (later, usize::from(!later)));
        let taken_back = played.cluster.faults.iter().any(|fault| fault.contains("took back what users wrote"));
        assert_eq!(taken_back, later, "{:?}", played.cluster.faults);
    }
}

#[test]
fn users_who_come_too_early_are_a_fault() {
    let mut played = Played::led();
    let piece = played.piece(0);
    played.prepare(0, &piece, times(200, 201));
    played.cluster.users_come(played.now);
    assert_eq!(played.cluster.faults, ["region 10: users came while it was in flashback"]);
    played.cluster.planes.get_mut("p").unwrap().end_recovery_mode();
    played.pass(1);
    assert!(played.cluster.faults[1].contains("while PD is marked"), "{:?}", played.cluster.faults);
}
