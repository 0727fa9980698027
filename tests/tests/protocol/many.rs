//! As many planes as one backup may have.

use crate::{
    LIMIT,
    light_planes::{Log, Planes, complete, coordinator, held, manifest},
};
use serde_json::Value;
use shared::{
    request::{Limits, MEMBERS_MAX},
    time::Timestamp,
};
use std::{sync::Arc, time::Duration};
use tests::control::Control;
use tokio::{task::LocalSet, time::timeout};

const KEY: &str = "br/wide";

async fn until(control: &Control, what: &str, holds: impl Fn(Option<&Value>) -> bool) {
    let waiting = timeout(LIMIT, control.wait(KEY, holds)).await;
    assert!(waiting.is_ok(), "not {what}: {:#}", control.get(KEY).unwrap_or_default()["status"]["conditions"]);
}

/// A coordinator with so many planes, all of one TiDB cluster, and a backup of it.
fn with_planes<F: Future<Output = ()>>(number: usize, play: impl FnOnce(Control, Log) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let control = Control::new(Limits::default(), Arc::new(|| Timestamp(1_000)));
        let (number, log) = (u32::try_from(number).unwrap(), Log::default());
        let planes = Planes { number, members: number, account: None, newer: false };
        coordinator(control.ports(), "c", planes, &log);
        // All of them are there when the backup begins.
        tokio::time::sleep(Duration::from_secs(60)).await;
        control.apply(&manifest("br", "wide", 0..number)).unwrap();
        play(control, log).await;
    });
}

#[test]
fn a_backup_of_as_many_planes_as_there_may_be_is_made_and_deleted() {
    with_planes(MEMBERS_MAX, async |control, log| {
        until(&control, "Complete", complete).await;
        let status = control.get(KEY).unwrap()["status"].clone();
        assert_eq!(status["backups"].as_array().map(Vec::len), Some(MEMBERS_MAX));
        assert_eq!(status["certificate"]["snapshots"], MEMBERS_MAX);
        assert_eq!(held(&log).unwrap().len(), 1, "at the first attempt");
        control.delete(KEY);
        until(&control, "gone", |object| object.is_none()).await;
    });
}

#[test]
fn one_more_is_refused() {
    with_planes(MEMBERS_MAX + 1, async |control, _| {
        until(&control, "Invalid", |object| object.is_some_and(|it| it["status"]["phase"] == "Invalid")).await;
        let status = control.get(KEY).unwrap()["status"].to_string();
        assert!(status.contains("spec.clusters has 1001 entries; a backup has at most 1000"), "{status}");
    });
}
