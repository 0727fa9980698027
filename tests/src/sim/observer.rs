//! Sees every ledger write, every frame and, as often as it is asked, the world; tells the invariants and the trace.

use super::trace::Trace;
use crate::{
    control::{Control, Happened, Life, parse_claim, parse_record},
    invariants::{Books, End, Entry, Frame, Invariants, Look, Message, Violation, Write, parse_frame, wrongly_retired},
    rig::Way,
    world::{Counters, World},
};
use coordinator::ports::LedgerKey;
use shared::{
    barrier::Record,
    request::CleanPolicy,
    wire::{Answer, Down, Order, Up},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Violations kept of one seed: the first ones say how it began.
const KEPT: usize = 10;
/// A claim that is being saved when the process is told to end is granted, within this.
const UNDER_WAY_MS: u64 = 400;
/// Between two audits of the running bank: a walk over all rows, so not at every look.
const AUDIT_MS: u64 = 1_000;

pub(super) struct Inner {
    control: Control,
    world: World,
    invariants: Invariants,
    pub(super) books: Books,
    trace: Trace,
    pub(super) violations: Vec<Violation>,
    /// S3 prefixes of backups that are kept although their record is gone.
    pub(super) kept: Vec<String>,
    counted: Option<Counters>,
    /// The coordinator was told to end then, and has not ended.
    pub(super) draining: Option<u64>,
    /// Millisecond of the last write to the ledger.
    pub(super) written_at: u64,
    audited_at: u64,
}

/// Clones are the same observer.
#[derive(Clone)]
pub(super) struct Observer(Arc<Mutex<Inner>>);

impl Observer {
    pub(super) fn new(control: &Control, world: &World, trace: bool) -> Self {
        control.remember();
        Self(Arc::new(Mutex::new(Inner {
            control: control.clone(),
            world: world.clone(),
            invariants: Invariants::default(),
            books: Books::default(),
            trace: Trace::new(trace),
            violations: Vec::new(),
            kept: Vec::new(),
            counted: None,
            draining: None,
            written_at: 0,
            audited_at: 0,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that the play itself does or finds.
    pub(super) fn say(&self, text: &str) {
        let mut inner = self.lock();
        inner.catch_up();
        let at = inner.world.elapsed_ms();
        inner.trace.line(at, text);
    }

    /// A liveness property that does not hold.
    pub(super) fn broken(&self, invariant: &'static str, text: String) {
        self.lock().tell(vec![Violation { invariant, text }]);
    }

    pub(super) fn frame(&self, plane: &str, way: Way, bytes: &[u8]) {
        let mut inner = self.lock();
        inner.catch_up();
        let Some(parsed) = parse_frame(way, bytes) else {
            return inner.tell(vec![Violation { invariant: "wire", text: format!("{plane} {way:?}: no message") }]);
        };
        let message = match &parsed {
            Ok(down) => Message::Down(down),
            Err(up) => Message::Up(up),
        };
        let at = inner.world.elapsed_ms();
        let sum = bytes.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
        let text = format!("{plane} {}  ({} bytes, {sum:x})", describe(message), bytes.len());
        inner.trace.line(at, &text);
        let Inner { invariants, books, world, .. } = &mut *inner;
        let found = invariants.frame(&Frame { plane, message, books, world });
        inner.tell(found);
    }

    pub(super) fn look(&self) {
        let mut inner = self.lock();
        inner.catch_up();
        let counted = inner.world.mutations();
        let facts = (inner.counted != Some(counted)).then(|| inner.world.facts());
        inner.counted = Some(counted);
        let (at, holds) = (inner.world.elapsed_ms(), inner.world.holds());
        let Inner { invariants, books, control, .. } = &mut *inner;
        let found = control
            .with_lives(|lives| invariants.look(&Look { at, books, holds: &holds, facts: facts.as_ref(), lives }));
        inner.tell(found);
        inner.audit(at);
    }

    /// The end: everything that should have ended has been waited for.
    pub(super) fn end(&self, undisturbed: bool, lost: bool) {
        self.look();
        let mut inner = self.lock();
        let (objects, events, facts) = (inner.control.objects(), inner.control.events(), inner.world.facts());
        let lives = inner.control.lives();
        let Inner { invariants, books, .. } = &mut *inner;
        let end = End { books, objects: &objects, events: &events, undisturbed, facts: &facts, lives: &lives, lost };
        let found = invariants.end(&end);
        inner.tell(found);
    }

    /// Violations, hash and lines.
    pub(super) fn finish(&self) -> (Vec<Violation>, u64, Vec<String>) {
        let mut inner = self.lock();
        let at = inner.world.elapsed_ms();
        let last = format!("history {:x}, {:?}", inner.world.history_hash(), inner.world.mutations());
        inner.trace.line(at, &last);
        let trace = std::mem::replace(&mut inner.trace, Trace::new(false));
        let (hash, lines) = trace.finish();
        (std::mem::take(&mut inner.violations), hash, lines)
    }
}

impl Inner {
    /// The bank that runs must add up, or no restore can: then the double is wrong, not the protocol.
    fn audit(&mut self, at: u64) {
        if at < self.audited_at + AUDIT_MS {
            return;
        }
        self.audited_at = at;
        let Some((sum, expected)) = self.world.live_sum().filter(|(sum, expected)| sum != expected) else { return };
        let text = format!("the running bank holds {sum} of {expected}");
        self.tell(vec![Violation { invariant: "double", text }]);
    }

    fn tell(&mut self, found: Vec<Violation>) {
        for violation in found {
            let at = self.world.elapsed_ms();
            self.trace.line(at, &format!("VIOLATION {}: {}", violation.invariant, violation.text));
            if self.violations.len() < KEPT {
                self.violations.push(violation);
            }
        }
    }

    /// Takes in what was written since.
    pub(super) fn catch_up(&mut self) {
        for happened in self.control.take_happened() {
            let at = self.world.elapsed_ms();
            let (key, body, restored) = match happened {
                Happened::Written(key, body) => (key, body, false),
                Happened::Replaced(key, body) => (key, body, true),
                Happened::Retired(retired) => {
                    self.trace.line(at, &format!("{} is deleted by retention", retired.uid));
                    let wrong = wrongly_retired(&retired, &self.books);
                    self.tell(wrong.map(|text| Violation { invariant: "I8", text }).into_iter().collect());
                    continue;
                }
            };
            self.written_at = at;
            if matches!(key, LedgerKey::Restore(_)) {
                // The machine of restores has its own model; no backup's promise reads its records.
                continue;
            }
            let record = body.as_deref().and_then(parse_record);
            let claim = body.as_deref().filter(|_| record.is_none()).and_then(parse_claim);
            let entry = match (&record, &claim) {
                (Some(record), _) => Entry::Record(record),
                (None, Some(claim)) => Entry::Claim(claim),
                (None, None) => Entry::Gone,
            };
            self.trace.line(at, &describe_write(&key, entry));
            if let (Some(live), Some(since)) = (claim.as_ref().and_then(|claim| claim.live.as_ref()), self.draining)
                && at > since + UNDER_WAY_MS
            {
                let text = format!("{} is given a claim {} ms after SIGTERM", live.backup, at - since);
                self.tell(vec![Violation { invariant: "drains", text }]);
            }
            let Self { invariants, books, world, .. } = self;
            let found = invariants.write(&Write { key: &key, entry, restored, before: books, world });
            self.tell(found);
            match key {
                LedgerKey::Record(uid) => match record {
                    Some(record) => drop(self.books.records.insert(uid, record)),
                    None => {
                        let gone = self.books.records.remove(&uid);
                        let deletes = self.control.with_lives(|lives| lives.get(&uid).is_some_and(Life::deletes));
                        let keeps = gone.filter(|record| {
                            let policy = record.request.clean_policy;
                            record.certificate.is_some() && (policy != CleanPolicy::Delete || !deletes)
                        });
                        self.kept.extend(keeps.map(|record| record.request.storage.prefix));
                    }
                },
                LedgerKey::Claim(cluster) => drop(match claim {
                    Some(claim) => self.books.claims.insert(cluster, claim),
                    None => self.books.claims.remove(&cluster),
                }),
                LedgerKey::Restore(_) => {}
            }
        }
    }
}

fn describe_write(key: &LedgerKey, entry: Entry<'_>) -> String {
    match entry {
        Entry::Record(record) => format!("ledger: {}", describe_record(record)),
        Entry::Claim(claim) => {
            let live = claim.live.as_ref().map(|live| format!("{}/{}", live.backup, live.attempt));
            format!("ledger: claim {} for {}", claim.epoch, live.unwrap_or_else(|| "nobody".to_owned()))
        }
        Entry::Gone => format!("ledger: {key:?} is gone"),
    }
}

fn describe_record(record: &Record) -> String {
    let failure = record.failure.as_ref().map(|refusal| format!(", {refusal}")).unwrap_or_default();
    let done: Vec<_> = record
        .planes
        .iter()
        .map(|(plane, kept)| {
            let flag = |set: bool, text: &str| if set { text.to_owned() } else { String::new() };
            format!(
                "{plane}{}{}{}",
                flag(kept.aborted, " aborted"),
                flag(kept.cleaned.is_some(), " cleaned"),
                flag(kept.completed_bytes.is_some(), " completed")
            )
        })
        .collect();
    format!(
        "{} {:?} epoch {} commitTs {:?}{} [{}]{failure}",
        record.attempt_id(),
        record.milestone,
        record.epoch,
        record.commit_ts.map(|ts| ts.0),
        if record.deleting { " deleting" } else { "" },
        done.join(", ")
    )
}

fn describe(message: Message<'_>) -> String {
    match message {
        Message::Down(Down::Order { attempt, epoch, order }) => {
            format!("<- {} {attempt} epoch {epoch}", first_word(&order_name(order)))
        }
        Message::Up(Up::Answer { attempt, epoch, answer }) => {
            format!("-> {} {attempt} epoch {epoch}", answer_name(answer))
        }
        Message::Down(_) => "<- other".to_owned(),
        Message::Up(_) => "-> other".to_owned(),
    }
}

fn order_name(order: &Order) -> String {
    match order {
        Order::Prepare(_) => "Prepare".to_owned(),
        Order::Complete(_) => "Complete".to_owned(),
        Order::Measure(order) => format!("Measure from {}", order.from),
        Order::Clean(_) => "Clean".to_owned(),
        other => format!("{other:?}"),
    }
}

fn first_word(text: &str) -> String {
    text.chars().take(60).collect()
}

fn answer_name(answer: &Answer) -> String {
    match answer {
        Answer::Refused(refusal) => format!("Refused {refusal}"),
        Answer::Progress(progress) => format!("Progress {}", progress.text),
        Answer::Aborted(aborted) => format!("{aborted:?}").chars().take(160).collect(),
        other => format!("{other:?}").split(['(', ' ', '{']).next().unwrap_or_default().to_owned(),
    }
}
