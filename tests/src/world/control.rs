//! The control: the same world, the same restore, and no barrier. It shows that the sum can break, and by what.

use super::{World, engine::State, image::Cut};
use shared::ts::Ts;
use std::time::Duration;

/// commit_ts lies this far behind the first cut, so that some transfers lie between.
const LEAST_LEAD_MS: u64 = 200;
/// Between two looks at resolved ts, and how many: 30 s, ten times the life of a dead client's lock.
const LOOK: Duration = Duration::from_millis(100);
const MAX_LOOKS: u32 = 300;

/// How the control differs from a barrier.
#[derive(Clone, Debug)]
pub struct Control {
    /// The plane that is cut later than the others.
    pub late_plane: String,
    /// How much later, at least.
    pub by: Duration,
}

impl State {
    /// The least `safe_ts` that leaders say now; 0 while any is not initialised.
    fn least_safe_ts(&self) -> Ts {
        self.regions
            .keys()
            .map(|id| self.leader(*id).map_or(Ts::ZERO, |leader| leader.safe_ts))
            .min()
            .unwrap_or(Ts::ZERO)
    }

    fn add_plane(&self, cut: &mut Cut, is_wanted: impl Fn(&str) -> bool) {
        for (id, _) in self.stores.iter().filter(|(_, held)| is_wanted(&held.plane)) {
            cut.volumes.extend(self.capture_volumes(*id));
        }
    }
}

impl World {
    /// Every plane cuts when it gets there, nothing is held, and the last one to cut reads commit_ts just before. No
    /// EC2 call is made, so nothing is left over. Takes `control.by` of the world's time and up to 30 s more.
    pub async fn snapshot_without_barrier(&self, control: &Control) -> Cut {
        let mut cut = Cut { commit_ts: Ts::ZERO, volumes: Vec::new() };
        self.with(|state| state.add_plane(&mut cut, |plane| plane != control.late_plane));
        let first = self.wall().0;
        tokio::time::sleep(control.by).await;
        // Resolved ts may stand still for a moment (a client died); a late plane waits for it as any plane would.
        for _ in 0..MAX_LOOKS {
            if self.with(|state| state.least_safe_ts()).physical_ms() > first.unsigned_abs() + LEAST_LEAD_MS {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        self.with(|state| {
            cut.commit_ts = state.least_safe_ts();
            state.add_plane(&mut cut, |plane| plane == control.late_plane);
        });
        cut
    }
}
