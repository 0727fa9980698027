//! A plane whose network drops UDP works over TCP, and goes back to QUIC once UDP comes through again and nothing is held. Real sockets,
//! so real time: some twenty seconds.

use crate::{PLANES, at, nothing_left, slow};
use coordinator::{edge, ports::IncomingPlane};
use plane_actor::{
    edge::{fallback::Fallback, quic::QuicDialer},
    ports::Dialer,
};
use serde_json::json;
use shared::{barrier::Milestone, ids::PlaneId};
use shell::{
    pki::{self, Kind},
    quic::{Client, Limits, Monitor, Server},
    tls::{Credentials, TlsFiles},
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tests::rig::{self, Network, Rig};
use tokio::{
    net::UdpSocket,
    sync::mpsc,
    task::AbortHandle,
    time::{sleep, timeout},
};

/// The plane whose datagrams are dropped.
const BEHIND: &str = "az2";
/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(120);
const TRUST_DOMAIN: &str = "loop";

/// Passes datagrams on, or drops all of them.
#[derive(Default)]
struct Wall {
    open: AtomicBool,
    passed: AtomicU64,
}

impl Wall {
    fn lets_through(&self) -> bool {
        let open = self.open.load(Ordering::Relaxed);
        self.passed.fetch_add(u64::from(open), Ordering::Relaxed);
        open
    }
}

/// Takes datagrams at its own address and sends them to `to`, each sender's from a port of its own.
async fn relay(front: UdpSocket, to: SocketAddr, wall: Arc<Wall>) {
    let front = Arc::new(front);
    let mut ways: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    let mut bytes = vec![0; 65_536];
    while let Ok((length, from)) = front.recv_from(&mut bytes).await {
        if !wall.lets_through() {
            continue;
        }
        let out = match ways.get(&from) {
            Some(out) => out.clone(),
            None => {
                let out = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
                out.connect(to).await.unwrap();
                ways.insert(from, out.clone());
                tokio::spawn(back(out.clone(), front.clone(), from, wall.clone()));
                out
            }
        };
        let _ = out.send(&bytes[..length]).await;
    }
}

async fn back(out: Arc<UdpSocket>, front: Arc<UdpSocket>, to: SocketAddr, wall: Arc<Wall>) {
    let mut bytes = vec![0; 65_536];
    while let Ok(length) = out.recv(&mut bytes).await {
        if wall.lets_through() {
            let _ = front.send_to(&bytes[..length], to).await;
        }
    }
}

struct Serving {
    quic: SocketAddr,
    tcp: SocketAddr,
    monitor: Monitor,
    task: AbortHandle,
}

/// Loopback. One plane's way over UDP goes through a wall.
struct Loopback {
    folder: tempfile::TempDir,
    wall: Arc<Wall>,
    serving: RefCell<Option<Serving>>,
}

impl Loopback {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        pki::init(folder.path(), TRUST_DOMAIN).unwrap();
        pki::issue(folder.path(), Kind::Coordinator, "main", &["127.0.0.1".to_owned()]).unwrap();
        for plane in PLANES {
            pki::issue(folder.path(), Kind::Plane, plane, &[]).unwrap();
        }
        Self { folder, wall: Arc::default(), serving: RefCell::default() }
    }

    fn credentials(&self, who: &str) -> Arc<Credentials> {
        let dir = self.folder.path();
        Credentials::load(TlsFiles {
            ca: dir.join("ca.crt"),
            cert: dir.join(format!("{who}.crt")),
            key: dir.join(format!("{who}.key")),
            crl: Some(dir.join("crl.pem")),
            trust_domain: TRUST_DOMAIN.to_owned(),
            identities: Vec::new(),
        })
        .unwrap()
    }

    fn monitor(&self) -> Monitor {
        self.serving.borrow().as_ref().unwrap().monitor.clone()
    }
}

