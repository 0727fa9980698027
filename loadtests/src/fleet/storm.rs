//! Sessions of all planes: what they cost, how long it takes until all are back after a cut, and how long a barrier waits
//! for the coordinator.

use super::{
    args::FleetArgs,
    certificates,
    child::{Coordinator, Start, number},
    heard::{Coordination, percentile},
    planes::Fleet,
};
use crate::{
    figures::{Figure, Figures},
    process::descriptors,
};
use anyhow::Context;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// Of anything here that is waited for.
const LIMIT: Duration = Duration::from_secs(120);
/// All planes are back.
const BACK: f64 = 3.0;
/// What 99 of 100 planes wait for the coordinator between two steps.
const STEP_MS: f64 = 100.0;

pub(super) fn main(args: &FleetArgs) -> anyhow::Result<Figures> {
    let folder = tempfile::tempdir()?;
    certificates::make(folder.path(), args.planes)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut figures = Figures::default();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut coordinator = Coordinator::start(args, folder.path(), any, &Start::default())?;
        let address = coordinator.address;
        let before = number(&coordinator.ask("memory")?, "kibibytes")?;
        eprintln!("certificates of {} planes are made; they dial", args.planes);
        let begun = Instant::now();
        let fleet = Fleet::start(args, folder.path(), address)?;
        let linked = timeout(LIMIT, fleet.all_linked()).await.context("not all planes are linked")?;
        figures.add(Figure::shown("first dial of all planes", (linked - begun).as_secs_f64(), "s"));
        let memory = coordinator.ask("memory")?;
        let each = (number(&memory, "kibibytes")? - before) / f64::from(args.planes);
        let files = descriptors()? as f64;
        figures.add(Figure::at_most("memory of a connected plane", each, "KiB", args.kibibytes));

        let mut rounds = Vec::new();
        for _ in 0..args.rounds {
            coordinator.ask("barriers")?;
            rounds.push(fleet.heard().take());
            eprintln!("barriers of all planes have ended, {:.0} s since the first dial", begun.elapsed().as_secs_f64());
        }
        coordination(&rounds, args.slack, &mut figures);

        let mut cuts = Vec::new();
        for _ in 0..args.rounds {
            let (failed, cut) = (fleet.failed(), Instant::now());
            coordinator.end()?;
            timeout(LIMIT, fleet.none_linked()).await.context("planes are still linked")?;
            coordinator = Coordinator::start(args, folder.path(), address, &Start::default())?;
            let listens = Instant::now();
            let back = timeout(LIMIT, fleet.all_linked()).await.context("not all planes are back")?;
            eprintln!("all are back, {:.0} s since the first dial", begun.elapsed().as_secs_f64());
            let counts = coordinator.ask("counts")?;
            cuts.push((back - listens, back - cut, fleet.failed() - failed, counts));
        }
        cuts.sort_by_key(|(back, ..)| *back);
        let (back, since, failed, counts) = cuts.first().context("no round")?;
        figures.add(Figure::at_most(
            "all planes back at a new coordinator",
            back.as_secs_f64(),
            "s",
            BACK * args.slack,
        ));
        figures.add(Figure::shown("since the one before ended", since.as_secs_f64(), "s"));
        figures.add(Figure::shown("processor time of the coordinator for it", number(counts, "cpu_s")?, "s"));
        figures.add(Figure::shown("dials that came to nothing", *failed as f64, ""));
        figures.add(Figure::at_most("dials that were refused", number(counts, "refused")?, "", 0.0));
        // A plane that dials anew has new sockets, one of each family; those before them end when they are drained.
        let twice = files + f64::from(args.planes) * 2.0;
        figures.add(Figure::at_most("open files and sockets of all planes", descriptors()? as f64, "", twice));
        let memory = number(&coordinator.ask("memory")?, "kibibytes")?;
        figures.add(Figure::shown("the coordinator's process with all of them", memory / 1024.0, "MiB"));
        coordinator.end()?;
        Ok(figures)
    })
}

/// Of the round in which the least were kept waiting.
fn coordination(rounds: &[Coordination], slack: f64, figures: &mut Figures) {
    let Some(best) = rounds.iter().min_by_key(|round| percentile(&round.each, 99)) else { return };
    let millis = |duration: Duration| duration.as_secs_f64() * 1000.0;
    figures.add(Figure::shown("backups at a time", best.whole.len() as f64 / 7.0, ""));
    figures.add(Figure::at_most(
        "from the last answer to the next order, p99",
        millis(percentile(&best.each, 99)),
        "ms",
        STEP_MS * slack,
    ));
    figures.add(Figure::shown("the same, median", millis(percentile(&best.each, 50)), "ms"));
    figures.add(Figure::shown("the same, longest", millis(percentile(&best.each, 100)), "ms"));
}
