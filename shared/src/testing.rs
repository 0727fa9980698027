//! Examples of what people and planes say, for the tests of every package: those that do not look at a field need not
//! write it.

use crate::{
    evidence::{ClusterStore, PreparedStore, PreparedVolume, StoreState},
    ids::{BackupUid, InstanceId, PlaneId, RestoreUid, SnapshotId, StoreId, VolumeId},
    request::{CleanPolicy, Credentials, Limits, MemberRequest, MemberSpec, Request, S3Target, SizeLevel},
    restoring::{Content, RestoreCleanPolicy, RestoreLimits, RestoreMember, RestoreRequest, Warm},
    time::Millis,
    wire::{Source, Target, VolumeKind},
};

impl S3Target {
    /// This very place, and nothing else is asked for.
    #[must_use]
    pub fn example(bucket: &str, prefix: &str) -> Self {
        Self {
            provider: "aws".to_owned(),
            region: String::new(),
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: String::new(),
            force_path_style: true,
            acl: String::new(),
            sse: String::new(),
            storage_class: String::new(),
            kms_key: String::new(),
            bucket_owner: String::new(),
            role: None,
        }
    }
}

impl RestoreRequest {
    /// The restore `br/shop-back` of `br/nightly` into the TiDB cluster `tidb/shop-new` in these planes.
    #[must_use]
    pub fn example(planes: &[&str]) -> Self {
        let member = |plane: &&str| RestoreMember {
            plane: PlaneId::from(*plane),
            target: Target { namespace: "tidb".to_owned(), name: "shop-new".to_owned() },
            zone: None,
            storage: S3Target::example("backups", &format!("nightly-{plane}")),
        };
        Self {
            restore: RestoreUid::from("restore-1"),
            name: "shop-back".to_owned(),
            namespace: "br".to_owned(),
            members: planes.iter().map(member).collect(),
            credentials: Credentials::Default,
            role_external_id: String::new(),
            drill: None,
            kind: VolumeKind { name: "gp3".to_owned(), iops: Some(3000), throughput: Some(125) },
            rate: None,
            warm: Warm::Lazy,
            content: Content::OneIn(1),
            clean_policy: RestoreCleanPolicy::Retain,
            unproven: false,
            limits: RestoreLimits::default(),
            ignored: Vec::new(),
        }
    }
}

impl Request {
    /// The backup `br/nightly` of the TiDB cluster `tidb/shop` in these planes.
    #[must_use]
    pub fn example(planes: &[&str]) -> Self {
        let member = |plane: &&str| MemberRequest {
            plane: PlaneId::from(*plane),
            tc_name: "shop".to_owned(),
            tc_namespace: "tidb".to_owned(),
        };
        Self {
            backup: BackupUid::from("uid-1"),
            name: "nightly".to_owned(),
            namespace: "br".to_owned(),
            members: planes.iter().map(member).collect(),
            storage: S3Target::example("backups", "nightly"),
            credentials: Credentials::Default,
            clean_policy: CleanPolicy::Delete,
            size_level: SizeLevel::Full,
            delete_ratio_milli: 1000,
            limits: Limits::default(),
            retry_within: None,
            role_external_id: String::new(),
            ignored: Vec::new(),
            allow_weaker_holds: false,
        }
    }
}

impl MemberSpec {
    /// What the init plane of [`Request::example`] is told.
    #[must_use]
    pub fn example() -> Self {
        Self {
            backup_name: "nightly".to_owned(),
            backup_namespace: "br".to_owned(),
            tc_name: "shop".to_owned(),
            tc_namespace: "tidb".to_owned(),
            init: true,
            storage: S3Target::example("backups", "nightly-az1"),
            credentials: Credentials::Default,
            role_external_id: String::new(),
            size_level: SizeLevel::Full,
            delete_ratio_milli: 1000,
            limits: Limits::default(),
            allow_weaker_holds: false,
        }
    }
}

impl ClusterStore {
    /// Well, as PD lists it.
    #[must_use]
    pub fn example(id: u64) -> Self {
        Self {
            store: StoreId(id),
            address: format!("tikv-{id}:20160"),
            state: StoreState::Up,
            start_timestamp: 100,
            uptime: Millis::secs(9_000),
            heartbeat_age: Millis::secs(1),
            version: "8.5.0".to_owned(),
        }
    }
}

impl PreparedStore {
    /// The store of [`ClusterStore::example`], on an instance of its own.
    #[must_use]
    pub fn example(id: u64, volumes: &[&str]) -> Self {
        Self {
            store: StoreId(id),
            address: format!("tikv-{id}:20160"),
            start_timestamp: 100,
            instance: InstanceId::new(format!("i-{id}")),
            volumes: volumes.iter().map(|volume| PreparedVolume::example(volume)).collect(),
        }
    }
}

impl PreparedVolume {
    /// Of the data directory.
    #[must_use]
    pub fn example(volume: &str) -> Self {
        Self {
            volume: VolumeId::new(volume),
            mount_path: "/var/lib/tikv".to_owned(),
            kind: "storage.data-dir".to_owned(),
            zone: "eu-west-1a".to_owned(),
            directories: [].into(),
        }
    }
}

impl Source {
    /// Of this volume, and nothing else is known of it.
    #[must_use]
    pub fn example(volume: &str) -> Self {
        Self {
            volume: VolumeId::from(volume),
            snapshot: SnapshotId(format!("snap-{volume}")),
            store: None,
            claim: String::new(),
            place: None,
            kind: String::new(),
            zone: String::new(),
            gib: 0,
            bytes: None,
            encrypted: false,
            key: String::new(),
            today: None,
        }
    }
}
