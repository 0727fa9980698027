//! I2: nothing is sent under an epoch before it is saved. Persist, then send, for every order that rests on the record.

use super::checker::{Checker, Frame, Message};
use shared::{
    barrier::{Milestone, Record},
    epoch::Epoch,
    wire::{Down, Order},
};

pub(super) struct Stored;

impl Checker for Stored {
    fn name(&self) -> &'static str {
        "I2"
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Vec<String> {
        let Message::Down(Down::Order { attempt, epoch, order }) = frame.message else { return Vec::new() };
        // Without a record the backup is gone, and whoever still speaks of it is about to learn that.
        // One that another object has now still goes by its first name.
        let records = &frame.books.records;
        let found =
            records.get(&attempt.backup).or_else(|| records.values().find(|r| r.request.backup == attempt.backup));
        let Some(record) = found else { return Vec::new() };
        if *epoch == Epoch::NONE || record.attempt > attempt.number {
            return Vec::new();
        }
        let lacks = if record.attempt < attempt.number || record.epoch < *epoch {
            Some(format!("the record holds attempt {} under epoch {}", record.attempt, record.epoch))
        } else {
            lacks(record, order)
        };
        lacks
            .into_iter()
            .map(|text| format!("{} of {attempt} under epoch {epoch} to {}: {text}", order.name(), frame.plane))
            .collect()
    }
}

fn lacks(record: &Record, order: &Order) -> Option<String> {
    let backed = match order {
        Order::Snapshot(snapshot) => record.commit_ts == Some(snapshot.commit_ts),
        Order::Confirm | Order::Release => record.milestone >= Milestone::Snapshotting,
        Order::Abort(_) => record.milestone >= Milestone::Aborting,
        Order::Complete(_) => record.milestone >= Milestone::Certified,
        Order::Measure(_) => record.milestone >= Milestone::Complete,
        Order::Clean(_) => record.milestone >= Milestone::Failed,
        Order::Prepare(_)
        | Order::Reserve
        | Order::Settle(_)
        | Order::Suspend
        | Order::Cover(_)
        | Order::Renew(_)
        | Order::Recover => true,
    };
    (!backed).then(|| format!("the record is at {:?} with commitTs {:?}", record.milestone, record.commit_ts))
}
