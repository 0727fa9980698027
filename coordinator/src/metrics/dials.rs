//! Who dialled, and what came of it.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use shell::quic::Counts;
use std::sync::{Mutex, PoisonError};

/// Of a dial, or of the session that came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Outcome {
    LetIn,
    Retried,
    Busy,
    Refused,
    Revoked,
    PushedOut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: Outcome,
}

/// By outcome alone: strangers have no names.
#[derive(Default)]
pub(super) struct Dials {
    all: Family<Labels, Counter>,
    counted: Mutex<Counts>,
}

impl Dials {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "isochron_dials",
            "Dials by what came of them: a plane was let in, its address had to prove itself, too many were there, it was refused, its \
             certificate ended or was revoked later, a newer session of its name pushed it out",
            self.all.clone(),
        );
        self.are(Counts::default());
    }

    /// Since the start.
    pub(super) fn are(&self, now: Counts) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *counted, now);
        for (outcome, before, now) in [
            (Outcome::LetIn, before.let_in, now.let_in),
            (Outcome::Retried, before.retried, now.retried),
            (Outcome::Busy, before.handshakes_refused, now.handshakes_refused),
            (Outcome::Refused, before.refused, now.refused),
            (Outcome::Revoked, before.revoked, now.revoked),
            (Outcome::PushedOut, before.superseded, now.superseded),
        ] {
            self.all.get_or_create(&Labels { outcome }).inc_by(now.saturating_sub(before));
        }
    }
}
