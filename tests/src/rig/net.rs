//! Links between planes and coordinator as QUIC would behave: a dead peer is noticed only after the idle limit, a short
//! cut delays frames and loses none, a longer one ends the link.

use super::Network;
use crate::bell::Bell;
use async_trait::async_trait;
use bytes::Bytes;
use coordinator::ports::{IncomingPlane, PortError as CoordinatorError};
use futures::FutureExt;
use plane_actor::ports::{Dialer, PortError};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use shared::{
    ids::PlaneId,
    wire::{Hello, WIRE_VERSION, Welcome},
};
use shell::link::{Identity, Link, pair};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};

/// `shell::quic::IDLE_LIMIT`.
const IDLE: Duration = Duration::from_secs(15);
/// A dial into nothing takes this long (`plane_actor::edge::quic`).
const DIAL_LIMIT: Duration = Duration::from_secs(5);

/// Direction of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// From the coordinator to a plane.
    Down,
    /// From a plane to the coordinator.
    Up,
}

/// Sees every frame when it is sent: the plane, the direction, the bytes.
pub type Tap = Arc<dyn Fn(&str, Way, &[u8]) + Send + Sync>;

struct Inner {
    gate: Option<mpsc::Sender<IncomingPlane>>,
    cut: BTreeSet<(String, Way)>,
    tap: Option<Tap>,
    random: SmallRng,
    delay: (u64, u64),
    boots: u64,
    /// Planes whose actors are of an earlier version.
    earlier: BTreeSet<String>,
}

/// Clones share one network.
#[derive(Clone)]
pub struct Net {
    inner: Arc<Mutex<Inner>>,
    changed: Bell,
}

