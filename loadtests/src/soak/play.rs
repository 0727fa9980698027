//! The play: two schedules, something that breaks in every other interval, at another moment of a backup each time, and
//! three looks at rest: when retention has begun to delete, after a half without restarts, and after a half with them.

use super::{
    args::SoakArgs,
    failures::{BROKEN, outside, restart},
    rest::Rest,
    schedules::{Scheduled, both},
};
use crate::figures::{Figure, Figures};
use anyhow::ensure;
use shared::member::MAX_ATTEMPTS_KEPT;
use std::{rc::Rc, time::Duration};
use tests::{
    rig::{self, Rig},
    world::WorldConfig,
};
use tokio::time::{Instant, sleep_until};

/// A backup begins with its interval and takes half a minute; failures come at this distance, one a little later than
/// the other.
const LATER_MS: u64 = 613;
const BACKUP_MS: u64 = 20_000;
/// Before the next interval begins: what was broken is mended, and no run is under way.
pub(crate) const LOOK_BEFORE: Duration = Duration::from_secs(150);
/// Until retention of both schedules deletes, each kind of failure has come, and planes' ledgers hold all that they may.
pub(crate) const WARM: u32 = MAX_ATTEMPTS_KEPT as u32;
/// What was begun ends, and what failed is mended: a clean looks again for five quiet minutes.
const REST: Duration = Duration::from_secs(1_800);
/// What may be left of a backup that was made and deleted, in bytes. The least that is ever kept of one (an actor, a
/// view, a record) is several times that; a whole run differs by a few thousand by chance.
const KEPT_OF_EACH: f64 = 256.0;
/// Resident memory is in pages and arenas, so it is bounded as a whole only, in MiB.
const RESIDENT: f64 = 32.0;

/// A quiet cluster, whose own logs and histories do not grow: months pass here.
pub(crate) fn world(seed: u64) -> WorldConfig {
    WorldConfig {
        stores_per_plane: 1,
        regions: 4,
        accounts: 10,
        transfers_per_second: 0,
        scheduler_every: None,
        unruly_every: None,
        gc_every: Duration::from_secs(60),
        resolved_ts_every: Duration::from_secs(20),
        ..WorldConfig::seeded(seed)
    }
}

pub(super) fn run(args: &SoakArgs) -> anyhow::Result<Figures> {
    let begun = std::time::Instant::now();
    let mut figures = rig::run(world(args.seed), async |rig: Rc<Rig>| soak(&rig, args).await)?;
    figures.add(Figure::shown("this run took", begun.elapsed().as_secs_f64(), "s"));
    Ok(figures)
}

/// One of them.
type Count = fn(&Rest) -> f64;

/// What a soak is made of, and what it has come to.
struct Soak<'a> {
    rig: &'a Rig,
    planes: Vec<String>,
    schedules: [Scheduled; 2],
    failures: u32,
    /// The oldest that the last good backup of each schedule ever was, in intervals.
    oldest: [f64; 2],
}

async fn soak(rig: &Rig, args: &SoakArgs) -> anyhow::Result<Figures> {
    let half = args.intervals().saturating_sub(WARM) / 2;
    ensure!(half > 2, "{} intervals are too few: {WARM} pass until retention deletes", args.intervals());
    let planes = rig.world.config().planes.iter().map(|plane| plane.name.clone()).collect();
    let mut soak = Soak { rig, planes, schedules: both(args.every), failures: 0, oldest: [0.0; 2] };
    let warm = soak.part("warming up", WARM, false).await?;
    let whole = soak.part("without restarts", half, false).await?;
    let last = soak.part("with restarts", half, true).await?;
    Ok(soak.figures(args, &[warm, whole, last]))
}

