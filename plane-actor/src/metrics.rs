//! What Prometheus sees of a plane. Calls and leases are counted where actors make them, at the ports, so that whatever is
//! behind a port is counted alike.

mod budgets;
mod calls;
mod cloud;
mod holds;

use crate::ports::{Levels, PlaneView, Ports};
use budgets::Budgets;
use calls::Calls;
use holds::Leases;
use prometheus_client::{
    metrics::{gauge::Gauge, info::Info},
    registry::Registry,
};
use std::sync::Arc;

/// Every instrument of a plane, but those of its certificates.
#[derive(Clone, Debug)]
pub struct PlaneMetrics {
    connected: Gauge,
    distrusted: Gauge,
    stores: Gauge,
    alarms: Gauge,
    calls: Calls,
    leases: Leases,
    levels: Levels,
}

impl PlaneMetrics {
    /// All at zero.
    pub fn register(registry: &mut Registry) -> Self {
        shell::process::register(registry);
        let all = Self {
            connected: Gauge::default(),
            distrusted: Gauge::default(),
            stores: Gauge::default(),
            alarms: Gauge::default(),
            calls: Calls::register(registry),
            leases: Leases::register(registry),
            levels: Levels::default(),
        };
        registry.register_collector(Box::new(Budgets(all.levels.clone())));
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("isochron_plane_build", "The version that runs", build);
        registry.register(
            "isochron_plane_connected",
            "1 while a session to the coordinator is up",
            all.connected.clone(),
        );
        registry.register(
            "isochron_plane_coordinator_distrusted",
            "1 while a coordinator that answered is not believed: revoked, ended, of another CA or name",
            all.distrusted.clone(),
        );
        registry.register("isochron_plane_stores_held", "TiKV stores that are held now", all.stores.clone());
        registry.register(
            "isochron_plane_alarms",
            "Impossible states that attempts in memory have seen; must stay 0",
            all.alarms.clone(),
        );
        all
    }

    /// The same ports, counted.
    pub fn counted(&self, ports: Ports) -> Ports {
        Ports {
            cloud: Arc::new(cloud::Metered::new(ports.cloud, self.calls.clone())),
            tikv: Arc::new(holds::Metered::new(ports.tikv, self.leases.clone())),
            levels: self.levels.clone(),
            ..ports
        }
    }

    /// Where it is shown what is left of budgets.
    pub const fn levels(&self) -> &Levels {
        &self.levels
    }

    /// The plane showed itself.
    pub fn shown(&self, view: &PlaneView) {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.connected.set(i64::from(view.linked));
        self.stores.set(number(view.members.iter().map(|member| member.stores_held).sum()));
        self.alarms.set(number(view.members.iter().map(|member| member.alarms.len() as u64).sum()));
    }

    /// A coordinator that answered is not believed, or is again.
    pub fn distrusts(&self, distrusted: bool) {
        self.distrusted.set(i64::from(distrusted));
    }
}
