//! Where a store's status port is. Only PD's list of stores says it, and only TiKV's client needs it, so both clients
//! of a plane share this.

use shared::ids::ClusterId;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// TiKV's default.
const DEFAULT_PORT: &str = "20180";

/// Address → status address, as PD listed them last. Holds one list per TiDB cluster of this plane, each replaced as a
/// whole, so it cannot grow with stores that come and go.
#[derive(Clone, Debug, Default)]
pub struct StatusAddresses(Arc<Mutex<BTreeMap<ClusterId, BTreeMap<String, String>>>>);

impl StatusAddresses {
    /// Replaces what is known of one cluster.
    pub fn note(&self, cluster: ClusterId, stores: BTreeMap<String, String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(cluster, stores);
    }

    /// `host:port` of the status port of the store at `address`: its own host always, because a store that was given
    /// no name says 0.0.0.0 or [::] there (`facts/topology.md` §4), and any other difference of hosts is settled the
    /// same way by BR (`facts/pd-tikv.md` §3.8). Only the port is taken from what PD listed.
    pub(crate) fn of(&self, address: &str) -> String {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let listed = known.values().find_map(|stores| stores.get(address));
        let port = listed.and_then(|status| status.rsplit_once(':')).map_or(DEFAULT_PORT, |(_, port)| port);
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_of_the_store_port_of_the_list() {
        let book = StatusAddresses::default();
        book.note(
            ClusterId(1),
            [
                ("db-tikv-0.peer.ns.svc:20160".to_owned(), "0.0.0.0:20181".to_owned()),
                ("[fd00::1]:20160".to_owned(), "[::]:20182".to_owned()),
                ("10.0.0.3:20160".to_owned(), String::new()),
            ]
            .into(),
        );
        assert_eq!(book.of("db-tikv-0.peer.ns.svc:20160"), "db-tikv-0.peer.ns.svc:20181");
        assert_eq!(book.of("[fd00::1]:20160"), "[fd00::1]:20182");
        assert_eq!(book.of("10.0.0.3:20160"), "10.0.0.3:20180");
        assert_eq!(book.of("10.0.0.4:20160"), "10.0.0.4:20180");
    }
}
