//! Any inputs in any order: no panic, deadlines ahead, one creation and one deletion in flight, names made once.

use crate::fixtures::*;
use proptest::prelude::*;
use shared::{
    machine::Machine,
    retention::{BackupState, plan},
    schedule::{CreateResult, DeleteResult, Effect, Input, Object, Scheduler, Spec, Status},
    time::{Instant, Now},
};
use std::collections::BTreeMap;

const NAMES: [&str; 3] = ["a", "b", "c"];
const EXPRESSIONS: [&str; 4] = ["0 * * * *", "*/30 * * * *", "@every 40m", "0 0 31 2 *"];

#[derive(Clone, Debug)]
enum Act {
    Told { schedule: usize, expression: usize, pause: bool, valid: bool, group: bool, max: i32, uid: bool },
    Gone(usize),
    Listed { schedule: usize, backups: BTreeMap<u8, (u8, bool)> },
    Synced,
    Created(usize, u8),
    Deleted(usize, u8),
    Wait(u64),
    Wall(i64),
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    let told = (
        0..3_usize,
        0..4_usize,
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.9),
        any::<bool>(),
        0..4_i32,
        prop::bool::weighted(0.05),
    );
    prop_oneof![
        8 => told.prop_map(|(schedule, expression, pause, valid, group, max, uid)| Act::Told { schedule, expression, pause, valid, group, max, uid }),
        1 => (0..3_usize).prop_map(Act::Gone),
        10 => (0..3_usize, prop::collection::btree_map(any::<u8>(), (prop_oneof![1 => Just(0_u8), 8 => 1..4_u8], prop::bool::weighted(0.1)), 0..6))
            .prop_map(|(schedule, backups)| Act::Listed { schedule, backups }),
        4 => Just(Act::Synced),
        16 => (0..3_usize, 0..5_u8).prop_map(|(schedule, result)| Act::Created(schedule, result)),
        12 => (0..3_usize, 0..3_u8).prop_map(|(schedule, result)| Act::Deleted(schedule, result)),
        16 => (0..7_200_000_u64).prop_map(Act::Wait),
        1 => (-90_000_000..90_000_000_i64).prop_map(Act::Wall),
        1 => Just(Act::Restart),
    ]
}

/// Watches effects: what is in flight, what was created.
#[derive(Default)]
struct Watch {
    creating: BTreeMap<String, String>,
    deleting: BTreeMap<String, String>,
    statuses: BTreeMap<String, Status>,
    uids: BTreeMap<String, u64>,
    /// Answered with "unknown": the same name may be asked for again.
    unknown: BTreeMap<String, String>,
}

impl Watch {
    fn see(&mut self, machine: &Scheduler, now: Now, effects: &[Effect]) -> Result<(), TestCaseError> {
        for effect in effects {
            match effect {
                Effect::Create(new) => {
                    let before = self.creating.insert(new.key.name.clone(), new.name.clone());
                    prop_assert_eq!(before, None, "two creations in flight");
                    let view = machine.view().into_iter().find(|view| view.key == new.key).unwrap();
                    prop_assert_eq!(&view.running, &Vec::<String>::new(), "one at a time");
                    let again = self.unknown.remove(&new.key.name).is_some_and(|name| name == new.name);
                    prop_assert!(again || new.fire <= now.wall, "made before its time");
                    for mate in machine.view().into_iter().filter(|_| !again) {
                        let mates = view.group.is_some() && mate.group == view.group && mate.key != view.key;
                        let busy = !mate.running.is_empty() || self.creating.contains_key(&mate.key.name);
                        prop_assert!(!mates || !busy, "{} begins beside {}", new.name, mate.key.name);
                    }
                }
                Effect::Delete { key, name, .. } => {
                    let before = self.deleting.insert(key.name.clone(), name.clone());
                    prop_assert_eq!(before, None, "two deletions in flight");
                }
                Effect::SaveStatus { key, status } => {
                    self.statuses.insert(key.name.clone(), (**status).clone());
                }
                Effect::Event { .. } => {}
            }
        }
        if let Some((due, timer)) = machine.deadline() {
            prop_assert!(due.0 <= now.at.0 + 6 * 3_600_000, "{:?} sleeps too long", timer);
        }
        Ok(())
    }
}

