//! One rig, one TiDB cluster, one backup after another: each is stopped at a boundary, something happens to somebody,
//! and what comes of it is judged.

use super::{
    judge,
    table::{Case, Injection, Marks, Scenario, Side},
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use shared::ids::StoreId;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use tests::{
    processes::{
        backup::Wish,
        environment::ADMIN_NAMESPACE,
        network_paths::Reach,
        programs::Who,
        rig::Rig,
        site::{PLANES, SitePlan},
    },
    servers::{ec2::Fault, process},
};
use tokio::{task::JoinHandle, time::sleep};

/// From the wish to any boundary of its backup, or of its deletion.
const REACHED_LIMIT: Duration = Duration::from_secs(60);
/// From SIGTERM to the end; a coordinator finishes its barrier first.
const TERM_LIMIT: Duration = Duration::from_secs(40);
/// From SIGKILL to the end.
const KILL_LIMIT: Duration = Duration::from_secs(5);
/// Nothing is held for longer than this, whoever died; a look beyond it is in vain.
const HELD_LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at what is held.
const LOOK: Duration = Duration::from_millis(50);
/// Longer than any hold lasts from here on, so that the call is still under way when somebody dies.
pub(crate) const UNDER_WAY: Duration = Duration::from_secs(8);
/// Older than a store must be before it is backed up.
const AGE: Duration = Duration::from_secs(900);

/// Every plane has confirmed.
const RELEASE: Marks = &["Send", "order: Release"];

/// What came of a case.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) case: Case,
    pub(crate) outcome: String,
    /// From the injection until nothing was held.
    pub(crate) gone: Duration,
    /// The safe point stands that long by itself, if that is all that does.
    pub(crate) safe_point: Option<Duration>,
}

/// A rig that plays cases.
pub(crate) struct Runner {
    pub(crate) rig: Rig,
    number: u8,
    played: usize,
    /// What somebody has asked on the console, and waits for.
    pub(crate) asked: Option<JoinHandle<Result<String>>>,
}

impl Runner {
    pub(crate) async fn start(number: u8, reach: Reach) -> Result<Self> {
        let rig = Rig::start_reaching(&[SitePlan { number, ..SitePlan::shop() }], reach).await?;
        // Cases follow each other faster than EC2 lets anybody snapshot a volume.
        rig.ec2.handle.rules(|rules| rules.volume_gap = Duration::ZERO);
        Ok(Self { rig, number, played: 0, asked: None })
    }

    /// Plays one case from the wish until nothing is left.
    pub(crate) async fn play(&mut self, case: Case) -> Result<Line> {
        self.played += 1;
        let name = format!("case-{}-{}", self.number, self.played);
        self.reach(&name, &case).await?;
        let begun = Instant::now();
        self.injection(&case).await?;
        let (gone, safe_point) = self.all_gone(&case, begun).await?;
        self.come_back(&case).await?;
        let outcome = match case.scenario {
            Scenario::Deletion => "gone".to_owned(),
            Scenario::Verification | Scenario::Scan => self.answered(&name, &case).await?,
            Scenario::Backup | Scenario::BadEnd | Scenario::Recovery => judge::outcome(&self.rig, &name, &case).await?,
        };
        self.rig.ec2.handle.deny("CreateSnapshots", false);
        self.leave_nothing(&name, &case).await?;
        ensure!(gone <= case.bound(), "held for {gone:?} after the injection, above {:?}", case.bound());
        Ok(Line { case, outcome, gone, safe_point })
    }

    /// Brings the backup to the boundary.
    async fn reach(&mut self, name: &str, case: &Case) -> Result<()> {
        let wish = Wish::of(&self.rig.sites[0], name).manifest();
        if matches!(case.scenario, Scenario::Deletion | Scenario::Verification | Scenario::Scan) {
            self.rig.apply_backup(&wish).await?;
            let status = self.rig.ended(name).await?;
            ensure!(status["phase"] == "Complete", "without any fault: {status:#}");
        }
        if case.scenario.is_question() {
            return self.ask(name, case).await;
        }
        if case.scenario == Scenario::BadEnd {
            self.rig.ec2.handle.deny("CreateSnapshots", true);
        }
        let calls = self.calls();
        if case.scenario == Scenario::Recovery {
            self.recover(name, &wish, case).await?;
            return self.reached(name, case.who).await;
        }
        self.arm(case.who, case.side, case.marks)?;
        match case.scenario {
            Scenario::Deletion => {
                let delete = ["delete", "vbk", name, "-n", ADMIN_NAMESPACE, "--wait=false"];
                self.rig.kube.kubectl(&delete).await?;
            }
            _ => {
                if case.marks.is_empty() {
                    self.rig.ec2.handle.plan("CreateSnapshots", Fault::SlowReply(UNDER_WAY), self.stores());
                }
                self.rig.apply_backup(&wish).await?;
            }
        }
        if case.marks.is_empty() {
            let wanted = calls + self.stores() as u64;
            return self.until(name, "under way", || Ok(self.calls() >= wanted)).await;
        }
        self.reached(name, case.who).await
    }

