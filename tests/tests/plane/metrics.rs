//! What a plane's metrics count of a backup.

use crate::{
    scenario,
    scripted::{Plane, ScriptedCoordinator},
};
use shared::wire::Order;
use std::collections::BTreeMap;
use tests::world::WorldConfig;

impl Plane {
    /// Every series as it stands now.
    pub(crate) fn metrics(&mut self) -> BTreeMap<String, f64> {
        let (registry, metrics, views) = self.told.as_mut().unwrap();
        metrics.shown(&views.borrow_and_update());
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
            .collect()
    }
}

#[test]
fn calls_and_leases_of_a_backup_are_counted() {
    scenario(WorldConfig::seeded(41), |world| async move {
        world.faults(|faults| faults.ec2.entry("az1".into()).or_default().throttle = 2);
        let mut hand = ScriptedCoordinator::covered(&world).await;
        let told = hand.planes[0].metrics();
        assert_eq!(told["isochron_plane_stores_held"], hand.prepared["az1"].stores.len() as f64);
        hand.snapshot().await;
        hand.confirm().await;
        hand.all(|_| Order::Release).await;
        hand.complete().await;
        let told = hand.planes[0].metrics();
        let calls = |action: &str, outcome: &str| {
            told[&format!(r#"isochron_plane_aws_calls_total{{action="{action}",outcome="{outcome}"}}"#)]
        };
        assert!(calls("CreateSnapshots", "Ok") > 0.0, "{told:#?}");
        assert!(calls("CreateSnapshotsDryRun", "Ok") > 0.0, "{told:#?}");
        assert!(calls("PutObject", "Ok") >= 3.0, "lock, clustermeta, backupmeta, certificate: {told:#?}");
        let throttled = told.iter().filter(|(name, _)| name.contains(r#"outcome="Throttled""#));
        assert_eq!(throttled.map(|(_, count)| count).sum::<f64>(), 2.0, "{told:#?}");
        assert_eq!(calls("DeleteSnapshot", "Ok"), 0.0, "nothing was deleted, and the series is there");
        let renewed = told[r#"isochron_plane_lease_renewals_total{outcome="Renewed"}"#];
        assert!(renewed > 0.0, "{told:#?}");
        assert_eq!(told[r#"isochron_plane_lease_renewals_total{outcome="Lapsed"}"#], 0.0);
        assert_eq!(told["isochron_plane_lease_left_seconds_count"], renewed);
        assert_eq!(
            told[r#"isochron_plane_lease_left_seconds_bucket{le="2.5"}"#], 0.0,
            "no lease was near its end: {told:#?}"
        );
        assert_eq!(told["isochron_plane_stores_held"], 0.0);
        assert_eq!(told["isochron_plane_connected"], 1.0);
    });
}
