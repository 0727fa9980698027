//! What the schedule actor is told, beside VolumeBackups.

use crate::ports::{AdminCall, ScheduleEvent};
use actix::Message;

/// The schedules' source saw something.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ScheduleSeen(pub ScheduleEvent);

/// An admin asks about schedules.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AskSchedules(pub AdminCall);