impl Network for Loopback {
    fn coordinator_up(&self, gate: mpsc::Sender<IncomingPlane>) {
        let credentials = self.credentials("coordinator-main");
        let mut server = Server::bind(([127, 0, 0, 1], 0).into(), &credentials, Limits::default()).unwrap();
        let tcp = server.also_over_tcp(([127, 0, 0, 1], 0).into(), &credentials).unwrap();
        let (quic, monitor) = (server.local_addr().unwrap(), server.monitor());
        // Nobody asks for the console here.
        let (admins, _) = mpsc::channel(1);
        let task = tokio::spawn(edge::quic::serve(server, gate, admins)).abort_handle();
        self.serving.replace(Some(Serving { quic, tcp, monitor, task }));
    }

    fn coordinator_down(&self) {
        if let Some(serving) = self.serving.take() {
            serving.task.abort();
        }
    }

    fn plane_up(&self, plane: &str) -> Arc<dyn Dialer> {
        let serving = self.serving.borrow();
        let Serving { quic, tcp, .. } = serving.as_ref().unwrap();
        let client = Client::new(self.credentials(&format!("plane-{plane}"))).unwrap();
        let dialer = |at: SocketAddr| QuicDialer::new(client, vec![at.to_string()], None, PlaneId::from(plane));
        if plane != BEHIND {
            return Arc::new(dialer(*quic));
        }
        let front = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        front.set_nonblocking(true).unwrap();
        let at = front.local_addr().unwrap();
        tokio::spawn(relay(UdpSocket::from_std(front).unwrap(), *quic, self.wall.clone()));
        let (after, look_every) = (Duration::from_secs(1), Duration::from_millis(200));
        Arc::new(dialer(at).or_by(Fallback::new(vec![tcp.to_string()], after, look_every)))
    }

    fn plane_down(&self, _: &str) {}
}

#[test]
fn a_plane_whose_udp_is_dropped_makes_a_backup_over_tcp() {
    rig::run_in_real_time(slow(41), Loopback::new(), async |rig: Rc<Rig<Loopback>>| {
        let (monitor, wall) = (rig.net.monitor(), rig.net.wall.clone());
        rig.control.apply(&rig.manifest("")).unwrap();
        timeout(LONG, at(&rig, Milestone::Snapshotting)).await.unwrap();
        assert_eq!(wall.passed.load(Ordering::Relaxed), 0, "no datagram of {BEHIND} came through");
        assert_eq!(monitor.sessions(), PLANES.len());
        let shown = rig.ask(&json!({"ask": "planes"})).await.unwrap()["ok"].clone();
        let over =
            |plane: &str| shown.as_array().unwrap().iter().find(|row| row["plane"] == plane).unwrap()["over"].clone();
        assert_eq!((over(BEHIND), over("az1")), (json!("TCP"), json!("QUIC")), "{shown:#}");
        // UDP comes back in the middle of the hold, and is found to, some ten times.
        wall.open.store(true, Ordering::Relaxed);
        let before = monitor.counts();
        timeout(LONG, at(&rig, Milestone::Certified)).await.unwrap();
        assert!(wall.passed.load(Ordering::Relaxed) > 0, "it was looked whether UDP comes through");
        assert_eq!(monitor.counts(), before, "and no session began or ended under the hold");
        assert_eq!(rig.ended(LONG).await, "Complete", "{:?}", rig.failure());
        assert_eq!(rig.lies(), Vec::<String>::new());
        // Once nothing is under way the plane links over QUIC.
        let back = async {
            while monitor.counts().let_in == before.let_in {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(LONG, back).await.expect("it goes back to QUIC");
        wall.open.store(false, Ordering::Relaxed);
        let passed = wall.passed.load(Ordering::Relaxed);
        assert!(passed > 20, "a session over QUIC: {passed}");
        wall.open.store(true, Ordering::Relaxed);
        let margin = rig.world.smallest_margin().unwrap();
        println!("one plane over TCP: smallest margin of a store's lease {} ms of 10000", margin.0);
        nothing_left(&rig, "over TCP").await;
    });
}
