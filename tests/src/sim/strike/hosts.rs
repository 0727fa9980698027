//! What befalls the network and processes of ours.

use super::aim::{Aim, Struck, once, until};
use crate::{
    sim::kinds::Kind,
    stage::{Stage, Way},
};

pub(super) fn network(aim: &mut Aim<'_>, kind: Kind) -> Option<Struck> {
    let net = &aim.stage.net;
    let (from, to) = match kind {
        Kind::CutShort => (100, 4_000),
        Kind::CutMiddle => (8_000, 17_000),
        Kind::CutLong => (20_000, 90_000),
        Kind::CutDown | Kind::CutUp => (500, 40_000),
        Kind::SlowNet => {
            let (slow, ms) = (aim.ms(200, 3_000), aim.ms(1_000, 15_000));
            net.delay(slow / 4, slow);
            return until(format!("frames take up to {slow} ms"), ms, |stage| stage.net.delay(1, 8));
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
    until(format!("{plane} is cut off"), ms, move |stage| stage.net.heal(&healed))
}

pub(super) fn start_coordinator(stage: &Stage) {
    if !stage.coordinator_runs() {
        stage.start_coordinator();
    }
}

fn start_plane(stage: &Stage, plane: &str) {
    if !stage.plane_runs(plane) {
        stage.start_plane(plane);
    }
}

pub(super) fn processes(aim: &mut Aim<'_>, kind: Kind) -> Option<Struck> {
    let stage = aim.stage;
    let ms = match kind {
        Kind::CoordinatorRestarted | Kind::PlaneRestarted => 0,
        _ => aim.ms(200, 60_000),
    };
    let struck = match kind {
        Kind::CoordinatorKilled | Kind::CoordinatorRestarted => {
            stage.coordinator_runs().then(|| stage.kill_coordinator())?;
            Struck { down: vec![String::new()], ..until("coordinator killed", ms, start_coordinator)? }
        }
        Kind::PlaneKilled | Kind::PlaneRestarted => {
            let plane = aim.plane();
            stage.plane_runs(&plane).then(|| stage.kill_plane(&plane))?;
            let name = plane.clone();
            let undo = move |stage: &Stage| start_plane(stage, &name);
            Struck { down: vec![plane.clone()], ..until(format!("{plane} killed"), ms, undo)? }
        }
        Kind::CoordinatorSigterm | Kind::CoordinatorSigtermTwice => {
            stage.coordinator_runs().then(|| stage.tell_coordinator_to_end())?;
            let struck = match kind {
                Kind::CoordinatorSigterm => once("SIGTERM to the coordinator")?,
                _ => {
                    let process = stage.coordinator_starts();
                    until("SIGTERM to the coordinator, and again; kept", aim.ms(0, 3_000), move |stage| {
                        if stage.coordinator_starts() == process {
                            stage.tell_coordinator_to_end();
                        }
                    })?
                }
            };
            Struck { told: Some(String::new()), ..struck }
        }
        Kind::PlaneSigterm => {
            let plane = aim.plane();
            stage.tell_plane_to_end(&plane).then_some(())?;
            Struck { told: Some(plane.clone()), ..once(format!("SIGTERM to {plane}"))? }
        }
        Kind::EverybodyKilled => {
            stage.kill_coordinator();
            aim.planes.iter().for_each(|plane| stage.kill_plane(plane));
            let planes = aim.planes.clone();
            let down = planes.iter().cloned().chain([String::new()]).collect();
            let undo = move |stage: &Stage| {
                planes.iter().for_each(|plane| start_plane(stage, plane));
                start_coordinator(stage);
            };
            Struck { down, ..until("everybody killed", ms, undo)? }
        }
        Kind::CoordinatorDeposed => {
            stage.coordinator_runs().then(|| stage.depose_coordinator())?;
            until("a second coordinator leads", ms, Stage::kill_deposed)?
        }
        _ => return None,
    };
    Some(struck)
}
