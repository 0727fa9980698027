//! Real QUIC in virtual time, every session of which is watched, between programs of this version and the one before.

use super::{
    calendar::Version,
    sessions::{Book, Watched},
};
use coordinator::{metrics::Metrics, ports::IncomingPlane};
use plane_actor::ports::Dialer;
use shared::{ids::PlaneId, wire::Hello};
use shell::{quic::DialError, tls::Credentials};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    sync::Arc,
    time::Duration,
};
use tests::{
    quic_net::{COORDINATOR, QuicNet},
    rig::Network,
};
use tokio::sync::mpsc;

/// As much as the coordinator's own gate.
const GATE: usize = 16;
/// A dial of somebody who should not be let in.
const TRY_LIMIT: Duration = Duration::from_secs(5);

pub(super) struct YearNet {
    pub(super) quic: QuicNet,
    pub(super) book: Book,
    coordinator: Cell<Version>,
    planes: RefCell<BTreeMap<String, Version>>,
}

impl YearNet {
    /// All programs are of the version before.
    pub(super) fn new(quic: QuicNet, planes: &[&str]) -> Self {
        quic.wire.keeps_nothing();
        let net =
            Self { quic, book: Book::default(), coordinator: Cell::new(Version::Earlier), planes: RefCell::default() };
        for plane in planes {
            net.plane_is(plane, Version::Earlier);
        }
        net
    }

    /// Planes that are linked.
    pub(super) fn linked(&self) -> usize {
        self.quic.monitor().map_or(0, |monitor| monitor.peers().len())
    }

    /// Is this one let in?
    pub(super) async fn tries(&self, credentials: Arc<Credentials>) -> Result<(), DialError> {
        let name = credentials.current().us.identity.name().to_owned();
        let hello = Hello::plain("year", PlaneId::new(name), "1");
        let client = self.quic.somebody(1, credentials);
        client.dial_plane(&[COORDINATOR.to_string()], None, &hello, TRY_LIMIT).await.map(drop)
    }

    /// From its next start on.
    pub(super) fn coordinator_is(&self, version: Version) {
        self.coordinator.set(version);
    }

    /// From its next start on.
    pub(super) fn plane_is(&self, plane: &str, version: Version) {
        self.quic.is_of_earlier_version(plane, version == Version::Earlier);
        self.planes.borrow_mut().insert(plane.to_owned(), version);
    }
}

impl crate::soak::Cuts for YearNet {
    fn cut(&self, plane: &str) {
        self.quic.cut(plane);
    }

    fn heal(&self, plane: &str) {
        self.quic.heal(plane);
    }
}

impl Network for YearNet {
    fn coordinator_up(&self, gate: mpsc::Sender<IncomingPlane>) {
        match self.coordinator.get() {
            Version::Present => self.quic.coordinator_up(gate),
            Version::Earlier => {
                let (inner, arrivals) = mpsc::channel(GATE);
                self.quic.coordinator_up(inner);
                tokio::spawn(unheard(arrivals, gate));
            }
        }
    }

    fn coordinator_tells(&self, metrics: &Arc<Metrics>) {
        self.quic.coordinator_tells(metrics);
    }

    fn coordinator_down(&self) {
        self.quic.coordinator_down();
    }

    fn plane_up(&self, plane: &str) -> Arc<dyn Dialer> {
        let version = self.planes.borrow().get(plane).copied().unwrap_or(Version::Present);
        Arc::new(Watched::new(self.quic.plane_up(plane), plane, version, self.book.clone()))
    }

    fn plane_down(&self, plane: &str) {
        self.quic.plane_down(plane);
    }
}

/// What a plane's `Hello` names beyond the first words, a coordinator of the version before does not hear.
async fn unheard(mut arrivals: mpsc::Receiver<IncomingPlane>, gate: mpsc::Sender<IncomingPlane>) {
    while let Some(mut incoming) = arrivals.recv().await {
        let hello = &mut incoming.hello;
        (hello.verifies, hello.scans, hello.divides) = (false, false, false);
        (hello.unpacks, hello.diagnoses, hello.inspects) = (false, false, false);
        if gate.send(incoming).await.is_err() {
            return;
        }
    }
}
