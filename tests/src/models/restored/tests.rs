#![allow(clippy::unwrap_used)]
use super::*;
use crate::models::regions::{
    apply::Peers,
    kv::{Row, Write, account_key},
    peer::{Command, Descriptor, Entry, FIRST_INDEX, Peer},
};
use plane_actor::ports::{Flashback, FlashedBack, Piece};
use shared::ids::ClusterId;
use std::sync::Arc;

mod elections;
mod flashbacks;
mod starts;

const OLD: ClusterId = ClusterId(1);
const NEW: ClusterId = ClusterId(2);
/// The moment to go back to; versions lie around it.
const THEN: Ts = Ts(100);
const START: Timestamp = Timestamp(1_767_225_600_000);

/// Volumes `s1`, `s2`, `s3` of three stores; `e…` are empty, and whatever else is asked for is not there.
struct Volumes(BTreeMap<String, Disk>);

impl Beneath for Volumes {
    fn volume(&self, handle: &str) -> Option<Ebs> {
        let known = self.0.contains_key(handle) || handle.starts_with('e');
        known.then(|| Ebs { snapshot: None, state: "available".to_owned(), zone: "a".to_owned() })
    }

    fn disk(&self, handles: &[String]) -> Result<Disk, Unfit> {
        handles.first().and_then(|handle| self.0.get(handle)).cloned().ok_or(Unfit::Empty)
    }
}

/// What a region has, by how far each store's log has come beyond what is applied.
fn disk(store: u64, behind: u64) -> Disk {
    let mut peers = Peers::new();
    for (region, start, end) in [(10, "", "acct-00000002"), (20, "acct-00000002", "")] {
        let rows = (0..4).map(|account| {
            let writes = [(Ts(50), Write::put(Ts(49), 7)), (Ts(150 + u64::from(account)), Write::put(Ts(149), 9))];
            (account_key(account), Row { lock: None, writes: writes.into() })
        });
        let region_of = Descriptor {
            start: start.as_bytes().to_vec(),
            end: end.as_bytes().to_vec(),
            conf_ver: 3,
            version: 5,
            peers: [1, 2, 3].map(StoreId).into(),
        };
        let rows = rows.filter(|(key, _)| region_of.holds(key)).collect();
        let mut peer = Peer::new(region_of, rows);
        for index in FIRST_INDEX..FIRST_INDEX + 5 - behind {
            peer.log.push(Arc::new(Entry { index, term: 6, mark: 0, command: Command::Noop }));
        }
        peers.insert(RegionId(region), peer);
    }
    Disk::of_image(Ident { cluster: OLD, store: StoreId(store) }, peers, &BTreeMap::new())
}

fn volumes() -> Volumes {
    let all = (1..=3).map(|store| (format!("s{store}"), disk(store, if store == 3 { 2 } else { 0 })));
    Volumes(all.collect())
}

/// A cluster with its clock.
struct Played {
    cluster: Cluster,
    beneath: Volumes,
    now: Timestamp,
}

fn pod(ordinal: u32) -> Pod {
    ("p".to_owned(), format!("t-tikv-{ordinal}"))
}

impl Played {
    /// Three pods on the volumes of these names, behind a closed gate.
    fn on(handles: [&str; 3]) -> Self {
        let shape = Shape {
            plane: "p".to_owned(),
            zone: "a".to_owned(),
            namespace: "n".to_owned(),
            cluster: "t".to_owned(),
            replicas: 3,
            volumes: vec!["tikv".to_owned()],
            static_class: None,
        };
        let mut cluster = Cluster::new(Pd::new(NEW), vec![shape], START);
        for (ordinal, handle) in handles.into_iter().enumerate() {
            let claim = format!("tikv-t-tikv-{ordinal}");
            let pv = serde_json::json!({
                "metadata": {"name": format!("pv-{ordinal}")},
                "spec": {"csi": {"volumeHandle": handle}, "claimRef": {"namespace": "n", "name": claim}},
            });
            let pvc = serde_json::json!({"metadata": {"name": claim}, "spec": {"volumeName": format!("pv-{ordinal}")}});
            let volume = plane_actor::ports::BoundVolume { pv, pvc: Some(pvc) };
            cluster.planes.get_mut("p").unwrap().put("r", &volume).unwrap();
        }
        Self { cluster, beneath: volumes(), now: START }
    }

    fn pass(&mut self, seconds: i64) {
        self.now = Timestamp(self.now.0 + seconds * 1_000);
        self.cluster.advance(self.now, &self.beneath);
    }

    fn open(&mut self) {
        self.cluster.planes.get_mut("p").unwrap().open_gate();
        self.pass(30);
    }

    /// Marked, and every store met.
    fn met() -> Self {
        let mut played = Self::on(["s1", "s2", "s3"]);
        played.cluster.pd.marked = true;
        played.open();
        assert!(played.cluster.processes.values().all(Process::recovers));
        played
    }

    /// Both regions are led, by the first and the second pod.
    fn led() -> Self {
        let mut played = Self::met();
        for (ordinal, region) in [(0, 10), (1, 20)] {
            played.cluster.begin_lead(&pod(ordinal), &[RegionId(region)], played.now).unwrap();
        }
        played.pass(25);
        assert!(played.cluster.is_whole());
        played
    }

    fn piece(&self, ordinal: u32) -> Piece {
        self.cluster.leading(&pod(ordinal)).remove(0).piece
    }

    fn prepare(&mut self, ordinal: u32, piece: &Piece, flashback: Flashback) -> FlashedBack {
        let prepared = self.cluster.prepare_flashback(&pod(ordinal), piece, flashback);
        prepared.map_or_else(|error| error.flashed_back(piece.region), |()| FlashedBack::Done)
    }

    fn flash(&mut self, ordinal: u32, piece: &Piece, flashback: Flashback) -> Result<FlashedBack, String> {
        match self.cluster.flashback(&pod(ordinal), piece, flashback, self.now) {
            Ok(()) => Ok(FlashedBack::Done),
            Err(Unflashed::Region(error)) => Ok(error.flashed_back(piece.region)),
            Err(Unflashed::Answer(text)) => Err(text),
            Err(Unflashed::Broken) => Err("connection reset".to_owned()),
        }
    }
}

fn times(start_ts: u64, commit_ts: u64) -> Flashback {
    Flashback { version: THEN, start_ts: Ts(start_ts), commit_ts: Ts(commit_ts) }
}
