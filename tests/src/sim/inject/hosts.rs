//! What befalls the network and processes of ours.

use super::aim::{Aim, Injected, once, until};
use crate::{
    rig::{Rig, Way},
    sim::kinds::Kind,
};

pub(super) fn network(aim: &mut Aim<'_>, kind: Kind) -> Option<Injected> {
    let net = &aim.rig.net;
    let (from, to) = match kind {
        Kind::CutShort => (100, 4_000),
        Kind::CutMiddle => (8_000, 17_000),
        Kind::CutLong => (20_000, 90_000),
        Kind::CutDown | Kind::CutUp => (500, 40_000),
        Kind::SlowNet => {
            let (slow, ms) = (aim.ms(200, 3_000), aim.ms(1_000, 15_000));
            net.delay(slow / 4, slow);
            return until(format!("frames take up to {slow} ms"), ms, |rig| rig.net.delay(1, 8));
        }
        _ => return None,
    };
    let (plane, ms) = (aim.plane(), aim.ms(from, to));
    match kind {
        Kind::CutDown => net.cut_one_way(&plane, Way::Down),
        Kind::CutUp => net.cut_one_way(&plane, Way::Up),
        _ => net.cut(&plane),
    }
    let healed = plane.clone();
    until(format!("{plane} is cut off"), ms, move |rig| rig.net.heal(&healed))
}

pub(super) fn start_coordinator(rig: &Rig) {
    if !rig.coordinator_runs() {
        rig.start_coordinator();
    }
}

fn start_plane(rig: &Rig, plane: &str) {
    if !rig.plane_runs(plane) {
        rig.start_plane(plane);
    }
}

pub(super) fn processes(aim: &mut Aim<'_>, kind: Kind) -> Option<Injected> {
    let rig = aim.rig;
    let ms = match kind {
        Kind::CoordinatorRestarted | Kind::PlaneRestarted => 0,
        _ => aim.ms(200, 60_000),
    };
    let struck = match kind {
        Kind::CoordinatorKilled | Kind::CoordinatorRestarted => {
            rig.coordinator_runs().then(|| rig.kill_coordinator())?;
            Injected { down: vec![String::new()], ..until("coordinator killed", ms, start_coordinator)? }
        }
        Kind::PlaneKilled | Kind::PlaneRestarted => {
            let plane = aim.plane();
            rig.plane_runs(&plane).then(|| rig.kill_plane(&plane))?;
            let name = plane.clone();
            let undo = move |rig: &Rig| start_plane(rig, &name);
            Injected { down: vec![plane.clone()], ..until(format!("{plane} killed"), ms, undo)? }
        }
        Kind::CoordinatorSigterm | Kind::CoordinatorSigtermTwice => {
            rig.coordinator_runs().then(|| rig.tell_coordinator_to_end())?;
            let struck = match kind {
                Kind::CoordinatorSigterm => once("SIGTERM to the coordinator")?,
                _ => {
                    let process = rig.coordinator_starts();
                    until("SIGTERM to the coordinator, and again; kept", aim.ms(0, 3_000), move |rig| {
                        if rig.coordinator_starts() == process {
                            rig.tell_coordinator_to_end();
                        }
                    })?
                }
            };
            Injected { told: Some(String::new()), ..struck }
        }
        Kind::PlaneSigterm => {
            let plane = aim.plane();
            rig.tell_plane_to_end(&plane).then_some(())?;
            Injected { told: Some(plane.clone()), ..once(format!("SIGTERM to {plane}"))? }
        }
        Kind::EverybodyKilled => {
            rig.kill_coordinator();
            aim.planes.iter().for_each(|plane| rig.kill_plane(plane));
            let planes = aim.planes.clone();
            let down = planes.iter().cloned().chain([String::new()]).collect();
            let undo = move |rig: &Rig| {
                planes.iter().for_each(|plane| start_plane(rig, plane));
                start_coordinator(rig);
            };
            Injected { down, ..until("everybody killed", ms, undo)? }
        }
        Kind::CoordinatorDeposed => {
            rig.coordinator_runs().then(|| rig.depose_coordinator())?;
            until("a second coordinator leads", ms, Rig::kill_deposed)?
        }
        _ => return None,
    };
    Some(struck)
}
