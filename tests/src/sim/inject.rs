//! What each kind of fault does, and what undoes it. Switches go back by themselves after a while; whatever is left when
//! the faults stop is healed all at once.

mod aim;
mod aws;
mod cluster;
mod disasters;
mod hosts;
mod old_manager;
mod people;

pub(super) use aim::{Injected, Undo};

use super::plan::Strike;
use crate::rig::Rig;
use aim::Aim;
use rand::{SeedableRng, rngs::SmallRng};

/// Lets a fault take place. `None`: it cannot now (nothing to kill, nothing to split).
pub(super) fn inject(rig: &Rig, strike: &Strike) -> Option<Injected> {
    let planes = rig.world.config().planes.into_iter().map(|plane| plane.name).collect();
    let mut aim = Aim { rig, rng: SmallRng::seed_from_u64(strike.seed), planes };
    cluster::tikv(&mut aim, strike.kind)
        .or_else(|| cluster::pd(&mut aim, strike.kind))
        .or_else(|| aws::aws(&mut aim, strike.kind))
        .or_else(|| hosts::network(&mut aim, strike.kind))
        .or_else(|| hosts::processes(&mut aim, strike.kind))
        .or_else(|| people::people(&mut aim, strike.kind))
        .or_else(|| people::editors(&mut aim, strike.kind))
        .or_else(|| disasters::disasters(&mut aim, strike.kind))
}
