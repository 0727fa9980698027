//! What keeps changing the regions: PD's schedulers, which pauses stop, and others, which only leases stop.

use super::engine::State;
use rand::Rng;

impl State {
    /// One turn of PD: leader balance, splits, merges or region balance, each unless paused.
    pub(crate) fn scheduler_turn(&mut self) {
        let choice = self.rng.random_range(0..4u32);
        let Some(region) = self.any_region() else { return };
        let now = self.now;
        let (few, many) = (self.config.regions as usize / 2, self.config.regions as usize * 2);
        match choice {
            0 if self.pd.runs("balance-leader-scheduler", now)
                && self.pd.allows("schedule.leader-schedule-limit", now) =>
            {
                self.transfer_leader(region);
            }
            // AskBatchSplit is refused under enable-tikv-split-region=false (`facts/pd-tikv.md` §3.5).
            1 if self.regions.len() < many && self.pd.allows("schedule.enable-tikv-split-region", now) => {
                self.split(region);
            }
            2 if self.regions.len() > few && self.pd.allows("schedule.merge-schedule-limit", now) => {
                self.merge_some(region);
            }
            3 if self.pd.runs("balance-region-scheduler", now)
                && self.pd.allows("schedule.region-schedule-limit", now) =>
            {
                self.change_peer(region);
            }
            _ => {}
        }
    }

    /// Somebody else's turn: manual operators and Lightning. Splits go through PD even then.
    pub(crate) fn unruly_turn(&mut self) {
        let choice = self.rng.random_range(0..5u32);
        let Some(region) = self.any_region() else { return };
        let now = self.now;
        match choice {
            0 => {
                self.transfer_leader(region);
            }
            1 if self.regions.len() > self.config.regions as usize / 2 => self.merge_some(region),
            2 => {
                self.change_peer(region);
            }
            3 if self.pd.allows("schedule.enable-tikv-split-region", now) => {
                self.split(region);
            }
            _ => self.start_ingest(region),
        }
    }

    /// Few regions can merge as they stand: looks on from `first` until one can.
    fn merge_some(&mut self, first: shared::ids::RegionId) {
        let from: Vec<_> = self.regions.range(first..).chain(self.regions.range(..first)).map(|(id, _)| *id).collect();
        for id in from {
            if self.merge(id) {
                return;
            }
        }
    }
}
