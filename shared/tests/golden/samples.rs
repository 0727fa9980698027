//! One sample of every message, with every field filled.

use shared::{
    epoch::Epoch,
    evidence::{
        AcceptedSnapshot, ClusterStore, CoverDigest, Evidence, HoldKind, PdEvidence, PreparedStore, PreparedVolume,
        StoreEvidence, StoreState,
    },
    ids::{Attempt, BackupUid, ClusterId, InstanceId, PlaneId, SnapshotId, StoreId, VolumeId},
    reason::{Reason, Refusal},
    region_set::RegionSet,
    request::{Credentials, Limits, MemberSpec, S3Target, SizeLevel},
    tiling::Tiling,
    time::{Millis, Timestamp},
    ts::Ts,
    wire::{
        Abort, Aborted, AccountPart, Answer, CallShare, CertifiedSnapshot, Clean, CleanReport, CleanScope, Cleaned,
        Complete, Completed, Confirmed, Cover, Covered, Diagnose, Diagnosed, Divided, Division, Down, Finding,
        FindingState, Hello, Inspect, Inspected, Known, Measure, Measured, Order, Place, PlanePhase, PodPlace,
        Preflight, PreflightCheck, Preflighted, Prepare, Prepared, Progress, Recovered, Released, Renew, Renewed,
        Reserved, RestorePlace, Scan, Scanned, ScannedPlace, Settle, Settled, Snapshot, Snapshotted, Source, Suspended,
        Target, Unnamed, Up, Verified, Verify, VolumeKind, VolumeWish, Welcome, encode,
    },
};

fn spec() -> MemberSpec {
    MemberSpec {
        backup_name: "nightly".into(),
        backup_namespace: "br".into(),
        tc_name: "shop-az1".into(),
        tc_namespace: "tidb".into(),
        init: true,
        storage: S3Target {
            provider: "aws".into(),
            region: "eu-west-1".into(),
            bucket: "b".into(),
            prefix: "vol-az1".into(),
            endpoint: "http://s3".into(),
            force_path_style: true,
            acl: "private".into(),
            sse: "AES256".into(),
            storage_class: "STANDARD".into(),
            ..S3Target::example("", "")
        },
        credentials: Credentials::Secret("s3-secret".into()),
        role_external_id: String::new(),
        size_level: SizeLevel::Full,
        delete_ratio_milli: 1500,
        limits: Limits::default(),
        allow_weaker_holds: false,
    }
}

fn store() -> PreparedStore {
    PreparedStore {
        store: StoreId(4),
        address: "db-tikv-0:20160".into(),
        start_timestamp: 1_700_000_000,
        instance: InstanceId::new("i-1"),
        volumes: vec![PreparedVolume {
            volume: VolumeId::new("vol-1"),
            mount_path: "/var/lib/tikv".into(),
            kind: "storage.data-dir".into(),
            zone: "eu-west-1a".into(),
            directories: [].into(),
        }],
    }
}

fn cluster_store() -> ClusterStore {
    ClusterStore {
        store: StoreId(4),
        address: "db-tikv-0:20160".into(),
        state: StoreState::Up,
        start_timestamp: 1_700_000_000,
        uptime: Millis(9_000_000),
        heartbeat_age: Millis(3_000),
        version: "7.5.1".into(),
    }
}

fn snapshot() -> AcceptedSnapshot {
    AcceptedSnapshot {
        volume: VolumeId::new("vol-1"),
        snapshot: SnapshotId::new("snap-1"),
        instance: InstanceId::new("i-1"),
        start_time: Timestamp(1_700_000_000_123),
    }
}

fn digest() -> CoverDigest {
    CoverDigest {
        regions: 3,
        tiling: Tiling { high: u64::MAX, low: 1 },
        least_safe_ts: Ts(449_462_718_912_512_000),
        set: RegionSet::default(),
    }
}

fn evidence() -> Evidence {
    Evidence {
        epoch: Epoch(5),
        cluster: ClusterId(7_391_001_002_003_004_005),
        stores: vec![StoreEvidence {
            store: StoreId(4),
            address: "db-tikv-0:20160".into(),
            start_timestamp: 1_700_000_000,
            renewals_sent: 3,
            renewals_valid: 3,
            confirmed: true,
            kind: HoldKind::Full,
        }],
        cover: digest(),
        snapshots: vec![snapshot()],
        commit_ts: Ts(449_462_718_912_512_000),
        pd: Some(PdEvidence {
            gc_hold: Ts(449_462_718_000_000_000),
            gc_safe_point: Ts(449_462_718_000_000_000),
            min_resolved_ts: Ts(449_462_718_912_512_001),
            ts_ceiling: None,
            stores: vec![cluster_store()],
        }),
        set_after: None,
    }
}

