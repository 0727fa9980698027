//! What holds after every step, and after healing.

use crate::world::{DAY, HOUR, START, World};
use shared::{
    retention::{Tier, plan},
    schedule::{Effect, MAX_SKEW, ScheduleKey, fire_of_name},
    time::Timestamp,
};

/// Clocks are off by less than this, either way.
const SKEW: i64 = 12 * HOUR;

/// Before an effect is carried out.
pub(crate) fn effect(world: &mut World, effect: &Effect) {
    let (seed, wall) = (world.seed, world.wall());
    match effect {
        Effect::Create(new) => {
            let schedule = &world.schedules[&new.key];
            let again = world.unknown.remove(&new.name);
            let later = schedule.spec.cron.next_after(new.fire);
            assert!(again || new.fire <= wall, "seed {seed}: {} is made before its time", new.name);
            assert!(
                again || later.is_none_or(|later| later > wall),
                "seed {seed}: {} is made up for at {}, although a newer fire is due",
                new.name,
                shared::calendar::rfc3339(wall)
            );
            assert!(again || !schedule.spec.pause, "seed {seed}: {} is made while paused", new.name);
            world.seen.late += u64::from(wall.0 - new.fire.0 > HOUR);
        }
        Effect::Delete { key, name, .. } => {
            let schedule = &world.schedules[key];
            let named = plan(&schedule.listed, &schedule.spec.policy, wall).delete_now;
            assert!(named.is_some_and(|(named, _, _)| named == *name), "seed {seed}: the plan does not name {name}");
            let skew = wall.0.abs_diff(START + world.time);
            assert!(skew <= MAX_SKEW.0, "seed {seed}: {name} is deleted by a clock that is {skew} ms off");
            if let Some(stored) = schedule.backups.get(name) {
                assert!(!stored.backup.is_running(), "seed {seed}: {name} is running");
            }
            for other in schedule.backups.values().map(|stored| &stored.backup).filter(|other| other.name != *name) {
                let Some(since) = other.deleting else { continue };
                assert!(
                    START + world.time - since.0 >= DAY - SKEW || !schedule.listed.contains(other),
                    "seed {seed}: {name} is deleted beside {}",
                    other.name
                );
                world.seen.overtaken += 1;
            }
        }
        Effect::SaveStatus { key, status } => {
            let before = world.schedules[key].status.last_backup_time;
            assert!(status.last_backup_time >= before, "seed {seed}: the last backup of {} goes back", key.name);
        }
        Effect::Event { .. } => {}
    }
}

/// After a backup was made.
pub(crate) fn made(world: &mut World, key: &ScheduleKey, name: &str) {
    let seed = world.seed;
    let schedule = world.schedules.get_mut(key).expect("its own");
    assert!(schedule.made.insert(name.to_owned()), "seed {seed}: {name} is made twice");
    let group = schedule.group.clone();
    for (other, schedule) in &world.schedules {
        let mates = other == key || (group.is_some() && schedule.group == group);
        let running = schedule.backups.values().find(|stored| stored.backup.is_running() && stored.backup.name != name);
        if let Some(running) = running.filter(|_| mates) {
            panic!("seed {seed}: {name} begins beside {}", running.backup.name);
        }
    }
}

/// After every step.
pub(crate) fn world(world: &World) {
    for (key, schedule) in &world.schedules {
        let good = || schedule.backups.values().any(|stored| stored.backup.is_good());
        assert!(!schedule.had_good || good(), "seed {}: the last good backup of {} is lost", world.seed, key.name);
        for stored in schedule.backups.values().filter(|stored| stored.backup.is_good()) {
            let there = world.store.contains(&stored.backup.uid);
            assert!(there, "seed {}: {} is Complete and its data is gone", world.seed, stored.backup.name);
        }
    }
}

/// Twenty days after all faults have ended.
pub(crate) fn healed(world: &World) {
    let seed = world.seed;
    for (key, schedule) in &world.schedules {
        // Slow runs of the group may hold a run up for four days each.
        let newest = schedule.made.iter().filter_map(|name| fire_of_name(&key.name, name)).max();
        let until = Timestamp(world.wall().0 - 9 * DAY);
        let due = newest.and_then(|newest| schedule.spec.cron.next_after(newest));
        assert!(due.is_none_or(|due| due > until), "seed {seed}: {} stands still since {newest:?}", key.name);
        let backups: Vec<_> = schedule.backups.values().map(|stored| stored.backup.clone()).collect();
        let left = plan(&backups, &schedule.spec.policy, Timestamp(world.wall().0 - 2 * DAY));
        let policy = &schedule.spec.policy;
        let tiers: u32 = Tier::ALL.into_iter().map(|tier| policy.tiers.get(tier)).sum();
        if policy.max_backups.is_some() || tiers > 0 {
            let free = backups.iter().filter(|backup| backup.is_good() && !backup.skip_gc && !backup.on_hold);
            let most = policy.max_backups.unwrap_or(0) + tiers + 3;
            assert!(free.count() <= most.try_into().unwrap(), "seed {seed}: {} keeps more than its limits", key.name);
        }
        let overdue = left.rows.iter().filter(|row| matches!(row.verdict, shared::retention::Verdict::Delete(_)));
        assert!(overdue.count() <= 3, "seed {seed}: deletions of {} do not come", key.name);
        assert_eq!(schedule.status.schedule, schedule.spec.cron.text(), "seed {seed}: the status is not stored");
    }
}
