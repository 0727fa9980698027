//! What a TiKV decides at its start, and what PD does with ids and time (`facts/restore.md` §3.2, §3.5).

use super::*;

#[test]
fn the_mark_is_asked_for_once_and_recovery_ends_with_the_process() {
    let mut played = Played::met();
    assert!(played.cluster.pd.bootstrapped);
    assert_eq!(played.cluster.pd.regions.len(), 1, "made up");
    assert_eq!(played.cluster.pd.stores.keys().copied().collect::<Vec<_>>(), [1, 2, 3].map(StoreId));
    played.cluster.pd.marked = false;
    played.pass(600);
    assert!(played.cluster.processes.values().all(Process::recovers), "until they are started anew");
    assert_eq!(played.cluster.restart_stores("p", played.now.0 / 1_000 + 1, played.now), 3);
    played.pass(60);
    assert!(played.cluster.serves(), "{:?}", played.cluster.processes);
    assert_eq!(played.cluster.recovering(&pod(0)), Err(NoAnswer::Unimplemented));
    assert_eq!(played.cluster.restart_stores("p", START.0 / 1_000, played.now), 0, "younger than that");
}

#[test]
fn without_the_mark_a_store_of_another_cluster_does_not_start_and_is_not_changed() {
    let mut played = Played::on(["s1", "s2", "s3"]);
    played.open();
    let why = played.cluster.processes[&pod(0)].mode.clone().unwrap_err();
    assert!(why.contains("cluster ID mismatch, local 1 != remote 2"), "{why}");
    assert!(!played.cluster.pd.bootstrapped);
    played.cluster.pd.marked = true;
    played.pass(20);
    assert!(played.cluster.processes.values().all(Process::recovers), "it is tried again");
}

#[test]
fn a_question_that_fails_counts_as_not_marked() {
    let mut played = Played::on(["s1", "s2", "s3"]);
    played.cluster.pd.marked = true;
    played.cluster.cannot_ask.insert("p".to_owned());
    played.open();
    assert!(played.cluster.processes.values().all(|process| !process.is_up()));
    played.cluster.cannot_ask.clear();
    played.pass(20);
    assert!(played.cluster.processes.values().all(Process::recovers));
    // Its ident is PD's by now, so that nothing keeps it from running on as ever, unasked.
    played.cluster.cannot_ask.insert("p".to_owned());
    played.cluster.restart(&pod(0), played.now);
    played.pass(40);
    assert_eq!(played.cluster.processes[&pod(0)].mode, Ok(Mode::Normal));
}

#[test]
fn an_empty_store_panics_under_the_mark_and_without_it_becomes_a_new_one() {
    let mut played = Played::on(["e1", "s2", "s3"]);
    played.cluster.pd.marked = true;
    played.open();
    let why = played.cluster.processes[&pod(0)].mode.clone().unwrap_err();
    assert!(why.contains("no StoreIdent"), "{why}");
    assert_eq!((played.cluster.pd.stores.len(), played.cluster.faults.len()), (2, 0));
    let mut played = Played::on(["e1", "s2", "s3"]);
    played.open();
    assert!(played.cluster.faults[0].contains("an empty TiKV became store 3"), "{:?}", played.cluster.faults);
}

#[test]
fn claims_that_nobody_made_get_empty_volumes() {
    let mut played = Played::on(["s1", "s2", "s3"]);
    played.cluster.pd.marked = true;
    let plane = played.cluster.planes.get_mut("p").unwrap();
    plane.pvcs.remove("tikv-t-tikv-2");
    plane.pvs.remove("pv-2");
    played.open();
    assert!(played.cluster.processes[&pod(2)].mode.is_err());
    assert_eq!(played.cluster.planes["p"].empty.len(), 1);
}

#[test]
fn ids_go_back_and_time_does_not() {
    let mut pd = Pd::new(NEW);
    assert_eq!((pd.alloc_id(), pd.alloc_id()), (1, 2));
    assert_eq!(pd.set_base_alloc_id(500), Err(Forbidden("can only recover alloc id when recovering mark marked")));
    pd.marked = true;
    pd.set_base_alloc_id(500).unwrap();
    assert_eq!(pd.alloc_id(), 501);
    pd.set_base_alloc_id(10).unwrap();
    assert_eq!(pd.alloc_id(), 11, "it sets, it does not raise");
    let now = pd.tso(START);
    pd.reset_ts(Ts(1));
    assert!(pd.tso(START) > now, "what is smaller changes nothing");
    let far = Ts(now.0 << 1);
    pd.reset_ts(far);
    assert!(pd.tso(START) > far, "however far");
}

#[test]
fn a_store_whose_address_another_one_has_does_not_join() {
    let mut played = Played::met();
    let address = played.cluster.processes[&pod(0)].address.clone();
    assert!(
        played.cluster.pd.put_store(StoreId(9), &address, played.now).unwrap_err().contains("registered by store 1")
    );
    played.cluster.pd.stores.get_mut(&StoreId(1)).unwrap().address = "elsewhere".to_owned();
    played.cluster.pd.stores.insert(StoreId(9), Registered { address, start_timestamp: 0, heard: played.now });
    played.cluster.restart(&pod(0), played.now);
    played.pass(40);
    assert!(played.cluster.processes[&pod(0)].mode.is_err());
    assert!(played.cluster.faults[0].contains("duplicated store address"), "{:?}", played.cluster.faults);
}
