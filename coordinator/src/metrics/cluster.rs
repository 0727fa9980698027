//! A TiDB cluster as metrics name it.

use prometheus_client::encoding::EncodeLabelSet;
use shared::barrier::Record;

/// As many as there are TiDB clusters, so these series stay: a backup that is deleted takes no history with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Cluster {
    pub(super) namespace: String,
    pub(super) tc: String,
}

impl Cluster {
    /// As the old manager wrote it: the names of all TidbClusters of a backup, in order.
    pub(super) fn of(record: &Record) -> Self {
        let mut names: Vec<_> = record.request.members.iter().map(|m| m.tc_name.clone()).collect();
        names.sort_unstable();
        Self { namespace: record.request.namespace.clone(), tc: names.join(",") }
    }
}
