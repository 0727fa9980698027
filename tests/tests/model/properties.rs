//! What always holds, and what has to happen sometimes, or the model would be empty.

use crate::{
    actions::Action,
    healing,
    truth::Broken,
    world::{Bounds, World},
};
use shared::{barrier::Milestone, reason::Reason};
use stateright::{Model, Property};

/// The barrier's model, for the checker.
#[derive(Clone, Debug)]
pub(crate) struct BarrierModel {
    pub(crate) bounds: Bounds,
}

impl Model for BarrierModel {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.bounds)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        world.actions(&self.bounds, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        world.after(&self.bounds, &action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = always();
        all.extend(sometimes());
        all
    }
}

fn always() -> Vec<Property<BarrierModel>> {
    vec![
        Property::<BarrierModel>::always("I5, E1-E5: a certificate is true", |_, world| {
            world.certificates_are_true()
                && world.coordinators.iter().all(|of| {
                    of.rests
                        || of.saved.certificate.is_some()
                        || !matches!(of.saved.milestone, Milestone::Certified | Milestone::Complete)
                })
        }),
        Property::<BarrierModel>::always("a plane that broke never confirms", |_, world| {
            world.is_unbroken(Broken::ConfirmedAfterEnd)
        }),
        Property::<BarrierModel>::always("I2: nothing is sent before it is saved", |_, world| {
            world.is_unbroken(Broken::SentUnsaved)
        }),
        Property::<BarrierModel>::always("I4: one commitTs, saved before any snapshot", |_, world| {
            world.is_unbroken(Broken::TwoCommitTs)
        }),
        Property::<BarrierModel>::always("a step begins after the one before has ended", |_, world| {
            world.is_unbroken(Broken::OutOfStep)
        }),
        Property::<BarrierModel>::always("I7: all holds are of the attempt that has the claim", |model, world| {
            world.holds_are_claimed(&model.bounds)
        }),
        Property::<BarrierModel>::always(
            "I1: each epoch is granted once, and no claim that another has",
            |_, world| world.is_unbroken(Broken::GrantedTwice),
        ),
        Property::<BarrierModel>::always("Release only after all have confirmed", |_, world| {
            world.is_unbroken(Broken::EarlyRelease)
        }),
        Property::<BarrierModel>::always("evidence is given up only after a bad end is recorded", |_, world| {
            world.is_unbroken(Broken::EvidenceLost)
        }),
        Property::<BarrierModel>::always("an attempt that ended badly is never certified", |_, world| {
            world.is_unbroken(Broken::EndedCertified)
        }),
        Property::<BarrierModel>::always("I8: certified snapshots are kept", |_, world| {
            world.is_unbroken(Broken::KeptDeleted)
        }),
        Property::<BarrierModel>::always("P4: nothing is left of an attempt when the next begins", |_, world| {
            world.is_unbroken(Broken::LeftBehind)
        }),
        Property::<BarrierModel>::always("no alarm", |_, world| {
            world.is_unbroken(Broken::Alarm) && world.is_unbroken(Broken::AfterGone)
        }),
        Property::<BarrierModel>::always("I6, P3: a fair continuation ends everything", |model, world| {
            healing::heals(&model.bounds, world)
        }),
    ]
}

fn sometimes() -> Vec<Property<BarrierModel>> {
    vec![
        Property::<BarrierModel>::sometimes("complete", |_, world| {
            world.coordinators.iter().any(|of| of.saved.milestone == Milestone::Complete)
        }),
        Property::<BarrierModel>::sometimes("failed", |_, world| {
            world.coordinators.iter().any(|of| of.saved.milestone == Milestone::Failed)
        }),
        Property::<BarrierModel>::sometimes("complete after the coordinator died in the barrier", |_, world| {
            world.truth.died_late && world.coordinators.iter().any(|of| of.saved.milestone == Milestone::Complete)
        }),
        Property::<BarrierModel>::sometimes("a broken hold is detected", |_, world| {
            let lost = |reason| matches!(reason, Some(Reason::StoreHoldLost | Reason::StoreHeldByOther));
            world.coordinators.iter().any(|of| lost(of.saved.failure.as_ref().map(|failure| failure.reason)))
        }),
    ]
}
