//! What the actors are told at start, for [`crate::run`].

pub use crate::budgets::{Bucket, Budgets, Quotas, VolumeQuotas};
pub use crate::user_tags::UserTags;
use serde_json::Value;
use shared::{backoff::Backoff, ids::PlaneId, time::Millis};

/// Between two dials. A plane without a link lets go after its lease of 15 s; the cap keeps several dials within it.
pub const REDIAL: Backoff = Backoff { first: Millis(500), cap: Millis(5_000) };

/// After the last create call whose outcome is unknown, cleaning looks again for this long: describes lag
/// (`facts/aws.md` A2: up to five minutes).
pub const CLEAN_QUIET: Millis = Millis::secs(300);

/// What the actors need to know.
#[derive(Clone)]
pub struct PlaneConfig {
    /// Our name: `k8sClusterName`.
    pub plane: PlaneId,
    /// Name of the plane's ledger where it has none yet: unlike any other.
    pub new_ledger: String,
    /// Quiet time of a clean after a create call whose outcome is unknown.
    pub clean_quiet: Millis,
    /// Planes that share this AWS account and region: each takes its part of EC2's budgets.
    pub sharing: u32,
    /// What EC2 allows this account.
    pub budgets: Budgets,
    /// How many snapshots they may have.
    pub quotas: Quotas,
    /// What they may have of volumes.
    pub volumes: VolumeQuotas,
    /// On every snapshot, besides ours.
    pub tags: UserTags,
    /// Snapshots bear their volumes' own tags as well, as room allows.
    pub copy_volume_tags: bool,
    /// All of it as it stands in the file, for who looks into what went wrong.
    pub whole: Value,
    /// Runs lease streams, their connections and their timers, apart from everything else; `None`: beside it (tests,
    /// simulation).
    pub lease_runtime: Option<tokio::runtime::Handle>,
    /// Runs what computes: lists of regions and what is asked of each. `None`: on the actors' thread (tests, simulation).
    pub work_runtime: Option<tokio::runtime::Handle>,
}

impl PlaneConfig {
    /// Defaults for a plane of this name.
    pub fn new(plane: impl Into<String>) -> Self {
        Self {
            plane: PlaneId::new(plane),
            new_ledger: String::new(),
            clean_quiet: CLEAN_QUIET,
            sharing: 1,
            budgets: Budgets::default(),
            quotas: Quotas::default(),
            volumes: VolumeQuotas::default(),
            tags: UserTags::default(),
            copy_volume_tags: true,
            whole: Value::Null,
            lease_runtime: None,
            work_runtime: None,
        }
    }
}
