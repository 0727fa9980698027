use super::*;
use shared::{
    ids::BackupUid,
    machine::Machine,
    retention::{Backup, Policy, PolicyText},
    schedule::{Input, Object, ScheduleKey, Spec, Status},
    time::{Instant, Now},
};
use std::collections::BTreeMap;

const DAY: i64 = 86_400_000;
/// 2024-05-10T12:00:00Z
const NOW: Timestamp = Timestamp(1_715_342_400_000);

/// One schedule, every night at three, two weeks old, that keeps two of three backups.
fn scheduler(pause: bool) -> Scheduler {
    let cron = Cron::parse("0 3 * * *").unwrap();
    let text = PolicyText { max_backups: Some(2), ..PolicyText::default() };
    let policy = Policy::parse(&text, cron.zone()).unwrap();
    let key = ScheduleKey { namespace: "br".to_owned(), name: "nightly".to_owned() };
    let spec = Spec { cron, pause, policy, labels: BTreeMap::new(), annotations: BTreeMap::new() };
    let object = Object {
        uid: "u1".to_owned(),
        created: Timestamp(NOW.0 - 14 * DAY),
        group: None,
        spec: Ok(spec),
        status: Status::default(),
    };
    let backups = (1..=3)
        .map(|ago| Backup {
            name: format!("nightly-{ago}"),
            uid: BackupUid::new(format!("u-{ago}")),
            created: Timestamp(NOW.0 - ago * DAY),
            ended: None,
            state: BackupState::Complete { proven: true },
            deleting: None,
            skip_gc: false,
            on_hold: false,
        })
        .collect();
    let mut scheduler = Scheduler::new();
    let now = Now { at: Instant(0), wall: NOW };
    let told = Input::Schedule { key: key.clone(), object: Box::new(object) };
    for input in [Input::ClockChecked(None), told, Input::Synced, Input::Backups { key, backups }] {
        scheduler.step(now, input);
    }
    scheduler
}

fn ask(scheduler: &Scheduler, question: &Question) -> Value {
    let body = serde_json::to_vec(question).unwrap();
    assert!(is_about_schedules(&body));
    let added = |backup: &BackupUid| (backup.as_str() != "u-2").then_some(100 << 30);
    let worth = Worth { added: &added, prices: &Prices::default() };
    let text = answer_schedules(scheduler, NOW, "ann", &body, &worth);
    match serde_json::from_str(&text).unwrap() {
        Answered::Ok(value) => value,
        Answered::Error(error) => json!({"error": error}),
        Answered::NotLeading { .. } => panic!("a standby's answer"),
    }
}

fn of(name: &str, plan: bool, at: Option<Timestamp>) -> Question {
    Question::Schedules { name: Some(name.to_owned()), plan, at }
}

#[test]
fn all_schedules_are_one_line_each() {
    assert!(!is_about_schedules(&serde_json::to_vec(&Question::Status).unwrap()));
    let all = ask(&scheduler(true), &Question::Schedules { name: None, plan: false, at: None });
    assert_eq!(
        (&all[0]["name"], &all[0]["phase"], &all[0]["zone"]),
        (&json!("nightly"), &json!("Paused"), &json!("UTC"))
    );
    assert!(all[0]["lastBackup"].is_null(), "none yet: {all:#}");
    assert_eq!((&all[0]["backups"], &all[0]["lastSuccess"]), (&json!(3), &json!("nightly-1")));
}

#[test]
fn one_schedule_shows_its_coming_runs_and_what_becomes_of_its_backups() {
    let scheduler = scheduler(false);
    let one = ask(&scheduler, &of("br/nightly", false, None));
    assert_eq!(one["nextRuns"][0], "2024-05-11T03:00:00Z");
    assert_eq!(one["nextRuns"].as_array().unwrap().len(), 5);
    let verdicts: Vec<_> = one["backups"].as_array().unwrap().iter().map(|row| row["verdict"].clone()).collect();
    // The deletion of the third was asked for by the last step.
    assert_eq!(verdicts, ["keep", "keep", "leaving"]);
    assert_eq!(ask(&self::scheduler(true), &of("nightly", false, None))["nextRuns"], json!([]));
    let unknown = ask(&scheduler, &of("other", false, None));
    assert!(unknown["error"].as_str().unwrap().contains("no VolumeBackupSchedule called other"));
}

#[test]
fn a_plan_can_be_asked_for_any_date() {
    let plan = ask(&scheduler(false), &of("nightly", true, Some(Timestamp(NOW.0 + 2 * DAY))));
    assert_eq!(plan["at"], "2024-05-12T12:00:00Z");
    assert!(plan["backups"][2]["why"].is_string() && plan["nextRuns"].is_null(), "{plan:#}");
}

#[test]
fn what_is_kept_and_what_goes_has_its_price() {
    let plan = ask(&scheduler(false), &of("nightly", true, None));
    let (kept, freed) = (&plan["kept"], &plan["freedAtMost"]);
    assert_eq!(
        (&kept["backups"], &kept["sizeUnknown"], &kept["addedBytes"]),
        (&json!(2), &json!(1), &json!(100_u64 << 30))
    );
    assert_eq!((&kept["costPerMonth"], &kept["added"]), (&json!("5.00 USD"), &json!("107 GB")), "{plan:#}");
    assert_eq!(
        (&freed["backups"], &freed["costPerMonth"], &freed["sizeUnknown"]),
        (&json!(1), &json!("5.00 USD"), &json!(0))
    );
    let added: Vec<&Value> = plan["backups"].as_array().unwrap().iter().map(|row| &row["added"]).collect();
    assert_eq!(added, [&json!("107 GB"), &Value::Null, &json!("107 GB")]);
    let shown = ask(&scheduler(false), &of("nightly", false, None));
    assert_eq!(shown["kept"], *kept);
}
