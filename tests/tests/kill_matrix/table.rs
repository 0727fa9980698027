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
pub(crate) enum Story {
    /// It runs.
    Backup,
    /// It is Complete and is being deleted.
    Deletion,
    /// It runs and cannot end well: EC2 denies snapshots.
    BadEnd,
    /// All planes have confirmed, the coordinator was killed before it released them, and is back.
    Recovery,
}

/// A boundary of an effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// For people.
    pub(crate) name: &'static str,
    pub(crate) side: Side,
    pub(crate) story: Story,
    /// Fragments of the effect's `Debug` text; the first begins it.
    pub(crate) marks: Marks,
    /// After `kill -9`, and after SIGTERM, before which the rest of the batch is still carried out; a coordinator also
    /// finishes what is under way.
    pub(crate) expect: [Expect; 2],
    /// What `tests/run` takes of it; everything else is behind `--ignored`.
    pub(crate) quick: &'static [(Who, Deed)],
}

/// What happens to who stands at the boundary, or around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
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
    pub(crate) story: Story,
    /// None: not at an effect, but while EC2 has been asked for every snapshot and has not answered.
    pub(crate) marks: Marks,
    pub(crate) who: Who,
    pub(crate) deed: Deed,
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
    /// From the deed until nothing is held any more.
    pub(crate) fn bound(&self) -> Duration {
        match (self.deed, self.who) {
            (Deed::Kill | Deed::Term | Deed::KillForLong | Deed::Hang(_), Who::Coordinator) => PLANE_LEASE,
            // The others are told as soon as the plane is back; what it held itself ends by itself.
            (Deed::Kill | Deed::Term, Who::Plane(0)) => PD_TTL,
            (Deed::Kill | Deed::Term | Deed::StoreDies, Who::Plane(_)) => STORE_LEASE,
            (Deed::KillForLong | Deed::Hang(_) | Deed::Unplug(_) | Deed::Cut { .. }, _) => PLANE_GONE,
            // What is held ends by itself; the safe point when the coordinator leads again, and all are linked to it.
            (Deed::AllDie, _) => PLANE_GONE,
            (Deed::PdDies | Deed::StoreDies, _) => PLANE_LEASE,
        }
    }

    /// An init plane that restarts after its confirmation has forgotten its safe point: that alone stands until its ttl.
    pub(crate) fn safe_point_may_stay(&self) -> bool {
        let dies = matches!(self.deed, Deed::Kill | Deed::Term);
        let confirmed = matches!(self.expect, Expect::Good | Expect::Either(_));
        dies && self.who == Who::Plane(0) && self.story == Story::Backup && confirmed
    }
}

/// Every case, or those of `tests/run`. Long ones first, so that lanes end together.
pub(crate) fn cases(all: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    for (steps, actors) in
        [(super::steps::COORDINATOR, &[Who::Coordinator][..]), (super::steps::PLANE, &[Who::Plane(0), Who::Plane(1)])]
    {
        for step in steps {
            let every = actors.iter().flat_map(|who| [(*who, Deed::Kill), (*who, Deed::Term)]);
            let wanted: Vec<(Who, Deed)> = if all { every.collect() } else { step.quick.to_vec() };
            cases.extend(
                wanted.into_iter().filter(|(who, _)| has_part(step, *who)).map(|(who, deed)| case(step, who, deed)),
            );
        }
    }
    cases.extend_from_slice(super::steps::WORLD);
    cases.sort_by_key(|case| std::cmp::Reverse(case.bound()));
    cases
}

/// PD is held by the init plane only.
fn has_part(step: &Step, who: Who) -> bool {
    who == Who::Coordinator || who == Who::Plane(0) || !step.name.contains("PD")
}

fn case(step: &Step, who: Who, deed: Deed) -> Case {
    let expect = step.expect[usize::from(deed == Deed::Term)];
    Case { step: step.name, side: step.side, story: step.story, marks: step.marks, who, deed, expect }
}
