//! What a console asks, and what it is answered.

use super::{
    laws::{self, NOW},
    wire::backup,
};
use coordinator::{
    config::Prices,
    console::{
        Answered, Output, PlaneSeen, Snapshot, Worth, about_ended, answer, answer_schedules, backup_to_cancel,
        is_about_schedules, no_answer, render, text,
    },
};
use serde_json::Value;
use shared::{
    barrier::{Barrier, View},
    cron::{Cron, Zone},
    ids::BackupUid,
    machine::Machine,
    retention::{Backup, BackupState, Policy, PolicyText, Tier},
    schedule::{Input, Object, ScheduleKey, Scheduler, Spec, Status},
    time::Timestamp,
    wire::MAX_FRAME_BYTES,
};
use std::collections::BTreeMap;

const DAY: i64 = 86_400_000;

/// Any question gets an answer of one frame, which can be shown.
pub(super) fn question(bytes: &[u8]) -> bool {
    let view = Barrier::new(backup()).view();
    let seen = snapshot(&view);
    let asked = coordinator::console::question(bytes);
    let answered = match &asked {
        Ok(question) => text(&answer(&seen, "test", question)),
        Err(why) => no_answer(why.clone()),
    };
    let worth = Worth { added: &|_| Some(1 << 30), prices: &Prices::default() };
    let answers = [answered, answer_schedules(&scheduler(), NOW.wall, "test", bytes, &worth)];
    for answer in answers {
        assert!(answer.len() <= MAX_FRAME_BYTES);
        match serde_json::from_str::<Answered>(&answer) {
            Ok(Answered::Ok(value)) => shown(&value),
            Ok(Answered::Error(error)) => laws::refused(&error),
            Ok(Answered::NotLeading { .. }) => panic!("it leads"),
            Err(error) => panic!("an answer that cannot be read: {error}: {answer}"),
        }
    }
    let _ = is_about_schedules(bytes);
    let Ok(question) = asked else { return false };
    let _ = (about_ended(&seen, &question), backup_to_cancel(&seen, "nightly"));
    laws::json(&question);
    true
}

fn shown(value: &Value) {
    for output in [Output::Table, Output::Json, Output::Yaml] {
        let _ = render(value, output, Some(40));
    }
}

fn snapshot(view: &View) -> Snapshot<'_> {
    let plane = PlaneSeen { name: "az1", session: None, last_seen: None, ends: Some((Timestamp(0), -1)) };
    Snapshot {
        ready: true,
        now: NOW.at,
        prices: coordinator::config::Prices::default(),
        planes: vec![plane],
        views: vec![view],
        ended: Vec::new(),
        drains: Vec::new(),
        waiting: Vec::new(),
        orphans: Vec::new(),
        invalid: Vec::new(),
        claims: Vec::new(),
    }
}

/// One schedule in a zone with summer time, limits and tiers of every kind, and five backups.
fn scheduler() -> Scheduler {
    let zone = Zone::named("Europe/Berlin").unwrap_or_else(|_| Zone::utc());
    let cron = Cron::parse_in("0 3 * * *", &zone).unwrap_or_else(|error| panic!("{error}"));
    let text = PolicyText {
        max_reserved_time: Some("3d".to_owned()),
        max_failed_reserved_time: Some("1d".to_owned()),
        tiers: Tier::ALL.map(|tier| (tier, Some(1))),
        ..PolicyText::default()
    };
    let policy = Policy::parse(&text, &zone).unwrap_or_else(|error| panic!("{error}"));
    let key = ScheduleKey { namespace: "br".to_owned(), name: "nightly".to_owned() };
    let spec = Spec { cron, pause: false, policy, labels: BTreeMap::new(), annotations: BTreeMap::new() };
    let object = Object {
        uid: "s1".to_owned(),
        created: Timestamp(NOW.wall.0 - 14 * DAY),
        group: None,
        spec: Ok(spec),
        status: Status::default(),
    };
    let backups = (1..=5).map(|ago| Backup {
        name: format!("nightly-{ago}"),
        uid: BackupUid::new(format!("u-{ago}")),
        created: Timestamp(NOW.wall.0 - ago * DAY),
        ended: Some(Timestamp(NOW.wall.0 - ago * DAY + 60_000)),
        state: if ago == 2 { BackupState::Failed } else { BackupState::Complete { proven: true } },
        deleting: (ago == 5).then_some(NOW.wall),
        skip_gc: false,
        on_hold: ago == 4,
    });
    let backups = backups.collect();
    let told = Input::Schedule { key: key.clone(), object: Box::new(object) };
    let mut scheduler = Scheduler::new();
    for input in [Input::ClockChecked(None), told, Input::Synced, Input::Backups { key, backups }] {
        scheduler.step(NOW, input);
    }
    scheduler
}
