//! What an answer comes to. One of another stage is late, and is passed over.

use super::{Step, admit, certify, machine::Restoring, stage::Stage};
use crate::{
    ids::PlaneId,
    reason::{Reason, Refusal},
    recovery::FlashbackTimes,
    wire::RestoreAnswer,
};

impl Restoring {
    pub(super) fn answered(&mut self, plane: &PlaneId, answer: RestoreAnswer, step: &mut Step) {
        if self.planes.get(plane).is_none_or(|live| live.answered) {
            return;
        }
        let Some(kept) = self.record.planes.get_mut(plane) else { return };
        match (self.record.stage, answer) {
            (Stage::Looking | Stage::Confirming, RestoreAnswer::Looked(looked)) => kept.looked = Some(looked),
            (Stage::Building, RestoreAnswer::Built(built)) => kept.built = Some(built),
            (Stage::Placing, RestoreAnswer::Placed { volumes }) => kept.placed = volumes,
            (Stage::Undoing, RestoreAnswer::Undone(undone)) => {
                kept.deleted = kept.deleted.saturating_add(undone.deleted);
                kept.undone = undone.left.is_empty();
                kept.left = undone.left;
                if !kept.undone {
                    let text = format!("left over: {}", kept.left.join("; "));
                    return self.not_undone(plane, Refusal::new(Reason::CleanFailed, text), step);
                }
            }
            (Stage::Meeting, RestoreAnswer::Met(met)) => self.record.met = Some(met),
            (Stage::Leading, RestoreAnswer::Led(led)) => self.record.led = Some(led),
            (Stage::Timing, RestoreAnswer::Timed { start_ts, commit_ts }) => {
                let version = self.record.admitted.as_ref().map(|admitted| admitted.commit_ts);
                self.record.times = version.map(|version| FlashbackTimes { version, start_ts, commit_ts });
            }
            (Stage::RollingBack, RestoreAnswer::RolledBack(rolled_back)) => self.record.rolled_back = Some(rolled_back),
            (Stage::Checking, RestoreAnswer::Checked(checked)) => self.record.checked = Some(checked),
            (Stage::Settling, RestoreAnswer::Settled(normal)) => self.record.normal = Some(normal),
            (Stage::Marking, RestoreAnswer::Marked { .. })
            | (Stage::Warming, RestoreAnswer::Warmed)
            | (Stage::Starting, RestoreAnswer::Started)
            | (Stage::Unmarking, RestoreAnswer::Unmarked)
            | (Stage::Restarting, RestoreAnswer::Restarted { .. })
            | (Stage::Finishing, RestoreAnswer::Finished) => {}
            _ => return,
        }
        if let Some(live) = self.planes.get_mut(plane) {
            live.answered = true;
            (live.refused, live.again) = (None, None);
        }
        self.arm_again();
        if self.all_answered() {
            self.stage_done(step);
        }
    }

    /// Every plane has answered: is it what the next stage may rest on?
    fn stage_done(&mut self, step: &mut Step) {
        let judged = match self.record.stage {
            Stage::Looking => self.admit(),
            Stage::Confirming => self.confirm(),
            Stage::Placing => certify::placed(&self.record),
            Stage::Meeting => certify::met(&self.record),
            Stage::Leading => certify::led(&self.record),
            Stage::Timing => certify::timed(&self.record),
            Stage::RollingBack => certify::rolled_back(&self.record),
            Stage::Checking => certify::checked(&self.record),
            Stage::Settling => self.certify(),
            _ => Ok(()),
        };
        match judged {
            Err(refusal) => self.fail(refusal, step),
            Ok(()) if self.record.stage == Stage::Undoing => self.undone(step),
            Ok(()) => {
                let next = self.record.stage.next(&self.record.request);
                if next == Stage::Undoing {
                    self.record.undoes = Some(self.record.stage);
                }
                self.enter(next, step);
            }
        }
    }

    fn admit(&mut self) -> Result<(), Refusal> {
        self.record.admitted = Some(admit::admit(&self.record)?);
        Ok(())
    }

    /// Under the claim nobody else restores into the cluster: what is seen now stays so.
    fn confirm(&mut self) -> Result<(), Refusal> {
        let again = admit::admit(&self.record)?;
        let Some(admitted) = self.record.admitted.as_mut() else { return Ok(()) };
        admitted.confirmed_by(&again)?;
        admitted.ceiling = admitted.ceiling.max(again.ceiling);
        Ok(())
    }

    fn certify(&mut self) -> Result<(), Refusal> {
        self.record.certificate = Some(certify::certify(&self.record)?);
        Ok(())
    }
}
