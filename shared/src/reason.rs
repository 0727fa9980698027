//! The published table of reasons: every way in which a backup does not become Complete, in one word, with what a
//! person can do about it. Both `Invalid` and `Failed` take their reason from here (`design.md` §7).

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! is_passing {
    () => {
        false
    };
    (passes) => {
        true
    };
}

/// A row is a name, `passes` where a later attempt may not meet it again, and what a person can do.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident $($passes:ident)? => $action:literal,)*) => {
        /// Why something was refused, failed or ended. The name is what `status`, events and metrics show.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason { $($(#[doc = $doc])* $name,)* }

        impl Reason {
            /// Every reason there is, for the published table and for closed metric label sets.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];
            /// The one word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Reason::$name => stringify!($name),)* }
            }
            /// What it means, one sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Reason::$name => concat!($($doc),*),)* }
            }
            /// What a person should do next.
            pub const fn action(self) -> &'static str {
                match self { $(Reason::$name => $action,)* }
            }
            /// May an attempt that ended by it be followed by another, if the user allowed that (`retryWithin`)? What
            /// only a person can change does not pass. What a plane could not find or read may be an API server that
            /// did not answer, so it does.
            pub const fn is_passing(self) -> bool {
                match self { $(Reason::$name => is_passing!($($passes)?),)* }
            }
        }
    };
}

