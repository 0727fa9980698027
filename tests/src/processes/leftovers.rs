//! What backups leave behind, and what they touched.

use super::{environment::items, rig::Rig, site::Site};
use crate::servers::{process, tikv::Counters};
use anyhow::Result;
use serde_json::Value;
use shared::ids::StoreId;
use std::collections::BTreeMap;

/// Everything that a backup may leave in the world outside the API server. Empty: nothing is left.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Snapshots in EC2, seen by calls or not.
    pub snapshots: Vec<String>,
    /// Keys in S3.
    pub objects: Vec<String>,
    /// PD's paused schedulers.
    pub paused: Vec<String>,
    /// PD's service safe points, but for GC's own.
    pub safe_points: Vec<String>,
    /// Stores with a live lease, or with suspended imports.
    pub leased: Vec<u64>,
}

/// How often anything was changed, whatever became of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Mutations in EC2.
    pub ec2: u64,
    /// What clients did to each store.
    pub stores: Vec<Counters>,
    /// `isochron-claim-*`: nothing of PD, TiKV or AWS is touched before one is saved (`design.md` §4).
    pub claims: Vec<String>,
}

/// What one TiDB cluster is held by.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// PD's paused schedulers.
    pub paused: Vec<String>,
    /// PD's service safe points, but for GC's own, and when each ends by itself (seconds since 1970).
    pub safe_points: BTreeMap<String, i64>,
    /// Stores with a live lease, or with suspended imports.
    pub leased: Vec<u64>,
}

impl Site {
    /// What it is held by now. Fails while PD does not answer.
    pub async fn held(&self) -> Result<Held> {
        let pd = self.pd.members()[0].address;
        let read = async |path: &str| {
            let answer = process::http("GET", pd, &format!("/pd/api/v1{path}"), "").await?;
            anyhow::Ok(serde_json::from_str::<Value>(&answer.body)?)
        };
        let paused = names(read("/schedulers?status=paused").await?.as_array(), |name| name);
        let safe_points = read("/gc/safepoint").await?;
        let rows = safe_points["service_gc_safe_points"].as_array().into_iter().flatten();
        let row = |row: &Value| Some((row["service_id"].as_str()?.to_owned(), row["expired_at"].as_i64()?));
        let safe_points = rows.filter_map(row).filter(|(service, _)| service != "gc_worker").collect();
        let is_held = |store: &StoreId| self.tikv.leased(*store) || self.tikv.imports_suspended(*store);
        let leased = self.tikv.stores().into_iter().filter(is_held);
        Ok(Held { paused, safe_points, leased: leased.map(|store| store.0).collect() })
    }
}

impl Rig {
    /// What is there now.
    pub async fn traces(&self) -> Result<Leftovers> {
        let mut traces = Leftovers {
            snapshots: self.ec2.handle.snapshots().into_keys().collect(),
            objects: self.cloud().await?.objects.list("", 1000).await?,
            ..Leftovers::default()
        };
        for site in &self.sites {
            let held = site.held().await?;
            traces.paused.extend(held.paused);
            traces.safe_points.extend(held.safe_points.into_keys());
            traces.leased.extend(held.leased);
        }
        Ok(traces)
    }

    /// What was ever touched.
    pub async fn touched(&self) -> Result<Touched> {
        let maps = self.kube.kubectl(&["get", "configmaps", "-n", "isochron", "-o", "json"]).await?;
        let maps: Value = serde_json::from_str(&maps)?;
        let named = names(Some(&items(&maps).to_vec()), |map| &map["metadata"]["name"]);
        let stores = self.sites.iter().flat_map(|site| site.tikv.stores().into_iter().map(|id| site.tikv.counters(id)));
        Ok(Touched {
            ec2: self.ec2.handle.mutations(),
            stores: stores.collect(),
            claims: named.into_iter().filter(|name| name.starts_with("isochron-claim-")).collect(),
        })
    }

    /// The same for a rig that was never touched.
    pub fn untouched(&self) -> Touched {
        let stores = self.sites.iter().map(|site| site.tikv.stores().len()).sum();
        Touched { stores: vec![Counters::default(); stores], ..Touched::default() }
    }
}

fn names(rows: Option<&Vec<Value>>, name: impl Fn(&Value) -> &Value) -> Vec<String> {
    rows.into_iter().flatten().filter_map(|row| name(row).as_str().map(str::to_owned)).collect()
}
