//! What stands between a plane and its coordinators: a balancer that pins a flow to one backend by its source port, a NAT
//! that forgets one.

use super::*;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};
use tokio::{net::UdpSocket, task::JoinHandle};

/// Longer than a datagram.
const BYTES: usize = 65_536;

/// The way to a backend of one source address.
struct Flow {
    backend: SocketAddr,
    out: Arc<UdpSocket>,
    back: JoinHandle<()>,
}

struct Balancer {
    front: Arc<UdpSocket>,
    flows: Mutex<BTreeMap<SocketAddr, Flow>>,
    /// The first flow goes to the first, each later one to the next, the last takes all others.
    backends: Vec<SocketAddr>,
}

impl Balancer {
    async fn start(backends: Vec<SocketAddr>) -> (Arc<Self>, String) {
        let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let at = front.local_addr().unwrap().to_string();
        let balancer = Arc::new(Self { front, flows: Mutex::default(), backends });
        let running = balancer.clone();
        tokio::spawn(async move {
            let mut bytes = vec![0; BYTES];
            while let Ok((count, from)) = running.front.recv_from(&mut bytes).await {
                let out = running.out(from).await;
                let _ = out.send(&bytes[..count]).await;
            }
        });
        (balancer, at)
    }

    fn known(&self, from: SocketAddr) -> Result<Arc<UdpSocket>, SocketAddr> {
        let flows = self.flows.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.backends[flows.len().min(self.backends.len() - 1)];
        flows.get(&from).map(|flow| flow.out.clone()).ok_or(next)
    }

    async fn out(&self, from: SocketAddr) -> Arc<UdpSocket> {
        match self.known(from) {
            Ok(out) => out,
            Err(backend) => self.pin(from, backend).await,
        }
    }

    async fn pin(&self, from: SocketAddr, backend: SocketAddr) -> Arc<UdpSocket> {
        let out = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        out.connect(backend).await.unwrap();
        let (front, heard) = (self.front.clone(), out.clone());
        let back = tokio::spawn(async move {
            let mut bytes = vec![0; BYTES];
            while let Ok(count) = heard.recv(&mut bytes).await {
                let _ = front.send_to(&bytes[..count], from).await;
            }
        });
        let flow = Flow { backend, out: out.clone(), back };
        self.flows.lock().unwrap_or_else(PoisonError::into_inner).insert(from, flow);
        out
    }

    /// Every flow goes on from another port, as behind a NAT that forgot it.
    async fn forget(&self) {
        let flows = std::mem::take(&mut *self.flows.lock().unwrap_or_else(PoisonError::into_inner));
        for (from, flow) in flows {
            flow.back.abort();
            self.pin(from, flow.backend).await;
        }
    }
}

#[tokio::test]
async fn the_next_dial_after_a_failed_one_may_reach_another_backend() {
    let mut world = world();
    // Takes what comes and never answers, as the address of a coordinator that has died.
    let dead = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (_balancer, at) = Balancer::start(vec![dead.local_addr().unwrap(), world.at]).await;
    let (servers, hello) = (vec![at], hello("a"));
    let client = world.client("plane-a");
    let short = Duration::from_millis(400);
    let failed = client.dial_plane(&servers, None, &hello, short).await;
    assert!(matches!(failed, Err(DialError::Unreachable(_))), "the first flow is pinned to the dead one");
    let (dialled, _link) = tokio::join!(client.dial_plane(&servers, None, &hello, LONG), async {
        world.plane_arrival().await.accept(&welcome(true)).unwrap()
    });
    dialled.expect("a fresh flow comes to the living one");
}

#[tokio::test]
async fn a_link_outlives_a_nat_that_forgets_it() {
    let mut world = world();
    let (balancer, at) = Balancer::start(vec![world.at]).await;
    let (servers, hello) = (vec![at], hello("a"));
    let client = world.client("plane-a");
    let (dialled, mut coordinator) = tokio::join!(client.dial_plane(&servers, None, &hello, LONG), async {
        world.plane_arrival().await.accept(&welcome(true)).unwrap()
    });
    let (mut plane, _) = dialled.unwrap();
    balancer.forget().await;
    for word in ["one", "two", "three"] {
        plane.tx.send(Bytes::from(word)).await.unwrap();
        assert_eq!(next(&mut coordinator).await.expect("the session goes on"), word);
        coordinator.tx.send(Bytes::from(word)).await.unwrap();
        assert_eq!(next(&mut plane).await.expect("both ways"), word);
    }
}
