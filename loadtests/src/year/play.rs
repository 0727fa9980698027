//! The year: interval by interval the deeds of the calendar, in or beside a backup; a rest at the end of each month.

use super::{
    args::{MONTHS, YearArgs},
    bounds,
    calendar::{Deed, calendar, restarts},
    course::Course,
    identities::{Identities, PLANES},
    months::{Before, Month},
    net::YearNet,
    proofs::Proofs,
    upgrades,
};
use crate::{
    figures::{Figure, Figures},
    soak::{self, LOOK_BEFORE, Rest, Scheduled},
};
use anyhow::ensure;
use shared::time::Timestamp;
use std::{collections::BTreeMap, rc::Rc, time::Duration};
use tests::{
    quic_net::{Issuer, Lives, QuicNet, wall_from},
    rig::{self, Rig},
    sim::logs,
    world::{Ec2Config, Span, WorldConfig},
};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Clients of the bank are busy from so long before a backup until so long after its beginning: there is something to be torn.
const BUSY_BEFORE: Duration = Duration::from_secs(5);
const BUSY: Duration = Duration::from_secs(40);
const TRANSFERS: u32 = 5;
/// Of a backup that holds at all, stores are held within this. Holds are as long as EC2 takes, seconds here.
const HELD_WITHIN: Duration = Duration::from_secs(30);
const CREATE: Span = Span(3_000, 4_000);
/// Whoever changes something waits so long after the first plane was told to hold.
const IN_HOLD: Duration = Duration::from_millis(500);
/// What is mounted in a hold is read in it.
const READ_EVERY: Duration = Duration::from_secs(1);
/// Failures come at another moment of a backup each time.
const LATER_MS: u64 = 613;
const BACKUP_MS: u64 = 20_000;
/// After a backup, before the next one.
const BETWEEN: Duration = Duration::from_secs(90);
/// What was begun ends, and what failed is mended by then: a clean looks again for five quiet minutes.
const REST: Duration = Duration::from_secs(600);
/// Attempts that a plane forgets with the next one: their certificates are saved.
const GO_BY_THEMSELVES: usize = 4;
/// A session that somebody cut off is noticed within this, and comes back.
const LINGERS: Duration = Duration::from_secs(60);

pub(super) fn run(args: &YearArgs) -> anyhow::Result<(Vec<Month>, Figures)> {
    let begun = std::time::Instant::now();
    logs::begin(true);
    ensure!(
        args.intervals() >= 12,
        "a month of {} intervals is too short for what happens in it: 12",
        args.intervals()
    );
    let folder = tempfile::tempdir()?;
    let quiet = soak::world(args.seed);
    let world = WorldConfig { ec2: Ec2Config { create: CREATE, ..quiet.ec2.clone() }, ..quiet };
    let (certificate, list) = (args.life(), args.list_life());
    let lives = Lives { wall: wall_from(world.wall), certificate, list, read_every: READ_EVERY };
    let issuer = Issuer::start_at(folder.path(), &PLANES, world.wall, lives)?;
    let quic = QuicNet::new(args.seed, issuer.certificates(), &PLANES);
    let net = YearNet::new(quic, &PLANES);
    let identities = Identities::new(issuer, args, world.wall);
    let (months, mut figures) = rig::run_over(world, net, async |rig: Rc<Rig<YearNet>>| {
        let mut year = Year::new(&rig, args, identities);
        for month in 0..MONTHS {
            year.month(month).await?;
        }
        anyhow::Ok(year.ended())
    })?;
    let (panics, alarms) = logs::end();
    for text in panics.iter().chain(&alarms) {
        eprintln!("{text}");
    }
    figures.add(Figure::at_most("panics and alarms", (panics.len() + alarms.len()) as f64, "", 0.0));
    figures.add(Figure::shown("this run took", begun.elapsed().as_secs_f64(), "s"));
    Ok((months, figures))
}

