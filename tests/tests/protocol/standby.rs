//! A replica that does not lead: what it answers, and what it answers once it leads.

use coordinator::{
    config::CoordinatorConfig,
    metrics::Metrics,
    ports::{AdminCall, Inbound},
    standing::Standing,
};
use serde_json::{Value, json};
use shared::{request::Limits, time::Timestamp};
use shell::{clock::Clock, link::Role};
use std::{sync::Arc, time::Duration};
use tests::control::Control;
use tokio::{
    sync::{mpsc, watch},
    task::LocalSet,
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(60);

async fn ask(admins: &mpsc::Sender<AdminCall>, question: Value) -> Value {
    let (reply, mut answers) = mpsc::channel(1);
    let call = AdminCall { who: "ann".to_owned(), role: Role::Admin, body: question.to_string().into(), reply };
    admins.send(call).await.unwrap();
    let answer = timeout(LIMIT, answers.recv()).await.expect("an answer in time").expect("an answer");
    serde_json::from_slice(&answer).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_standby_names_the_leader_and_knows_nothing() {
    let control = Control::new(Limits::default(), Arc::new(|| Timestamp(0)));
    let (admins, calls) = mpsc::channel(4);
    let (_planes, connecting) = mpsc::channel(4);
    let (decision, leading) = watch::channel(false);
    let (_holder, holder) = watch::channel("isochron-coordinator-0-uuid".to_owned());
    let standing = Arc::new(Standing::following(holder));
    let known = watch::channel(["az1".to_owned()].into()).1;
    let stops = mpsc::channel(1).1;
    let inbound = Inbound { planes: connecting, admins: calls, leading, standing: standing.clone(), known, stops };
    let config = CoordinatorConfig::default();
    let clock = Clock::with_wall(Arc::new(|| Timestamp(0)));
    let serving = coordinator::run(config, control.ports(), clock, Arc::new(Metrics::new()), inbound);
    let play = async {
        for question in [json!({"ask": "status"}), json!({"ask": "show", "name": "nightly"}), json!({"ask": "backups"})]
        {
            let answer = ask(&admins, question).await;
            assert_eq!(answer, json!({"notLeading": {"leader": "isochron-coordinator-0-uuid"}}));
        }
        let schedules = json!({"ask": "schedules", "name": null, "plan": false, "at": null});
        assert!(ask(&admins, schedules.clone()).await["notLeading"].is_object());
        assert_eq!(standing.leading(), Err("isochron-coordinator-0-uuid leads".to_owned()));
        assert_eq!(standing.healthy(), Ok(()), "a standby is no sick one");

        decision.send_replace(true);
        let leads = async {
            while standing.leading().is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LIMIT, leads).await.expect("ledger and objects are read");
        let status = ask(&admins, json!({"ask": "status"})).await;
        assert_eq!(status["ok"]["ready"], true, "{status}");
        assert_eq!(ask(&admins, schedules).await["ok"], json!([]));
    };
    LocalSet::new()
        .run_until(async {
            tokio::select! {
                ended = serving => panic!("the coordinator ended: {ended:?}"),
                () = play => {}
            }
        })
        .await;
}
