//! Every kind of fault, its name in reports, and how often it is drawn against the others.

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:ident $name:literal $weight:literal,)*) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[doc = $doc])* $kind,)* }

        impl Kind {
            /// Every kind there is.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind,)*];

            /// Its name in reports.
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name,)* }
            }

            /// The one of this name.
            pub fn named(name: &str) -> Option<Kind> {
                Self::ALL.iter().copied().find(|kind| kind.name() == name)
            }

            /// How often it is drawn, against the sum of all weights.
            pub const fn weight(self) -> u32 {
                match self { $(Kind::$kind => $weight,)* }
            }
        }
    };
}

kinds! {
    // TiKV.
    /// The process ends and comes back: lease, streams and resolvers are gone.
    StoreRestart "store restart" 6,
    /// Nobody reaches the store for a while.
    StoreUnreachable "store unreachable" 4,
    /// Somebody else opens a prepare stream, with or without a lease of its own.
    LeaseTakenOver "lease taken over" 4,
    /// Somebody else ends the lease.
    LeaseFinished "lease finished by another" 3,
    /// Renewals do not arrive.
    RenewalsDropped "renewals dropped" 4,
    /// Renewals arrive and their answers do not.
    AnswersDropped "renewal answers dropped" 4,
    /// Applying takes longer.
    SlowApply "slow apply" 3,
    /// Elections take a store's leaders away, also under a lease.
    LeadersMove "leaders move" 6,
    /// The same, and the old leader does not hear of it: it answers wait-apply and lists what it led.
    StaleLeader "stale leader" 5,
    /// A merge is prepared before the leases and committed under them.
    MergeUnderLease "merge across the leases" 6,
    /// A region is split, and its child has no safe_ts while PD's minimum skips it.
    FreshSplit "fresh split without safe_ts" 6,
    /// Resolved ts stands still on a store.
    SafeTsStuck "safe_ts stuck" 2,
    /// Operators split, merge, move and ingest wherever leases let them.
    AdminStorm "admin storm" 4,
    /// PD lists a store that is in no plane.
    StoreJoins "store joins" 3,
    /// PD calls a store Offline.
    StoreOffline "store offline" 2,
    /// PD calls a store Disconnected.
    StoreDisconnected "store disconnected" 2,

    /// A store is restarted with its raft log on the node's own disk, which no snapshot holds.
    RaftElsewhere "raft log on a local disk" 2,
    /// A store is restarted as one whose prepare lease does not stop log compaction (6.5.8).
    Compacting "lease without log compaction" 2,

    // PD.
    /// Another member leads: pauses are forgotten, schedulers unknown for a while.
    PdLeader "pd leader change" 6,
    /// Some calls are answered with a 5xx.
    PdErrors "pd 5xx" 4,
    /// Calls take seconds.
    PdSlow "pd slow" 3,
    /// No member answers a plane.
    PdDown "pd down" 3,
    /// GC is past every safe point asked for; the refusal looks like success.
    SafePointRefused "safe point refused" 2,
    /// Somebody removes every safe point but TiDB's, and GC makes a round.
    SafePointRemoved "safe point removed" 3,
    /// GC makes a round.
    GcTick "gc round" 4,
    /// PD says 0.
    MinResolvedZero "min-resolved-ts 0" 2,
    /// PD says u64::MAX.
    MinResolvedMax "min-resolved-ts u64::MAX" 2,
    /// PD's minimum stands still.
    MinResolvedFrozen "min-resolved-ts frozen" 2,

    // AWS.
    /// Calls are refused with RequestLimitExceeded.
    Throttle "ec2 throttling" 5,
    /// A create call happens and its answer is lost.
    LostReply "create reply lost" 6,
    /// Only a part of a set is made, and the answer is lost.
    PartialSet "partial set" 4,
    /// A set ends in `error`, before or after the certificate, as pending time has it.
    SnapshotError "snapshot error" 5,
    /// Describes find new snapshots only much later.
    HiddenSnapshots "look-up finds nothing at first" 5,
    /// A create call takes seconds.
    SlowCreate "slow create" 5,
    /// A volume is attached to another instance.
    VolumeMoved "volume moved" 3,
    /// Somebody else's volume comes to a store's node, and goes again.
    ForeignVolume "foreign volume" 3,
    /// A permission is gone for a while.
    Ec2Denied "ec2 denied" 1,
    /// S3 does not answer for a while.
    S3Down "s3 down" 4,

    // Network and processes.
    /// Shorter than any lease.
    CutShort "cut, short" 5,
    /// Around the leases.
    CutMiddle "cut, as long as a lease" 4,
    /// Longer than every lease.
    CutLong "cut, long" 4,
    /// Orders arrive nowhere; answers do.
    CutDown "cut, orders only" 3,
    /// Answers arrive nowhere; orders do.
    CutUp "cut, answers only" 3,
    /// Frames take up to seconds.
    SlowNet "slow network" 3,
    /// `kill -9`, and back later.
    CoordinatorKilled "coordinator killed" 8,
    /// `kill -9`, and back at once.
    CoordinatorRestarted "coordinator restarted" 7,
    /// A second one leads while the first one does not know it.
    CoordinatorDeposed "coordinator deposed" 4,
    /// `kill -9`, and back later.
    PlaneKilled "plane killed" 8,
    /// `kill -9`, and back at once.
    PlaneRestarted "plane restarted" 7,
    /// SIGTERM to the coordinator: nothing new begins, what is under way ends well; back at once.
    CoordinatorSigterm "coordinator sigterm" 6,
    /// The same, and a second one soon: what is under way is aborted.
    CoordinatorSigtermTwice "coordinator sigterm, twice" 3,
    /// SIGTERM to a plane: it lets go, says so and ends; back at once.
    PlaneSigterm "plane sigterm" 6,
    /// Every process dies; planes come back first.
    EverybodyKilled "everybody killed" 2,

    // Control planes.
    /// Ledger writes happen and their answers are lost.
    LedgerAnswersLost "ledger answers lost" 5,
    /// The coordinator's ledger does not answer.
    LedgerDown "ledger down" 3,
    /// Statuses and finalizers cannot be written.
    ObjectsDown "objects down" 2,
    /// A plane's own ledger cannot be saved.
    PlaneLedgerDown "plane ledger down" 3,
    /// A wall clock jumps, back or forth.
    ClockJump "clock skew" 4,

    // People.
    /// Another spec is applied in the middle.
    SpecEdited "spec edited" 3,
    /// Labels and annotations are edited.
    Annotated "annotated" 2,
    /// The object is deleted in the middle.
    Deleted "deleted in the middle" 4,
    /// The backup is cancelled.
    Cancelled "cancelled" 3,
    /// A plane is given up.
    Abandoned "plane given up" 1,
    /// The object is copied under another name, with its status.
    ObjectCopiedWithStatus "object copied with status" 4,
    /// A tool replaces the object without its finalizers.
    FinalizerStripped "finalizer stripped" 3,
    /// Another `cleanPolicy`, mostly just before the object is deleted.
    PolicyEdited "policy edited" 3,
    /// A backup of the old manager is there: a finished one, or one that it was stopped in.
    OldManagersObject "old manager's object" 3,
    /// The coordinator's wall clock jumps by hours to a year; the API server's does not.
    ClockJumped "clock jump" 3,

    // The control plane as a whole.
    /// Its Kubernetes cluster is lost with everything in it.
    ControlPlaneLost "control plane lost" 2,
    /// The same, and a copy of it takes its place: the ledger as it was, the objects under new uids.
    ControlPlaneRestored "control plane restored" 4,
    /// Records or claims are gone, with a restored control plane or without.
    LedgerLostInPart "ledger lost in part" 3,
    /// A copy of the control plane, made within a barrier, takes its place once that backup has gone on to its end.
    LedgerFromBefore "ledger from before the end" 4,
    /// The CRD is deleted with every object.
    CrdTornDown "crd torn down" 3,
    /// The namespace is deleted with every object.
    NamespaceTornDown "namespace torn down" 2,
    /// Records that grow are refused, for good.
    LedgerRefusesBySize "ledger refuses by size" 3,
    /// Every object of the ledger gets a label, and so another version.
    ForeignLabelOnLedger "foreign label on ledger" 4,
}