reasons! {
    // The spec can never work: phase Invalid.
    /// `spec.clusters` is empty.
    ClustersEmpty => "Name at least one Kubernetes cluster in spec.clusters.",
    /// The same k8sClusterName stands twice in `spec.clusters`.
    PlaneDuplicate => "Name each Kubernetes cluster once; all TiKV of a plane belong to one entry.",
    /// A k8sClusterName is not in the coordinator's list of planes.
    PlaneUnknown => "Correct k8sClusterName, or add the plane to the coordinator's configuration.",
    /// The coordinator's policy does not allow it.
    NotAllowed => "Use what the message names, or ask who runs the coordinator to allow it (policy in its configuration).",
    /// A required field of the spec is missing or malformed.
    SpecInvalid => "Correct the field that the message names and apply again.",
    /// `spec.template.br` is missing.
    BrMissing => "Add spec.template.br (it may be {}).",
    /// `spec.template.s3` is missing.
    S3Missing => "Add spec.template.s3 with provider, region, bucket and prefix.",
    /// Only S3 can hold the metadata of a volume-snapshot backup.
    StorageUnsupported => "Use spec.template.s3 with provider aws.",

    // The world is not ready: phase Failed, nothing was touched.
    /// A plane actor did not connect in time.
    PlaneNotConnected passes => "Check that the plane actor runs, its certificate is valid and port 7443/udp is open.",
    /// The TiDB cluster, its PD or its TiKV pods were not found in the plane.
    TidbClusterNotFound passes => "Check tcName and tcNamespace, and that the plane actor may read pods there.",
    /// The plane holds no TiKV store of this TiDB cluster.
    NoStores => "Remove the plane from spec.clusters, or check tcName.",
    /// Planes answered with different PD cluster ids.
    ClusterMismatch => "All entries of spec.clusters must be parts of one TiDB cluster; correct tcName.",
    /// A store that can hold data has not sent a heartbeat for a while, and did not come back while Preparing waited.
    StoreNotUp passes => "Bring the TiKV store up (or finish its removal) and back up again.",
    /// A store has started too recently for its safe_ts to be trusted, and Preparing could not wait that long.
    StoreJustStarted passes => "Wait a few minutes after the TiKV restart and back up again.",
    /// A store that can hold data belongs to no plane of the spec.
    StoreInNoPlane => "Add the Kubernetes cluster that runs this store to spec.clusters.",
    /// A store was claimed by two planes.
    StoreInTwoPlanes => "Two plane actors see the same TiKV; give each its own cluster domain or namespace.",
    /// A pod, PVC or PV of a store does not lead to an EBS volume, or TiKV keeps a directory of its data elsewhere.
    VolumeUnsupported => "All that TiKV keeps must lie on EBS volumes of its own (ebs.csi.aws.com, ebs.csi.eks.amazonaws.com or in-tree awsElasticBlockStore).",
    /// A volume is not attached to a running instance, or moved since it was prepared.
    VolumeMoved passes => "Wait until TiKV pods stay where they are, then back up again.",
    /// An instance has more foreign data volumes than one CreateSnapshots call can exclude (40).
    ExclusionsTooMany => "Move TiKV to nodes with at most 40 other data volumes, or allow ec2:CreateSnapshot where it has one volume a node.",
    /// The credentials that the spec names could not be read or obtained.
    CredentialsUnreadable passes => "Create or correct what the message names, in the TiDB cluster's namespace of that plane: a secret (keys access_key, secret_key) or a ServiceAccount with a role.",
    /// AWS does not accept the credentials: they are unknown, wrong or expired.
    CredentialsRefused => "Renew or correct the credentials that the message names, then back up again.",
    /// AWS does not accept the time of the plane's calls: the clock of the node is wrong.
    NodeClockWrong => "Correct the clock of the node that runs the plane actor (NTP), then back up again.",
    /// AWS or the plane's API server knows the caller, who lacks a permission.
    AccessDenied => "Grant the permission that the message names.",
    /// The bucket does not exist.
    BucketMissing => "Create the bucket, or correct spec.template.s3.bucket and region.",
    /// S3 could not be reached or does not accept objects.
    StorageUnavailable passes => "Check endpoint, region and network from the plane to S3.",
    /// Another backup's files are under this prefix.
    PrefixInUse => "Choose another spec.template.s3.prefix, or delete the backup that owns these files.",
    /// A TiKV or PD version lacks what a proven backup needs.
    VersionUnsupported => "Upgrade TiKV to 6.5.9+ (6.5 line), 7.5.1+ or 8.x.",
    /// TiKV runs an engine without the prepare call (partitioned-raft-kv).
    EngineUnsupported => "Volume snapshots need storage.engine raft-kv.",
    /// resolved-ts is disabled in TiKV or PD.
    ResolvedTsDisabled => "Set resolved-ts.enable = true and the report/persistence intervals above 0s.",
    /// The cluster is being restored from volume snapshots.
    ClusterRecovering passes => "Finish the restore first.",
    /// PD could not be reached or does not answer.
    PdUnavailable passes => "Check PD's address, TLS secret and health.",
    /// A TiKV store could not be reached.
    StoreUnavailable passes => "Check the store's address, TLS and network from the plane.",
    /// The EC2 API could not be reached or refused.
    Ec2Unavailable passes => "Check region, endpoint and network from the plane to EC2.",
    /// EC2's snapshot quota leaves no room.
    SnapshotQuota passes => "Delete snapshots that are in error or no longer needed, or raise the quota.",
    /// The plane works on as many attempts as it can.
    PlaneBusy passes => "Nothing; it may be tried again. If it repeats, see what the plane works on.",
    /// Preparation took too long.
    PrepareTimedOut passes => "See the plane that did not answer; try again.",
    /// The backup's record, with a certificate for every store and volume, does not fit into the coordinator's ledger, or the certificate not into messages and memory.
    TooLarge => "Use fewer volumes for each TiKV store, or fewer planes; the message says how large it would be.",
    /// A plane claims to have obeyed an epoch that was never granted.
    EpochImplausible => "Look into the plane's actor and its ledger: it is damaged, or not what it should be. The claim is unchanged.",
    /// Another backup of the same TiDB cluster holds the claim.
    ClaimTaken passes => "Wait for the other backup, or cancel it.",

    // The barrier ended badly: phase Failed, everything was let go.
    /// A region's safe_ts did not become fresh enough in time.
    SafeTsStuck passes => "Look for a long transaction or a stuck region; the message names it.",
    /// PD refused the service safe point: GC is already past it.
    SafePointRefused passes => "Lengthen tidb_gc_life_time or find what holds resolved ts back.",
    /// GC passed commitTs while snapshots were taken.
    GcPassed passes => "Lengthen tidb_gc_life_time; find who removed the service safe point.",
    /// Another client holds or took a store's prepare lease.
    StoreHeldByOther passes => "Another backup or restore tool uses this TiKV; stop it and back up again.",
    /// A store's hold was not unbroken.
    StoreHoldLost passes => "Check the network to the store, and whether TiKV restarted.",
    /// Regions reported by their leaders left a hole or an overlap.
    TilingBroken passes => "Regions were between leaders; try again, and look at the region that the message names.",
    /// Regions kept changing or waiting to apply under the holds.
    CoverageUnstable passes => "Try again when the cluster is calmer; the message names the region.",
    /// The set of stores changed during the barrier.
    StoresChanged passes => "Do not scale or restart TiKV during a backup; try again.",
    /// A plane was lost during the barrier.
    PlaneLost passes => "Check the plane actor and the network; try again.",
    /// The settle clock ran out.
    SettleTimedOut passes => "See which plane and region were slow; raise barrier.settleTimeout if they are healthy.",
    /// The reach clock ran out.
    ReachTimedOut passes => "See which store was slow; raise barrier.reachTimeout if it is healthy.",
    /// The hold clock ran out.
    HoldTimedOut passes => "See which instance was slow; raise barrier.holdTimeout if EC2 is healthy.",
    /// EC2 takes longer for all the calls than the stores may be held.
    HoldTooShort => "Raise barrier.holdTimeout, allow ec2:CreateSnapshot where it is missing, or have AWS raise the rate of CreateSnapshots and say so in aws.budgets.",
    /// EC2 refused a snapshot, or it ended in error.
    SnapshotFailed passes => "Read EC2's message; try again.",
    /// Evidence did not prove consistency.
    EvidenceBroken passes => "Try again; if it repeats, collect `coordinator console show NAME --output json`.",
    /// The coordinator restarted inside the barrier and not all planes had evidence.
    CoordinatorRestarted passes => "Try again.",
    /// A plane actor restarted, or was told to end, inside the barrier.
    PlaneRestarted passes => "Try again.",
    /// The plane's own lease from the coordinator ran out.
    PlaneLeaseExpired passes => "Check the network between plane and coordinator; try again.",
    /// The coordinator or a plane actor could not save its record.
    LedgerLost passes => "Check the API server (or disk) that the message names; it recovers by itself.",

    // A restore could not go on.
    /// EC2's quota of volumes leaves no room for those of a restore.
    VolumeQuota => "Delete volumes that nobody needs, or have AWS raise the quota that the message names; then restore again.",
    /// EC2 made no volume of a snapshot, or one that cannot be used.
    VolumeFailed => "Read EC2's message; a KMS key that may not be used shows as a volume in error, or as one that vanishes. Then restore again.",
    /// What a restore writes into Kubernetes has the name of something that is not its own.
    ObjectInTheWay => "Look at the object that the message names; delete it if nobody needs it, or restore into another cluster.",
    /// What planes found of the backup or of the target does not allow a restore.
    NotRestorable => "Mend what the message names; `coordinator console restore plan NAME` looks at the same without a restore.",
    /// The folder holds no certificate that says that the backup is consistent.
    BackupUnproven => "Name the folder of a proven backup, or set spec.allowUnproven: true to believe backupmeta alone; the restore's certificate then says so.",
    /// The folders of the planes hold different backups, or not all of one.
    BackupMismatch => "Name in spec.clusters each plane of the backup once, each with its own folder (prefix-k8sClusterName) of the same backup.",
    /// The plane does not restore: its version does not know how, or it was not given the rights.
    PlaneCannotRestore => "Bring the plane actor to the coordinator's version, and install its chart with restore.enabled: true.",
    /// A step of a restore took longer than it may.
    RestoreTimedOut => "See who is waited for; spec.timeouts lengthens a step.",
    /// Evidence did not prove that the cluster holds the backup.
    RestoreEvidenceBroken => "Do not use the cluster. Collect `coordinator console show NAME --output json` and restore again into a fresh one.",
    /// A restore is past the point up to which its steps may be repeated.
    RestoreOver => "Nothing: what was asked for comes from a coordinator that does not lead any more.",

    // Wishes and clean-up.
    /// A person cancelled the backup.
    Cancelled => "Nothing; everything was let go.",
    /// The object was deleted while the backup ran.
    Deleted => "Nothing; everything was let go and is being cleaned.",
    /// The object vanished while the backup ran, without having been deleted: its CRD or namespace went, or its finalizer was taken off.
    ObjectLost => "Nothing was kept yet and everything was let go. Apply a VolumeBackup of another name for a new backup; `coordinator console orphans` shows the record.",
    /// The old manager had begun this backup and was stopped before its end.
    LeftByOldManager => "Make a new backup. What this one left stays until the object is deleted, then cleanPolicy decides.",
    /// The object says that this backup ran, and the ledger has no record of it.
    RecordLost => "Restore the coordinator's ConfigMaps if there is a copy. Snapshots and files stay until the object is deleted, then cleanPolicy decides.",
    /// The record of this backup cannot be read by this version.
    RecordUnreadable => "Run the coordinator's version that wrote it, or a newer one.",
    /// Whether a person deleted the object, or its namespace or CRD is being torn down, cannot be known.
    DeletionUnclear => "Apply deploy/coordinator.yaml again: the coordinator may not read namespaces or the CRD.",
    /// The coordinator's record knows only the beginning of this attempt, and S3 holds its certificate: the ledger was restored from an earlier time.
    BackupProven => "Nothing is deleted. Restore the coordinator's ConfigMaps from a later time, or keep the backup by what lies in S3; deleting the object lets it go by cleanPolicy.",
    /// The coordinator's record says that this attempt is certified, and a plane has obeyed its bad end since: the ledger was restored from an earlier time.
    RecordOutdated => "Make a new backup, or restore the coordinator's ConfigMaps from a later time. What S3 still certifies is not deleted.",
    /// Something could not be deleted.
    CleanFailed => "Mend what the report names (a permission, a lock, an AMI), then restart that plane's plane actor or wait up to an hour. What passes by itself is tried again soon.",
    /// The plane lost its prepared state and must prepare anew.
    NotPrepared passes => "Nothing; the coordinator prepares anew.",
    /// A request under an epoch below the highest obeyed.
    EpochStale passes => "Nothing; a newer attempt is running.",
    /// The other program is of a newer version, and says what this one does not know.
    UnknownWord => "Bring coordinator and plane actors to one version; neighbouring ones work together (deploy/UPGRADE.md).",
    /// A fault in Isochron itself.
    Internal => "Please report it with `coordinator console show NAME --output json`.",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A reason with its particulars: what, where, and the values seen. The message never repeats the reason's word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Refusal {
    /// From the published table.
    pub reason: Reason,
    /// One or two sentences for a person, naming the object.
    pub message: String,
}

impl Refusal {
    /// A refusal with its particulars.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// What happened, and what a person can do about it.
    pub fn advice(&self) -> String {
        format!("{}. {}", self.message.trim_end_matches('.'), self.reason.action())
    }
}

/// At most `max` bytes of a text, cut between characters; what was cut is said to be.
pub fn cut(mut text: String, max: usize) -> String {
    const CUT: &str = " …";
    if text.len() > max {
        let end = (0..=max.saturating_sub(CUT.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str(CUT);
    }
    text
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

impl std::error::Error for Refusal {}