impl Net {
    pub(super) fn new(seed: u64) -> Self {
        let inner = Inner {
            gate: None,
            cut: BTreeSet::new(),
            tap: None,
            random: SmallRng::seed_from_u64(seed ^ 0x6e65_7477),
            delay: (1, 8),
            boots: 0,
            earlier: BTreeSet::new(),
        };
        Self { inner: Arc::new(Mutex::new(inner)), changed: Bell::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From its next dial on this plane's actor is of a version that knows no `Verify`.
    pub fn is_of_earlier_version(&self, plane: &str) {
        self.lock().earlier.insert(plane.to_owned());
    }

    /// Cuts a plane off from the coordinator, both ways.
    pub fn cut(&self, plane: &str) {
        for way in [Way::Down, Way::Up] {
            self.cut_one_way(plane, way);
        }
    }

    /// Cuts one direction only; the other one carries on until both sides notice the silence.
    pub fn cut_one_way(&self, plane: &str, way: Way) {
        self.lock().cut.insert((plane.to_owned(), way));
        self.changed.ring();
    }

    /// Shows every frame to `tap` from now on.
    pub fn tap(&self, tap: Tap) {
        self.lock().tap = Some(tap);
    }

    /// Joins it again.
    pub fn heal(&self, plane: &str) {
        self.lock().cut.retain(|(cut, _)| cut != plane);
        self.changed.ring();
    }

    /// One way through the network takes this many milliseconds.
    pub fn delay(&self, from: u64, to: u64) {
        self.lock().delay = (from, to.max(from));
    }

    fn is_cut(&self, plane: &str, way: Way) -> bool {
        self.lock().cut.contains(&(plane.to_owned(), way))
    }

    fn draw(&self) -> Duration {
        let mut inner = self.lock();
        let (from, to) = inner.delay;
        Duration::from_millis(inner.random.random_range(from..=to))
    }

    /// Waits until the plane is not cut off; false if that took longer than the idle limit.
    async fn passes(&self, plane: &str, way: Way) -> bool {
        let mut changes = self.changed.listen();
        let end = Instant::now() + IDLE;
        while self.is_cut(plane, way) {
            if tokio::time::timeout_at(end, changes.rung()).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Carries frames one way, in order. When the sender vanishes the receiver learns it after the idle limit; when the
    /// link is cut for longer, both do.
    async fn carry(
        self,
        plane: String,
        way: Way,
        mut from: mpsc::Receiver<Bytes>,
        to: mpsc::Sender<Bytes>,
        (dead, closed): (Bell, Bell),
    ) {
        let (mut death, mut closed) = (dead.listen_back(), closed.listen_back());
        loop {
            let frame = tokio::select! {
                biased;
                () = death.rung() => return,
                frame = from.recv() => frame,
                () = self.silence(&plane, way) => None,
            };
            let Some(frame) = frame else { break };
            let tap = self.lock().tap.clone();
            if let Some(tap) = tap {
                tap(&plane, way, &frame);
            }
            sleep(self.draw()).await;
            if !self.passes(&plane, way).await || to.send(frame).await.is_err() {
                break;
            }
        }
        // The other side keeps its end for as long as QUIC would, unless it is told.
        if timeout(IDLE, closed.rung()).await.is_ok() {
            sleep(self.draw()).await;
        }
        dead.ring();
    }

    /// Ends once the plane has been cut off for the idle limit, also with nothing to send: keep-alives would notice.
    async fn silence(&self, plane: &str, way: Way) {
        let mut changes = self.changed.listen();
        loop {
            while !self.is_cut(plane, way) {
                changes.rung().await;
            }
            if !self.passes(plane, way).await {
                return;
            }
        }
    }
}

impl Network for Net {
    fn coordinator_up(&self, gate: mpsc::Sender<IncomingPlane>) {
        self.lock().gate = Some(gate);
    }

    fn coordinator_down(&self) {
        self.lock().gate = None;
    }

    fn plane_up(&self, plane: &str) -> Arc<dyn Dialer> {
        self.lock().boots += 1;
        Arc::new(SimDialer {
            net: self.clone(),
            plane: plane.to_owned(),
            boot: self.lock().boots,
            closed: Bell::default(),
        })
    }

    // Its ends of the links die with its `LocalSet`, and `carry` lets the other side notice late.
    fn plane_down(&self, _: &str) {}
}

/// A plane's way to the coordinator.
struct SimDialer {
    net: Net,
    plane: String,
    boot: u64,
    /// Its process ended in good order, so that the other side learns of it at once.
    closed: Bell,
}

#[async_trait]
impl Dialer for SimDialer {
    async fn dial(&self) -> Result<Link, PortError> {
        let gate = self.net.lock().gate.clone();
        let cut = self.net.is_cut(&self.plane, Way::Up) || self.net.is_cut(&self.plane, Way::Down);
        let (Some(gate), false) = (gate, cut) else {
            sleep(DIAL_LIMIT).await;
            return Err(PortError::Unavailable("nobody answers".to_owned()));
        };
        sleep(self.net.draw()).await;
        let plane = Identity::Plane(self.plane.clone());
        let coordinator = Identity::Coordinator("sim".to_owned());
        let (plane_end, near) = pair(plane.clone(), coordinator.clone());
        let (far, coordinator_end) = pair(plane, coordinator);
        let (told, welcomed) = oneshot::channel::<Welcome>();
        let earlier = self.net.lock().earlier.contains(&self.plane);
        let connecting = IncomingPlane {
            plane: PlaneId::new(self.plane.clone()),
            hello: Hello {
                wire: WIRE_VERSION,
                version: "sim".to_owned(),
                plane: PlaneId::new(self.plane.clone()),
                boot: self.boot.to_string(),
                verifies: !earlier,
                scans: !earlier,
                divides: !earlier,
                unpacks: !earlier,
                diagnoses: !earlier,
                inspects: !earlier,
                restores: !earlier,
            },
            answer: Box::new(move |answer| {
                async move {
                    let welcome = answer.map_err(CoordinatorError::Unavailable)?;
                    told.send(welcome).map_err(|_| CoordinatorError::Unavailable("the plane is gone".to_owned()))?;
                    Ok(coordinator_end)
                }
                .boxed()
            }),
        };
        let failed = |what: &str| PortError::Unavailable(what.to_owned());
        gate.send(connecting).await.map_err(|_| failed("the coordinator is gone"))?;
        let welcome = timeout(DIAL_LIMIT, welcomed).await.map_err(|_| failed("no answer"))?;
        if !welcome.map_err(|_| failed("refused"))?.leading {
            return Err(failed("not leading"));
        }
        let dead = Bell::default();
        let (net, name) = (self.net.clone(), self.plane.clone());
        let closed = self.closed.clone();
        tokio::spawn(net.clone().carry(name.clone(), Way::Up, near.rx, far.tx, (dead.clone(), closed.clone())));
        tokio::spawn(net.carry(name, Way::Down, far.rx, near.tx, (dead, closed)));
        Ok(plane_end)
    }

    async fn close(&self) {
        self.closed.ring();
    }
}
