//! A plane's part of a backup as it lies in S3: backupmeta says what belongs together, the certificate what is proved of it.

use super::super::{
    cloud,
    meta::{certified_attempt, snapshots_by_volume},
    storage::{self, BACKUPMETA, CERTIFICATE},
};
use crate::{actors::plane_context::PlaneContext, ports::Cloud};
use serde_json::Value;
use shared::{
    barrier::Verdict,
    evidence::Evidence,
    ids::{Attempt, BackupUid, ClusterId, StoreId, VolumeId},
    reason::{Reason, Refusal},
    request::{Limits, MemberSpec, SizeLevel},
    text::digest,
    ts::Ts,
    wire::{CertifiedSnapshot, RestoreSpec, Verify},
};
use std::collections::{BTreeMap, BTreeSet};

/// What was read.
pub(super) struct Folder {
    pub(super) cloud: Cloud,
    pub(super) meta: Vec<u8>,
    /// The same, parsed.
    pub(super) read: Value,
    /// Which backup.
    pub(super) attempt: Attempt,
    /// PD's cluster id of the backup; `None`: nobody has noted it.
    pub(super) cluster: Option<ClusterId>,
    pub(super) cluster_version: String,
    pub(super) commit_ts: Ts,
    /// Of the certificate, if it names this plane's snapshots and no others for it.
    pub(super) certified: Option<Certified>,
    /// TiKV count of the whole TiDB cluster.
    pub(super) cluster_stores: u32,
    pub(super) stores: Vec<StoreId>,
    pub(super) snapshots: Vec<CertifiedSnapshot>,
}

/// As far as a restore needs it.
pub(super) struct Certified {
    pub(super) text: String,
    pub(super) digest: String,
    /// It says Consistent.
    pub(super) consistent: bool,
    pub(super) ceiling: Option<Ts>,
}

/// What a member of a backup there would work by: only who it is towards AWS, and where the files are, is looked at.
pub(super) fn member_spec(spec: &RestoreSpec) -> MemberSpec {
    let target = spec.target.clone();
    MemberSpec {
        backup_name: spec.name.clone(),
        backup_namespace: spec.namespace.clone(),
        tc_name: target.as_ref().map(|target| target.name.clone()).unwrap_or_default(),
        tc_namespace: target.map(|target| target.namespace).unwrap_or_else(|| spec.namespace.clone()),
        init: spec.init,
        storage: spec.storage.clone(),
        credentials: spec.credentials.clone(),
        role_external_id: spec.role_external_id.clone(),
        size_level: SizeLevel::None,
        delete_ratio_milli: 1000,
        limits: Limits::default(),
        allow_weaker_holds: false,
    }
}

fn amiss(folder: &str, text: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::NotRestorable, format!("{folder}: {text}"))
}

/// Who this plane is there.
pub(super) async fn connect(env: &PlaneContext, spec: &RestoreSpec) -> Result<Cloud, Refusal> {
    cloud::connect(env, &member_spec(spec)).await
}

/// Reads it.
pub(super) async fn read(env: &PlaneContext, spec: &RestoreSpec) -> Result<Folder, Refusal> {
    let cloud = connect(env, spec).await?;
    let (target, path) = (&spec.storage, spec.storage.path());
    let objects = cloud.objects.as_ref();
    let meta = storage::get(objects, &target.key(BACKUPMETA)).await?;
    let meta = meta.ok_or_else(|| amiss(&path, "there is no backupmeta: is backup.s3.prefix that of this plane?"))?;
    let certificate = storage::get(objects, &target.key(CERTIFICATE)).await?;
    parse(cloud, meta, certificate.as_deref(), &path)
}

