//! What the demo says at the end, for people and as JSON.

use super::{banks::two_banks, search::Found};
use coordinator::console::timeline_drawn;
use serde_json::{Value, json};
use shared::barrier::{Barrier, Milestone, Record};
use tests::world::{Ec2Config, LeftOver, Restored, World};

/// Transfers per second.
pub(crate) struct Traffic {
    before: f64,
    during: f64,
    after: f64,
}

/// The hold in milliseconds of the world: (from, to).
fn hold_window(record: &Record, world: &World) -> Option<(u64, u64)> {
    let begun = world.config().wall.0;
    let end = u64::try_from(record.times.snapshots_created?.0.saturating_sub(begun)).ok()?;
    Some((end.saturating_sub(record.barrier.hold?.0), end))
}

impl Traffic {
    fn new(record: &Record, world: &World) -> Self {
        let per_second = world.throughput();
        let now = world.elapsed_ms() / 1000;
        let (from, to) = hold_window(record, world).map_or((now, now), |(from, to)| (from / 1000, to / 1000));
        let rate = |from: u64, to: u64| {
            let counts: Vec<_> = per_second.iter().filter(|(s, _)| (from..to).contains(s)).map(|(_, n)| *n).collect();
            if counts.is_empty() { 0.0 } else { counts.iter().sum::<u64>() as f64 / counts.len() as f64 }
        };
        // The first second of a world and the present one are not whole.
        Self { before: rate(1, from), during: rate(from, to + 1), after: rate(to + 1, now) }
    }
}

/// Everything that was seen.
pub(crate) struct Shown {
    object: Value,
    record: Record,
    restored: Option<Restored>,
    found: Found,
    traffic: Traffic,
    own_ms: Option<u64>,
    left_over: LeftOver,
    simulated: Ec2Config,
}

impl Shown {
    pub(crate) fn new(object: Value, record: Record, restored: Option<Restored>, found: Found, world: &World) -> Self {
        let traffic = Traffic::new(&record, world);
        let own_ms =
            hold_window(&record, world).map(|(from, to)| (to - from).saturating_sub(world.waited_ms(from, to)));
        let simulated = world.config().ec2;
        Self { object, record, restored, found, traffic, own_ms, left_over: LeftOver::default(), simulated }
    }

    pub(crate) fn after_deletion(mut self, left_over: LeftOver) -> Self {
        self.left_over = left_over;
        self
    }

    fn certified(&self) -> bool {
        self.record.certificate.is_some() && self.record.milestone == Milestone::Complete
    }

    fn sum_ok(&self) -> bool {
        self.restored.as_ref().is_some_and(Restored::sound)
    }

    /// Everything that the demo promises.
    pub(crate) fn holds(&self) -> bool {
        self.certified() && self.sum_ok() && self.left_over.total() == 0
    }

    pub(crate) fn json(&self) -> String {
        let status = &self.object["status"];
        let barrier = &self.record.barrier;
        let certificate = self.record.certificate.as_ref();
        let shown = json!({
            "phase": status["phase"],
            "commitTs": status["commitTs"],
            "backups": status["backups"],
            "barrier": {
                "settle_ms": barrier.settle,
                "reach_ms": barrier.reach,
                "hold_ms": barrier.hold,
                "own_ms": self.own_ms,
            },
            "certificate": certificate.map(|certificate| json!({
                "verdict": certificate.verdict.as_str(),
                "epoch": certificate.epoch,
                "regions": certificate.regions,
                "stores": certificate.planes.values().map(|plane| plane.evidence.stores.len()).sum::<usize>(),
                "snapshots": certificate.planes.values().map(|plane| plane.evidence.snapshots.len()).sum::<usize>(),
            })),
            "restore": {
                "sum_ok": self.sum_ok(),
                "sum": self.restored.as_ref().map(|restored| restored.total),
                "expected": self.restored.as_ref().map(|restored| restored.expected),
                "sum_without_barrier_ok": self.found.restored.sum_ok,
                "sum_without_barrier": self.found.restored.total,
                "torn_without_barrier": self.found.restored.torn,
            },
            "throughput_per_second": {
                "before": self.traffic.before,
                "during_hold": self.traffic.during,
                "after": self.traffic.after,
            },
            "failure": self.record.failure,
            "seed": self.found.seed,
            "left_over": self.left_over.total(),
            "left_over_names": self.left_over.names,
        });
        format!("{shown:#}")
    }

    pub(crate) fn text(&self) -> String {
        let status = serde_saphyr::to_string(&json!({ "status": self.object["status"] })).unwrap_or_default();
        let mut out = format!("\n{}\n", status.trim_end());
        if let Some(failure) = &self.record.failure {
            out += &format!("\nFailed: {}: {}\n  {}\n", failure.reason, failure.message, failure.reason.action());
        }
        let ms =
            |length: Option<shared::time::Millis>| length.map_or("-".to_owned(), |length| format!("{} ms", length.0));
        let barrier = &self.record.barrier;
        out += &format!("\n{}\n", timeline_drawn(&Barrier::new(self.record.clone()).view()));
        out += &format!(
            "\nBarrier    settle {}, reach {}, hold {}",
            ms(barrier.settle),
            ms(barrier.reach),
            ms(barrier.hold)
        );
        if let Some(own) = self.own_ms {
            let create = self.simulated.create;
            out += &format!(
                " (of it our own share: {own} ms; the rest waits for simulated calls, CreateSnapshots takes {}-{} ms)",
                create.0, create.1
            );
        }
        out += &format!(
            "\nWorkload   {:.0} transfers/s before, {:.0} during the hold, {:.0} after\n",
            self.traffic.before, self.traffic.during, self.traffic.after
        );
        if let Some(certificate) = &self.record.certificate {
            let stores: usize = certificate.planes.values().map(|plane| plane.evidence.stores.len()).sum();
            let snapshots: usize = certificate.planes.values().map(|plane| plane.evidence.snapshots.len()).sum();
            out += &format!(
                "Certificate {:?}: {} regions tile the key space, {stores} stores held unbroken, {snapshots} snapshots, \
                 commitTs {} above GC safe point {}\n",
                certificate.verdict, certificate.regions, certificate.commit_ts, certificate.gc_safe_point
            );
        }
        match &self.restored {
            Some(restored) => {
                out += &format!(
                    "Restore    at commitTs: {} accounts hold {} of {} -> {}\n",
                    restored.accounts,
                    restored.total,
                    restored.expected,
                    if restored.sound() { "consistent" } else { "NOT consistent" }
                );
            }
            None => out += "Restore    nothing to restore\n",
        }
        out += &format!("Control    {}\n", self.found.sentence());
        if let Some(restored) = &self.restored {
            out += &two_banks(restored, &self.found.restored);
        }
        out += &match self.left_over.total() {
            0 => "Deleted    nothing left: no snapshot, no object, no paused scheduler, no safe point, no lease\n"
                .to_owned(),
            left => format!("Deleted    {left} LEFT OVER: {}\n", self.left_over.names.join(", ")),
        };
        out
    }
}
