//! What goes wrong, one kind after the other, mended before the next interval begins.

use std::time::Duration;
use tests::{
    rig::{Net, Network, Rig},
    world::Ec2Faults,
};
use tokio::time::sleep;

/// What is broken is mended after this.
pub(crate) const BROKEN: Duration = Duration::from_secs(90);
/// Of calls that are refused, and answers that are lost.
const CALLS: u32 = 3;

/// A network that can be cut.
pub(crate) trait Cuts: Network {
    /// Between a plane and the coordinator, both ways.
    fn cut(&self, plane: &str);

    /// Joins them again.
    fn heal(&self, plane: &str);
}

impl Cuts for Net {
    fn cut(&self, plane: &str) {
        Self::cut(self, plane);
    }

    fn heal(&self, plane: &str) {
        Self::heal(self, plane);
    }
}

/// Both programs live on.
pub(crate) async fn outside<N: Cuts>(rig: &Rig<N>, plane: &str, number: u32) {
    let ec2 =
        |change: fn(&mut Ec2Faults)| rig.world.faults(|faults| change(faults.ec2.entry(plane.into()).or_default()));
    match number % 7 {
        0 => rig.net.cut(plane),
        1 => rig.control.lose_ledger_answers(CALLS),
        2 => rig.control.objects_down(true),
        3 => rig.world.faults(|faults| faults.s3_down = true),
        4 => ec2(|faults| faults.throttle += CALLS),
        5 => {
            let store = rig.world.stores().into_iter().find(|(_, of)| of == plane);
            store.into_iter().for_each(|(store, _)| rig.world.restart_store(store, Duration::from_secs(10)));
        }
        _ => ec2(|faults| faults.lose_replies += 1),
    }
    sleep(BROKEN).await;
    rig.net.heal(plane);
    rig.control.lose_ledger_answers(0);
    rig.control.objects_down(false);
    rig.world.faults(|faults| {
        faults.s3_down = false;
        faults.ec2.clear();
    });
}

/// One of both programs ends, is replaced, or is told to end.
pub(super) async fn restart(rig: &Rig, plane: &str, number: u32) {
    match number % 5 {
        0 => rig.kill_coordinator(),
        1 => rig.kill_plane(plane),
        2 => rig.depose_coordinator(),
        3 => rig.tell_coordinator_to_end(),
        _ => drop(rig.tell_plane_to_end(plane)),
    }
    sleep(BROKEN).await;
    match number % 5 {
        // It may still wait for a barrier.
        0 | 3 => {
            rig.kill_coordinator();
            rig.start_coordinator();
        }
        2 => rig.kill_deposed(),
        _ => {
            rig.kill_plane(plane);
            rig.start_plane(plane);
        }
    }
}
