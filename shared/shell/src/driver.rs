//! Runs a [`Machine`] inside an actix actor. This is the only place that calls `step`.
//!
//! ```text
//! handler ──► feed(input) ──► deadline reached? Expired first ──► step ──► effects in order ──► one timer armed
//!                 │                                                            │
//!                 └── held while a batch is under way ◄── fence: ctx.wait, 3 s ┘
//! ```
//! Three things of actix 0.13 shape it:
//! - a busy mailbox starves timers (`facts/tech.md` §1), so every input first looks at the deadline;
//! - `ctx.wait` called in a message handler stops the mailbox at once, but one spawned future may still be polled before
//!   the wait begins, so an input that comes home in between is held, in order, until the fence is done;
//! - an actor that effects call back into would re-enter `step`, so such inputs are held as well.

use actix::{Actor, AsyncContext, Context, SpawnHandle, WrapFuture, fut::ActorFutureExt};
use futures::future::LocalBoxFuture;
use shared::{
    machine::Machine,
    reason::Refusal,
    time::{Instant, Now},
};
use std::{collections::VecDeque, time::Duration, vec};

mod past;
mod pasts;
#[cfg(test)]
mod tests;

pub use past::{Past, Stepped};
pub use pasts::{Pasts, steps_told};

/// How long a fence may take. Waiting freezes the actor's timers too, so it stays far below every lease (the shortest is
/// the store lease of 10 s, renewed at 2.5 s by a task of its own; `design.md` §3, §4).
pub const FENCE_LIMIT: Duration = Duration::from_secs(3);

/// Inputs held while a batch is under way. actix lets through at most one spawned future per wait, and an effect feeds
/// back at most a few; more means an actor that answers itself without end. What an actor tells its machine at its start
/// comes on top: [`Driver::beginning_with`].
pub const HELD_LIMIT: usize = 64;

/// Timers fired in a row before the next input is taken, and steps before the mailbox gets its turn. A barrier has fewer
/// than ten timers; a machine that reaches this keeps the same deadline after its expiry, which [`Machine`] forbids.
pub const BURST_LIMIT: usize = 32;

/// Why a fence did not hold. What comes after it in the batch was not carried out, and the machine is not stepped again.
#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    /// The save did not happen: somebody else wrote first (lost compare-and-set), or it was refused.
    #[error("save lost: {0}")]
    Lost(String),
    /// It did not happen, and the same save never will.
    #[error("save refused: {0}")]
    Refused(Refusal),
    /// It may or may not have happened; read it back before anything is believed (`design.md` §5).
    #[error("outcome of save unknown: {0}")]
    Unknown(String),
    /// Not done within [`FENCE_LIMIT`]; its outcome is unknown as well.
    #[error("save not done within {FENCE_LIMIT:?}, outcome unknown")]
    TimedOut,
    /// More than [`HELD_LIMIT`] inputs, or those of its beginning, came while a batch was under way: a fault of the actor,
    /// not of the world.
    #[error("more than {0} inputs held behind one batch of effects")]
    Overflow(usize),
}

/// What became of an effect.
pub enum Performed {
    /// Carried out, or on its way as a spawned future that ends in an input.
    Done,
    /// A fence: nothing after it happens before this future is done. The future must not touch the actor.
    Fence(LocalBoxFuture<'static, Result<(), FenceError>>),
}

/// An actor that owns a machine. Handlers call [`Performer::feed`] and nothing else.
pub trait Performer: Actor<Context = Context<Self>> + Sized {
    /// Its machine.
    type M: Machine<Input: 'static, Effect: 'static, Timer: 'static> + 'static;

    /// Where the machine lives.
    fn driver(&mut self) -> &mut Driver<Self::M>;
    /// The clocks, read anew for every step.
    fn now(&self) -> Now;
    /// Carries out one effect. May call [`Performer::feed`]: such an input is taken after the batch.
    fn perform(&mut self, effect: <Self::M as Machine>::Effect, ctx: &mut Context<Self>) -> Performed;
    /// A fence failed. The rest of the batch and all held inputs are gone, no timer is armed, and later inputs are
    /// ignored; usually the actor stops here and its owner makes it anew from the record.
    fn fence_failed(&mut self, error: FenceError, ctx: &mut Context<Self>);
    /// After every batch of effects that was carried out to its end: where a view is published.
    fn stepped(&mut self, _ctx: &mut Context<Self>) {}

