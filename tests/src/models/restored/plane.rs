//! One plane's part of a restored cluster: its gate, and the pods and claims that whoever runs the cluster makes
//! (`facts/restore.md` §2.3, §4.2).

use super::{Beneath, bind::bind, object};
use serde_json::{Value, json};
use shared::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Class of claims that a StatefulSet makes when nobody has; something provisions it, with empty volumes.
const DYNAMIC_CLASS: &str = "gp3";

/// What a plane's part is made of.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Name of the plane.
    pub plane: String,
    /// Where its nodes are.
    pub zone: String,
    /// Of the cluster.
    pub namespace: String,
    /// `tcName`
    pub cluster: String,
    /// TiKV pods.
    pub replicas: u32,
    /// Names of the volumes that each of them mounts: `tikv`, `tikv-raft`.
    pub volumes: Vec<String>,
    /// Claims of this class, which nothing serves, are the gate; `None`: recoveryMode is.
    pub static_class: Option<String>,
}

/// A TiKV pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Claims that it mounts, in the order of [`Shape::volumes`].
    pub claims: Vec<String>,
    /// When it was made, or began to run; a restart makes a new one.
    pub started: Timestamp,
    /// Why it does not run; empty: it does.
    pub waits_for: String,
}

/// A plane.
#[derive(Clone, Debug)]
pub struct Plane {
    /// What it is made of.
    pub shape: Shape,
    /// `spec.recoveryMode`
    pub recovery_mode: bool,
    /// The annotation `tidb.pingcap.com/tikv-volumes-ready` is there.
    pub volumes_ready: bool,
    /// TiDB and TiFlash run.
    pub serves: bool,
    /// PersistentVolumes, by name.
    pub pvs: BTreeMap<String, Value>,
    /// Claims, by name.
    pub pvcs: BTreeMap<String, Value>,
    /// TiKV pods, by name.
    pub pods: BTreeMap<String, Pod>,
    /// Claims that a pod has mounted.
    pub mounted: BTreeSet<String>,
    /// Handles of volumes that were made empty.
    pub empty: BTreeSet<String>,
}

