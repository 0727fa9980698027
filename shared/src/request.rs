//! A parsed wish: what the spec of a VolumeBackup asks for, after every check that needs no world. Machines and planes
//! never look at Kubernetes objects.

use crate::{
    ids::{BackupUid, PlaneId},
    time::Millis,
};
use serde::{Deserialize, Serialize};

/// Most planes of one backup: an object with a row for each of them, names of usual length and a short text in each, is below the
/// 1.5 MiB that etcd takes (`loadtests/README.md`).
pub const MEMBERS_MAX: usize = 1000;

/// One VolumeBackup, validated.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// `metadata.uid`.
    pub backup: BackupUid,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// In the order of `spec.clusters`; never empty, no plane twice, at most [`MEMBERS_MAX`]; index 0 is the init plane.
    pub members: Vec<MemberRequest>,
    /// `spec.template.s3`, prefix still without the plane suffix.
    pub storage: S3Target,
    /// Who the planes are towards AWS.
    pub credentials: Credentials,
    /// What deletion of the object deletes.
    pub clean_policy: CleanPolicy,
    /// Which sizes are computed.
    pub size_level: SizeLevel,
    /// `snapshotsDeleteRatio` in thousandths: at most this many snapshot deletions per 1000 s and plane.
    pub delete_ratio_milli: u32,
    /// Every bound of the barrier.
    pub limits: Limits,
    /// `barrier.retryWithin`: until how long after the start new attempts may be made; `None`: one attempt.
    pub retry_within: Option<Millis>,
    /// See [`MemberSpec::role_external_id`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub role_external_id: String,
    /// Options of the old jobs that have no effect here, each with where it stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    /// `barrier.allowWeakerHolds`: see [`MemberSpec::allow_weaker_holds`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_weaker_holds: bool,
}

impl Request {
    /// The plane that also holds PD for all.
    pub fn init_plane(&self) -> Option<&PlaneId> {
        self.members.first().map(|m| &m.plane)
    }
    /// The member of a plane.
    pub fn member(&self, plane: &PlaneId) -> Option<&MemberRequest> {
        self.members.iter().find(|m| &m.plane == plane)
    }
}

/// One entry of `spec.clusters`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MemberRequest {
    /// `k8sClusterName`.
    pub plane: PlaneId,
    /// `tcName`.
    pub tc_name: String,
    /// `tcNamespace`.
    pub tc_namespace: String,
}

/// S3 target. In a [`MemberSpec`] the prefix is the plane's own (`<prefix>-<k8sClusterName>`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct S3Target {
    /// aws, ceph, …
    pub provider: String,
    /// May be empty: the plane's own region.
    pub region: String,
    /// Never empty.
    pub bucket: String,
    /// Without leading or trailing slash of its own making; kept as the user wrote it.
    pub prefix: String,
    /// Empty: AWS.
    pub endpoint: String,
    /// Path-style addressing (default true except for alibaba and netease).
    pub force_path_style: bool,
    /// Canned ACL; empty: none sent.
    pub acl: String,
    /// Server-side encryption; empty: the bucket's.
    pub sse: String,
    /// Storage class; empty: the bucket's.
    pub storage_class: String,
    /// KMS key of `sse`; empty: the bucket's, or the account's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kms_key: String,
    /// Account that must own the bucket; empty: whichever.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub bucket_owner: String,
    /// Assumed for the bucket alone, by whoever the plane is towards AWS: a bucket of another account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ForeignRole>,
}

/// A role, most likely of another account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ForeignRole {
    /// ARN.
    pub arn: String,
    /// What its trust policy asks for; empty: nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub external_id: String,
}

impl S3Target {
    /// `s3://bucket/prefix`, slashes cleaned, no trailing slash: `status.backups[].backupPath`.
    pub fn path(&self) -> String {
        let parts = self.prefix.split('/').filter(|part| !part.is_empty() && *part != ".");
        std::iter::once(format!("s3://{}", self.bucket)).chain(parts.map(str::to_owned)).collect::<Vec<_>>().join("/")
    }

    /// The key of an object of this backup: cleaned prefix, slash, name.
    pub fn key(&self, name: &str) -> String {
        self.prefix
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .chain(std::iter::once(name))
            .collect::<Vec<_>>()
            .join("/")
    }

    /// How a refusal that is about [`S3Target::role`] begins.
    pub fn of_its_role(&self) -> String {
        format!("role for bucket {} (--s3.role-arn)", self.bucket)
    }

    /// The plane's own storage: prefix, dash, plane (a plain join, as `facts/tidb-operator.md` §1.7 has it).
    pub fn of_plane(&self, plane: &PlaneId) -> S3Target {
        S3Target { prefix: format!("{}-{}", self.prefix, plane), ..self.clone() }
    }
}

/// Three ways as on the user page, and the default chain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Credentials {
    /// `s3.secretName`: a secret in the TiDB cluster's namespace of each plane, keys `access_key` and `secret_key`.
    Secret(String),
    /// Annotation `iam.amazonaws.com/role`.
    Role(String),
    /// `serviceAccount`, by IRSA.
    ServiceAccount(String),
    /// The plane actor's own chain.
    Default,
}