fn input(watch: &mut Watch, now: Now, act: &Act) -> Option<Input> {
    Some(match act {
        Act::Told { schedule, expression, pause, valid, group, max, uid } => {
            let name = NAMES[*schedule];
            let wanted = Spec { pause: *pause, ..limited(EXPRESSIONS[*expression], *max) };
            let refusal = shared::reason::Refusal::new(shared::reason::Reason::SpecInvalid, "test");
            if *uid {
                watch.creating.remove(name);
                watch.deleting.remove(name);
                *watch.uids.entry(name.to_owned()).or_default() += 1;
            }
            let object = Object {
                uid: format!("u{}", watch.uids.get(name).copied().unwrap_or_default()),
                group: group.then(|| "g".to_owned()),
                spec: if *valid { Ok(wanted) } else { Err(refusal) },
                status: watch.statuses.get(name).cloned().unwrap_or_default(),
                ..object(spec("0 * * * *"))
            };
            Input::Schedule { key: key(name), object: Box::new(object) }
        }
        Act::Gone(schedule) => {
            watch.creating.remove(NAMES[*schedule]);
            watch.deleting.remove(NAMES[*schedule]);
            Input::ScheduleGone(key(NAMES[*schedule]))
        }
        Act::Listed { schedule, backups } => {
            let name = NAMES[*schedule];
            let backups = backups
                .iter()
                .map(|(age, (state, deleting))| {
                    let fire = shared::time::Timestamp(now.wall.0 - i64::from(*age) * 1_800_000);
                    let state =
                        [RUNNING, COMPLETE, FAILED, BackupState::Complete { proven: false }][usize::from(*state)];
                    let mut backup = backup(&shared::schedule::backup_name(name, fire), state);
                    backup.created = fire;
                    backup.deleting = deleting.then_some(now.wall);
                    backup
                })
                .collect();
            Input::Backups { key: key(name), backups }
        }
        Act::Synced => Input::Synced,
        Act::Created(schedule, result) => {
            let name = watch.creating.remove(NAMES[*schedule])?;
            let result = match result {
                0 | 1 => CreateResult::Created,
                2 => CreateResult::Exists { ours: true },
                3 => CreateResult::Refused("no".to_owned()),
                _ => {
                    watch.unknown.insert(NAMES[*schedule].to_owned(), name.clone());
                    CreateResult::Unknown("lost".to_owned())
                }
            };
            Input::Created { key: key(NAMES[*schedule]), name, result }
        }
        Act::Deleted(schedule, result) => {
            let name = watch.deleting.remove(NAMES[*schedule])?;
            let result = [DeleteResult::Deleted, DeleteResult::Gone, DeleteResult::Failed("no".to_owned())]
                [usize::from(*result)]
            .clone();
            Input::Deleted { key: key(NAMES[*schedule]), name, result }
        }
        Act::Wait(_) | Act::Wall(_) | Act::Restart => return None,
    })
}

fn run(acts: &[Act]) -> Result<(usize, usize), TestCaseError> {
    let mut now = Now { at: Instant(0), wall: at("2024-05-01T00:00:00Z") };
    let (mut machine, mut watch) = (Scheduler::new(), Watch::default());
    let (mut made, mut deleted) = (0, 0);
    for act in acts {
        match act {
            Act::Wait(length) => {
                now.at.0 += length;
                now.wall.0 += i64::try_from(*length).unwrap();
            }
            Act::Wall(by) => now.wall.0 += by,
            Act::Restart => {
                machine = Scheduler::new();
                (watch.creating, watch.deleting) = Default::default();
            }
            _ => {}
        }
        let mut fired = 0;
        while let Some((due, timer)) = machine.deadline()
            && due <= now.at
        {
            let effects = machine.step(now, Scheduler::expired(timer));
            watch.see(&machine, now, &effects)?;
            prop_assert!(machine.deadline() != Some((due, timer)), "{timer:?} is due again at once");
            fired += 1;
            prop_assert!(fired < 100, "timers without end");
        }
        // A clock that is right, however it was set: what it stops is another test's.
        let checked = machine.step(now, Input::ClockChecked(Some(now.wall)));
        watch.see(&machine, now, &checked)?;
        let Some(input) = input(&mut watch, now, act) else { continue };
        let effects = machine.step(now, input.clone());
        watch.see(&machine, now, &effects)?;
        made += effects.iter().filter(|effect| matches!(effect, Effect::Create(_))).count();
        for effect in &effects {
            if let Effect::Delete { key, name, .. } = effect {
                deleted += 1;
                if let Input::Backups { key: listed, backups } = &input
                    && listed == key
                {
                    prop_assert!(
                        (0..4).any(|max| plan(backups, &limited("0 * * * *", max).policy, now.wall)
                            .delete_now
                            .is_some_and(|(named, _, _)| named == *name)),
                        "{name} is named by no plan"
                    );
                }
            }
        }
        let again = machine.step(now, input);
        let repeated = again.iter().any(|effect| matches!(effect, Effect::Create(_)));
        watch.see(&machine, now, &again)?;
        prop_assert!(!repeated || effects.iter().all(|effect| !matches!(effect, Effect::Create(_))));
    }
    Ok((made, deleted))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn one_at_a_time_whatever_happens(acts in prop::collection::vec(act(), 1..200)) {
        run(&acts)?;
    }
}

/// The law would hold for a machine that does nothing: this one makes and deletes.
#[test]
fn the_law_is_not_empty() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let strategy = prop::collection::vec(act(), 200);
    let (mut made, mut deleted) = (0, 0);
    for _ in 0..50 {
        let (m, d) = run(&strategy.new_tree(&mut runner).unwrap().current()).unwrap();
        (made, deleted) = (made + m, deleted + d);
    }
    assert!(made >= 60 && deleted >= 40, "{made} made, {deleted} deleted");
}
