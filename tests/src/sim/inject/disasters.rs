//! What befalls the control plane's Kubernetes cluster and its ledger as a whole.

use super::{
    aim::{Aim, Injected, once, until},
    hosts::start_coordinator,
};
use crate::{
    control::{Scope, parse_record},
    rig::{NAMESPACE, Rig},
    sim::kinds::Kind,
};
use coordinator::ports::LedgerKey;
use rand::Rng;
use shared::barrier::Milestone;
use std::collections::{BTreeMap, BTreeSet};

/// What a record may still grow by, beyond the longest there ever was, once the ledger refuses by size. At least what a
/// failure takes that is kept without the stores: a real ledger's limit is some hundred times as large.
const ROOM: std::ops::Range<usize> = 600..6_000;
/// A record that has just begun holds little but the request, and any ledger takes that: a MiB is a real one's limit.
const FIRST_RECORD: usize = 2_500;

pub(super) fn disasters(aim: &mut Aim<'_>, kind: Kind) -> Option<Injected> {
    let control = &aim.rig.control;
    match kind {
        Kind::ControlPlaneLost => {
            aim.rig.kill_coordinator();
            control.lose_everything();
            let ms = aim.ms(200, 60_000);
            Some(Injected { down: vec![String::new()], ..until("control plane lost", ms, start_coordinator)? })
        }
        Kind::ControlPlaneRestored => restored(aim, &BTreeSet::new()),
        Kind::LedgerLostInPart => {
            let lost = some_of_the_ledger(aim)?;
            if aim.rng.random_bool(0.4) {
                return restored(aim, &lost);
            }
            control.lose_ledger_part(&lost);
            let text = format!("{lost:?} deleted from the ledger");
            if aim.rng.random_bool(0.5) {
                return once(text);
            }
            aim.rig.kill_coordinator();
            let ms = aim.ms(0, 20_000);
            Some(Injected { down: vec![String::new()], ..until(text, ms, start_coordinator)? })
        }
        Kind::LedgerFromBefore => from_before(aim),
        Kind::CrdTornDown => {
            control.tear_down(&Scope::Crd);
            once("the CRD is being deleted with everything in it")
        }
        Kind::NamespaceTornDown => {
            let remade = aim.rng.random_bool(0.3);
            if remade {
                control.remakes_namespaces();
            }
            control.tear_down(&Scope::Namespace(NAMESPACE.to_owned()));
            once(format!("the namespace is being deleted with everything in it; made again at once: {remade}"))
        }
        Kind::LedgerRefusesBySize => {
            // A record that is away may come back from a copy, and has to fit as it was.
            let most = control.longest_record().max(FIRST_RECORD) + aim.rng.random_range(ROOM);
            control.limit_ledger(Some(most));
            once(format!("records of more than {most} bytes are refused from now on"))
        }
        Kind::ForeignLabelOnLedger => {
            control.label_ledger();
            once("somebody labels every object of the ledger")
        }
        _ => None,
    }
}

/// Velero's way: another cluster, the ledger first, the objects under new uids some time later.
fn restored(aim: &mut Aim<'_>, lost: &BTreeSet<LedgerKey>) -> Option<Injected> {
    let rig = aim.rig;
    rig.kill_coordinator();
    rig.kill_deposed();
    let export = rig.control.export();
    rig.control.restore_ledger(&export, lost);
    let (status, finalizers) = (aim.rng.random_bool(0.5), aim.rng.random_bool(0.7));
    let (starts, objects) = (aim.ms(200, 30_000), aim.ms(0, 30_000));
    let text = format!(
        "control plane restored, {} of the ledger lost; objects in {objects} ms, status {status}, finalizers \
         {finalizers}; coordinator",
        lost.len()
    );
    let struck = Injected { down: vec![String::new()], ..until(text, starts, start_coordinator)? };
    Some(struck.and_then(objects, move |rig: &Rig| rig.control.restore_objects(&export, status, finalizers)))
}

/// A copy that is older than what it is restored over. Planes may have been restarted since, and know nothing of it.
fn from_before(aim: &mut Aim<'_>) -> Option<Injected> {
    let export = aim.rig.control.export();
    export.ledger().next()?;
    let (later, objects) = (aim.ms(15_000, 70_000), aim.ms(0, 15_000));
    let restarted = if aim.rng.random_bool(0.7) { aim.planes.clone() } else { Vec::new() };
    let text = format!(
        "control plane copied, and restored in {later} ms, objects {objects} ms later, {restarted:?} restarted; nothing"
    );
    let (ledger, then) = (export.clone(), aim.rig.control.ledger());
    let struck = until(text, later, move |rig| {
        // A backup is the old manager's, or it is ours: then its files have become what they never were.
        let handed = rig.control.lives().values().any(|life| life.of_old_manager);
        if handed || brings_back_the_dead(&then, &rig.control.ledger()) {
            return;
        }
        rig.kill_coordinator();
        rig.kill_deposed();
        rig.control.restore_ledger(&ledger, &BTreeSet::new());
        for plane in &restarted {
            rig.kill_plane(plane);
            rig.start_plane(plane);
        }
        rig.start_coordinator();
    })?;
    Some(struck.and_then(later + objects, move |rig: &Rig| rig.control.restore_objects(&export, false, true)))
}

/// What was certified then and is let go by now would be completed for ever: its planes have no evidence, and say so, until
/// a person deletes the orphan at the console.
fn brings_back_the_dead(then: &BTreeMap<LedgerKey, String>, now: &BTreeMap<LedgerKey, String>) -> bool {
    let milestone =
        |ledger: &BTreeMap<LedgerKey, String>, key: &LedgerKey| Some(parse_record(ledger.get(key)?)?.milestone);
    let goes_on = |key: &LedgerKey| matches!(milestone(now, key), Some(Milestone::Certified | Milestone::Complete));
    then.keys().any(|key| milestone(then, key) == Some(Milestone::Certified) && !goes_on(key))
}

/// At least one, if there is any.
fn some_of_the_ledger(aim: &mut Aim<'_>) -> Option<BTreeSet<LedgerKey>> {
    let all: Vec<LedgerKey> = aim.rig.control.ledger().into_keys().collect();
    let sure = all.get(aim.rng.random_range(0..all.len().max(1)))?.clone();
    let more = all.into_iter().filter(|_| aim.rng.random_bool(0.4));
    Some(more.collect::<Vec<_>>().into_iter().chain([sure]).collect())
}
