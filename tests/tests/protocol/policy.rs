//! What the coordinator's policy does not allow begins nothing.

use crate::{
    LIMIT,
    light_planes::{Log, Planes, complete, coordinator_of, manifest},
};
use coordinator::config::CoordinatorConfig;
use shared::{
    policy::{Policy, Rule},
    request::Limits,
    time::Timestamp,
};
use std::sync::Arc;
use tests::control::Control;
use tokio::{task::LocalSet, time::timeout};

#[test]
fn a_namespace_that_no_rule_names_backs_up_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let control = Control::new(Limits::default(), Arc::new(|| Timestamp(1_000)));
        let rule = Rule { namespaces: vec!["shop".to_owned()], buckets: vec!["b".to_owned()], ..Rule::default() };
        let policy = Policy { rules: vec![rule], ..Policy::default() };
        let (planes, log) = (Planes { number: 1, members: 1, account: None, newer: false }, Log::default());
        coordinator_of(
            CoordinatorConfig { policy, ..CoordinatorConfig::default() },
            control.ports(),
            "c",
            planes,
            &log,
        );
        control.apply(&manifest("bank", "one", 0..1)).unwrap();
        let ended =
            |object: Option<&serde_json::Value>| object.is_some_and(|object| object["status"]["phase"].is_string());
        timeout(LIMIT, control.wait("bank/one", ended)).await.unwrap();
        let status = &control.get("bank/one").unwrap()["status"];
        assert_eq!(status["phase"], "Invalid", "{status:#}");
        assert!(status.to_string().contains("NotAllowed"), "{status:#}");
        assert!(log.borrow().is_empty(), "no plane was asked");
        control.apply(&manifest("shop", "one", 0..1)).unwrap();
        timeout(LIMIT, control.wait("shop/one", complete)).await.unwrap();
    });
}