/// What a year is made of, and what it has come to.
struct Year<'a> {
    rig: &'a Rig<YearNet>,
    schedules: [Scheduled; 2],
    calendar: BTreeMap<(u32, u32), Deed>,
    failures: u32,
    /// A plane that was just upgraded, and how many attempts its ledger had; the same of the interval before.
    upgraded: Option<(&'static str, usize)>,
    pending: Option<(&'static str, usize)>,
    before: Before,
    came_to: Course<'a>,
}

impl<'a> Year<'a> {
    fn new(rig: &'a Rig<YearNet>, args: &'a YearArgs, identities: Identities) -> Self {
        Self {
            rig,
            schedules: soak::both(args.every),
            calendar: calendar(args.intervals()),
            failures: 0,
            upgraded: None,
            pending: None,
            before: Before::default(),
            came_to: Course {
                args,
                identities,
                proofs: Proofs::default(),
                forgotten: 0,
                reminders: 0,
                oldest: [0.0; 2],
                months: Vec::new(),
            },
        }
    }

    async fn month(&mut self, month: u32) -> anyhow::Result<()> {
        for schedule in &self.schedules {
            schedule.apply(self.rig, false)?;
        }
        let every = self.came_to.args.interval();
        let past = u128::try_from(self.rig.world.wall().0)? % every.as_millis();
        let first = Instant::now() + every - Duration::from_millis(u64::try_from(past)?);
        for interval in 0..self.came_to.args.intervals() {
            let begins = first + every * interval;
            self.interval(begins, self.calendar.get(&(month, interval)).copied()).await?;
            sleep_until(begins + every - LOOK_BEFORE).await;
            self.look(month, interval)?;
        }
        self.rest(month).await
    }

    /// One backup of the first schedule with its deed.
    async fn interval(&mut self, begins: Instant, deed: Option<Deed>) -> anyhow::Result<()> {
        sleep_until(begins - BUSY_BEFORE).await;
        self.rig.world.set_transfers(TRANSFERS);
        sleep_until(begins).await;
        if deed == Some(Deed::Fault) {
            self.fault().await;
        } else if timeout(HELD_WITHIN, self.rig.net.book.held()).await.is_ok() {
            sleep(IN_HOLD).await;
        }
        self.came_to.identities.turn(self.rig).await?;
        match deed {
            Some(Deed::Coordinator(version)) => upgrades::coordinator(self.rig, version).await?,
            Some(Deed::NextAuthority) => self.came_to.identities.next_authority(self.rig).await?,
            Some(Deed::RetireAuthority) => self.came_to.identities.retire_authority(self.rig).await?,
            Some(Deed::LastRenewal) => self.came_to.identities.last_renewal(self.rig)?,
            Some(Deed::Kill(number)) => upgrades::killed(self.rig, PLANES[number]).await,
            Some(Deed::Plane(..) | Deed::Revoke | Deed::Fault) | None => {}
        }
        sleep_until(begins + BUSY).await;
        self.rig.world.set_transfers(0);
        sleep_until(begins + BETWEEN).await;
        match deed {
            Some(Deed::Plane(number, version)) => {
                self.upgraded = Some((PLANES[number], self.attempts(PLANES[number])));
                upgrades::plane(self.rig, PLANES[number], version).await?;
            }
            Some(Deed::Revoke) => self.came_to.identities.revoke(self.rig).await?,
            _ => {}
        }
        let next = Timestamp(self.rig.world.wall().0 + i64::try_from(self.came_to.args.interval().as_millis())?);
        if self.came_to.identities.ends_before(next) {
            self.rig.net.book.excuse(true);
        }
        Ok(())
    }

    async fn fault(&mut self) {
        let plane = PLANES[self.failures as usize % PLANES.len()];
        sleep(Duration::from_millis(u64::from(self.failures) * LATER_MS % BACKUP_MS)).await;
        self.rig.net.book.excuse(true);
        soak::outside(self.rig, plane, self.failures).await;
        sleep(LINGERS).await;
        self.rig.net.book.excuse(false);
        self.failures += 1;
    }

    fn look(&mut self, month: u32, interval: u32) -> anyhow::Result<()> {
        self.came_to.proofs.look(self.rig);
        self.came_to.reminders += logs::take_lines().iter().filter(|line| line.contains("ends soon")).count() as u64;
        if let Some((plane, kept)) = self.pending.take() {
            self.came_to.forgotten += kept.saturating_sub(self.attempts(plane) + GO_BY_THEMSELVES);
        }
        self.pending = self.upgraded.take();
        // From each schedule's third run on; the second one's first run after a rest may be several of its intervals away.
        if month > 0 || interval > 24 {
            for (schedule, oldest) in self.schedules.iter().zip(&mut self.came_to.oldest) {
                *oldest = oldest.max(schedule.age(self.rig)?);
            }
        }
        Ok(())
    }

    /// In its own ledger.
    fn attempts(&self, plane: &str) -> usize {
        self.rig.world.facts().ledgers.get(plane).map_or(0, |ledger| ledger.attempts.len())
    }

    async fn rest(&mut self, month: u32) -> anyhow::Result<()> {
        let planes: Vec<String> = PLANES.map(str::to_owned).into();
        let rest = {
            let rest = Rest::take(self.rig, &planes, &self.schedules, REST);
            tokio::pin!(rest);
            // Certificates go on.
            loop {
                tokio::select! {
                    biased;
                    rest = &mut rest => break rest?,
                    () = sleep(self.came_to.args.interval()) => self.came_to.identities.turn(self.rig).await?,
                }
            }
        };
        self.came_to.proofs.look(self.rig);
        let sessions = self.rig.net.book.counts();
        let backups = rest.made - self.schedules.len();
        let counted = Before::of(backups, &self.came_to.proofs, self.came_to.identities.made, self.failures, sessions);
        let since = counted.since(&self.before);
        let (linked, kept) = (self.rig.net.linked(), self.came_to.identities.kept()?);
        self.came_to.months.push(since.month(month + 1, !restarts(month), linked, kept, rest));
        self.before = counted;
        eprintln!("month {} of {MONTHS}: {} backups were made so far, {} B", month + 1, backups, rest.live);
        Ok(())
    }

    fn ended(self) -> (Vec<Month>, Figures) {
        let figures = bounds::figures(&self.came_to, self.rig.net.book.counts());
        (self.came_to.months, figures)
    }
}
