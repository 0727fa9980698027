//! The coordinator's process: what it is, whether it leads, and whether it can work with what it was given.

use prometheus_client::{
    metrics::{gauge::Gauge, info::Info},
    registry::Registry,
};

/// Instruments of this process.
pub(super) struct Process {
    pub(super) leading: Gauge,
    pub(super) kinds_fit: Gauge,
    pub(super) unreadable: Gauge,
}

impl Process {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let all = Self { leading: Gauge::default(), kinds_fit: Gauge::default(), unreadable: Gauge::default() };
        shell::process::register(registry);
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("isochron_build", "The version that runs", build);
        registry.register(
            "isochron_leading",
            "1 while this process leads; of all replicas one does",
            all.leading.clone(),
        );
        registry.register(
            "isochron_custom_resources_fit",
            "1 while the API server keeps every field of ours; 0 on the old manager's definitions",
            all.kinds_fit.clone(),
        );
        registry.register(
            "isochron_configuration_unreadable",
            "1 while the configuration file cannot be read: the list of planes is an older one",
            all.unreadable.clone(),
        );
        all
    }
}
