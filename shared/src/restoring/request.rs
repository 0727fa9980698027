//! A parsed wish: what the spec of a VolumeRestore asks for, after every check that needs no world.

use crate::{
    ids::{PlaneId, RestoreUid},
    request::{Credentials, S3Target},
    time::Millis,
    wire::{RestoreSpec, Target, VolumeKind, VolumeWish},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One VolumeRestore, validated.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RestoreRequest {
    /// `metadata.uid`
    pub restore: RestoreUid,
    /// `metadata.name`
    pub name: String,
    /// `metadata.namespace`
    pub namespace: String,
    /// In the order of `spec.clusters`; never empty, no plane twice; index 0 is the init plane.
    pub members: Vec<RestoreMember>,
    /// Who the planes are towards AWS.
    pub credentials: Credentials,
    /// See [`RestoreSpec::role_external_id`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub role_external_id: String,
    /// `None`: a cluster is restored. Else it is tried how far one could be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillLevel>,
    /// Type and performance of the new volumes.
    pub kind: VolumeKind,
    /// VolumeInitializationRate, MiB/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// When the data of the volumes must be there.
    pub warm: Warm,
    /// How much of the content is compared.
    pub content: Content,
    /// What becomes of what was made, where the restore fails after TiKV was started, or the object is deleted.
    pub clean_policy: RestoreCleanPolicy,
    /// See [`RestoreSpec::unproven`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unproven: bool,
    /// How long each step may take.
    pub limits: RestoreLimits,
    /// Options of the old jobs that have no effect here, each with where it stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

/// One entry of `spec.clusters`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RestoreMember {
    /// `k8sClusterName`
    pub plane: PlaneId,
    /// `tcNamespace`, `tcName`
    pub target: Target,
    /// `azName`; `None`: the zone in which each volume was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// `backup`: the plane's own folder.
    pub storage: S3Target,
}

/// How far a drill goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DrillLevel {
    /// 1: everything is looked at, nothing is made.
    Look,
    /// 2: volumes are made, and deleted when they are there.
    Volumes,
}

impl DrillLevel {
    /// As people count them.
    pub const fn number(self) -> u8 {
        match self {
            Self::Look => 1,
            Self::Volumes => 2,
        }
    }
}

/// `spec.template.warmup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Warm {
    /// Data comes when it is read.
    Lazy,
    /// `sync`: TiKV starts when EC2 says that all of it is there.
    First,
}

/// How much is compared after the roll-back (RE6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Content {
    /// Nothing.
    None,
    /// One region of so many.
    OneIn(u32),
    /// Everything: reads all data.
    All,
}

impl Content {
    /// As [`crate::wire::RestoreOrder::Check`] has it.
    pub const fn one_in(self) -> u32 {
        match self {
            Self::None => 0,
            Self::OneIn(many) => many,
            Self::All => 1,
        }
    }
}

/// What becomes of what was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RestoreCleanPolicy {
    /// It stays: the object is not the cluster's life.
    Retain,
    /// It goes with the object, and when the restore fails.
    Delete,
}

/// How long each step may take. Where nobody's clock runs they are for people: a step that takes longer has a cause that somebody should see.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RestoreLimits {
    /// Looking, marking, placing, starting, unmarking, finishing (15 min each): planes that are away are waited for.
    pub short: Millis,
    /// Until all volumes are there (1 h).
    pub build: Millis,
    /// Until all their data is there (24 h).
    pub warm: Millis,
    /// Until all stores are there, and after their restart (30 min; the incumbent saw 10 to 16 min, `facts/restore.md` §1.5).
    pub stores: Millis,
    /// Elections (1 h).
    pub lead: Millis,
    /// The flashback (4 h).
    pub roll_back: Millis,
    /// Reading all content (24 h).
    pub check: Millis,
}

impl Default for RestoreLimits {
    fn default() -> Self {
        Self {
            short: Millis::secs(15 * 60),
            build: Millis::secs(3600),
            warm: Millis::secs(24 * 3600),
            stores: Millis::secs(30 * 60),
            lead: Millis::secs(3600),
            roll_back: Millis::secs(4 * 3600),
            check: Millis::secs(24 * 3600),
        }
    }
}

impl RestoreRequest {
    /// The plane that speaks to PD and to all stores.
    pub fn init_plane(&self) -> Option<&PlaneId> {
        self.members.first().map(|member| &member.plane)
    }

    /// A cluster comes of it, or should.
    pub fn makes_a_cluster(&self) -> bool {
        self.drill.is_none()
    }

    /// The spec that a plane of this request works by. `None` for a plane that has no part in it.
    pub fn spec(&self, plane: &PlaneId) -> Option<RestoreSpec> {
        let member = self.members.iter().find(|member| &member.plane == plane)?;
        Some(RestoreSpec {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            target: self.makes_a_cluster().then(|| member.target.clone()),
            init: self.init_plane() == Some(plane),
            storage: member.storage.clone(),
            credentials: self.credentials.clone(),
            role_external_id: self.role_external_id.clone(),
            wish: VolumeWish {
                zones: BTreeMap::new(),
                zone: member.zone.clone(),
                kind: self.kind.clone(),
                rate: self.rate,
            },
            unproven: self.unproven,
        })
    }
}