    /// Tells the machine something.
    fn feed(&mut self, input: <Self::M as Machine>::Input, ctx: &mut Context<Self>) {
        let driver = self.driver();
        match driver.turn {
            Turn::Idle => {
                driver.held.push_back(input);
                pump(self, ctx);
            }
            Turn::Busy if driver.held.len() < driver.held_limit => driver.held.push_back(input),
            Turn::Busy => {
                let overflow = FenceError::Overflow(driver.held_limit);
                fail(self, overflow, ctx);
            }
            Turn::Dead => driver.ignored = driver.ignored.saturating_add(1),
        }
    }

    /// Arms the first timer. Call it in `started`, for a machine that was recovered with a deadline.
    fn drive(&mut self, ctx: &mut Context<Self>) {
        if self.driver().turn == Turn::Idle {
            pump(self, ctx);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Nothing under way.
    Idle,
    /// A batch of effects is being carried out, perhaps behind a fence.
    Busy,
    /// A fence failed.
    Dead,
}

/// The one timer that is armed.
#[derive(Clone, Copy)]
struct Armed {
    due: Instant,
    generation: u64,
    handle: SpawnHandle,
}

/// A machine with its place in time: what is under way, what is held, which timer is armed.
pub struct Driver<M: Machine> {
    machine: M,
    turn: Turn,
    held: VecDeque<M::Input>,
    held_limit: usize,
    armed: Option<Armed>,
    generation: u64,
    ignored: u64,
    past: Past,
}

impl<M: Machine> Driver<M> {
    /// A machine that nothing was told yet.
    pub fn new(machine: M) -> Self {
        Self::beginning_with(machine, 0)
    }

    /// The same of an actor that tells its machine so much in one go, behind the fence of its first step.
    pub fn beginning_with(machine: M, inputs: usize) -> Self {
        Self {
            machine,
            turn: Turn::Idle,
            held: VecDeque::new(),
            held_limit: HELD_LIMIT.saturating_add(inputs),
            armed: None,
            generation: 0,
            ignored: 0,
            past: Past::default(),
        }
    }

    /// To look at: views, status. Steps happen only through [`Performer::feed`].
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// Its last steps, to look at.
    pub fn past(&self) -> &Past {
        &self.past
    }

    /// A fence failed; inputs are ignored.
    pub fn is_dead(&self) -> bool {
        self.turn == Turn::Dead
    }

    /// Inputs that came after a fence had failed.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// The next input: an expired timer before anything that is held, at most [`BURST_LIMIT`] of them in a row.
    fn next(&mut self, now: Now, fired: &mut usize) -> Option<M::Input> {
        if let Some((due, timer)) = self.machine.deadline()
            && due <= now.at
        {
            if *fired < BURST_LIMIT {
                *fired += 1;
                return Some(M::expired(timer));
            }
            tracing::error!(?timer, limit = BURST_LIMIT, "machine keeps a deadline after its expiry");
        }
        *fired = 0;
        self.held.pop_front()
    }
}

/// Steps until nothing is due and nothing is held, a fence is pending, or the mailbox is to have its turn.
fn pump<A: Performer>(actor: &mut A, ctx: &mut Context<A>) {
    let mut fired = 0;
    for _ in 0..BURST_LIMIT * 2 {
        let now = actor.now();
        let driver = actor.driver();
        let Some(input) = driver.next(now, &mut fired) else {
            arm(actor, ctx);
            return;
        };
        driver.turn = Turn::Busy;
        let told = Past::input(&input);
        let effects = driver.machine.step(now, input);
        driver.past.note(now.wall, told, &effects);
        if !carry_out(actor, effects.into_iter(), ctx) {
            return;
        }
    }
    // Still something to do: yield once, so that an actor that feeds itself cannot shut out its mailbox.
    ctx.spawn(tokio::task::yield_now().into_actor(actor).map(|(), actor, ctx| actor.drive(ctx)));
}

/// Carries out a batch, or what is left of it. False: it did not come to its end (a fence is pending, or one failed).
fn carry_out<A: Performer>(
    actor: &mut A,
    mut effects: vec::IntoIter<<A::M as Machine>::Effect>,
    ctx: &mut Context<A>,
) -> bool {
    while let Some(effect) = effects.next() {
        #[cfg(feature = "breakpoints")]
        let passing = crate::breakpoints::Passing::before(&effect);
        let performed = actor.perform(effect, ctx);
        if actor.driver().is_dead() {
            return false;
        }
        #[cfg(feature = "breakpoints")]
        let performed = stop_after(performed, passing);
        if let Performed::Fence(saved) = performed {
            wait(actor, saved, effects, ctx);
            return false;
        }
    }
    actor.stepped(ctx);
    actor.driver().turn = Turn::Idle;
    true
}

/// The other side of the boundary: of a fence it lies behind its future, if that stored anything.
#[cfg(feature = "breakpoints")]
fn stop_after(performed: Performed, passing: crate::breakpoints::Passing) -> Performed {
    match performed {
        Performed::Done => {
            passing.after();
            Performed::Done
        }
        Performed::Fence(saved) => Performed::Fence(Box::pin(async move {
            saved.await?;
            passing.after();
            Ok(())
        })),
    }
}

/// Lets the mailbox stand still until `saved` is done, then goes on with the rest of the batch.
fn wait<A: Performer>(
    actor: &mut A,
    saved: LocalBoxFuture<'static, Result<(), FenceError>>,
    rest: vec::IntoIter<<A::M as Machine>::Effect>,
    ctx: &mut Context<A>,
) {
    let limited = tokio::time::timeout(FENCE_LIMIT, saved);
    ctx.wait(limited.into_actor(actor).map(move |outcome, actor, ctx| match outcome {
        // Too many inputs were held meanwhile, and the actor was told.
        _ if actor.driver().is_dead() => {}
        Ok(Ok(())) => {
            if carry_out(actor, rest, ctx) {
                pump(actor, ctx);
            }
        }
        Ok(Err(error)) => fail(actor, error, ctx),
        Err(_) => fail(actor, FenceError::TimedOut, ctx),
    }));
}

/// The machine believes what was not stored: it is not used again.
fn fail<A: Performer>(actor: &mut A, error: FenceError, ctx: &mut Context<A>) {
    let driver = actor.driver();
    driver.turn = Turn::Dead;
    driver.held.clear();
    if let Some(armed) = driver.armed.take() {
        ctx.cancel_future(armed.handle);
    }
    actor.fence_failed(error, ctx);
}

/// Keeps exactly one timer, for the machine's deadline; re-armed by hand because actix's intervals burst after a stall.
fn arm<A: Performer>(actor: &mut A, ctx: &mut Context<A>) {
    let now = actor.now().at;
    let driver = actor.driver();
    let due = driver.machine.deadline().map(|(due, _)| due);
    if driver.armed.map(|armed| armed.due) == due {
        return;
    }
    if let Some(armed) = driver.armed.take() {
        ctx.cancel_future(armed.handle);
    }
    let Some(due) = due else { return };
    driver.generation = driver.generation.wrapping_add(1);
    let generation = driver.generation;
    // At least a millisecond, so that a machine whose deadline stays in the past cannot spin.
    let delay = Duration::from_millis(due.since(now).0.max(1));
    let handle = ctx.run_later(delay, move |actor, ctx| {
        let driver = actor.driver();
        if driver.armed.is_some_and(|armed| armed.generation == generation) {
            driver.armed = None;
            actor.drive(ctx);
        }
    });
    actor.driver().armed = Some(Armed { due, generation, handle });
}
