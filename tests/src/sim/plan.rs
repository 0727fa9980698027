//! What a seed means: a world, its knobs, a wish, and faults with the moments at which they strike.

use super::kinds::Kind;
use crate::world::{Ec2Config, Span, WorldConfig};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use shared::{barrier, member};
use std::{fmt, time::Duration};

/// When a fault strikes. Most moments hang on what the protocol does, so that they lie where it hurts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// So many milliseconds after the wish.
    After(u64),
    /// So many milliseconds after some plane's member first came this far.
    Member(member::Phase, u64),
    /// So many milliseconds after a record first came this far.
    Record(barrier::Milestone, u64),
}

/// One fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strike {
    pub(super) kind: Kind,
    pub(super) moment: Moment,
    /// Fixes whom it hits and for how long.
    pub(super) seed: u64,
}

/// Another backup of the same TiDB cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Second {
    pub(super) after_ms: u64,
    pub(super) policy: &'static str,
}

/// A schedule beside it, with short periods and little to keep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scheduled {
    pub(super) every_s: u64,
    pub(super) limits: &'static str,
    pub(super) policy: &'static str,
}

/// Everything that a seed decides.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which.
    pub seed: u64,
    /// The cluster and its cloud.
    pub world: WorldConfig,
    pub(super) policy: &'static str,
    /// Lines of `spec` in addition.
    pub(super) more: String,
    pub(super) second: Option<Second>,
    pub(super) scheduled: Option<Scheduled>,
    pub(super) warm_up_ms: u64,
    /// One way of a ledger call, in milliseconds.
    pub(super) ledger_way: (u64, u64),
    /// One way through the network.
    pub(super) net: (u64, u64),
    pub(super) strikes: Vec<Strike>,
    /// Objects are deleted in the end.
    pub(super) delete: bool,
    /// Whoever tore something down puts it back after so long, and applies the manifests again, or does not.
    pub(super) back_ms: u64,
    pub(super) applies_again: bool,
}

impl Plan {
    /// The plan of a seed, with faults of `kinds` alone; none: of all.
    pub fn of(seed: u64, kinds: &[Kind]) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed ^ 0x7369_6d75_6c61_7465);
        let rng = &mut rng;
        let planes = *pick(rng, &[(1, 2), (2, 5), (3, 5)]);
        let policy = *pick(rng, &[("Delete", 6), ("Retain", 3), ("OnFailure", 2)]);
        let count = *pick(rng, &[(0, 1), (1, 5), (2, 4), (3, 2), (4, 1)]);
        let retry = rng.random_ratio(1, 4);
        let mut strikes: Vec<Strike> = (0..count).map(|_| draw(rng, kinds)).collect();
        // A second one can bring back what the first one, rightly, had let go.
        let mut restored = false;
        strikes.retain(|strike| strike.kind != Kind::LedgerFromBefore || !std::mem::replace(&mut restored, true));
        let weaker = strikes.iter().any(|strike| strike.kind == Kind::Compacting) && rng.random_ratio(2, 3);
        // Nothing else asks what time it is.
        let clock = strikes.iter().any(|strike| strike.kind == Kind::ClockJumped);
        Self {
            seed,
            world: world(seed, planes, rng),
            policy,
            more: barrier_lines(rng, retry, weaker),
            second: rng.random_ratio(1, 7).then(|| Second {
                after_ms: rng.random_range(0..6_000),
                policy: pick::<&str>(rng, &[("Delete", 1), ("Retain", 1)]),
            }),
            scheduled: rng.random_ratio(if clock { 8 } else { 1 }, 12).then(|| Scheduled {
                every_s: rng.random_range(20..70),
                limits: pick::<&str>(
                    rng,
                    &[
                        ("  maxBackups: 1\n", 3),
                        ("  maxBackups: 2\n", 2),
                        ("  maxReservedTime: 100s\n", if clock { 12 } else { 2 }),
                    ],
                ),
                policy: pick::<&str>(rng, &[("Delete", 3), ("Retain", 1)]),
            }),
            warm_up_ms: rng.random_range(200..1_500),
            ledger_way: *pick(rng, &[((0, 0), 2), ((1, 10), 4), ((5, 80), 2)]),
            net: *pick(rng, &[((1, 8), 5), ((1, 60), 2), ((40, 120), 1)]),
            strikes,
            delete: rng.random_ratio(5, 6),
            back_ms: rng.random_range(0..20_000),
            applies_again: rng.random_ratio(3, 4),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {}: {} planes of {} stores, {} regions, cleanPolicy {}, {:?}, second {:?}, {:?}, delete {}; strikes:",
            self.seed,
            self.world.planes.len(),
            self.world.stores_per_plane,
            self.world.regions,
            self.policy,
            self.more.trim(),
            self.second,
            self.scheduled,
            self.delete
        )?;
        self.strikes.iter().try_for_each(|strike| write!(f, " {} at {:?};", strike.kind.name(), strike.moment))
    }
}

