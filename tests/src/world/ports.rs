//! The world as a plane actor's ports.

use super::{
    World, pd_calls::PdCalls, port_connect, port_kube, port_marked, port_pd, port_placement, port_recovery, port_tikv,
};
use plane_actor::ports::{Dialer, Levels, MarkedConnect, Placement, PlaneView, Ports, RecoveryConnect, RestorePorts};
use std::sync::Arc;
use tokio::sync::watch;

impl World {
    /// What a plane actor of this plane is joined to; `dialer` is the way to the coordinator, which is no part of the
    /// world.
    pub fn plane_ports(&self, plane: &str, dialer: Arc<dyn Dialer>) -> Ports {
        let restore =
            RestorePorts { marked: self.marked(plane), recovery: self.recovery(), placement: self.placement(plane) };
        let (world, plane) = (self.clone(), plane.to_owned());
        let (wall, host) = (world.clone(), plane.clone());
        Ports {
            topology: Arc::new(port_kube::KubeDouble { world: world.clone(), plane: plane.clone() }),
            pd: Arc::new(port_pd::PdDouble { calls: PdCalls { world: world.clone(), plane: plane.clone() } }),
            tikv: Arc::new(port_tikv::TikvDial { world: world.clone() }),
            cloud: Arc::new(port_connect::CloudDouble { world: world.clone(), plane: plane.clone() }),
            ledger: Arc::new(port_kube::LedgerDouble { world, plane }),
            dialer,
            views: watch::Sender::new(PlaneView::default()),
            levels: Levels::default(),
            // What is logged and counted where many hosts share a process is nobody's own.
            logs: Arc::new(Vec::new),
            metrics: Arc::new(String::new),
            restore: Some(restore),
            wall: Arc::new(move || wall.wall_of(&host)),
        }
    }

    /// What a restore is joined to as well: TiKV in recovery mode.
    pub fn recovery(&self) -> Arc<dyn RecoveryConnect> {
        Arc::new(port_recovery::RecoveryDial { world: self.clone() })
    }

    /// PD with its mark, as this plane reaches it.
    pub fn marked(&self, plane: &str) -> Arc<dyn MarkedConnect> {
        Arc::new(port_marked::MarkedDial { world: self.clone(), plane: plane.to_owned() })
    }

    /// The API server of this plane, to be written to.
    pub fn placement(&self, plane: &str) -> Arc<dyn Placement> {
        Arc::new(port_placement::PlacementDouble { world: self.clone(), plane: plane.to_owned() })
    }
}
