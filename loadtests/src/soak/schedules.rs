//! Two schedules whose runs never meet.

use anyhow::Context;
use serde_json::{Value, json};
use shared::calendar;
use std::time::Duration;
use tests::rig::{NAMESPACE, Rig};

/// Backups that each of them keeps.
pub(super) const KEPT: usize = 4;

/// One of them.
pub(super) struct Scheduled {
    name: &'static str,
    cron: &'static str,
    /// Between two of its runs.
    pub(super) every: Duration,
}

/// The first runs at the beginning of each interval of so many minutes, the second in the middle of every third.
pub(super) fn both(minutes: u32) -> [Scheduled; 2] {
    let (often, seldom) = match minutes {
        10 => ("*/10 * * * *", "5,35 * * * *"),
        20 => ("*/20 * * * *", "10 * * * *"),
        _ => ("0 * * * *", "30 */3 * * *"),
    };
    let every = Duration::from_secs(60 * u64::from(minutes));
    [Scheduled { name: "often", cron: often, every }, Scheduled { name: "seldom", cron: seldom, every: every * 3 }]
}

impl Scheduled {
    pub(super) fn apply(&self, rig: &Rig, paused: bool) -> anyhow::Result<()> {
        let more = format!("  maxBackups: {KEPT}\n");
        rig.control.apply(&rig.schedule_of(self.name, self.name, "Delete", self.cron, &more, paused))
    }

    /// How old the moment is at which its last proven backup was due, in intervals of its own.
    pub(super) fn age(&self, rig: &Rig) -> anyhow::Result<f64> {
        let object = rig.control.get_schedule(&format!("{NAMESPACE}/{}", self.name)).context("no schedule")?;
        let name = object["status"]["lastSuccess"].as_str();
        let stamp = name.and_then(|name| name.strip_prefix(self.name)?.strip_prefix('-'));
        let at = stamp.and_then(calendar::parse_name_stamp);
        let at = at.with_context(|| format!("{} has made no good backup: {}", self.name, object["status"]))?;
        let age = Duration::from_millis(u64::try_from(rig.world.wall().0 - at.0)?);
        Ok(age.as_secs_f64() / self.every.as_secs_f64())
    }
}

/// Every VolumeBackup that is not Complete, a person deletes.
pub(super) fn delete_failed(rig: &Rig) {
    let failed = |object: &Value| object["status"]["phase"] != json!("Complete");
    let objects = rig.control.objects();
    objects.iter().filter(|(_, object)| failed(object)).for_each(|(key, _)| rig.control.delete(key));
}
