//! The ways between planes and coordinator: direct, or such as a test can cut.

use super::environment::Environment;
use crate::servers::{
    forward::Forward,
    namespace::{Namespace, Wire},
    ports,
    relay::Relay,
};
use anyhow::{Result, bail};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

/// How planes reach the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// As it listens.
    Direct,
    /// Each through a relay of its own.
    Relayed,
    /// Each by a wire of its own to the coordinator's network namespace. The number tells rigs apart.
    Wired(u8),
}

/// Wires of one rig: one for every plane, and the office's.
const WIRES: u8 = 8;

/// All ways to one coordinator, laid before it starts.
#[derive(Debug)]
pub struct Ways {
    /// The coordinator's QUIC address, for consoles.
    pub quic: SocketAddr,
    /// Likewise for HTTP.
    pub http: SocketAddr,
    planes: Vec<Way>,
    elsewhere: Option<Elsewhere>,
}

#[derive(Debug)]
enum Way {
    Relay(Relay),
    Wire(Wire),
}

/// The coordinator's network, where it has one of its own.
#[derive(Debug)]
struct Elsewhere {
    namespace: Namespace,
    /// Never cut: to the API server, and from consoles and probes.
    office: Wire,
    _api: Forward,
}

impl Ways {
    /// For so many planes. The coordinator's kubeconfig is changed where it has to ask another address.
    pub async fn lay(environment: &Environment, reach: Reach, planes: usize, kubeconfig: &Path) -> Result<Self> {
        let elsewhere = match reach {
            Reach::Wired(number) => Some(Elsewhere::make(environment, number * WIRES, kubeconfig).await?),
            Reach::Direct | Reach::Relayed => None,
        };
        let host = elsewhere.as_ref().map_or(Ipv4Addr::LOCALHOST, |elsewhere| elsewhere.office.there());
        let address = || anyhow::Ok(SocketAddr::from((host, ports::free()?)));
        let mut ways = Self { quic: address()?, http: address()?, planes: Vec::new(), elsewhere };
        for number in 1..=u8::try_from(planes)? {
            match (reach, &ways.elsewhere) {
                (Reach::Relayed, _) => ways.planes.push(Way::Relay(Relay::to(ways.quic).await?)),
                (Reach::Wired(rig), Some(elsewhere)) => {
                    ways.planes.push(Way::Wire(elsewhere.namespace.wire(rig * WIRES + number).await?));
                }
                _ => {}
            }
        }
        Ok(ways)
    }

    /// Every address of the coordinator's, for its certificate.
    pub fn hosts(&self) -> Vec<String> {
        let wires = self.planes.iter().filter_map(|way| match way {
            Way::Relay(_) => None,
            Way::Wire(wire) => Some(wire.there().into()),
        });
        std::iter::once(self.quic.ip()).chain(wires).map(|host| host.to_string()).collect()
    }

    /// Where the coordinator listens for QUIC.
    pub fn listen(&self) -> SocketAddr {
        match &self.elsewhere {
            Some(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, self.quic.port())),
            None => self.quic,
        }
    }

    /// What the coordinator's command line begins with.
    pub fn prefix(&self) -> Option<[String; 2]> {
        self.elsewhere.as_ref().map(|elsewhere| elsewhere.namespace.prefix())
    }

    /// What a plane dials.
    pub fn dialled(&self, plane: usize) -> SocketAddr {
        match self.planes.get(plane) {
            None => self.quic,
            Some(Way::Relay(relay)) => relay.address,
            Some(Way::Wire(wire)) => SocketAddr::from((wire.there(), self.quic.port())),
        }
    }

    /// Loses what goes from a plane to the coordinator (`up`), and back (`down`), from now on.
    pub async fn cut(&self, plane: usize, up: bool, down: bool) -> Result<()> {
        match self.planes.get(plane) {
            None => bail!("plane {plane} has no way of its own"),
            Some(Way::Relay(relay)) => {
                relay.cut(up, down);
                Ok(())
            }
            Some(Way::Wire(wire)) => wire.cut(up, down).await,
        }
    }

    /// Pulls a plane's wire, or puts it back.
    pub async fn plug(&self, plane: usize, plugged: bool) -> Result<()> {
        match self.planes.get(plane) {
            Some(Way::Wire(wire)) => wire.plug(plugged).await,
            _ => bail!("plane {plane} has no wire"),
        }
    }
}

impl Elsewhere {
    async fn make(environment: &Environment, office: u8, kubeconfig: &Path) -> Result<Self> {
        let namespace = Namespace::make().await?;
        let office = namespace.wire(office).await?;
        let api = Forward::from(office.here(), environment.kube.address()).await?;
        environment.kube.redirect(kubeconfig, api.address)?;
        Ok(Self { namespace, office, _api: api })
    }
}
