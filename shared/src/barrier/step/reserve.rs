//! Lock objects in S3: the first touch.

use crate::{
    barrier::{
        input::{Step, Timer},
        machine::Barrier,
        phase::Phase,
    },
    ids::PlaneId,
};

impl Barrier {
    pub(in crate::barrier) fn reserved(&mut self, plane: &PlaneId, step: &mut Step) {
        if self.accept_answer(plane, Phase::Reserving, step) && self.all_answered() {
            self.stop(&[Timer::Prepare]);
            self.begin_settling(step);
        }
    }
}
