//! What befalls EC2 and S3.

use super::aim::{Aim, Injected, once, set_switch, switch, until};
use crate::{sim::kinds::Kind, world::Ec2Faults};
use rand::{Rng, rngs::SmallRng};
use std::time::Duration;

fn ec2(aim: &mut Aim<'_>, text: &str, change: impl FnOnce(&mut Ec2Faults, u32)) -> Option<Injected> {
    let (plane, count) = (aim.plane(), aim.rng.random_range(1..=3));
    aim.rig.world.faults(|faults| change(faults.ec2.entry(plane.clone()).or_default(), count));
    once(format!("{text} in {plane}, {count}"))
}

fn ec2_until(
    aim: &mut Aim<'_>,
    text: &str,
    (from, to): (u64, u64),
    on: impl FnOnce(&mut Ec2Faults, &mut SmallRng),
    off: impl FnOnce(&mut Ec2Faults) + 'static,
) -> Option<Injected> {
    let (plane, ms) = (aim.plane(), aim.ms(from, to));
    let Aim { rig, rng, .. } = aim;
    rig.world.faults(|faults| on(faults.ec2.entry(plane.clone()).or_default(), rng));
    until(format!("{text} in {plane}"), ms, move |rig| {
        rig.world.faults(|faults| off(faults.ec2.entry(plane).or_default()));
    })
}

pub(super) fn aws(aim: &mut Aim<'_>, kind: Kind) -> Option<Injected> {
    match kind {
        Kind::Throttle => ec2(aim, "calls throttled", |faults, count| faults.throttle += count * 3),
        Kind::LostReply => ec2(aim, "create replies lost", |faults, count| faults.lose_replies += count),
        Kind::PartialSet => ec2(aim, "partial sets", |faults, count| faults.partial_sets += count),
        Kind::SnapshotError => ec2(aim, "sets in error", |faults, count| faults.error_sets += count),
        Kind::HiddenSnapshots => {
            let on = |faults: &mut Ec2Faults, rng: &mut SmallRng| {
                faults.hide_new = Duration::from_millis(rng.random_range(2_000..120_000));
                faults.lose_replies += 1;
            };
            ec2_until(aim, "new snapshots hidden, a reply lost", (5_000, 40_000), on, |f| f.hide_new = Duration::ZERO)
        }
        Kind::SlowCreate => {
            let on = |faults: &mut Ec2Faults, rng: &mut SmallRng| {
                faults.slow_create = Duration::from_millis(rng.random_range(1_000..25_000));
            };
            ec2_until(aim, "slow create", (2_000, 30_000), on, |faults| faults.slow_create = Duration::ZERO)
        }
        Kind::VolumeMoved => set_switch(aim, "a volume moved", (500, 20_000), |faults| &mut faults.moved_volume),
        Kind::Ec2Denied => ec2_until(aim, "denied", (500, 20_000), |f, _| f.denied = true, |f| f.denied = false),
        Kind::S3Down => {
            let ms = aim.ms(300, 40_000);
            switch(aim, "S3 down", ms, |faults| faults.s3_down = true, |faults| faults.s3_down = false)
        }
        _ => None,
    }
}
