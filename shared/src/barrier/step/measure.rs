//! How much the backup added: after it is Complete, part by part, so that a restart loses little. It holds nothing up,
//! fails nothing, and ends by itself.

use crate::{
    barrier::{
        common::Common,
        increments::Increments,
        input::{Step, Timer},
        machine::Barrier,
        phase::Phase,
    },
    ids::PlaneId,
    reason::{Refusal, cut},
    time::Millis,
    wire::{MEASURED_AT_ONCE, Measure, Measured, Order},
};

/// What could not be told within a day after the end stays unknown: a plane that is away for longer may never come back.
const LIMIT: Millis = Millis::secs(24 * 3600);
/// Between two tries of what may pass: nobody waits for it.
const AGAIN: Millis = Millis::secs(300);
/// Why something is unknown, all texts of a plane together.
const NOTE_MAX: usize = 512;

impl Barrier {
    /// Begins, or goes on after a restart.
    pub(in crate::barrier) fn begin_measuring(&mut self, step: &mut Step) {
        if !self.record.measures() {
            return;
        }
        let until = *self.measure_until.get_or_insert_with(|| {
            let completed = self.record.times.completed.unwrap_or(step.now.wall);
            step.now.at + Millis(LIMIT.0.saturating_sub(step.now.wall.since(completed).0))
        });
        for live in self.planes.values_mut() {
            live.answered = false;
        }
        self.set(Timer::Measure, until);
        self.send_all(step);
    }

    pub(in crate::barrier) fn measure_order(&self, plane: &PlaneId, common: &Common) -> Option<Order> {
        if !self.record.measures_in(plane) {
            return None;
        }
        let from = self.record.planes.get(plane)?.increments?.done;
        let part = self.record.certificate.as_ref()?.planes.get(plane)?;
        let left = part.evidence.snapshots.iter().skip(usize::try_from(from).ok()?);
        Some(Order::Measure(Measure {
            spec: self.spec_of(plane)?,
            from,
            snapshots: left.take(MEASURED_AT_ONCE).cloned().collect(),
            share: common.listings(&self.record, plane),
        }))
    }

    pub(in crate::barrier) fn measured(&mut self, plane: &PlaneId, measured: Measured, step: &mut Step) {
        let kept = self.record.planes.get(plane).and_then(|kept| kept.increments);
        let ours = self.record.measures_in(plane) && kept.is_some_and(|kept| kept.done == measured.from);
        if self.phase != Phase::Complete || !ours {
            return;
        }
        let total = self.record.certified_of(plane);
        let Some(kept) = self.record.planes.get_mut(plane) else { return };
        let Some(told) = kept.increments.as_mut() else { return };
        let asked = u32::try_from(MEASURED_AT_ONCE).unwrap_or(u32::MAX).min(total.saturating_sub(told.done));
        told.done = told.done.saturating_add(asked);
        told.bytes = told.bytes.saturating_add(measured.bytes);
        told.unknown = told.unknown.saturating_add(measured.unknown.min(asked));
        for note in measured.notes {
            remark(&mut kept.notes, note);
        }
        self.save(step);
        self.send_outstanding(plane, step);
        self.end_measuring();
    }

    /// What may pass is tried again; else it stays unknown, and the backup says why.
    pub(in crate::barrier) fn measure_refused(&mut self, plane: &PlaneId, refusal: &Refusal, step: &mut Step) {
        if !self.record.measures_in(plane) {
            return;
        }
        if refusal.reason.is_passing() {
            if let Some(live) = self.planes.get_mut(plane) {
                live.answered = true;
                live.progress = None;
            }
            let again = step.now.at + AGAIN;
            self.set(Timer::Measure, self.measure_until.map_or(again, |until| until.min(again)));
            return;
        }
        self.leave_unmeasured(plane, &refusal.to_string());
        self.save(step);
        self.end_measuring();
    }

    /// The time for another try, or all the time there was, is over.
    pub(in crate::barrier) fn measure_expired(&mut self, step: &mut Step) {
        if self.measure_until.is_some_and(|until| step.now.at < until) {
            self.begin_measuring(step);
            return;
        }
        let open: Vec<PlaneId> =
            self.record.planes.keys().filter(|plane| self.record.measures_in(plane)).cloned().collect();
        for plane in &open {
            self.leave_unmeasured(plane, "no answer within a day after the end");
        }
        if !open.is_empty() {
            self.save(step);
        }
    }

    fn leave_unmeasured(&mut self, plane: &PlaneId, why: &str) {
        let total = self.record.certified_of(plane);
        let Some(kept) = self.record.planes.get_mut(plane) else { return };
        let Some(told) = kept.increments.as_mut() else { return };
        let left = total.saturating_sub(told.done);
        *told = Increments { done: total, unknown: told.unknown.saturating_add(left), ..*told };
        remark(&mut kept.notes, format!("how much {left} of {total} snapshots added is unknown: {why}"));
    }

    fn end_measuring(&mut self) {
        if !self.record.measures() {
            self.stop(&[Timer::Measure]);
        }
    }
}

/// The first few say it all.
fn remark(notes: &mut Vec<String>, note: String) {
    let room = NOTE_MAX.saturating_sub(notes.iter().map(String::len).sum());
    if room > 0 && !notes.contains(&note) {
        notes.push(cut(note, room));
    }
}
