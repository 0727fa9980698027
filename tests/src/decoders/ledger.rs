//! What is kept across a death: the coordinator's records, claims and notes, certificates, a plane's ledger.

use super::laws::{self, NOW};
use coordinator::{actors::Stored, edge::kube::convert::merge_status, ports::Status};
use serde::{Serialize, de::DeserializeOwned};
use shared::{
    barrier::{Barrier, Certificate, Claim, Input, Record, Summary},
    claims::Standing,
    member::{Input as Ordered, MAX_ATTEMPTS_KEPT, Member, MemberLedger},
    request::CleanPolicy,
    wire::Order,
};
use std::{fmt::Debug, sync::Arc};

/// An object of the coordinator's ledger: plain or packed, it is written again and read the same.
fn stored<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let stored = match Stored::<T>::parse(laws::text(bytes)?) {
        Ok(stored) => stored,
        Err(error) => {
            laws::refused(&error);
            return None;
        }
    };
    let text = stored.text().unwrap_or_else(|error| panic!("what was read cannot be written: {error}"));
    assert_eq!(Stored::<T>::parse(&text).as_ref(), Ok(&stored), "it comes back as something else");
    Some(stored.body)
}

/// A record, and everything that is made of one: its note, its status, the machine that goes on from it.
pub(super) fn record(bytes: &[u8]) -> bool {
    let Some(record) = stored::<Record>(bytes) else { return false };
    laws::json(&Summary::of(&record));
    let _ = Standing::of(&record);
    let mut barrier = Barrier::new(record.clone());
    let view = Arc::new(barrier.view());
    let status = merge_status(None, &Status::Barrier(view.clone()), NOW.wall);
    assert_eq!(merge_status(Some(&status), &Status::Barrier(view), NOW.wall), status, "the same is published twice");
    let planes = record.request.members.iter().map(|member| Input::PlaneUp(member.plane.clone()));
    let inputs = [Input::Start].into_iter().chain(planes).chain([Input::Delete(CleanPolicy::Delete)]);
    laws::total(&mut barrier, inputs);
    laws::total(&mut Barrier::new(record), [Input::Start, Input::Cancel, Input::ObjectLost]);
    true
}

pub(super) fn claim(bytes: &[u8]) -> bool {
    stored::<Claim>(bytes).is_some()
}

/// What is noted beside a record.
pub(super) fn note(bytes: &[u8]) -> bool {
    plain::<Summary>(bytes).is_some()
}

pub(super) fn certificate(bytes: &[u8]) -> bool {
    plain::<Certificate>(bytes).is_some()
}

fn plain<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let read = serde_json::from_slice::<T>(bytes).ok()?;
    laws::json(&read);
    Some(read)
}

/// A plane's ledger, and each of its attempts after a restart.
pub(super) fn plane_ledger(bytes: &[u8]) -> bool {
    let Some(mut ledger) = plain::<MemberLedger>(bytes) else { return false };
    for record in ledger.attempts.clone() {
        let told = |order| Ordered::Order { epoch: record.epoch, order };
        let mut member = Member::new(record.attempt.clone(), Some(record.clone()), NOW.at);
        let _ = member.view(NOW);
        laws::total(&mut member, [Ordered::LinkUp, told(Order::Recover), told(Order::Reserve)]);
        ledger.put(record);
        assert!(ledger.attempts.len() <= MAX_ATTEMPTS_KEPT, "its length is bounded");
    }
    true
}