pub(crate) fn refusal() -> Refusal {
    Refusal::new(Reason::BucketMissing, "bucket b")
}

fn orders() -> Vec<(&'static str, Order)> {
    vec![
        ("prepare", Order::Prepare(Prepare { round: 2, spec: spec() })),
        ("reserve", Order::Reserve),
        ("settle_hold_pd", Order::Settle(Settle::HoldPd)),
        ("settle_leaders", Order::Settle(Settle::Leaders { gc_hold: Ts(9) })),
        ("suspend", Order::Suspend),
        ("cover", Order::Cover(Cover { round: 3, name_missing: true })),
        (
            "snapshot",
            Order::Snapshot(Snapshot { commit_ts: Ts(449_462_718_912_512_000), share: None, one_volume: None }),
        ),
        ("confirm", Order::Confirm),
        ("release", Order::Release),
        ("abort", Order::Abort(Abort { reason: Reason::HoldTimedOut })),
        ("renew", Order::Renew(Renew { number: 8 })),
        ("recover", Order::Recover),
        (
            "complete",
            Order::Complete(Complete {
                spec: spec(),
                cluster: ClusterId(7),
                cluster_version: "7.5.1".into(),
                commit_ts: Ts(9),
                cluster_stores: 9,
                stores: vec![store()],
                snapshots: vec![snapshot()],
                certificate: "{}".into(),
                packed: None,
            }),
        ),
        (
            "measure",
            Order::Measure(Measure {
                spec: spec(),
                from: 16,
                snapshots: vec![snapshot()],
                share: Some(CallShare { calls: 1, of: 3 }),
            }),
        ),
        (
            "clean",
            Order::Clean(Clean { snapshots: vec![SnapshotId::new("snap-1")], ..Clean::of(spec(), CleanScope::Backup) }),
        ),
    ]
}

fn answers() -> Vec<(&'static str, Answer)> {
    vec![
        (
            "prepared",
            Answer::Prepared(Prepared {
                round: 2,
                cluster: ClusterId(7),
                cluster_version: "7.5.1".into(),
                stores: vec![store()],
                cluster_stores: vec![cluster_store()],
                account: "111122223333".into(),
                region: "eu-west-1".into(),
                highest_epoch: Epoch(4),
                budgets: None,
            }),
        ),
        ("reserved", Answer::Reserved(Reserved {})),
        (
            "settled_pd",
            Answer::Settled(Settled::PdHeld { gc_hold: Ts(9), schedulers: vec!["balance-leader-scheduler".into()] }),
        ),
        ("settled_leaders", Answer::Settled(Settled::Leaders { regions: 3, least_safe_ts: Ts(9) })),
        ("suspended", Answer::Suspended(Suspended { stores: 3 })),
        ("covered", Answer::Covered(Covered { round: 1, digest: digest(), missing: vec!["region 9".into()] })),
        ("snapshotted", Answer::Snapshotted(Snapshotted { snapshots: vec![snapshot()], accepted: vec![] })),
        ("confirmed", Answer::Confirmed(Confirmed { evidence: evidence() })),
        ("released", Answer::Released(Released {})),
        ("aborted", Answer::Aborted(Aborted { cause: Some(refusal()) })),
        ("renewed", Answer::Renewed(Renewed { number: 8 })),
        ("recovered_evidence", Answer::Recovered(Recovered::Evidence(evidence()))),
        ("recovered_aborted", Answer::Recovered(Recovered::Aborted)),
        ("completed", Answer::Completed(Completed { full_bytes: 1 << 40, ..Completed::default() })),
        (
            "completed_with_unknown_sizes",
            Answer::Completed(Completed { full_bytes: 9, unknown: 2, measures: true, notes: vec!["note".into()] }),
        ),
        (
            "measured",
            Answer::Measured(Measured { from: 16, bytes: 1 << 19, unknown: 1, notes: vec!["snap-1: gone".into()] }),
        ),
        (
            "cleaned",
            Answer::Cleaned(Cleaned {
                report: CleanReport {
                    snapshots: 2,
                    objects: 3,
                    left: vec!["snap-9".into()],
                    needs_person: false,
                    notes: vec![],
                    old_backup: false,
                },
            }),
        ),
        (
            "progress",
            Answer::Progress(Progress { phase: PlanePhase::Covering, done: 1, total: 3, text: "store 4".into() }),
        ),
        ("refused", Answer::Refused(refusal())),
    ]
}

