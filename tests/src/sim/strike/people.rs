//! What people do, and what befalls the control planes' Kubernetes and clocks.

use super::{Aim, Struck, once, plane_switch, until};
use crate::{sim::kinds::Kind, stage::KEY};
use rand::Rng;

pub(super) fn people(aim: &mut Aim<'_>, kind: Kind) -> Option<Struck> {
    let stage = aim.stage;
    let control = &stage.control;
    match kind {
        Kind::LedgerAnswersLost => {
            let count = aim.rng.random_range(1..=4);
            control.lose_ledger_answers(count);
            once(format!("{count} ledger answers lost"))
        }
        Kind::LedgerDown => {
            control.ledger_down(true);
            until("ledger down", aim.ms(200, 20_000), |stage| stage.control.ledger_down(false))
        }
        Kind::ObjectsDown => {
            control.objects_down(true);
            until("objects down", aim.ms(200, 40_000), |stage| stage.control.objects_down(false))
        }
        Kind::PlaneLedgerDown => plane_switch(aim, "ledger down", (200, 15_000), |faults| &mut faults.ledger_down),
        Kind::ClockJump => {
            let host = if aim.rng.random_bool(0.4) { String::new() } else { aim.plane() };
            let skew = aim.rng.random_range(-400_000..400_000);
            stage.world.faults(|faults| faults.wall_skew.insert(host.clone(), skew));
            once(format!("the clock of {host:?} is {skew} ms off"))
        }
        Kind::SpecEdited => {
            control.get(KEY)?;
            let edited = stage.manifest_of("backup", "elsewhere", "Delete", "");
            control.apply(&edited).ok()?;
            once("another spec is applied")
        }
        Kind::Annotated => {
            control.get(KEY)?;
            control.annotate(KEY, "example.com/note", "hello");
            once("annotated")
        }
        Kind::Deleted => {
            control.get(KEY)?;
            control.delete(KEY);
            once("object deleted")
        }
        Kind::Cancelled => {
            control.get(KEY)?;
            control.annotate(KEY, coordinator::edge::kube::convert::CANCEL_ANNOTATION, "true");
            once("cancelled")
        }
        Kind::Abandoned => {
            control.get(KEY)?;
            let plane = aim.plane();
            control.annotate(KEY, coordinator::edge::kube::convert::ABANDON_ANNOTATION, &plane);
            once(format!("{plane} is given up"))
        }
        _ => None,
    }
}
