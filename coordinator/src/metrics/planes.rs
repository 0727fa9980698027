//! Which planes there should be, and which are there.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPlane {
    plane: String,
}

/// One series per plane of the configuration, and per plane that is connected although it was taken from there.
#[derive(Default)]
pub(super) struct Planes {
    configured: Gauge,
    connected: Gauge,
    each: Family<OfPlane, Gauge>,
    drained: Family<OfPlane, Gauge>,
    superseded: Family<OfPlane, Counter>,
    told: Mutex<BTreeSet<String>>,
}

impl Planes {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("isochron_planes_configured", "Planes that the configuration names", self.configured.clone());
        registry.register("isochron_planes_connected", "Planes with a live session", self.connected.clone());
        registry.register(
            "isochron_session_up",
            "1 while this plane has a live session; 0 while it should have one",
            self.each.clone(),
        );
        registry.register(
            "isochron_planes_drained",
            "1 while no barrier is begun for this plane, by a person's word",
            self.drained.clone(),
        );
        registry.register(
            "isochron_sessions_superseded",
            "Live sessions of a plane whose place a newer one took; if it goes on, two plane actors share one certificate",
            self.superseded.clone(),
        );
    }

    pub(super) fn superseded(&self, plane: &str) {
        self.superseded.get_or_create(&OfPlane { plane: plane.to_owned() }).inc();
    }

    pub(super) fn are(&self, configured: &BTreeSet<String>, connected: BTreeSet<&str>) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.configured.set(number(configured.len()));
        self.connected.set(number(connected.len()));
        let mut now: BTreeSet<String> = configured.clone();
        now.extend(connected.iter().map(|plane| (*plane).to_owned()));
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for plane in told.difference(&now) {
            self.each.remove(&OfPlane { plane: plane.clone() });
            self.superseded.remove(&OfPlane { plane: plane.clone() });
        }
        for plane in &now {
            drop(self.superseded.get_or_create(&OfPlane { plane: plane.clone() }));
            self.each.get_or_create(&OfPlane { plane: plane.clone() }).set(connected.contains(plane.as_str()).into());
        }
        *told = now;
    }

    /// No barrier is begun for these, and for no others.
    pub(super) fn drained(&self, planes: &BTreeSet<&str>) {
        self.drained.clear();
        for plane in planes {
            self.drained.get_or_create(&OfPlane { plane: (*plane).to_owned() }).set(1);
        }
    }

    /// A session of this plane began or ended; `connected` are there now.
    pub(super) fn one(&self, plane: &str, configured: bool, up: bool, connected: usize) {
        self.connected.set(i64::try_from(connected).unwrap_or(i64::MAX));
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let series = OfPlane { plane: plane.to_owned() };
        if configured || up {
            told.insert(plane.to_owned());
            self.each.get_or_create(&series).set(up.into());
        } else {
            told.remove(plane);
            self.each.remove(&series);
        }
    }
}