fn verify(attempt: &Attempt) -> Verify {
    Verify {
        number: 2,
        attempt: attempt.clone(),
        spec: spec(),
        cluster: ClusterId(7_391_001_002_003_004_005),
        commit_ts: Ts(449_462_718_912_512_000),
        snapshots: vec![CertifiedSnapshot {
            volume: VolumeId::new("vol-1"),
            snapshot: SnapshotId::new("snap-1"),
            zone: "eu-west-1a".into(),
        }],
        full_bytes: Some(1 << 40),
        certificate: "{}".into(),
    }
}

fn verified() -> Verified {
    let finding = |subject: &str, state| Finding { subject: subject.into(), took: Millis(9), state, text: "t".into() };
    let findings = vec![
        finding("lock", FindingState::Sound),
        finding("sharing", FindingState::Doubtful),
        finding("blocks", FindingState::Unchecked),
        finding("snapshots", FindingState::Broken),
    ];
    Verified { number: 2, findings, at: Timestamp(1_700_000_000_123), calls: 12 }
}

fn inspect(attempt: &Attempt) -> Inspect {
    let kind = VolumeKind { name: "gp3".into(), iops: Some(7000), throughput: Some(400) };
    let zones = [("eu-west-1a".to_owned(), "eu-west-1b".to_owned())].into();
    Inspect {
        verify: verify(attempt),
        cluster_version: "7.5.2".into(),
        wish: VolumeWish { zones, zone: Some("eu-west-1c".into()), kind, rate: Some(300) },
        target: Some(Target { namespace: "tidb".into(), name: "back-az1".into() }),
    }
}

fn inspected() -> Inspected {
    let source = Source {
        volume: VolumeId::new("vol-1"),
        snapshot: SnapshotId::new("snap-1"),
        store: Some(StoreId(4)),
        claim: "tikv-shop-tikv-0".into(),
        place: Some(PodPlace { name: "tikv".into(), ordinal: 0 }),
        kind: "storage.data-dir".into(),
        zone: "eu-west-1a".into(),
        gib: 500,
        bytes: Some(1 << 30),
        encrypted: true,
        key: "arn:aws:kms:eu-west-1:1:key/k".into(),
        today: Some(VolumeKind { name: "io2".into(), iops: Some(9000), throughput: None }),
    };
    let place = RestorePlace {
        account: "123456789012".into(),
        region: "eu-west-1".into(),
        quota_gib: Some(51_200),
        used_gib: Some(9_000),
        initialization: 5_000,
    };
    let Verified { number, findings, at, calls } = verified();
    Inspected { number, findings, sources: vec![source], more: 1, place: Some(place), at, calls }
}

