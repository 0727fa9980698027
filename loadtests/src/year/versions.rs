//! The version before this one, as this one sees it: what it says, what it knows, what it saves. Its machines are these; `tests/rollout`
//! runs programs that were built from an earlier commit.

use shared::{
    barrier::{Moments, Record},
    wire::{Answer, Confirmed, Down, Order, Recovered, Up},
};

/// What a plane of the version before would have said.
pub(super) fn as_it_says(up: Up) -> Up {
    let Up::Answer { attempt, epoch, mut answer } = up else { return up };
    match &mut answer {
        Answer::Prepared(prepared) => {
            prepared.budgets = None;
            for volume in prepared.stores.iter_mut().flat_map(|store| store.volumes.iter_mut()) {
                volume.directories.clear();
            }
        }
        Answer::Snapshotted(snapshotted) => snapshotted.accepted.clear(),
        Answer::Confirmed(Confirmed { evidence }) | Answer::Recovered(Recovered::Evidence(evidence)) => {
            if let Some(pd) = &mut evidence.pd {
                pd.ts_ceiling = None;
            }
        }
        Answer::Completed(completed) => {
            completed.measures = false;
            completed.unknown = 0;
            completed.notes.clear();
        }
        Answer::Cleaned(cleaned) => cleaned.report.notes.clear(),
        _ => {}
    }
    Up::Answer { attempt, epoch, answer }
}

/// A plane of the version before knows this word.
pub(super) fn knows(down: &Down) -> bool {
    match down {
        Down::Verify(_) | Down::Scan(_) | Down::Divide(_) | Down::Diagnose(_) | Down::Inspect(_) | Down::Restore(_) => {
            false
        }
        Down::Order { order: Order::Measure(_), .. } => false,
        Down::Order { order: Order::Complete(complete), .. } => complete.packed.is_none(),
        Down::Order { .. } | Down::Preflight(_) => true,
    }
}

/// What a coordinator of the version before would have saved of it.
pub(super) fn as_it_saves(mut record: Record) -> Record {
    (record.moments, record.verified) = (Moments::default(), None);
    for plane in record.planes.values_mut() {
        (plane.budgets, plane.increments, plane.unknown_sizes) = (None, None, 0);
        plane.notes.clear();
    }
    record
}
