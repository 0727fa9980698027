//! What the schedule actor is told, beside VolumeBackups.

use crate::ports::{AdminCall, ScheduleEvent};
use actix::Message;

/// The coordinator has read the ledger: what it knows of backups may be asked.
#[derive(Message)]
#[rtype(result = "()")]
pub struct LedgerKnown;

/// The schedules' source saw something.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ScheduleSeen(pub ScheduleEvent);

/// The process is to end: no run begins and nothing is deleted any more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct BeginNothing;

/// An admin asks about schedules.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AskSchedules(pub AdminCall);