fn pick<'a, T>(rng: &mut SmallRng, choices: &'a [(T, u32)]) -> &'a T {
    let mut ticket = rng.random_range(0..choices.iter().map(|(_, weight)| weight).sum::<u32>());
    for (choice, weight) in choices {
        if ticket < *weight {
            return choice;
        }
        ticket -= weight;
    }
    &choices[0].0
}

fn world(seed: u64, planes: u32, rng: &mut SmallRng) -> WorldConfig {
    let pending = *pick(rng, &[(Span(1_500, 5_000), 4), (Span(20, 200), 2), (Span(10_000, 40_000), 1)]);
    let create = *pick(rng, &[(Span(120, 400), 5), (Span(5, 30), 2), (Span(1_500, 5_000), 2)]);
    let mut named = WorldConfig::named_planes(planes);
    for plane in &mut named {
        plane.ec2_skew_ms = rng.random_range(-90_000..90_000);
        if rng.random_ratio(1, 4) {
            plane.account = format!("99990000{:04}", rng.random_range(0..3));
        }
    }
    WorldConfig {
        planes: named,
        stores_per_plane: *pick(rng, &[(1, 3), (2, 4), (3, 1)]),
        one_volume_stores: rng.random_range(0..4),
        regions: rng.random_range(3..9),
        accounts: rng.random_range(20..50),
        pinned_percent: rng.random_range(20..80),
        transfers_per_second: rng.random_range(5..22),
        crash_permille: *pick(rng, &[(1, 3), (20, 2), (100, 1)]),
        lock_ttl: Duration::from_millis(rng.random_range(500..3_000)),
        net: *pick(rng, &[(Span(1, 12), 3), (Span(1, 80), 1)]),
        apply: *pick(rng, &[(Span(1, 40), 3), (Span(1, 400), 1)]),
        resolved_ts_every: Duration::from_millis(*pick(rng, &[(250, 2), (1_000, 3), (3_000, 1)])),
        scheduler_every: Some(Duration::from_millis(rng.random_range(200..1_500))),
        unruly_every: Some(Duration::from_millis(rng.random_range(300..3_000))),
        gc_every: Duration::from_millis(rng.random_range(1_000..10_000)),
        gc_life: Duration::from_millis(*pick(rng, &[(60_000, 3), (5_000, 2), (500, 1)])),
        ec2: Ec2Config {
            create,
            pending,
            visible: *pick(rng, &[(Span(0, 1_500), 4), (Span(0, 20_000), 1)]),
            create_bucket: *pick(rng, &[((100, 5), 3), ((2, 1), 1), ((1, 2), 1)]),
            ..Ec2Config::default()
        },
        ..WorldConfig::seeded(seed)
    }
}

fn barrier_lines(rng: &mut SmallRng, retry: bool, weaker: bool) -> String {
    let mut lines = String::new();
    let mut clock = |name: &str, choices: &[(u32, u32)]| {
        let seconds = *pick(rng, choices);
        if seconds > 0 {
            lines.push_str(&format!("    {name}: {seconds}s\n"));
        }
    };
    clock("settleTimeout", &[(0, 4), (8, 1), (30, 1)]);
    clock("reachTimeout", &[(0, 4), (5, 1), (20, 1)]);
    clock("holdTimeout", &[(0, 4), (6, 1), (20, 1)]);
    clock("safeTsMaxAge", &[(0, 4), (10, 1)]);
    if retry {
        lines.push_str("    retryWithin: 10m\n");
    }
    if weaker {
        lines.push_str("    allowWeakerHolds: true\n");
    }
    if lines.is_empty() { lines } else { format!("  barrier:\n{lines}") }
}

