//! What people do, and what befalls the control planes' Kubernetes and clocks.

use super::{
    aim::{Aim, Injected, once, plane_switch, until},
    old_manager::old_managers_object,
};
use crate::{rig::KEY, sim::kinds::Kind};
use rand::Rng;

pub(super) fn people(aim: &mut Aim<'_>, kind: Kind) -> Option<Injected> {
    let rig = aim.rig;
    let control = &rig.control;
    match kind {
        Kind::LedgerAnswersLost => {
            let count = aim.rng.random_range(1..=4);
            control.lose_ledger_answers(count);
            once(format!("{count} ledger answers lost"))
        }
        Kind::LedgerDown => {
            control.ledger_down(true);
            until("ledger down", aim.ms(200, 20_000), |rig| rig.control.ledger_down(false))
        }
        Kind::ObjectsDown => {
            control.objects_down(true);
            until("objects down", aim.ms(200, 40_000), |rig| rig.control.objects_down(false))
        }
        Kind::PlaneLedgerDown => plane_switch(aim, "ledger down", (200, 15_000), |faults| &mut faults.ledger_down),
        Kind::ClockJump => {
            let host = if aim.rng.random_bool(0.4) { String::new() } else { aim.plane() };
            let skew = aim.rng.random_range(-400_000..400_000);
            rig.world.faults(|faults| faults.wall_skew.insert(host.clone(), skew));
            once(format!("the clock of {host:?} is {skew} ms off"))
        }
        Kind::SpecEdited => {
            control.get(KEY)?;
            let edited = rig.manifest_of("backup", "elsewhere", "Delete", "");
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

/// What people and their tools do to the object itself.
pub(super) fn editors(aim: &mut Aim<'_>, kind: Kind) -> Option<Injected> {
    let control = &aim.rig.control;
    match kind {
        Kind::ObjectCopiedWithStatus => {
            let prefix = aim.rng.random_bool(0.6).then_some("c");
            control.copy(KEY, "copy", prefix).then_some(())?;
            once(format!("copied with its status, prefix {prefix:?}"))
        }
        Kind::FinalizerStripped => {
            control.get(KEY)?;
            control.strip_finalizer(KEY);
            once("the finalizer is stripped")
        }
        Kind::PolicyEdited => {
            let object = control.get(KEY)?;
            let policy = if object["spec"]["template"]["cleanPolicy"] == "Delete" { "Retain" } else { "Delete" };
            control.set_policy(KEY, policy);
            if aim.rng.random_bool(0.4) {
                return once(format!("cleanPolicy becomes {policy}"));
            }
            let ms = aim.ms(0, 3_000);
            until(format!("cleanPolicy becomes {policy}, and the object is deleted; kept"), ms, |rig| {
                rig.control.delete(KEY);
            })
        }
        Kind::OldManagersObject => old_managers_object(aim),
        Kind::ClockJumped => {
            let hours = aim.rng.random_range(1..9_000);
            let skew = if aim.rng.random_bool(0.7) { hours } else { -hours } * 3_600_000;
            let set = move |rig: &crate::rig::Rig, skew: i64| {
                rig.world.faults(|faults| faults.wall_skew.insert(String::new(), skew));
            };
            set(aim.rig, skew);
            until(format!("the coordinator's clock jumps by {skew} ms"), aim.ms(1_000, 120_000), move |rig| {
                set(rig, 0);
            })
        }
        _ => None,
    }
}