impl Plane {
    /// With its gate closed. Under a static class claims and pods are there at once, and wait.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self {
            recovery_mode: shape.static_class.is_none(),
            volumes_ready: false,
            serves: false,
            pvs: BTreeMap::new(),
            pvcs: BTreeMap::new(),
            pods: BTreeMap::new(),
            mounted: BTreeSet::new(),
            empty: BTreeSet::new(),
            shape,
        }
    }

    /// `<cluster>-tikv-<ordinal>`, or with a random suffix as Operator v2 gives it.
    fn pod_name(&self, ordinal: u32) -> String {
        let Shape { cluster, plane, static_class, .. } = &self.shape;
        match static_class {
            None => format!("{cluster}-tikv-{ordinal}"),
            Some(_) => format!("{cluster}-tikv-{}", suffix(&format!("{plane}/{cluster}/{ordinal}"))),
        }
    }

    /// gRPC of a pod (`facts/topology.md` §4).
    #[must_use]
    pub fn address(&self, pod: &str) -> String {
        let Shape { cluster, namespace, plane, .. } = &self.shape;
        format!("{pod}.{cluster}-tikv-peer.{namespace}.svc.{plane}.local:20160")
    }

    fn gate_is_open(&self) -> bool {
        self.shape.static_class.is_some() || !self.recovery_mode || self.volumes_ready
    }

    /// Whoever runs the cluster makes what is missing: pods, and claims that nobody has made for them.
    pub(crate) fn run_operator(&mut self, now: Timestamp) {
        if !self.gate_is_open() {
            return;
        }
        for ordinal in 0..self.shape.replicas {
            let name = self.pod_name(ordinal);
            let claims: Vec<String> = self.shape.volumes.iter().map(|volume| format!("{volume}-{name}")).collect();
            for claim in &claims {
                if !self.pvcs.contains_key(claim) {
                    self.make_claim(claim);
                }
            }
            let waits_for = "not looked at".to_owned();
            self.pods.entry(name).or_insert(Pod { claims, started: now, waits_for });
        }
    }

    /// A claim as a template has it. Of a class that is served it is bound at once, to an empty volume.
    fn make_claim(&mut self, name: &str) {
        let class = self.shape.static_class.clone();
        let mut claim = json!({
            "metadata": {"name": name, "namespace": self.shape.namespace},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
                "storageClassName": class.clone().unwrap_or_else(|| DYNAMIC_CLASS.to_owned()),
                "volumeMode": "Filesystem",
            },
            "status": {"phase": "Pending"},
        });
        if class.is_none() {
            let (pv, handle) = (format!("pvc-empty-{name}"), format!("vol-empty-{}-{name}", self.shape.plane));
            claim["spec"]["volumeName"] = json!(pv);
            claim["status"]["phase"] = json!("Bound");
            let made = json!({
                "metadata": {"name": pv},
                "spec": {
                    "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": handle},
                    "claimRef": {"namespace": self.shape.namespace, "name": name},
                    "storageClassName": DYNAMIC_CLASS,
                },
                "status": {"phase": "Bound"},
            });
            self.pvs.insert(pv, made);
            self.empty.insert(handle);
        }
        self.pvcs.insert(name.to_owned(), claim);
    }

    /// The binder of PersistentVolumes.
    pub(crate) fn run_binder(&mut self) {
        let open: Vec<String> =
            self.pvcs.iter().filter(|(_, claim)| !object::is_bound(claim)).map(|(name, _)| name.clone()).collect();
        for name in open {
            let Some(claim) = self.pvcs.get_mut(&name) else { continue };
            bind(&self.shape.namespace, &name, claim, &mut self.pvs);
        }
    }

    /// The volume behind a claim; the text says why there is none.
    pub(crate) fn handle_of(&self, claim: &str) -> Result<(String, &Value), String> {
        let bound = self.pvcs.get(claim).filter(|claim| object::is_bound(claim));
        let bound = bound.ok_or_else(|| format!("claim {claim} is not bound"))?;
        let pv = self.pvs.get(object::text(bound, "/spec/volumeName"));
        let pv = pv.ok_or_else(|| format!("the PersistentVolume of {claim} is lost"))?;
        Ok((object::handle(pv), pv))
    }

    /// What a pod mounts once it can run: on a node of the plane's zone, each volume attached by EC2. The text says what it
    /// waits for.
    pub(crate) fn mounts(&mut self, pod: &str, beneath: &dyn Beneath) -> Result<Vec<String>, String> {
        let claims = self.pods.get(pod).map(|pod| pod.claims.clone()).unwrap_or_default();
        let taken: Vec<String> = self.attached().collect();
        let mut handles = Vec::new();
        for claim in &claims {
            let (handle, pv) = self.handle_of(claim)?;
            if !object::reaches(pv, &self.shape.zone) {
                return Err(format!("no node satisfies the node affinity of the volume of {claim}"));
            }
            if taken.contains(&handle) || handles.contains(&handle) {
                return Err(format!("{handle} is attached to another pod"));
            }
            handles.push(handle);
        }
        for handle in handles.iter().filter(|handle| !self.empty.contains(*handle)) {
            let ebs = beneath.volume(handle).ok_or_else(|| format!("{handle}: InvalidVolume.NotFound"))?;
            if ebs.zone != self.shape.zone {
                return Err(format!("{handle} is in {}, the node in {}", ebs.zone, self.shape.zone));
            }
            if !matches!(ebs.state.as_str(), "available" | "in-use") {
                return Err(format!("{handle} is {}", ebs.state));
            }
        }
        self.mounted.extend(claims);
        Ok(handles)
    }

    /// Handles of what pods have mounted: EC2 attaches these.
    pub fn attached(&self) -> impl Iterator<Item = String> {
        let running = self.pods.values().filter(|pod| pod.waits_for.is_empty());
        running.flat_map(|pod| &pod.claims).filter_map(|claim| self.handle_of(claim).ok().map(|(handle, _)| handle))
    }
}

/// Six letters and digits, a function of the name.
fn suffix(of: &str) -> String {
    let hash = of
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let letters = b"abcdefghijklmnopqrstuvwxyz012345";
    (0..6).map(|at| char::from(letters[(hash >> (at * 5) & 31) as usize])).collect()
}