fn draw(rng: &mut SmallRng, only: &[Kind]) -> Strike {
    let wanted = |kind: &&Kind| only.is_empty() || only.contains(*kind);
    let kinds: Vec<(Kind, u32)> = Kind::ALL.iter().filter(wanted).map(|kind| (*kind, kind.weight())).collect();
    let kind = *pick(rng, &kinds);
    let moment = match kind {
        Kind::MergeUnderLease | Kind::FreshSplit if rng.random_ratio(2, 3) => before_leases(rng),
        // Once a schedule has made some backups.
        Kind::ClockJumped if rng.random_ratio(3, 5) => Moment::After(rng.random_range(40_000..160_000)),
        Kind::ControlPlaneRestored
        | Kind::LedgerLostInPart
        | Kind::ObjectCopiedWithStatus
        | Kind::CrdTornDown
        | Kind::NamespaceTornDown
        | Kind::PolicyEdited
        | Kind::OldManagersObject
            if rng.random_ratio(3, 5) =>
        {
            when_there_is_something_to_lose(rng)
        }
        // Before anything has looked at the store, mostly.
        Kind::RaftElsewhere | Kind::Compacting if rng.random_ratio(2, 3) => Moment::After(rng.random_range(0..300)),
        Kind::LedgerFromBefore => within_a_barrier(rng),
        _ => any_moment(rng),
    };
    Strike { kind, moment, seed: rng.random() }
}

/// Where a change of regions that is under way meets the leases.
fn before_leases(rng: &mut SmallRng) -> Moment {
    use member::Phase::{Asking, PdHeld, Settled, Suspending};
    Moment::Member(*pick(rng, &[(PdHeld, 1), (Asking, 1), (Settled, 3), (Suspending, 2)]), delay(rng))
}

/// The record names what it has begun, and not its end.
fn within_a_barrier(rng: &mut SmallRng) -> Moment {
    use barrier::Milestone::{Barrier, Certified, Snapshotting};
    Moment::Record(*pick(rng, &[(Barrier, 3), (Snapshotting, 4), (Certified, 1)]), rng.random_range(0..1_500))
}

/// A certificate is saved, or the backup is Complete.
fn when_there_is_something_to_lose(rng: &mut SmallRng) -> Moment {
    use barrier::Milestone::{Certified, Complete};
    Moment::Record(*pick(rng, &[(Certified, 1), (Complete, 3)]), rng.random_range(0..8_000))
}

fn any_moment(rng: &mut SmallRng) -> Moment {
    match rng.random_range(0..10u32) {
        0..=1 => Moment::After(rng.random_range(0..8_000)),
        2 => Moment::After(rng.random_range(0..40_000)),
        3..=7 => {
            use member::Phase::{
                Asking, Confirmed, Confirming, Covered, Covering, HoldingPd, Prepared, Preparing, ReadingBack,
                Released, Reserving, Settled, Snapshotted, Snapshotting, Suspended, Suspending,
            };
            let phases = [
                (Preparing, 1),
                (Prepared, 1),
                (Reserving, 1),
                (HoldingPd, 2),
                (Asking, 2),
                (Settled, 3),
                (Suspending, 3),
                (Suspended, 3),
                (Covering, 4),
                (Covered, 4),
                (Snapshotting, 5),
                (Snapshotted, 3),
                (Confirming, 3),
                (ReadingBack, 2),
                (Confirmed, 2),
                (Released, 1),
            ];
            Moment::Member(*pick(rng, &phases), delay(rng))
        }
        _ => {
            use barrier::Milestone::{Aborting, Barrier, Certified, Complete, Failed, Preparing, Snapshotting};
            let milestones = [
                (Preparing, 1),
                (Barrier, 3),
                (Snapshotting, 5),
                (Certified, 4),
                (Complete, 2),
                (Aborting, 2),
                (Failed, 2),
            ];
            Moment::Record(*pick(rng, &milestones), delay(rng))
        }
    }
}

/// Mostly at once.
fn delay(rng: &mut SmallRng) -> u64 {
    match rng.random_range(0..4u32) {
        0 => 0,
        1 => rng.random_range(0..20),
        2 => rng.random_range(0..300),
        _ => rng.random_range(0..3_000),
    }
}
