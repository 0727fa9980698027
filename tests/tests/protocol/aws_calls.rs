//! At every kind of call of AWS that a backup's life makes, from Prepare to its deletion, the answer is lost or the plane
//! dies: what ends well is true, and nothing is left.

use crate::{LIMIT, completes, nothing_left, soon, story};
use serde_json::Value;
use shell::link::Role;
use std::{cell::RefCell, collections::BTreeSet, rc::Rc, time::Duration};
use tests::{
    rig::{KEY, Rig},
    world::WorldConfig,
};

const PLANE: &str = "az1";
const BEFORE: &str = "br-admin/before";
/// EC2's buckets for snapshots: a backup has six instances, so one bucket does not take all its calls at once, and those of
/// instances with one volume go through CreateSnapshot as well.
const AT_ONCE: (u32, u32) = (3, 5);

/// Each plane has an instance with two volumes and one with one.
fn world() -> WorldConfig {
    let mut world = WorldConfig { one_volume_stores: 1, ..crate::world(940) };
    world.ec2.create_bucket = AT_ONCE;
    world
}

/// What becomes of one call.
#[derive(Clone, Copy, Debug)]
enum Strike {
    /// It happens, and nobody hears of it.
    Lost,
    /// The plane's process is killed while it is on its way.
    Killed,
}

/// One call of a life: its number, in which part, what it asks.
type Call = (usize, &'static str, &'static str);

/// Asks once more where the first answer is not what is wanted.
async fn again(ask: impl AsyncFn() -> Option<Value>, wanted: impl Fn(&Value) -> bool) -> Value {
    let told = ask().await.expect("an answer");
    if wanted(&told) {
        return told;
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    ask().await.expect("an answer")
}

/// A backup with sizes, verified and scanned, and deleted. How many calls had been made at the end of each part.
async fn life(rig: &Rig) -> (Vec<(&'static str, usize)>, String) {
    let made = || rig.world.calls(PLANE).len();
    // One before it, so that there is something to count blocks against.
    rig.control.apply(&rig.manifest_of("before", "before", "Delete", "")).unwrap();
    assert!(completes(rig, BEFORE, LIMIT).await, "{:#?}", rig.control.get(BEFORE));
    tokio::time::sleep(Duration::from_secs(60)).await;
    let begun = made();
    let phase = rig.backup("", LIMIT).await;
    let mut parts = vec![("before", begun), ("create", made())];
    if phase == "Complete" {
        let sized = || rig.control.get(KEY).is_some_and(|seen| seen["status"]["incrementalBackupSize"].is_i64());
        for _ in 0..600 {
            if sized() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(sized(), "its size is told: {:#?}", rig.control.get(KEY));
    }
    parts.push(("size", made()));
    if phase == "Complete" {
        // A plane that dies meanwhile looks at nothing; who asks again is told.
        let found = again(async || rig.verify(Role::Operator, KEY).await, |told| told["ok"]["level"] == "Sound").await;
        assert_eq!(found["ok"]["level"], "Sound", "{found:#}");
        assert_eq!(rig.lies(), Vec::<String>::new());
    }
    parts.push(("verify", made()));
    let told = again(async || rig.scan(Role::Viewer, None).await, |told| told["ok"]["whole"] == true).await;
    assert!(told["ok"]["found"].as_array().is_some_and(Vec::is_empty) && told["ok"]["whole"] == true, "{told:#}");
    parts.push(("scan", made()));
    rig.control.delete(BEFORE);
    soon("the one before it is gone", || rig.control.get(BEFORE).is_none()).await;
    nothing_left(rig).await;
    parts.push(("clean", made()));
    (parts, phase)
}

/// The first call of each kind in each part, and the last of those that change something.
fn calls() -> Vec<Call> {
    let found = RefCell::new(Vec::new());
    story(world(), async |rig: Rc<Rig>| {
        let (parts, phase) = life(&rig).await;
        assert_eq!(phase, "Complete", "{:?}", rig.failure());
        let made = rig.world.calls(PLANE);
        let mut begun = 0;
        for (part, end) in parts {
            let of_part: Vec<Call> =
                made.iter().enumerate().take(end).skip(begun).map(|(at, action)| (at, part, *action)).collect();
            let mut seen = BTreeSet::new();
            let firsts = of_part.iter().filter(|(_, _, action)| seen.insert(*action)).copied();
            let changes = |action: &str| ["Create", "Delete", "s3:Put"].iter().any(|word| action.starts_with(word));
            let mut last = BTreeSet::new();
            let lasts = of_part.iter().rev().filter(|(_, _, action)| changes(action) && last.insert(*action)).copied();
            if part == "before" {
                begun = end;
                continue;
            }
            found.borrow_mut().extend(firsts.chain(lasts).collect::<BTreeSet<Call>>());
            begun = end;
        }
    });
    found.into_inner()
}

async fn strike(rig: Rc<Rig>, number: usize) {
    while rig.world.calls(PLANE).len() <= number {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    rig.kill_plane(PLANE);
    tokio::time::sleep(Duration::from_secs(2)).await;
    rig.start_plane(PLANE);
}

fn each(strikes: Strike) {
    let all = calls();
    let kinds: BTreeSet<&str> = all.iter().map(|(_, _, action)| *action).collect();
    for must in
        ["CreateSnapshots", "CreateSnapshot", "DeleteSnapshot", "ListChangedBlocks", "GetSnapshotBlock", "s3:PutObject"]
    {
        assert!(kinds.contains(must), "{must} is not among {kinds:?}");
    }
    println!("{:<8} {:<28} {:>5}  {:?}", "part", "call", "no.", strikes);
    for (number, part, action) in all {
        story(world(), async |rig: Rc<Rig>| {
            let killing = match strikes {
                Strike::Lost => {
                    rig.world.lose_answer(PLANE, number);
                    None
                }
                Strike::Killed => Some(tokio::task::spawn_local(strike(rig.clone(), number))),
            };
            let (_, phase) = life(&rig).await;
            assert!(matches!(phase.as_str(), "Complete" | "Failed"), "{part} {action}: {phase:?}");
            if let Some(killing) = killing {
                assert!(killing.is_finished(), "{part} {action}: call {number} was never made");
            }
            println!("{part:<8} {action:<28} {number:>5}  {phase}, nothing left");
        });
    }
}

#[test]
fn an_answer_that_is_lost_leaves_nothing() {
    each(Strike::Lost);
}

#[test]
fn a_plane_that_dies_in_a_call_leaves_nothing() {
    each(Strike::Killed);
}