    /// Kills the coordinator when every plane has confirmed, and starts it again with the breakpoint before it.
    async fn recover(&mut self, name: &str, wish: &str, case: &Case) -> Result<()> {
        self.arm(Who::Coordinator, Side::Before, RELEASE)?;
        self.rig.apply_backup(wish).await?;
        self.reached(name, Who::Coordinator).await?;
        let process = self.rig.programs_mut().process(Who::Coordinator);
        process.signal("KILL")?;
        process.wait(KILL_LIMIT).await?;
        std::fs::remove_file(self.reached_file(Who::Coordinator))?;
        self.arm(case.who, case.side, case.marks)?;
        self.rig.programs_mut().start_again(Who::Coordinator).await
    }

    async fn reached(&self, name: &str, who: Who) -> Result<()> {
        let file = self.reached_file(who);
        self.until(name, "at the boundary", || Ok(file.try_exists()?)).await
    }

    pub(crate) async fn until(&self, name: &str, what: &str, holds: impl Fn() -> Result<bool>) -> Result<()> {
        let begun = Instant::now();
        while !holds()? {
            if begun.elapsed() > REACHED_LIMIT {
                let status = self.rig.backup_status(name).await.unwrap_or_default();
                bail!("not {what} within {REACHED_LIMIT:?}: {status:#}");
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    fn calls(&self) -> u64 {
        self.rig.ec2.handle.count("CreateSnapshots")
    }

    fn stores(&self) -> usize {
        self.rig.sites[0].stores().count()
    }

    fn arm(&self, who: Who, side: Side, marks: Marks) -> Result<()> {
        if marks.is_empty() {
            return Ok(());
        }
        let side = match side {
            Side::Before => "before",
            Side::After => "after",
        };
        let (file, text) = (self.rig.programs().break_file(who), format!("{side}\n1\n{}", marks.join("\n")));
        // At once or not at all: the program may be reading.
        std::fs::write(file.with_added_extension("new"), text)?;
        std::fs::rename(file.with_added_extension("new"), file).context("a breakpoint")
    }

    fn reached_file(&self, who: Who) -> PathBuf {
        self.rig.programs().break_file(who).with_added_extension("reached")
    }

    /// Whoever stands still goes on.
    fn go_on(&self, case: &Case) -> Result<()> {
        if case.marks.is_empty() {
            return Ok(());
        }
        std::fs::remove_file(self.reached_file(case.who)).context("nobody stands still")
    }

    async fn injection(&mut self, case: &Case) -> Result<()> {
        match case.injection {
            Injection::Kill | Injection::KillForLong => {
                let process = self.rig.programs_mut().process(case.who);
                process.signal("KILL")?;
                process.wait(KILL_LIMIT).await?;
                self.go_on(case)?;
                if case.injection == Injection::Kill {
                    self.rig.programs_mut().start_again(case.who).await?;
                }
            }
            Injection::AllDie => {
                let everybody = [Who::Coordinator, Who::Plane(0), Who::Plane(1), Who::Plane(2)];
                for who in everybody {
                    self.rig.programs_mut().process(who).signal("KILL")?;
                }
                self.go_on(case)?;
                for who in everybody {
                    self.rig.programs_mut().process(who).wait(KILL_LIMIT).await?;
                    self.rig.programs_mut().start_again(who).await?;
                }
            }
            Injection::Term => {
                self.rig.programs_mut().process(case.who).signal("TERM")?;
                self.go_on(case)?;
                let code = self.rig.programs_mut().process(case.who).wait(TERM_LIMIT).await?;
                ensure!(code == Some(0), "ended with {code:?} after SIGTERM");
                self.rig.programs_mut().start_again(case.who).await?;
            }
            Injection::Hang(_) => {}
            Injection::Cut { up, down, .. } => {
                self.rig.programs().ways().cut(dialler(case)?, up, down).await?;
                self.go_on(case)?;
            }
            Injection::Unplug(_) => {
                self.rig.programs().ways().plug(dialler(case)?, false).await?;
                self.go_on(case)?;
            }
            Injection::StoreDies => {
                let store = self.rig.sites[0].stores_of(1)[0];
                self.rig.sites[0].tikv.kill(store);
                self.go_on(case)?;
            }
            Injection::PdDies => {
                self.rig.sites[0].pd.kill("pd-0").await?;
                self.go_on(case)?;
                self.rig.sites[0].pd.restart("pd-0").await?;
            }
        }
        Ok(())
    }

    /// Whoever was to be away for long starts again, also a coordinator that hung for longer than its Lease: it has
    /// lost it, and has ended.
    async fn come_back(&mut self, case: &Case) -> Result<()> {
        match (case.injection, case.who) {
            (Injection::KillForLong, who) => self.rig.programs_mut().start_again(who).await,
            (Injection::Hang(_), Who::Coordinator) => {
                let code = self.rig.programs_mut().process(case.who).wait(TERM_LIMIT).await?;
                ensure!(code == Some(1), "a coordinator that had lost its Lease ended with {code:?}");
                self.rig.programs_mut().start_again(case.who).await
            }
            _ => Ok(()),
        }
    }

    /// Looks until nothing is held; ends what was to last only for a while, when its time comes.
    async fn all_gone(&self, case: &Case, begun: Instant) -> Result<(Duration, Option<Duration>)> {
        let site = &self.rig.sites[0];
        let mut lasts = match case.injection {
            Injection::Hang(length) | Injection::Unplug(length) | Injection::Cut { length, .. } => Some(length),
            _ => None,
        };
        let mut gone = None;
        loop {
            if lasts.is_some_and(|length| begun.elapsed() >= length) {
                lasts = None;
                match case.injection {
                    Injection::Cut { .. } => self.rig.programs().ways().cut(dialler(case)?, false, false).await?,
                    Injection::Unplug(_) => self.rig.programs().ways().plug(dialler(case)?, true).await?,
                    _ => self.go_on(case)?,
                }
            }
            let held = site.held().await?;
            let free = held.leased.is_empty() && held.paused.is_empty();
            let stays = held.safe_points.values().max().filter(|_| case.safe_point_may_stay());
            if free && (held.safe_points.is_empty() || stays.is_some()) && gone.is_none() {
                gone = Some((begun.elapsed(), stays.map(|at| until(*at))));
            }
            if let (Some(gone), None) = (gone, lasts) {
                return Ok(gone);
            }
            ensure!(gone.is_some() || begun.elapsed() < HELD_LIMIT, "after {HELD_LIMIT:?} still held: {held:?}");
            sleep(LOOK).await;
        }
    }

    /// Deletes the backup; then nothing is left of it anywhere, and everybody is there for the next case.
    async fn leave_nothing(&mut self, name: &str, case: &Case) -> Result<()> {
        if case.injection == Injection::StoreDies {
            let store = self.rig.sites[0].stores_of(1)[0];
            self.rig.sites[0].tikv.revive_aged(store, AGE)?;
            self.up(store).await?;
        }
        // Needs everybody, or it waits for who is away.
        self.rig.programs_mut().connected(&PLANES).await?;
        match case.scenario {
            Scenario::Deletion => self.rig.deleted(name).await?,
            _ => self.rig.delete_backup(name).await?,
        }
        judge::nothing_left(&self.rig, case).await
    }

    /// Waits until PD counts a store among those that are up.
    async fn up(&self, store: StoreId) -> Result<()> {
        let (pd, path) = (self.rig.sites[0].pd.members()[0].address, format!("/pd/api/v1/store/{store}"));
        let begun = Instant::now();
        loop {
            let answer = process::http("GET", pd, &path, "").await?;
            let seen: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            if seen["store"]["state_name"] == "Up" {
                return Ok(());
            }
            ensure!(begun.elapsed() < REACHED_LIMIT, "store {store} is not up again: {seen}");
            sleep(LOOK).await;
        }
    }
}

fn dialler(case: &Case) -> Result<usize> {
    match case.who {
        Who::Plane(plane) => Ok(plane),
        Who::Coordinator => bail!("only planes dial"),
    }
}

fn until(unix_seconds: i64) -> Duration {
    let now = jiff::Timestamp::now().as_second();
    Duration::from_secs(u64::try_from(unix_seconds - now).unwrap_or(0))
}
