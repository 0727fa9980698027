//! The list of targets.

use super::{configuration, console, ledger, manifests, plane, schedules, wire};

/// One decoder: what `tests/fuzz/corpus` calls it, and the function that judges it.
#[derive(Clone, Copy)]
pub struct Target {
    /// Also the name of its folder.
    pub name: &'static str,
    /// Was it read? Panics when a law is broken.
    pub run: fn(&[u8]) -> bool,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "wire_down", run: wire::down },
    Target { name: "wire_up", run: wire::up },
    Target { name: "wire_hello", run: wire::hello },
    Target { name: "record", run: ledger::record },
    Target { name: "claim", run: ledger::claim },
    Target { name: "note", run: ledger::note },
    Target { name: "certificate", run: ledger::certificate },
    Target { name: "plane_ledger", run: ledger::plane_ledger },
    Target { name: "config", run: configuration::file },
    Target { name: "environment", run: configuration::environment },
    Target { name: "contexts", run: configuration::contexts },
    Target { name: "cron", run: schedules::cron },
    Target { name: "duration", run: schedules::length },
    Target { name: "names", run: schedules::names },
    Target { name: "manifests", run: manifests::files },
    Target { name: "objects", run: manifests::objects },
    Target { name: "question", run: console::question },
    Target { name: "backupmeta", run: plane::backupmeta },
    Target { name: "clustermeta", run: plane::clustermeta },
    Target { name: "certified", run: plane::certified },
    Target { name: "lock", run: plane::lock },
    Target { name: "tikv_config", run: plane::tikv_config },
    Target { name: "tidb_cluster", run: plane::tidb_cluster },
];
