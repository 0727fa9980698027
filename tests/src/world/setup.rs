//! The cluster at the beginning: stores on instances with their volumes, regions with their peers, accounts.

use super::{
    apply::Peers,
    cloud::Role,
    config::PlaneConfig,
    engine::State,
    kv::{Key, Row, Rows, Write, account_key},
    peer::{Descriptor, FIRST_INDEX, Peer, Region},
    store::Store,
};
use crate::models::{
    ec2::Home,
    tikv::{Imports, Lease},
};
use rand::seq::IteratorRandom;
use shared::{
    ids::{InstanceId, RegionId, StoreId, VolumeId},
    ts::Ts,
};
use std::collections::{BTreeMap, BTreeSet};

/// Age of the accounts' first versions and of the stores' processes when the world begins.
const DAY_MS: i64 = 86_400_000;

impl State {
    pub(crate) fn build(&mut self) {
        let planes = self.config.planes.clone();
        for plane in &planes {
            for ordinal in 0..self.config.stores_per_plane {
                self.add_store(plane, ordinal);
            }
        }
        let count = self.config.regions.max(1);
        for nth in 0..count {
            self.add_region(nth, count);
        }
    }

    fn add_store(&mut self, plane: &PlaneConfig, ordinal: u32) {
        let number = self.stores.len() as u64 + 1;
        let id = StoreId(number);
        let instance = InstanceId(format!("i-0{number:016x}"));
        let volume = |kind: u64| VolumeId(format!("vol-0{:016x}", number * 16 + kind));
        let (data, raft) = (volume(1), volume(2));
        let home = Home::new(&plane.account, &plane.region);
        let foreign = volume(3);
        let raft = (ordinal >= self.config.one_volume_stores).then_some(raft);
        let titan = self.config.titan_volumes.then(|| volume(4));
        let attached = [Some(&data), raft.as_ref(), titan.as_ref(), Some(&foreign)];
        let attached: Vec<&str> = attached.into_iter().flatten().map(|volume| volume.0.as_str()).collect();
        self.cloud.ec2.add_instance(&home, &instance.0, &volume(0).0, &attached);
        for volume in &attached {
            let tags = csi_tags(volume, &plane.tc_namespace);
            self.cloud.ec2.volumes.entry((*volume).to_owned()).and_modify(|kept| kept.tags.extend(tags));
        }
        let role = if raft.is_some() { Role::Data(id) } else { Role::Whole(id) };
        self.cloud.tikv.insert(data.clone(), (role, instance.clone()));
        if let Some(raft) = &raft {
            self.cloud.tikv.insert(raft.clone(), (Role::Raft(id), instance.clone()));
        }
        if let Some(titan) = &titan {
            self.cloud.tikv.insert(titan.clone(), (Role::Titan(id), instance));
        }
        let store = Store {
            plane: plane.name.clone(),
            ordinal,
            // `facts/topology.md` §4, v1 with clusterDomain.
            address: format!(
                "{tc}-tikv-{ordinal}.{tc}-tikv-peer.{ns}.svc.{plane}.local:20160",
                tc = plane.tc_name,
                ns = plane.tc_namespace,
                plane = plane.name
            ),
            data,
            raft,
            titan,
            peers: Peers::new(),
            files: BTreeSet::new(),
            process: 1,
            started: self.config.wall.0 - DAY_MS,
            down_until: 0,
            lease: Lease::default(),
            imports: Imports::default(),
            stream: 0,
            waits: BTreeMap::new(),
        };
        self.stores.insert(id, store);
    }

    fn add_region(&mut self, nth: u32, count: u32) {
        let bound = |n: u32| (u64::from(self.config.accounts) * u64::from(n) / u64::from(count)) as u32;
        let start = if nth == 0 { Key::new() } else { account_key(bound(nth)) };
        let end = if nth + 1 == count { Key::new() } else { account_key(bound(nth + 1)) };
        let id = RegionId(self.next_region);
        self.next_region += 1;
        let peers = self.place(nth);
        let region = Descriptor { start: start.clone(), end, conf_ver: 5, version: 20, peers: peers.clone() };
        let first = Ts::compose((self.config.wall.0 - DAY_MS).unsigned_abs(), 1);
        let opening = Row {
            lock: None,
            writes: BTreeMap::from([(first, Write::put(Ts(first.0 - 1), self.config.opening_balance))]),
        };
        let accounts = bound(nth)..bound(nth + 1);
        let rows: Rows = accounts.map(|account| (account_key(account), opening.clone())).collect();
        let leader = peers.iter().copied().choose(&mut self.rng).unwrap_or(StoreId(1));
        for store in peers {
            let mut peer = Peer::new(region.clone(), rows.clone());
            peer.resolver_ready = true;
            if let Some(held) = self.stores.get_mut(&store) {
                held.peers.insert(id, peer);
            }
        }
        self.routes.insert(start, id);
        self.regions.insert(
            id,
            Region { leader, term: FIRST_INDEX, commit: FIRST_INDEX - 1, serves_from: 0, admin_at: 0, learner: None },
        );
    }

    /// Two neighbours at a time share a placement, so that merges are possible. Pinned ones lie in one plane, the others
    /// go round the planes.
    fn place(&self, nth: u32) -> BTreeSet<StoreId> {
        let pair = nth as usize / 2;
        let planes = self.config.planes.len().max(1);
        let of_plane = |plane: usize| -> Vec<StoreId> {
            let name = self.config.planes.get(plane % planes).map(|plane| plane.name.clone()).unwrap_or_default();
            self.stores.iter().filter(|(_, held)| held.plane == name).map(|(store, _)| *store).collect()
        };
        let replicas = self.config.replicas as usize;
        let pinned = (pair * 37 + 11) % 100 < self.config.pinned_percent as usize;
        if pinned {
            let stores = of_plane(pair);
            return stores.iter().cycle().skip(pair).take(replicas.min(stores.len())).copied().collect();
        }
        let mut chosen = BTreeSet::new();
        for step in 0..planes * replicas.max(1) {
            let stores = of_plane(pair + step);
            if chosen.len() < replicas && !stores.is_empty() {
                chosen.insert(stores[(pair + step / planes) % stores.len()]);
            }
        }
        chosen
    }
}

/// As the EBS CSI driver leaves its volumes; EC2 keeps some of its own beside them.
fn csi_tags(volume: &str, namespace: &str) -> [(String, String); 4] {
    let tag = |key: &str, value: String| (key.to_owned(), value);
    [
        tag("CSIVolumeName", format!("pvc-{volume}")),
        tag("ebs.csi.aws.com/cluster", "true".to_owned()),
        tag("kubernetes.io/created-for/pvc/namespace", namespace.to_owned()),
        tag("aws:cloudformation:stack-name", "eks".to_owned()),
    ]
}