/// Name and bytes of every message.
pub(crate) fn all() -> Vec<(String, Vec<u8>)> {
    let attempt = Attempt { backup: BackupUid::new("uid-1"), number: 1 };
    let mut all = Vec::new();
    for (name, order) in orders() {
        let down = Down::Order { attempt: attempt.clone(), epoch: Epoch(5), order };
        all.push((format!("down.{name}"), encode(&down).unwrap()));
    }
    for (_, order) in orders() {
        if let Order::Complete(complete) = order {
            let packed = Some("H4sIAAAAAAAA/wMAAAAAAAAAAAA=".into());
            let order = Order::Complete(Complete { certificate: "".into(), packed, ..complete });
            let down = Down::Order { attempt: attempt.clone(), epoch: Epoch(5), order };
            all.push(("down.complete_packed".into(), encode(&down).unwrap()));
        }
    }
    let preflight = Down::Preflight(Preflight { number: 1, spec: spec(), backup: None });
    all.push(("down.preflight".into(), encode(&preflight).unwrap()));
    all.push(("down.verify".into(), encode(&Down::Verify(verify(&attempt))).unwrap()));
    all.push(("down.inspect".into(), encode(&Down::Inspect(inspect(&attempt))).unwrap()));
    all.push(("down.scan".into(), encode(&Down::Scan(scan(None))).unwrap()));
    all.push(("down.scan_and_delete".into(), encode(&Down::Scan(scan(Some(BackupUid::new("u-2"))))).unwrap()));
    let part = |action, calls| {
        let (account, region) = ("123456789012".to_owned(), "eu-central-1".to_owned());
        AccountPart { account, region, action, share: CallShare { calls, of: 300 } }
    };
    let parts = vec![
        part(Divided::CreateSnapshots, 100),
        part(Divided::CreateSnapshot, 7),
        part(Divided::DeleteSnapshot, 30),
        part(Divided::ListBlocks, 1),
    ];
    all.push(("down.divide".into(), encode(&Down::Divide(Division { parts })).unwrap()));
    let ask = |backups| Down::Diagnose(Diagnose { number: 4, backups });
    all.push(("down.diagnose".into(), encode(&ask(vec![])).unwrap()));
    all.push(("down.diagnose_backup".into(), encode(&ask(vec![BackupUid::new("u-2")])).unwrap()));
    for (name, answer) in answers() {
        let up = Up::Answer { attempt: attempt.clone(), epoch: Epoch(5), answer };
        all.push((format!("up.{name}"), encode(&up).unwrap()));
    }
    let checks = vec![
        PreflightCheck { what: "PD".into(), took: Millis(12), result: Ok("cluster 7".into()), warning: None },
        PreflightCheck { what: "bucket".into(), took: Millis(30), result: Err(refusal()), warning: None },
    ];
    let preflighted = Up::Preflighted(Preflighted { number: 1, checks, at: None, prepared: None });
    all.push(("up.preflighted".into(), encode(&preflighted).unwrap()));
    all.push(("up.verified".into(), encode(&Up::Verified(verified())).unwrap()));
    all.push(("up.inspected".into(), encode(&Up::Inspected(inspected())).unwrap()));
    all.push(("up.scanned".into(), encode(&Up::Scanned(scanned())).unwrap()));
    let told = |told| Up::Diagnosed(Diagnosed { number: 4, told });
    all.push(("up.diagnosed".into(), encode(&told(Ok("H4sIAAAAAAAA/wMAAAAAAAAAAAA=".into()))).unwrap()));
    all.push(("up.diagnosed_not".into(), encode(&told(Err(refusal()))).unwrap()));
    let (version, plane, boot) = ("0.1.0".to_owned(), PlaneId::new("az1"), "b".to_owned());
    let hello = Hello {
        wire: 1,
        version,
        plane,
        boot,
        verifies: false,
        scans: false,
        divides: false,
        unpacks: false,
        diagnoses: false,
        inspects: false,
        restores: false,
    };
    all.push(("hello.hello".into(), encode(&hello).unwrap()));
    all.push(("hello.verifies".into(), encode(&Hello { verifies: true, ..hello.clone() }).unwrap()));
    all.push(("hello.scans".into(), encode(&Hello { scans: true, ..hello.clone() }).unwrap()));
    all.push(("hello.divides".into(), encode(&Hello { divides: true, ..hello.clone() }).unwrap()));
    all.push(("hello.unpacks".into(), encode(&Hello { unpacks: true, ..hello.clone() }).unwrap()));
    all.push(("hello.diagnoses".into(), encode(&Hello { diagnoses: true, ..hello.clone() }).unwrap()));
    all.push(("hello.inspects".into(), encode(&Hello { inspects: true, ..hello.clone() }).unwrap()));
    all.push(("hello.restores".into(), encode(&Hello { restores: true, ..hello }).unwrap()));
    let welcome = Welcome { wire: 1, version: "0.1.0".into(), generation: 3, leading: true };
    all.push(("welcome.welcome".into(), encode(&welcome).unwrap()));
    all
}

fn scan(delete: Option<BackupUid>) -> Scan {
    let known = vec![
        Known { backup: BackupUid::new("u-1"), attempt: None },
        Known { backup: BackupUid::new("u-2"), attempt: Some(1) },
    ];
    Scan { number: 3, places: vec![Place { spec: spec(), folders: vec!["daily".into()] }], known, delete }
}

fn scanned() -> Scanned {
    let found = |files, certified, first, kept: Option<&str>| Unnamed {
        backup: BackupUid::new("u-9"),
        attempt: 2,
        namespace: "br".into(),
        name: "nightly".into(),
        cluster: "7".into(),
        path: "s3://backups/daily-az1".into(),
        files,
        certified,
        snapshots: 3,
        gib: 300,
        first,
        kept: kept.map(str::to_owned),
    };
    let place = ScannedPlace {
        account: "123456789012".into(),
        region: "eu-west-1".into(),
        bucket: "backups".into(),
        snapshots: 12,
        found: vec![found(false, false, Some(Timestamp(1)), None), found(true, true, None, Some("certified"))],
        more: 1,
        volumes: vec![],
        unseen: vec!["files: denied".into()],
        deleted: Some(CleanReport { snapshots: 3, objects: 2, ..CleanReport::default() }),
    };
    let empty = ScannedPlace { account: "1".into(), region: "r".into(), bucket: "b".into(), ..ScannedPlace::default() };
    Scanned { number: 3, places: vec![place, empty], calls: 9 }
}
