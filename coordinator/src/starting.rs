//! What a start costs where many backups have ended, counted in requests to the API server.

use crate::{
    actors::{Stored, Writer},
    config::{CoordinatorConfig, Share, VerifyEvery},
    console::{Answered, Question},
    edge::kube::{KubeLedger, KubeObjects, KubeSchedules, KubeSource, testing::server},
    fixtures,
    metrics::Metrics,
    ports::{AdminCall, Inbound, Ledger, LedgerKey, NoManifests, NoRestores, NoTraces, Ports, Text},
};
use kube::Client;
use serde_json::{Value, json};
use shared::{
    barrier::{Record, Summary},
    cron::Zone,
    ids::BackupUid,
    request::Limits,
    time::Timestamp,
};
use shell::{clock::Clock, link::Role};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::LocalSet,
};

const BACKUPS: &str = "/apis/federation.pingcap.com/v1alpha1/namespaces/br-admin/volumebackups";

fn ended(number: usize) -> Record {
    let mut record = fixtures::complete();
    record.request.backup = BackupUid::new(format!("uid-{number}"));
    record.request.name = format!("nightly-{number}");
    record.times.completed = Some(Timestamp(fixtures::START + 60_000));
    record
}

fn object(record: &Record, phase: &str) -> Value {
    let cluster = |plane: &str| json!({"k8sClusterName": plane, "tcName": "shop", "tcNamespace": "tidb"});
    json!({
        "apiVersion": "federation.pingcap.com/v1alpha1", "kind": "VolumeBackup",
        "metadata": {
            "name": record.request.name, "namespace": "br-admin", "uid": record.request.backup,
            "finalizers": ["tidb.pingcap.com/backup-protection"],
        },
        "spec": {"clusters": [cluster("az1"), cluster("az2")], "template": {"br": {}, "s3": {"provider": "aws", "bucket": "b"}}},
        "status": {"phase": phase},
    })
}

/// A coordinator on an API server, with a question for it.
async fn run(client: Client, question: Option<Question>) -> Option<Answered> {
    let wall: Arc<dyn Fn() -> Timestamp + Send + Sync> = Arc::new(|| Timestamp(fixtures::START + 600_000));
    let zone = Zone::utc();
    let limits = Limits::default();
    let share = Share { namespaces: ["br-admin".to_owned()].into(), ..Share::default() };
    let ports = Ports {
        source: Arc::new(KubeSource::new(client.clone(), &share, limits.clone())),
        ledger: Arc::new(KubeLedger::new(client.clone(), "isochron")),
        objects: Arc::new(KubeObjects::new(client.clone(), "test", wall.clone())),
        schedules: Arc::new(KubeSchedules::new(client, &share, limits, zone, "test", wall.clone())),
        manifests: Arc::new(NoManifests),
        restores: Arc::new(NoRestores),
        logs: Arc::new(fixtures::NoLogs),
        traces: Arc::new(NoTraces),
        wall,
    };
    let planes: BTreeSet<String> = ["az1".to_owned(), "az2".to_owned()].into();
    // Whoever looks at what is kept reads its records, one after the other.
    let verify = VerifyEvery { enabled: false, ..VerifyEvery::default() };
    let config = CoordinatorConfig { planes: planes.clone(), verify, ..CoordinatorConfig::default() };
    let (_knock, connecting) = mpsc::channel(1);
    let (ask, admins) = mpsc::channel(1);
    let (_lead, leading) = watch::channel(true);
    let (_know, known) = watch::channel(planes);
    let (stop, stops) = mpsc::channel(1);
    let inbound = Inbound { planes: connecting, admins, leading, standing: Arc::default(), known, stops };
    let mut answer = None;
    let asking = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        if let Some(question) = question {
            let body = serde_json::to_vec(&question).unwrap().into();
            let (reply, mut replies) = mpsc::channel(1);
            ask.send(AdminCall { who: "me".to_owned(), role: Role::Admin, body, reply }).await.unwrap();
            answer = replies.recv().await.map(|text| serde_json::from_slice(&text).unwrap());
        }
        stop.send(()).await.unwrap();
    };
    let running = crate::run(config, ports, Clock::system(), Arc::new(Metrics::new()), inbound);
    let (ended, ()) = tokio::join!(running, asking);
    ended.unwrap();
    answer
}

/// With the note that a coordinator puts there, or as one did that knew none.
async fn write(api: &Client, record: &Record, noted: bool) {
    let ledger = KubeLedger::new(api.clone(), "isochron");
    let text = json!({"format": 1, "writer": "another", "save": 3, "body": record}).to_string();
    assert!(Stored::<Record>::parse(&text).is_ok_and(|stored| stored.writer == Writer("another".to_owned())));
    let note = serde_json::to_string(&Summary::of(record)).unwrap();
    let text = Text { body: &text, note: if noted { &note } else { "" } };
    ledger.write(&LedgerKey::Record(record.request.backup.clone()), &text, None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn backups_that_have_ended_cost_no_request_each() {
    LocalSet::new()
        .run_until(async {
            let (api, client) = server();
            for number in 0..200 {
                let record = ended(number);
                write(&client, &record, true).await;
                api.put(&format!("{BACKUPS}/{}", record.request.name), object(&record, "Complete"));
            }
            api.calls();
            let shown = run(client, Some(Question::Show { name: "nightly-7".to_owned() })).await;
            let Some(Answered::Ok(view)) = shown else { panic!("{shown:?}") };
            assert_eq!(view["record"]["request"]["backup"], "uid-7");
            let mut calls = api.calls();
            let told: Vec<_> = calls.iter().filter(|call| call.contains("/events")).collect();
            assert_eq!(told, Vec::<&String>::new(), "nothing happened that is an event");
            // The clock is asked by time, not by backup.
            calls.retain(|call| call != "GET /version");
            calls.retain(|call| !call.ends_with("/configmaps") && !call.contains("volumebackup"));
            assert_eq!(calls, ["GET /api/v1/namespaces/isochron/configmaps/isochron-record-uid-7"]);
            assert!(api.under(BACKUPS).iter().all(|object| object["status"] == json!({"phase": "Complete"})));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_last_word_that_was_lost_is_written_once_and_is_no_event() {
    LocalSet::new()
        .run_until(async {
            let (api, client) = server();
            let record = ended(1);
            write(&client, &record, true).await;
            let path = format!("{BACKUPS}/nightly-1");
            api.put(&path, object(&record, "SnapshotsCreated"));
            run(client, None).await;
            assert_eq!(api.get(&path).unwrap()["status"]["phase"], "Complete");
            let calls = api.calls();
            assert!(!calls.iter().any(|call| call.contains("/events")), "{calls:?}");
            assert_eq!(calls.iter().filter(|call| call.starts_with("PUT")).count(), 1, "{calls:?}");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn records_of_the_version_before_are_read_once_and_nothing_more() {
    LocalSet::new()
        .run_until(async {
            let (api, client) = server();
            for number in 0..50 {
                let record = ended(number);
                write(&client, &record, false).await;
                api.put(&format!("{BACKUPS}/{}", record.request.name), object(&record, "Complete"));
            }
            api.calls();
            let Some(Answered::Ok(backups)) = run(client, Some(Question::Backups)).await else { panic!() };
            assert_eq!(backups.as_array().map(Vec::len), Some(50));
            let calls = api.calls();
            assert!(calls.iter().all(|call| call.starts_with("GET")), "{calls:?}");
            assert_eq!(calls.iter().filter(|call| call.contains("isochron-record-")).count(), 50);
        })
        .await;
}
