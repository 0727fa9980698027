//! Lock objects in S3: the first touch.

use crate::{
    barrier::{
        input::{Effect, Timer},
        machine::Barrier,
        phase::Phase,
    },
    ids::PlaneId,
    time::Now,
};

impl Barrier {
    pub(in crate::barrier) fn reserved(&mut self, now: Now, plane: &PlaneId, effects: &mut Vec<Effect>) {
        if self.mark(plane, Phase::Reserving) && self.all_answered() {
            self.stop(&[Timer::Prepare]);
            self.begin_settling(now, effects);
        }
    }
}