impl Soak<'_> {
    /// So many intervals of both schedules, then rest.
    async fn part(&mut self, name: &str, intervals: u32, restarts: bool) -> anyhow::Result<Rest> {
        for schedule in &self.schedules {
            schedule.apply(self.rig, false)?;
        }
        let every = self.schedules[0].every;
        let past = u128::try_from(self.rig.world.wall().0)? % every.as_millis();
        let first = Instant::now() + every - Duration::from_millis(u64::try_from(past)?);
        for interval in 0..intervals {
            let begins = first + every * interval;
            if interval % 2 == 1 {
                let later = u64::from(self.failures) * LATER_MS % BACKUP_MS;
                sleep_until(begins + Duration::from_millis(later)).await;
                self.fail(restarts).await;
            }
            sleep_until(begins + every - LOOK_BEFORE).await;
            // From its third run on.
            if interval > 9 {
                for (schedule, oldest) in self.schedules.iter().zip(&mut self.oldest) {
                    *oldest = oldest.max(schedule.age(self.rig)?);
                }
            }
        }
        let rest = Rest::take(self.rig, &self.planes, &self.schedules, REST).await?;
        eprintln!("{name}: {intervals} intervals have passed, {} backups were made so far", rest.made);
        Ok(rest)
    }

    async fn fail(&mut self, restarts: bool) {
        let number = self.failures;
        let plane = &self.planes[number as usize % self.planes.len()];
        self.failures += 1;
        // With restarts, every second one is none.
        match restarts && number.is_multiple_of(2) {
            true => restart(self.rig, plane, number / 2).await,
            false => outside(self.rig, plane, number).await,
        }
    }

    fn figures(&self, args: &SoakArgs, rests: &[Rest; 3]) -> Figures {
        let [warm, whole, last] = rests;
        let mut figures = Figures::default();
        figures.add(Figure::shown("virtual time", f64::from(args.hours) / 24.0, "days"));
        figures.add(Figure::shown("backups made", last.made as f64, ""));
        figures.add(Figure::shown("failures, each mended after 90 s", f64::from(self.failures), ""));
        for (schedule, oldest) in self.schedules.iter().zip(self.oldest) {
            let name = format!("oldest last good backup, every {} min", schedule.every.as_secs() / 60);
            figures.add(Figure::at_most(&name, oldest, "intervals", 2.0));
        }
        for (name, from, to) in [("", warm, whole), (", with restarts", whole, last)] {
            let each = (to.live - from.live).max(0.0) / (to.made - from.made).max(1) as f64;
            figures.add(Figure::at_most(&format!("memory kept of each deleted backup{name}"), each, "B", KEPT_OF_EACH));
        }
        figures.add(Figure::shown("allocated at rest, the world included", last.live / 1_048_576.0, "MiB"));
        let grown = (last.resident - warm.resident).max(0.0);
        figures.add(Figure::at_most("growth of the process since it was warm", grown, "MiB", RESIDENT));
        figures.add(Figure::at_most("open files and sockets", last.descriptors, "", warm.descriptors));
        figures.add(Figure::at_most("lines of the coordinator's metrics", last.series, "", warm.series));
        figures.add(Figure::at_most("the longest object in the ledger", last.longest, "KiB", warm.longest * 1.1));
        let most = |of: Count| rests.iter().map(of).fold(0.0, f64::max);
        let kept = MAX_ATTEMPTS_KEPT as f64;
        figures.add(Figure::at_most("attempts in a plane's ledger", most(|rest| rest.attempts), "", kept));
        let none: [(&str, Count); 6] = [
            ("ledger: more than a record a backup and a claim", |rest| rest.ledger_surplus),
            ("barriers in memory at rest", |rest| rest.barriers),
            ("attempts in planes' memory beyond the backups", |rest| rest.members),
            ("records without an object", |rest| rest.orphans),
            ("snapshots that no certificate names", |rest| rest.snapshots),
            ("holds left in TiDB", |rest| rest.holds),
        ];
        for (name, of) in none {
            figures.add(Figure::at_most(name, most(of), "", 0.0));
        }
        figures
    }
}

// Nothing that was broken is left so when an interval ends.
const _: () = assert!(BROKEN.as_secs() + BACKUP_MS / 1_000 + LOOK_BEFORE.as_secs() < 600);
