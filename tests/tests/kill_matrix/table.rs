//! The table: where, who, what happens to it, and what must come of it.

use std::time::Duration;
use tests::processes::programs::Who;

/// Fragments of an effect's `Debug` text.
pub(crate) type Marks = &'static [&'static str];

/// On which side of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Not carried out yet.
    Before,
    /// Carried out; of a save: stored.
    After,
}

/// What a backup is doing meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// It runs.
    Backup,
    /// It is Complete and is being deleted.
    Deletion,
    /// It runs and cannot end well: EC2 denies snapshots.
    BadEnd,
    /// It is Complete, and planes look whether it is whole (`console verify`).
    Verification,
    /// It is Complete, and planes look for what nothing names (`console orphans`).
    Scan,
    /// All planes have confirmed, the coordinator was killed before it released them, and is back.
    Recovery,
}

impl Scenario {
    /// Planes look at what is kept.
    pub(crate) fn is_question(self) -> bool {
        matches!(self, Self::Verification | Self::Scan)
    }
}

/// A boundary of an effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// For people.
    pub(crate) name: &'static str,
    pub(crate) side: Side,
    pub(crate) scenario: Scenario,
    /// Fragments of the effect's `Debug` text; the first begins it.
    pub(crate) marks: Marks,
    /// After `kill -9`, and after SIGTERM, before which the rest of the batch is still carried out; a coordinator also
    /// finishes what is under way.
    pub(crate) expect: [Expect; 2],
    /// What `tests/run` takes of it; everything else is behind `--ignored`.
    pub(crate) quick: &'static [(Who, Injection)],
}

/// What happens to who stands at the boundary, or around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Injection {
    /// `kill -9`, and started again at once.
    Kill,
    /// `kill -9`, and started again when every hold has ended by itself.
    KillForLong,
    /// SIGTERM, and started again when it has ended.
    Term,
    /// `kill -9` of everybody, and all are started again at once.
    AllDie,
    /// It hangs for so long, and goes on.
    Hang(Duration),
    /// The plane's way to the coordinator is cut for so long.
    Cut { up: bool, down: bool, length: Duration },
    /// Its wire to the coordinator is pulled for so long: sending is an error, and not a loss.
    Unplug(Duration),
    /// A TiKV server of the plane dies; it comes back when the backup has ended.
    StoreDies,
    /// The pd-server dies and comes back at once.
    PdDies,
}

/// Legal outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Complete, proved; of a deletion: gone.
    Good,
    /// Failed, for one of these reasons; an empty list takes any.
    Failed(&'static [&'static str]),
    /// Either: the process may or may not have said a last word.
    Either(&'static [&'static str]),
}

/// One line of the matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) step: &'static str,
    pub(crate) side: Side,
    pub(crate) scenario: Scenario,
    /// None: not at an effect, but while EC2 has been asked, for every snapshot or by the planes that look, and has not
    /// answered.
    pub(crate) marks: Marks,
    pub(crate) who: Who,
    pub(crate) injection: Injection,
    pub(crate) expect: Expect,
}

/// A store's lease, TiKV's whole seconds, and the time of a look.
const STORE_LEASE: Duration = Duration::from_secs(10 + 2);
/// Likewise a pause in PD.
const PD_TTL: Duration = Duration::from_secs(15 + 2);
/// A plane's own lease, what letting go may take, and the time of a look.
const PLANE_LEASE: Duration = Duration::from_secs(15 + 3 + 1);
/// A plane that is gone: its session times out (15 s from the first packet that it does not answer, at the latest the
/// next renewal, a quarter of 15 s), then its own lease is waited for; then the others are told.
const PLANE_GONE: Duration = Duration::from_secs(15 + 4 + 15 + 3 + 1);

impl Case {
    /// From the injection until nothing is held any more.
    pub(crate) fn bound(&self) -> Duration {
        match (self.injection, self.who) {
            (Injection::Kill | Injection::Term | Injection::KillForLong | Injection::Hang(_), Who::Coordinator) => {
                PLANE_LEASE
            }
            // The others are told as soon as the plane is back; what it held itself ends by itself.
            (Injection::Kill | Injection::Term, Who::Plane(0)) => PD_TTL,
            (Injection::Kill | Injection::Term | Injection::StoreDies, Who::Plane(_)) => STORE_LEASE,
            (Injection::KillForLong | Injection::Hang(_) | Injection::Unplug(_) | Injection::Cut { .. }, _) => {
                PLANE_GONE
            }
            // What is held ends by itself; the safe point when the coordinator leads again, and all are linked to it.
            (Injection::AllDie, _) => PLANE_GONE,
            (Injection::PdDies | Injection::StoreDies, _) => PLANE_LEASE,
        }
    }

    /// An init plane that restarts after its confirmation has forgotten its safe point: that alone stands until its ttl.
    pub(crate) fn safe_point_may_stay(&self) -> bool {
        let dies = matches!(self.injection, Injection::Kill | Injection::Term);
        let confirmed = matches!(self.expect, Expect::Good | Expect::Either(_));
        dies && self.who == Who::Plane(0) && self.scenario == Scenario::Backup && confirmed
    }
}

/// Every case, or those of `tests/run`. Long ones first, so that runners end together.
pub(crate) fn cases(all: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    for (steps, actors) in
        [(super::steps::COORDINATOR, &[Who::Coordinator][..]), (super::steps::PLANE, &[Who::Plane(0), Who::Plane(1)])]
    {
        for step in steps {
            let every = actors.iter().flat_map(|who| [(*who, Injection::Kill), (*who, Injection::Term)]);
            let wanted: Vec<(Who, Injection)> = if all { every.collect() } else { step.quick.to_vec() };
            cases.extend(
                wanted
                    .into_iter()
                    .filter(|(who, _)| has_part(step, *who))
                    .map(|(who, injection)| case(step, who, injection)),
            );
        }
    }
    cases.extend_from_slice(super::steps::WORLD);
    cases.extend_from_slice(super::steps::QUESTIONS);
    cases.sort_by_key(|case| std::cmp::Reverse(case.bound()));
    cases
}

/// PD is held by the init plane only.
fn has_part(step: &Step, who: Who) -> bool {
    who == Who::Coordinator || who == Who::Plane(0) || !step.name.contains("PD")
}

fn case(step: &Step, who: Who, injection: Injection) -> Case {
    let expect = step.expect[usize::from(injection == Injection::Term)];
    Case { step: step.name, side: step.side, scenario: step.scenario, marks: step.marks, who, injection, expect }
}
