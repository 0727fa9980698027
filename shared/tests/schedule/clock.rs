//! A wall clock that jumps deletes nothing.

use crate::fixtures::*;
use shared::{
    schedule::{CALM, Input, Spec},
    time::{Millis, Timestamp},
};

const OLD: &str = "s-2024-05-01t03-00-00";
const NEW: &str = "s-2024-05-03t03-00-00";
const WHY: &str = "maxBackups 1 is reached by newer ones";

/// Limits, and no runs; it is 2024-05-03T12:00:00Z. One backup: nothing is to be deleted yet.
fn bench() -> Bench {
    let mut bench = Bench::with("2024-05-03T12:00:00Z", object(Spec { pause: true, ..limited("0 3 * * *", 1) }));
    assert_eq!(short(&bench.listed("s", vec![backup(NEW, COMPLETE)])), Vec::<String>::new());
    bench
}

fn two() -> Vec<shared::retention::Backup> {
    [OLD, NEW].map(|name| backup(name, COMPLETE)).into()
}

fn jump(bench: &mut Bench, minutes: i64) {
    bench.now.wall.0 += minutes * 60_000;
}

fn says(bench: &mut Bench, server: Timestamp) -> Vec<String> {
    short(&bench.feed(Input::ClockChecked(Some(server))))
}

#[test]
fn nothing_is_deleted_before_somebody_was_asked() {
    let mut bench = Bench::unasked("2024-05-03T12:00:00Z");
    bench.told("s", object(Spec { pause: true, ..limited("0 3 * * *", 1) }));
    bench.listed("s", two());
    assert_eq!(short(&bench.feed(Input::Synced)), Vec::<String>::new());
    assert_eq!(bench.status("s").retention_stopped, "", "no trouble yet");
    let now = bench.now.wall;
    assert_eq!(says(&mut bench, now), [format!("delete {OLD}: {WHY}")]);
}

#[test]
fn a_clock_that_is_not_the_servers_stops_deletions_and_says_so_until_they_agree() {
    for ahead in [365 * 24 * 60, 6, -6, -365 * 24 * 60] {
        let mut bench = bench();
        let server = bench.now.wall;
        says(&mut bench, server);
        jump(&mut bench, ahead);
        let effects = short(&bench.listed("s", two()));
        let [event] = effects.as_slice() else { panic!("{ahead}: {effects:?}") };
        assert!(event.starts_with("event ClockSkewed: retention deletes nothing"), "{event}");
        assert!(
            event.contains(if ahead > 0 { "ahead of the API server's" } else { "behind the API server's" }),
            "{event}"
        );
        let status = bench.status("s");
        assert!(status.message.contains("spec.pause is true; retention deletes nothing"), "{}", status.message);
        assert!(status.retention_stopped.starts_with("retention deletes nothing"));
        assert_eq!(bench.machine.clock(bench.now).0, ahead * 60_000);
        // Told once; a day makes no difference.
        bench.wait(Millis::secs(24 * 3600));
        let server = Timestamp(bench.now.wall.0 - ahead * 60_000);
        assert_eq!(says(&mut bench, server), Vec::<String>::new(), "{ahead}");
        // The clock is set right.
        jump(&mut bench, -ahead);
        let again = "event ClockTrusted: retention goes on: the clock is to be believed again".to_owned();
        assert_eq!(says(&mut bench, server), [again, format!("delete {OLD}: {WHY}")]);
        assert_eq!(
            (bench.status("s").message.as_str(), bench.status("s").retention_stopped.as_str()),
            ("spec.pause is true", "")
        );
    }
}

#[test]
fn what_the_servers_clock_may_differ_by_stops_nothing() {
    for ahead in [4, -4] {
        let mut bench = bench();
        let server = bench.now.wall;
        says(&mut bench, server);
        jump(&mut bench, ahead);
        assert_eq!(short(&bench.listed("s", two())), [format!("delete {OLD}: {WHY}")], "{ahead} min");
    }
}

#[test]
fn a_schedule_without_limits_has_no_trouble() {
    let mut bench = Bench::with("2024-05-03T12:00:00Z", object(Spec { pause: true, ..spec("0 3 * * *") }));
    jump(&mut bench, 60);
    assert_eq!(short(&bench.listed("s", two())), Vec::<String>::new());
    assert_eq!(bench.status("s").retention_stopped, "");
}

/// Stand-alone.
#[test]
fn with_nobody_to_ask_a_jump_stops_deletions_until_it_is_undone() {
    let mut bench = bench();
    jump(&mut bench, 60 * 24 * 365);
    assert_eq!(short(&bench.listed("s", two())).len(), 1, "told, and nothing deleted");
    bench.wait(Millis::secs(3600));
    jump(&mut bench, -60 * 24 * 365);
    let effects = short(&bench.listed("s", two()));
    assert_eq!(effects[1..], [format!("delete {OLD}: {WHY}")]);
}

#[test]
fn with_nobody_to_ask_a_clock_that_goes_steadily_for_a_day_is_believed() {
    let mut bench = bench();
    jump(&mut bench, 8 * 60);
    assert_eq!(short(&bench.listed("s", two())).len(), 1);
    bench.wait(Millis(CALM.0 / 2));
    // Another one: the day begins anew.
    jump(&mut bench, 8 * 60);
    assert_eq!(short(&bench.listed("s", two())), Vec::<String>::new());
    let day = shared::calendar::rfc3339(Timestamp(bench.now.wall.0 + 24 * 3_600_000 - 1000));
    assert_eq!(short(&bench.until(&day)), Vec::<String>::new());
    let day = shared::calendar::rfc3339(Timestamp(bench.now.wall.0 + 1000));
    assert_eq!(short(&bench.until(&day))[1..], [format!("delete {OLD}: {WHY}")]);
}

#[test]
fn steps_of_a_clock_that_is_set_right_bit_by_bit_add_up_to_no_jump() {
    let mut bench = bench();
    for _ in 0..20 {
        bench.wait(Millis::secs(3600));
        jump(&mut bench, 4);
        assert_eq!(short(&bench.listed("s", vec![backup(NEW, COMPLETE)])), Vec::<String>::new());
    }
    assert_eq!(short(&bench.listed("s", two())), [format!("delete {OLD}: {WHY}")]);
}
