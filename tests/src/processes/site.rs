//! One TiDB cluster over three planes: a real PD, TiKV servers of ours, and the instances and volumes below them.

use super::cluster_objects::{Part, Store};
use crate::models::ec2::Home;
use crate::servers::{
    ec2::Ec2State,
    pd::Pd,
    tikv::{StoreSpec, TikvCluster},
};
use anyhow::Result;
use shared::{evidence::ClusterStore, ids::StoreId};
use std::{net::Ipv4Addr, time::Duration};

/// Every `k8sClusterName` that holds TiKV, in the order of `spec.clusters`.
pub const PLANES: [&str; 3] = ["prod-az1", "prod-az2", "prod-az3"];

/// Longer than the three minutes that a store must have been up (`Limits::store_uptime`).
const AGE: Duration = Duration::from_secs(900);

/// What a TiDB cluster is made of.
#[derive(Clone, Debug)]
pub struct SitePlan {
    /// Begins the names of its TidbClusters.
    pub name: &'static str,
    /// Makes its addresses and ids differ from other sites' (1 to 9).
    pub number: u8,
    /// Stores of each plane (at most 9).
    pub stores: [u8; 3],
    /// TiKV's version in the first plane (all others: 7.5.1). PD takes no store below the version of the first.
    pub first_version: &'static str,
}

impl SitePlan {
    /// Two stores in the first plane, one in each of the others, all of them 7.5.1.
    pub fn shop() -> Self {
        Self { name: "shop", number: 1, stores: [2, 1, 1], first_version: "7.5.1" }
    }
}

/// A running TiDB cluster.
#[derive(Debug)]
pub struct Site {
    /// Its PD.
    pub pd: Pd,
    /// Its TiKV.
    pub tikv: TikvCluster,
    /// What each plane holds, in the order of [`PLANES`].
    pub parts: Vec<Part>,
}

impl Site {
    /// Starts PD and TiKV; objects and instances are the caller's.
    pub async fn start(plan: &SitePlan) -> Result<Self> {
        let pd = Pd::start().await?;
        let mut specs = Vec::new();
        for (plane, count) in (1..).zip(plan.stores) {
            let version = if plane == 1 { plan.first_version } else { "7.5.1" };
            for store in 1..=count {
                let host = Ipv4Addr::new(127, 40 + plan.number, u8::try_from(plane)?, store);
                specs.push((plane, StoreSpec { version: version.to_owned(), age: AGE, ..StoreSpec::new(host) }));
            }
        }
        let only: Vec<StoreSpec> = specs.iter().map(|(_, spec)| spec.clone()).collect();
        let tikv = TikvCluster::start(&pd.url(), &only).await?;
        let mut parts: Vec<Part> = (1..).zip(PLANES).map(|(number, plane)| part(plan, number, plane, &pd)).collect();
        for (index, (id, (plane, spec))) in tikv.stores().into_iter().zip(&specs).enumerate() {
            let port = tikv.address(id).rsplit_once(':').map_or("", |(_, port)| port).parse()?;
            parts[plane - 1].stores.push(store(plan, index, id, spec.host, port));
        }
        Ok(Self { pd, tikv, parts })
    }

    /// Adds the instances and their volumes.
    pub fn furnish(&self, mut cloud: Ec2State, home: &Home) -> Ec2State {
        for store in self.stores() {
            let data = [store.data.as_str(), &store.raft, &store.foreign];
            cloud = cloud.with_instance(home, &store.instance, &store.root, &data);
        }
        cloud
    }

    /// All stores of all planes.
    pub fn stores(&self) -> impl Iterator<Item = &Store> {
        self.parts.iter().flat_map(|part| &part.stores)
    }

    /// The stores of one plane.
    pub fn stores_of(&self, plane: usize) -> Vec<StoreId> {
        self.parts[plane].stores.iter().map(|store| StoreId(store.id)).collect()
    }

    /// Ids and addresses of all stores as PD lists them.
    pub fn addresses(&self, listed: &[ClusterStore]) -> bool {
        listed.len() == self.stores().count()
            && listed.iter().all(|store| store.address == self.tikv.address(store.store))
    }
}

fn part(plan: &SitePlan, number: usize, plane: &str, pd: &Pd) -> Part {
    Part {
        plane: plane.to_owned(),
        namespace: format!("{}-tidb-az{number}", plan.name),
        name: format!("{}-az{number}", plan.name),
        pd: pd.url(),
        stores: Vec::new(),
    }
}

fn store(plan: &SitePlan, index: usize, id: StoreId, host: Ipv4Addr, port: u16) -> Store {
    // Seventeen hexadecimal digits; these happen to be decimal.
    let number = usize::from(plan.number) * 100 + index;
    let volume = |kind: usize| format!("vol-{:017}", number * 10 + kind);
    Store {
        id: id.0,
        host,
        port,
        instance: format!("i-{number:017}"),
        root: volume(0),
        data: volume(1),
        raft: volume(2),
        foreign: volume(3),
    }
}
