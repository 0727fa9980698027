//! What people want, and what they and the machines below break.

use crate::{
    objects::Schedule,
    world::{DAY, HOUR, SECOND, World},
};
use rand::{Rng, rngs::SmallRng, seq::IndexedRandom};
use shared::{
    cron::{Cron, Zone},
    retention::{Policy, Tier, last_good},
    schedule::ScheduleKey,
    time::Millis,
};
use std::collections::BTreeMap;

const OFTEN: [&str; 6] = [
    "0 3 * * *",
    "TZ=Europe/Berlin 30 2 * * *",
    "0 3 * * *",
    "@every 20h",
    "TZ=America/New_York 15 1,13 * * *",
    "0 4 */2 * ?",
];
const SELDOM: [&str; 3] = ["0 3 * * sun", "0 0 1 * *", "TZ=Asia/Kathmandu @weekly"];

/// One that runs often and one that runs seldom in one group, and sometimes one on its own.
pub(crate) fn schedules(rng: &mut SmallRng) -> BTreeMap<ScheduleKey, Schedule> {
    let group = || Some("shop".to_owned());
    let mut schedules = BTreeMap::from([
        (key("often"), Schedule::new(cron(rng, &OFTEN), policy(rng), group())),
        (key("seldom"), Schedule::new(cron(rng, &SELDOM), policy(rng), group())),
    ]);
    if rng.random_range(0..3) == 0 {
        schedules.insert(key("alone"), Schedule::new(cron(rng, &OFTEN), policy(rng), None));
    }
    schedules
}

fn key(name: &str) -> ScheduleKey {
    ScheduleKey { namespace: "br".to_owned(), name: name.to_owned() }
}

fn cron(rng: &mut SmallRng, expressions: &[&str]) -> Cron {
    let text = expressions.choose(rng).expect("one");
    Cron::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn policy(rng: &mut SmallRng) -> Policy {
    let mut policy = Policy::keep_all(Zone::utc());
    match rng.random_range(0..4) {
        0 => policy.max_backups = Some(rng.random_range(1..8)),
        1 => policy.max_reserved = Some(Millis::secs(86_400 * rng.random_range(1..12))),
        2 => {
            policy.max_backups = Some(rng.random_range(1..10));
            policy.max_reserved = Some(Millis::secs(86_400 * rng.random_range(1..20)));
        }
        _ => {
            for (tier, most) in [(Tier::Daily, 5), (Tier::Weekly, 4), (Tier::Monthly, 4)] {
                policy.tiers.set(tier, rng.random_range(1..most));
            }
        }
    }
    policy
}

/// Something happens, every other day or so.
pub(crate) fn trouble(world: &mut World) {
    world.next_trouble = world.time + world.between(HOUR, 4 * DAY);
    let keys: Vec<ScheduleKey> = world.schedules.keys().cloned().collect();
    let key = keys.choose(&mut world.rng).expect("one").clone();
    match world.between(0, 12) {
        0 | 1 => {
            let down = world.between(SECOND, 6 * HOUR);
            world.crash(down);
        }
        2 => {
            let down = world.between(HOUR, 10 * DAY);
            world.crash(down);
        }
        3..=5 => {
            let skew = if world.chance(400) { 0 } else { world.between(-11 * HOUR, 11 * HOUR) };
            world.seen.back += u64::from(skew < world.skew);
            world.skew = skew;
        }
        6 | 7 => {
            let schedule = world.schedules.get_mut(&key).expect("chosen");
            schedule.spec.pause = !schedule.spec.pause;
            world.tell(&key);
        }
        8 => {
            let expressions: &[&str] = if key.name == "seldom" { &SELDOM } else { &OFTEN };
            let cron = cron(&mut world.rng, expressions);
            world.schedules.get_mut(&key).expect("chosen").spec.cron = cron;
            world.tell(&key);
        }
        9 => {
            let policy = policy(&mut world.rng);
            world.schedules.get_mut(&key).expect("chosen").spec.policy = policy;
            world.tell(&key);
        }
        10 => hold(world, &key),
        _ => remove(world, &key),
    }
}

/// Somebody marks a backup, or takes a mark off.
fn hold(world: &mut World, key: &ScheduleKey) {
    let schedule = world.schedules.get_mut(key).expect("chosen");
    let names: Vec<String> = schedule.backups.keys().cloned().collect();
    let Some(name) = names.choose(&mut world.rng) else { return };
    let backup = &mut schedule.backups.get_mut(name).expect("chosen").backup;
    match world.rng.random_range(0..3) {
        0 => backup.skip_gc = true,
        1 => backup.on_hold = true,
        _ => (backup.skip_gc, backup.on_hold) = (false, false),
    }
    world.changed(key);
}

/// Somebody deletes a backup by hand: any but the newest, and never the last good one.
fn remove(world: &mut World, key: &ScheduleKey) {
    let schedule = world.schedules.get(key).expect("chosen");
    let good = last_good(schedule.backups.values().map(|stored| &stored.backup)).map(|backup| backup.name.clone());
    let newest = schedule.backups.keys().next_back();
    let names: Vec<String> =
        schedule.backups.keys().filter(|name| Some(*name) != newest && Some(*name) != good.as_ref()).cloned().collect();
    if let Some(name) = names.choose(&mut world.rng) {
        world.leave(key, name);
    }
}
