//! What joins a coordinator and its planes on a rig.

use coordinator::{metrics::Metrics, ports::IncomingPlane};
use plane_actor::ports::Dialer;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Links between processes that start and die. A death is silent: the other side learns of it as over a real network,
/// from an idle limit or from a new process that answers in its place.
pub trait Network {
    /// A coordinator process starts; planes that reach it connect at `gate`.
    fn coordinator_up(&self, gate: mpsc::Sender<IncomingPlane>);

    /// What it tells of its sessions in its metrics.
    fn coordinator_tells(&self, _: &Arc<Metrics>) {}

    /// It dies. Called also when none runs.
    fn coordinator_down(&self);

    /// A plane's process starts: its way to the coordinator.
    fn plane_up(&self, plane: &str) -> Arc<dyn Dialer>;

    /// It dies. Called also when none runs.
    fn plane_down(&self, plane: &str);
}
