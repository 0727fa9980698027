//! What is written to a plane's API server for a restore, and how it answers (`facts/restore.md` §2.4, §4.2).

use super::{Plane, object};
use plane_actor::ports::{BoundVolume, Gate, Put, WaitingClaim};
use serde_json::{Value, json};

impl Plane {
    /// Which gate there is, and is it closed? The text says why not.
    ///
    /// # Errors
    /// It is open, or there is none.
    pub fn gate(&self) -> Result<Gate, String> {
        if let Some(class) = &self.shape.static_class {
            let bound: Vec<&str> =
                self.pvcs.iter().filter(|(_, claim)| object::is_bound(claim)).map(|(name, _)| name.as_str()).collect();
            return if bound.is_empty() {
                Ok(Gate::StaticClass(class.clone()))
            } else {
                Err(format!("claims are bound already: {}", bound.join(", ")))
            };
        }
        if self.volumes_ready {
            return Err("the annotation tidb.pingcap.com/tikv-volumes-ready is there".to_owned());
        }
        if !self.recovery_mode {
            return Err("spec.recoveryMode is not true".to_owned());
        }
        Ok(Gate::RecoveryMode)
    }

    /// Claims of TiKV pods.
    #[must_use]
    pub fn claims(&self) -> Vec<WaitingClaim> {
        let zone = if self.shape.static_class.is_some() { self.shape.zone.clone() } else { String::new() };
        let of_pod = |(pod, kept): (&String, &super::plane::Pod)| {
            let claims = kept.claims.iter().zip(&self.shape.volumes);
            let claims = claims.filter_map(|(name, volume)| {
                let claim = self.pvcs.get(name)?;
                let bound_to = if object::is_bound(claim) { object::text(claim, "/spec/volumeName") } else { "" };
                Some(WaitingClaim {
                    name: name.clone(),
                    pod: pod.clone(),
                    volume: volume.clone(),
                    class: object::text(claim, "/spec/storageClassName").to_owned(),
                    zone: zone.clone(),
                    bound_to: bound_to.to_owned(),
                })
            });
            claims.collect::<Vec<_>>()
        };
        self.pods.iter().flat_map(of_pod).collect()
    }

    /// Writes a volume, and its claim behind it.
    ///
    /// # Errors
    /// What the API server does not take.
    pub fn put(&mut self, restore: &str, volume: &BoundVolume) -> Result<Put, String> {
        let name = object::text(&volume.pv, "/metadata/name").to_owned();
        if name.is_empty() || object::handle(&volume.pv).is_empty() {
            return Err("422: a PersistentVolume needs a name and a volume".to_owned());
        }
        let same =
            |other: &Value| object::is_labelled(other, restore) && object::handle(other) == object::handle(&volume.pv);
        let mut put = match self.pvs.get(&name) {
            None => {
                self.pvs.insert(name.clone(), pending(&volume.pv, "Available"));
                Put::Made
            }
            Some(other) if same(other) => Put::There,
            Some(_) => return Ok(Put::InTheWay(format!("PersistentVolume {name} is there, and not of this restore"))),
        };
        let Some(claim) = &volume.pvc else { return Ok(put) };
        let claim_name = object::text(claim, "/metadata/name").to_owned();
        match self.pvcs.get(&claim_name) {
            None => {
                self.pvcs.insert(claim_name, pending(claim, "Pending"));
                put = Put::Made;
            }
            Some(other) if object::is_labelled(other, restore) && object::text(other, "/spec/volumeName") == name => {}
            Some(other) => {
                let bound_to = object::text(other, "/spec/volumeName");
                return Ok(Put::InTheWay(format!("claim {claim_name} is there, bound to '{bound_to}'")));
            }
        }
        Ok(put)
    }

    /// Lets TiKV start.
    pub fn open_gate(&mut self) {
        self.volumes_ready |= self.shape.static_class.is_none();
    }

    /// Deletes what no pod has ever mounted, and tells what stays.
    pub fn take_away(&mut self, restore: &str) -> Vec<String> {
        let mut stay = Vec::new();
        let mounted = self.mounted.clone();
        let is_kept = |claim: &str| mounted.contains(claim);
        self.pvcs.retain(|name, claim| {
            let ours = object::is_labelled(claim, restore);
            if ours && is_kept(name) {
                stay.push(format!("claim {name}: a pod has mounted it"));
            }
            !ours || is_kept(name)
        });
        let mut freed = Vec::new();
        self.pvs.retain(|name, pv| {
            let (ours, claim) = (object::is_labelled(pv, restore), object::text(pv, "/spec/claimRef/name"));
            if ours && is_kept(claim) {
                stay.push(format!("PersistentVolume {name}: a pod has mounted it"));
            } else if ours {
                freed.push(name.clone());
            }
            !ours || is_kept(claim)
        });
        // A claim whose volume is gone is Lost; under a static class the operator's own stays, and waits no more.
        for claim in self.pvcs.values_mut() {
            if freed.iter().any(|pv| object::text(claim, "/spec/volumeName") == pv) {
                claim["status"] = json!({"phase": "Lost"});
            }
        }
        stay
    }

    /// TiFlash and TiDB may start.
    pub fn end_recovery_mode(&mut self) {
        if self.shape.static_class.is_none() {
            (self.recovery_mode, self.volumes_ready, self.serves) = (false, false, true);
        }
    }
}

fn pending(object: &Value, phase: &str) -> Value {
    let mut object = object.clone();
    object["status"] = json!({"phase": phase});
    object
}
