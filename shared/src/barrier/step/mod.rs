//! One file per step of the protocol: how it is entered, its order, its answer, its clock.
//!
//! | Step | File | Ends when |
//! |---|---|---|
//! | look at what is there | `prepare` | every plane is prepared and the whole is admitted |
//! | one backup per TiDB cluster | `claim` | the claim is granted, with the attempt's epoch |
//! | lock objects in S3 | `reserve` | all are written |
//! | PD held, leaders asked | `settle` | every leader's safe_ts is above the GC hold |
//! | stores held by leases | `suspend` | every store is held |
//! | regions proved | `cover` | they tile the key space |
//! | CreateSnapshots | `snapshot` | commitTs is saved, then every call was accepted |
//! | last renewals, evidence | `confirm` | the certificate is judged |
//! | let go, the good end | `release` | every plane has, or its leases ended by themselves |
//! | to S3 | `complete` | metadata is written |
//! | after a restart | `recover` | every plane has told its evidence |
//! | the bad end | `abort` | every plane has let go |
//! | delete what is left | `clean` | nothing is left over |
//! | how much was added | `measure` | every plane has told it, or it stays unknown |
//! | deletion of the object | `delete` | what the policy says is gone |
//! | another attempt | `retry` | the user's time is over |
//!
//! `start` says where a record goes on, `stop` who may end an attempt.

mod abort;
mod claim;
mod clean;
mod complete;
mod confirm;
mod cover;
mod delete;
mod measure;
mod prepare;
mod recover;
mod release;
mod reserve;
mod retry;
mod settle;
mod snapshot;
mod start;
mod stop;
mod suspend;

use crate::{
    barrier::{common::Common, machine::Barrier, phase::Phase, record::PlaneRecord},
    ids::PlaneId,
    request::MemberSpec,
    wire::{Order, Prepare, Settle, Snapshot},
};

impl Barrier {
    /// Does [`Barrier::order_for`] have an order? Told without making it: one may hold a whole certificate, and this is asked of
    /// every plane at every answer.
    pub(in crate::barrier) fn has_part(&self, plane: &PlaneId) -> bool {
        let record = &self.record;
        let (kept, certificate) = (record.planes.get(plane), record.certificate.as_ref());
        let is_member = || self.members.contains_key(plane);
        match self.phase {
            Phase::Preparing => self.all_connected() && is_member(),
            Phase::Settling => self.gc_hold.is_some() || record.request.init_plane() == Some(plane),
            Phase::Snapshotting => record.commit_ts.is_some(),
            Phase::Reserving
            | Phase::Suspending
            | Phase::Covering
            | Phase::Confirming
            | Phase::Releasing
            | Phase::Recovering
            | Phase::Aborting => true,
            Phase::Completing => {
                certificate.is_some() && kept.is_some_and(|kept| kept.completed_bytes.is_none()) && is_member()
            }
            Phase::Failed | Phase::Cleaning => kept.is_some_and(PlaneRecord::owes_deletions) && is_member(),
            Phase::Complete => {
                let certified = || certificate.is_some_and(|certificate| certificate.planes.contains_key(plane));
                record.measures_in(plane)
                    && kept.is_some_and(|kept| kept.increments.is_some())
                    && certified()
                    && is_member()
            }
            Phase::Claiming | Phase::Cleaned => false,
        }
    }

    /// What a plane works by.
    pub(in crate::barrier) fn spec_of(&self, plane: &PlaneId) -> Option<MemberSpec> {
        let request = &self.record.request;
        self.members.get(plane).and_then(|number| request.members.get(*number)).map(|member| request.spec_of(member))
    }

    /// The order that a plane owes an answer to in the present step; `None` where it has no part.
    pub(in crate::barrier) fn order_for(&self, plane: &PlaneId, common: &Common) -> Option<Order> {
        let order = self.make_order(plane, common);
        debug_assert_eq!(order.is_some(), self.has_part(plane), "{plane} in {:?}", self.phase);
        order
    }

    fn make_order(&self, plane: &PlaneId, common: &Common) -> Option<Order> {
        match self.phase {
            Phase::Preparing => {
                let spec = self.all_connected().then(|| self.spec_of(plane)).flatten();
                spec.map(|spec| Order::Prepare(Prepare { round: self.round, spec }))
            }
            Phase::Reserving => Some(Order::Reserve),
            Phase::Settling => match self.gc_hold {
                None => (self.record.request.init_plane() == Some(plane)).then_some(Order::Settle(Settle::HoldPd)),
                Some(gc_hold) => Some(Order::Settle(Settle::Leaders { gc_hold })),
            },
            Phase::Suspending => Some(Order::Suspend),
            Phase::Covering => Some(Order::Cover(self.cover_order())),
            Phase::Snapshotting => self.record.commit_ts.map(|commit_ts| {
                let (share, one_volume) = common.snapshots(&self.record, plane);
                Order::Snapshot(Snapshot { commit_ts, share, one_volume })
            }),
            Phase::Confirming => Some(Order::Confirm),
            Phase::Releasing => Some(Order::Release),
            Phase::Recovering => Some(Order::Recover),
            Phase::Completing => self.complete_order(plane, common),
            Phase::Aborting => self.abort_order(),
            Phase::Failed | Phase::Cleaning => self.clean_order(plane, common),
            Phase::Complete => self.measure_order(plane, common),
            Phase::Claiming | Phase::Cleaned => None,
        }
    }
}