/// What deletion deletes. It goes by the outcome of the whole backup, never of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CleanPolicy {
    /// Keep everything (also when unset).
    Retain,
    /// Delete if the backup failed.
    OnFailure,
    /// Delete.
    Delete,
}

impl CleanPolicy {
    /// Whichever of two keeps more.
    #[must_use]
    pub fn safer(self, other: Self) -> Self {
        match (self, other) {
            (Self::Retain, _) | (_, Self::Retain) => Self::Retain,
            (Self::OnFailure, _) | (_, Self::OnFailure) => Self::OnFailure,
            (Self::Delete, Self::Delete) => Self::Delete,
        }
    }
}

/// `calcSizeLevel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SizeLevel {
    /// Full and incremental.
    All,
    /// Full only.
    Full,
    /// Incremental only.
    Incremental,
    /// Neither.
    None,
}

/// Every bound of one attempt, with its default. The plane gets the same values in `Prepare`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// How long a known plane that is not connected is waited for (60 s).
    pub connect: Millis,
    /// Preparing: discovery, credentials, S3 (120 s; nothing is touched meanwhile).
    pub prepare: Millis,
    /// Settle clock: only PD is held (120 s).
    pub settle: Millis,
    /// Reach clock: first `Suspend` to last `Covered` (120 s).
    pub reach: Millis,
    /// Hold clock: last `Covered` to last release (60 s).
    pub hold: Millis,
    /// `volumeBackupInitJobMaxActiveSeconds`: caps the sum of the three clocks (600 s).
    pub total: Millis,
    /// A plane's own lease from the coordinator (15 s).
    pub plane_lease: Millis,
    /// TiKV lease (10 s; whole seconds on the wire).
    pub store_lease: Millis,
    /// PD scheduler pause and TTL configs (15 s).
    pub pd_ttl: Millis,
    /// A region's safe_ts may be this old (10 min).
    pub safe_ts_age: Millis,
    /// A store must have been up this long (3 min; tikv/tikv#15506, `facts/pd-tikv.md` §6.3).
    pub store_uptime: Millis,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Millis::secs(60),
            prepare: Millis::secs(120),
            settle: Millis::secs(120),
            reach: Millis::secs(120),
            hold: Millis::secs(60),
            total: Millis::secs(600),
            plane_lease: Millis::secs(15),
            store_lease: Millis::secs(10),
            pd_ttl: Millis::secs(15),
            safe_ts_age: Millis::secs(600),
            store_uptime: Millis::secs(180),
        }
    }
}

impl Limits {
    /// TTL of the service safe point: the sum of the clocks plus a minute, never longer than the cap plus a minute.
    pub fn safe_point_ttl(&self) -> Millis {
        let sum = self.settle.plus(self.reach).plus(self.hold);
        Millis(sum.0.min(self.total.0)).plus(Millis::secs(60))
    }
}

/// What one plane needs to know of the backup: sent in `Prepare`, `Complete` and `Clean`, because a plane that
/// restarted knows nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MemberSpec {
    /// VolumeBackup name.
    pub backup_name: String,
    /// VolumeBackup namespace.
    pub backup_namespace: String,
    /// `tcName` in this plane.
    pub tc_name: String,
    /// `tcNamespace` in this plane.
    pub tc_namespace: String,
    /// True for `spec.clusters[0]`: it also holds PD for all.
    pub init: bool,
    /// Target with this plane's own prefix.
    pub storage: S3Target,
    /// Who this plane is towards AWS.
    pub credentials: Credentials,
    /// What the trust policy of [`Credentials::Role`] asks for; empty: nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub role_external_id: String,
    /// Which sizes to compute.
    pub size_level: SizeLevel,
    /// See [`Request::delete_ratio_milli`].
    pub delete_ratio_milli: u32,
    /// Every bound.
    pub limits: Limits,
    /// A store whose TiKV does not know the prepare call may be held by suspending its imports only; what a full hold
    /// prevents is then looked for after the snapshots (`facts/pd-tikv.md` §7). The certificate says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_weaker_holds: bool,
}

impl Request {
    /// The spec that a plane of this request works by. `None` for a plane that has no part in it.
    pub fn member_spec(&self, plane: &PlaneId) -> Option<MemberSpec> {
        self.member(plane).map(|member| self.spec_of(member))
    }

    /// The same of one of its members.
    pub fn spec_of(&self, member: &MemberRequest) -> MemberSpec {
        let plane = &member.plane;
        MemberSpec {
            backup_name: self.name.clone(),
            backup_namespace: self.namespace.clone(),
            tc_name: member.tc_name.clone(),
            tc_namespace: member.tc_namespace.clone(),
            init: self.init_plane() == Some(plane),
            storage: self.storage.of_plane(plane),
            credentials: self.credentials.clone(),
            role_external_id: self.role_external_id.clone(),
            size_level: self.size_level,
            delete_ratio_milli: self.delete_ratio_milli,
            limits: self.limits.clone(),
            allow_weaker_holds: self.allow_weaker_holds,
        }
    }
}
