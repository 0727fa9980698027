//! Short words for histories.

use shared::{
    cron::Zone,
    ids::BackupUid,
    retention::{Backup, BackupState, Plan, Policy, PolicyText, Tier, Verdict},
    time::Timestamp,
};

pub(crate) const DAY: i64 = 86_400_000;
/// Wednesday, 2024-05-01T00:00:00Z.
pub(crate) const START: i64 = 1_714_521_600_000;

pub(crate) const PROVEN: BackupState = BackupState::Complete { proven: true };
pub(crate) const OLD: BackupState = BackupState::Complete { proven: false };

/// A backup made on that day (and fraction of a day in thousandths) after [`START`].
pub(crate) fn backup(name: &str, day: i64, state: BackupState) -> Backup {
    Backup {
        name: name.to_owned(),
        uid: BackupUid::new(format!("uid-{name}")),
        created: day_at(day),
        ended: None,
        state,
        deleting: None,
        skip_gc: false,
        on_hold: false,
    }
}

pub(crate) fn day_at(day: i64) -> Timestamp {
    Timestamp(START + day * DAY)
}

/// Daily proven backups of the days `0..count`, named by their day.
pub(crate) fn daily(count: i64) -> Vec<Backup> {
    (0..count).map(|day| backup(&day.to_string(), day, PROVEN)).collect()
}

pub(crate) fn policy(text: PolicyText) -> Policy {
    Policy::parse(&text, &Zone::utc()).unwrap()
}

pub(crate) fn max_backups(max: i32) -> PolicyText {
    PolicyText { max_backups: Some(max), ..PolicyText::default() }
}

pub(crate) fn max_time(text: &str) -> PolicyText {
    PolicyText { max_reserved_time: Some(text.to_owned()), ..PolicyText::default() }
}

pub(crate) fn tiers(counts: [i32; 5]) -> PolicyText {
    let mut text = PolicyText::default();
    for ((_, slot), count) in text.tiers.iter_mut().zip(counts) {
        *slot = (count > 0).then_some(count);
    }
    assert_eq!(text.tiers[1].0, Tier::Daily);
    text
}

/// `name: verdict` of every row, the newest first.
pub(crate) fn verdicts(plan: &Plan) -> Vec<String> {
    plan.rows.iter().map(|row| format!("{}: {}", row.name, row.verdict)).collect()
}

pub(crate) fn to_delete(plan: &Plan) -> Vec<&str> {
    plan.rows.iter().filter(|row| matches!(row.verdict, Verdict::Delete(_))).map(|row| row.name.as_str()).collect()
}

/// The one that may go now.
pub(crate) fn now_goes(plan: &Plan) -> Option<&str> {
    plan.delete_now.as_ref().map(|(name, _, _)| name.as_str())
}
