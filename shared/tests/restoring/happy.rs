//! Whole ways.

use crate::fixtures::{CEILING, CLUSTER, COMMIT, FLASH, PLANES, Play, START, Told, answer, plane, request};
use shared::{
    epoch::Epoch,
    recovery::FlashbackTimes,
    restoring::{DrillLevel, Input, RestoreRequest, Stage, Verdict, Warm},
    wire::RestoreOrder,
};

/// Stage by stage: what is sent to whom.
fn way(request: RestoreRequest) -> Vec<(Stage, Vec<(String, &'static str)>)> {
    let mut play = Play::new(request);
    let mut way = Vec::new();
    loop {
        let stage = play.machine.record().stage;
        if play.told.contains(&Told::Claimed) {
            way.push((stage, Vec::new()));
            play.told.clear();
            play.step(Input::Claimed(Epoch(5)));
            continue;
        }
        let orders = play.orders();
        way.push((stage, orders.iter().map(|(plane, order)| (plane.to_string(), order.order.name())).collect()));
        if stage.is_over() {
            return way;
        }
        for (plane, order) in orders {
            let answer = answer(&plane, &order);
            play.say(&plane, &order, answer);
        }
    }
}

fn all(name: &'static str) -> Vec<(String, &'static str)> {
    PLANES.map(|plane| (plane.to_owned(), name)).into()
}

fn init(name: &'static str) -> Vec<(String, &'static str)> {
    vec![(PLANES[0].to_owned(), name)]
}

#[test]
fn a_restore_goes_through_every_stage_and_the_init_plane_speaks_for_all() {
    let expected = [
        (Stage::Looking, all("Look")),
        (Stage::Claiming, Vec::new()),
        (Stage::Confirming, all("Look")),
        (Stage::Marking, init("Mark")),
        (Stage::Building, all("Build")),
        (Stage::Placing, all("Place")),
        (Stage::Starting, all("Start")),
        (Stage::Meeting, init("Meet")),
        (Stage::Leading, init("Lead")),
        (Stage::Timing, init("Time")),
        (Stage::RollingBack, init("RollBack")),
        (Stage::Checking, init("Check")),
        (Stage::Unmarking, init("Unmark")),
        (Stage::Restarting, all("Restart")),
        (Stage::Settling, init("Settle")),
        (Stage::Finishing, all("Finish")),
        (Stage::Complete, Vec::new()),
    ];
    assert_eq!(way(request()), expected);
}

#[test]
fn who_wants_all_data_first_waits_for_it_before_tikv_starts() {
    let stages: Vec<Stage> =
        way(RestoreRequest { warm: Warm::First, ..request() }).into_iter().map(|(stage, _)| stage).collect();
    let at = |stage| stages.iter().position(|one| *one == stage).unwrap();
    assert!(at(Stage::Building) < at(Stage::Warming) && at(Stage::Warming) < at(Stage::Placing));
}

#[test]
fn a_drill_makes_volumes_and_takes_them_away_without_a_claim() {
    let drill = |level| way(RestoreRequest { drill: Some(level), ..request() });
    assert_eq!(drill(DrillLevel::Look), [(Stage::Looking, all("Look")), (Stage::Complete, Vec::new())]);
    let expected = [
        (Stage::Looking, all("Look")),
        (Stage::Building, all("Build")),
        (Stage::Undoing, all("Undo")),
        (Stage::Complete, Vec::new()),
    ];
    assert_eq!(drill(DrillLevel::Volumes), expected);
}

#[test]
fn complete_is_a_certificate_with_every_step_in_it() {
    let mut play = Play::new(request());
    play.until(Stage::Complete);
    let certificate = play.saved.certificate.clone().unwrap();
    assert_eq!((certificate.verdict, certificate.cluster), (Verdict::Restored, CLUSTER));
    let times = FlashbackTimes { version: COMMIT, start_ts: START, commit_ts: FLASH };
    assert_eq!((certificate.times, certificate.planes.len()), (times, 2));
    assert!(play.told.contains(&Told::GivenBack), "the cluster is free for backups");
}

/// Nothing is sent before it is saved, and what is sent says all that it takes.
#[test]
fn every_stage_is_saved_before_its_orders_are_sent() {
    let mut play = Play::new(request());
    for stage in [Stage::Marking, Stage::RollingBack, Stage::Finishing] {
        play.until(stage);
        let told = &play.told;
        let saved = told.iter().position(|one| *one == Told::Saved(stage)).unwrap();
        let sent = told.iter().position(|one| matches!(one, Told::Sent(..))).unwrap();
        assert!(saved < sent, "{told:?}");
        assert_eq!(play.saved, *play.machine.record());
        let Some(Told::Sent(_, order)) = told.get(sent) else { panic!() };
        assert_eq!((order.epoch, order.cluster), (Epoch(5), Some(CLUSTER)));
        match (&order.order, stage) {
            (RestoreOrder::Mark { above }, Stage::Marking) => assert_eq!(*above, CEILING),
            (RestoreOrder::RollBack(times), Stage::RollingBack) => assert_eq!(Some(*times), play.saved.times),
            (RestoreOrder::Finish { certificate }, Stage::Finishing) => assert!(certificate.contains("Restored")),
            other => panic!("{other:?}"),
        }
    }
}

/// A process that takes over orders what the stage orders, with the same times.
#[test]
fn whoever_takes_over_goes_on_with_the_stage_that_the_record_names() {
    let stages = Stage::ALL.into_iter().filter(|stage| {
        !stage.is_over() && !matches!(stage, Stage::Looking | Stage::Claiming | Stage::Warming | Stage::Undoing)
    });
    for stage in stages {
        let mut play = Play::new(request());
        play.until(stage);
        let ordered = play.orders();
        let mut next = Play::of(play.saved.clone());
        assert_eq!(next.orders(), ordered, "{stage:?}");
        let mut next = Play::of(play.saved.clone());
        next.until(Stage::Complete);
        assert_eq!(next.saved.certificate.as_ref().unwrap().times.commit_ts, FLASH);
    }
}

#[test]
fn a_plane_that_comes_back_is_told_again_and_one_that_has_answered_is_not() {
    let mut play = Play::new(request());
    play.until(Stage::Building);
    let orders = play.orders();
    let (first, order) = &orders[0];
    play.say(first, order, answer(first, order));
    for name in PLANES {
        play.step(Input::PlaneDown(plane(name)));
        play.step(Input::PlaneUp(plane(name)));
    }
    let again = play.orders();
    assert_eq!(again, [orders[1].clone()]);
}