fn parse(cloud: Cloud, meta: Vec<u8>, certificate: Option<&[u8]>, path: &str) -> Result<Folder, Refusal> {
    let (moment, pairs) = snapshots_by_volume(&meta)
        .ok_or_else(|| amiss(path, "backupmeta cannot be read as one of volume snapshots"))?;
    let read: Value = serde_json::from_slice(&meta).map_err(|_| amiss(path, "backupmeta is no JSON"))?;
    let (stores, zones) = stores(&read);
    let snapshots: Vec<CertifiedSnapshot> = pairs
        .iter()
        .map(|(volume, snapshot)| CertifiedSnapshot {
            volume: VolumeId::new(volume.clone()),
            snapshot: snapshot.as_str().into(),
            zone: zones.get(volume.as_str()).cloned().unwrap_or_default(),
        })
        .collect();
    let replicas = read.pointer("/tikv/replicas").and_then(Value::as_u64).and_then(|many| u32::try_from(many).ok());
    let version = read.pointer("/cluster_info/cluster_version").and_then(Value::as_str).unwrap_or_default().to_owned();
    let attempt = certificate.and_then(certified_attempt);
    let own: BTreeSet<(String, String)> = pairs.into_iter().collect();
    let certified = certificate.and_then(|text| certified(text, &own, Ts(moment)));
    let cluster = certificate.and_then(cluster_of);
    Ok(Folder {
        cloud,
        attempt: attempt.map_or_else(
            // Of BR and of operators before us: nothing else names it.
            || Attempt { backup: BackupUid::new(format!("ts-{moment}")), number: 1 },
            |(backup, number)| Attempt { backup, number },
        ),
        meta,
        read,
        cluster,
        cluster_version: version,
        commit_ts: Ts(moment),
        certified,
        cluster_stores: replicas.unwrap_or(0),
        stores,
        snapshots,
    })
}

/// Store ids, and zone by volume.
fn stores(meta: &Value) -> (Vec<StoreId>, BTreeMap<&str, String>) {
    let (mut stores, mut zones) = (Vec::new(), BTreeMap::new());
    for store in meta.pointer("/tikv/stores").and_then(Value::as_array).into_iter().flatten() {
        stores.extend(store.get("store_id").and_then(Value::as_u64).map(StoreId));
        for volume in store.get("volumes").and_then(Value::as_array).into_iter().flatten() {
            let text = |field: &str| volume.get(field).and_then(Value::as_str).unwrap_or_default();
            zones.insert(text("volume_id"), text("volume_az").to_owned());
        }
    }
    (stores, zones)
}

fn cluster_of(certificate: &[u8]) -> Option<ClusterId> {
    let read: Value = serde_json::from_slice(certificate).ok()?;
    read.pointer("/certificate/cluster")?.as_u64().map(ClusterId)
}

/// `None`: it is of another moment, or the part of no plane in it is what backupmeta names.
fn certified(text: &[u8], own: &BTreeSet<(String, String)>, moment: Ts) -> Option<Certified> {
    let read: Value = serde_json::from_slice(text).ok()?;
    let certificate = read.get("certificate")?;
    let ts = |field: &str| certificate.get(field).and_then(Value::as_u64).map(Ts);
    if ts("commit_ts")? != moment {
        return None;
    }
    let verdict: Verdict = serde_json::from_value(certificate.get("verdict")?.clone()).ok()?;
    let is_own = |part: &Value| {
        let evidence = part.get("evidence").and_then(|of| serde_json::from_value::<Evidence>(of.clone()).ok());
        let taken = evidence.into_iter().flat_map(|evidence| evidence.snapshots);
        let taken: BTreeSet<_> = taken.map(|one| (one.volume.to_string(), one.snapshot.to_string())).collect();
        &taken == own
    };
    certificate.get("planes")?.as_object()?.values().any(is_own).then_some(Certified {
        digest: digest(text),
        text: String::from_utf8(text.to_vec()).ok()?,
        consistent: verdict == Verdict::Consistent,
        ceiling: ts("ts_ceiling"),
    })
}

impl Folder {
    /// As a verification asks about it.
    pub(super) fn question(&self, spec: &RestoreSpec) -> Verify {
        Verify {
            number: 0,
            attempt: self.attempt.clone(),
            spec: member_spec(spec),
            cluster: self.cluster.unwrap_or(ClusterId(0)),
            commit_ts: self.commit_ts,
            snapshots: self.snapshots.clone(),
            full_bytes: None,
            certificate: self.certified.as_ref().map(|of| of.text.clone()).unwrap_or_default().into(),
        }
    }
}
