//! `loadtests barrier --planes N`: a whole barrier over as many instances as the field has in one account, in virtual time,
//! against EC2's own numbers. The bound is arithmetic on its buckets (`facts/aws.md` A7), not a figure of ours.

use super::args::BarrierArgs;
use crate::figures::{Figure, Figures};
use anyhow::{Context, ensure};
use shared::{
    barrier::{Phase, Record},
    time::Millis,
};
use std::{rc::Rc, time::Duration};
use tests::{
    rig::{self, Rig},
    world::{Ec2Config, Span, WorldConfig},
};

/// One call: eight at a time, 30 of them take about 2 s in the field (`facts/aws.md` A1).
const CALL: Span = Span(400, 700);
/// A whole backup, in virtual time.
const LIMIT: Duration = Duration::from_secs(1_800);

pub(super) fn main(args: &BarrierArgs, planes: u8) -> anyhow::Result<Figures> {
    let (record, throttled, lies) = rig::run(world(args, planes), async |rig: Rc<Rig>| {
        let phase = rig.backup("", LIMIT).await;
        ensure!(phase == "Complete", "the backup ended as {phase:?}: {:?}", rig.failure());
        let record = rig.record().context("there is no record")?;
        Ok((record, rig.world.mutations().ec2_throttles, rig.lies()))
    })?;
    ensure!(lies.is_empty(), "not what its certificate says: {lies:#?}");
    figures(args, planes, &record, throttled)
}

fn world(args: &BarrierArgs, planes: u8) -> WorldConfig {
    let mut named = WorldConfig::named_planes(u32::from(planes));
    let account = named.first().map(|plane| plane.account.clone()).unwrap_or_default();
    for plane in &mut named {
        plane.account.clone_from(&account);
    }
    let (planes, stores) = (u32::from(planes), u32::from(args.stores));
    WorldConfig {
        planes: named,
        stores_per_plane: stores,
        one_volume_stores: if args.volumes == 1 { stores } else { 0 },
        titan_volumes: args.volumes == 3,
        regions: planes * stores,
        accounts: planes * stores * 2,
        transfers_per_second: 20,
        ec2: Ec2Config { create: CALL, ..Ec2Config::default() },
        ..WorldConfig::seeded(1)
    }
}

/// How long EC2 lets so many calls take at least: 100 at once and 5 a second from each bucket that they may use, and the
/// last one's own time.
fn least(calls: u32, volumes: u8) -> f64 {
    let buckets = if volumes == 1 { 2.0 } else { 1.0 };
    (f64::from(calls) - 100.0 * buckets).max(0.0) / (5.0 * buckets) + CALL.1 as f64 / 1000.0
}

fn figures(args: &BarrierArgs, planes: u8, record: &Record, throttled: u64) -> anyhow::Result<Figures> {
    let seconds = |millis: Millis| millis.0 as f64 / 1000.0;
    let hold = seconds(record.barrier.hold.context("no hold was measured")?);
    let calls = u32::from(planes) * u32::from(args.stores);
    let taking = record.moments.steps().iter().find(|step| step.step == Phase::Snapshotting).context("no moments")?;
    let taken = |millis: &Millis| seconds(Millis(millis.0 - taking.began.0));
    let ends: Vec<f64> = taking.answered.values().map(taken).collect();
    ensure!(ends.len() == usize::from(planes), "{} of {planes} planes have answered", ends.len());
    let (first, last) = ends.iter().fold((f64::MAX, 0.0_f64), |(first, last), end| (first.min(*end), last.max(*end)));
    let bound = least(calls, args.volumes);
    let mut figures = Figures::default();
    figures.add(Figure::shown("calls for snapshots, one account", f64::from(calls), ""));
    figures.add(Figure::at_most("all stores held", hold, "s", 1.1 * bound));
    figures.add(Figure::shown("of it EC2's own pace, by its buckets", bound, "s"));
    figures.add(Figure::shown("of it beside the calls", hold - last, "s"));
    figures.add(Figure::at_most("first plane through before the last", (last - first) / last * 100.0, "%", 10.0));
    figures.add(Figure::at_most("calls that EC2 refused by rate", throttled as f64, "", 0.0));
    Ok(figures)
}
