//! Two coordinators that lead at the same time, each with objects and records of its own, on one control plane. Claims are
//! common to both: what holds one TiDB cluster for one keeps the other waiting.

use crate::{
    LIMIT,
    light_planes::{Log, Planes, complete, coordinator, held, manifest, one_after_the_other},
};
use async_trait::async_trait;
use coordinator::ports::{Entry, Ledger, LedgerKey, Noted, ObjectEvent, PortError, Source, Text, Version};
use shared::{barrier::Summary, ids::BackupUid, request::Limits, time::Timestamp};
use std::{collections::BTreeSet, sync::Arc};
use tests::control::Control;
use tokio::{sync::mpsc, task::LocalSet, time::timeout};

/// Planes of the one TiDB cluster; each has an actor for each coordinator.
const PLANES: Planes = Planes { number: 2, members: 2, account: None, newer: false };

/// Of one coordinator: what lies in this namespace.
struct Own {
    all: Control,
    namespace: &'static str,
}

#[async_trait]
impl Source for Own {
    async fn run(&self, events: mpsc::Sender<ObjectEvent>) {
        let (all, mut seen) = mpsc::channel(16);
        let passing = async {
            while let Some(event) = seen.recv().await {
                let other = matches!(&event, ObjectEvent::Applied(object) if object.namespace != self.namespace);
                if !other && events.send(event).await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(Source::run(&self.all, all), passing);
    }
}

#[async_trait]
impl Ledger for Own {
    async fn records(&self) -> Result<Vec<Noted>, PortError> {
        let own = |noted: &Noted| {
            serde_json::from_str(&noted.note).is_ok_and(|summary: Summary| summary.namespace == self.namespace)
        };
        Ok(self.all.records().await?.into_iter().filter(own).collect())
    }

    async fn claims(&self) -> Result<Vec<Entry>, PortError> {
        self.all.claims().await
    }

    async fn restores(&self) -> Result<Vec<Entry>, PortError> {
        self.all.restores().await
    }
    async fn read(&self, key: &LedgerKey) -> Result<Option<Entry>, PortError> {
        self.all.read(key).await
    }

    async fn write(&self, key: &LedgerKey, text: &Text<'_>, expected: Option<&Version>) -> Result<Version, PortError> {
        self.all.write(key, text, expected).await
    }

    async fn may_write(&self) -> Result<(), PortError> {
        self.all.may_write().await
    }

    async fn delete(&self, key: &LedgerKey, expected: &Version) -> Result<(), PortError> {
        Ledger::delete(&self.all, key, expected).await
    }
}

#[test]
fn two_coordinators_with_objects_of_their_own_never_hold_one_tidb_cluster_at_a_time() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let control = Control::new(Limits::default(), Arc::new(|| Timestamp(1_000)));
        let log = Log::default();
        for namespace in ["a", "b"] {
            let own = Arc::new(Own { all: control.clone(), namespace });
            let mut ports = control.ports();
            (ports.source, ports.ledger) = (own.clone(), own);
            coordinator(ports, namespace, PLANES, &log);
        }
        let keys = [("a", "one"), ("b", "two"), ("a", "three"), ("b", "four")];
        for (namespace, name) in keys {
            control.apply(&manifest(namespace, name, 0..PLANES.number)).unwrap();
        }
        for (namespace, name) in keys {
            let key = format!("{namespace}/{name}");
            let waiting = timeout(LIMIT, control.wait(&key, complete)).await;
            assert!(waiting.is_ok(), "{key} is {:#}", control.get(&key).unwrap()["status"]);
        }
        one_after_the_other(&held(&log).unwrap(), keys.len()).unwrap();
        // Each has its own records, and none takes the other's for orphans.
        let records = control.ledger().into_keys().filter(|key| matches!(key, LedgerKey::Record(_))).count();
        assert_eq!(records, keys.len());
        let other: BTreeSet<BackupUid> = control.uids();
        assert_eq!(other.len(), keys.len());
    });
}
