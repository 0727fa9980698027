//! Why nothing came back: from a port that nobody listens on, from a network that drops UDP, or from nobody at all. QUIC itself
//! tells these apart from nothing but each other's silence.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpStream, UdpSocket},
    time::{Instant, timeout},
};

/// A round trip over any network that a barrier can use; asked of UDP, and then of TCP.
const ANSWER: Duration = Duration::from_millis(500);

/// What was found is told again this long: a plane dials every few seconds.
const KEPT: Duration = Duration::from_secs(60);

/// Addresses that are asked after one dial, all at once.
const MOST: usize = 4;

/// QUIC answers a version that it does not know with those that it does, to whomever (RFC 9000, 6): 1,200 bytes, the form of a
/// first packet, of a version that is kept for this (RFC 9000, 15).
fn packet() -> Vec<u8> {
    let mut packet = vec![0; 1200];
    let head = [0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 7, 6, 5, 4, 3, 2, 1];
    for (byte, said) in packet.iter_mut().zip(head) {
        *byte = said;
    }
    packet
}

/// What was found lately.
#[derive(Default)]
pub(super) struct Silences(Mutex<BTreeMap<SocketAddr, (Instant, &'static str)>>);

impl Silences {
    /// For people, a line for each of these addresses that said nothing; takes a second at the most.
    pub(super) async fn explain(&self, silent: &[SocketAddr]) -> Vec<String> {
        let told = |address: &SocketAddr, why: &str| format!("{address}: {why}");
        let lines = silent.iter().take(MOST).map(|address| async move {
            if let Some(why) = self.known(address) {
                return told(address, why);
            }
            let why = look(*address).await;
            self.keep(*address, why);
            told(address, why)
        });
        futures::future::join_all(lines).await
    }

    fn known(&self, address: &SocketAddr) -> Option<&'static str> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(address).filter(|(at, _)| at.elapsed() < KEPT).map(|(_, why)| *why)
    }

    /// Of what is dialled now: names may lead elsewhere tomorrow.
    fn keep(&self, address: SocketAddr, why: &'static str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (at, _)| at.elapsed() < KEPT);
        kept.insert(address, (Instant::now(), why));
    }
}

pub(in crate::quic) async fn look(address: SocketAddr) -> &'static str {
    match ask(address).await {
        Some(Ok(())) => {
            "UDP comes through both ways, and QUIC answers: it may be too busy to shake hands, or long datagrams are dropped on the way"
        }
        Some(Err(io::ErrorKind::ConnectionRefused)) => "the machine is there, and nobody listens on that UDP port",
        Some(Err(_)) => "this machine knows no way there",
        None => match timeout(ANSWER, TcpStream::connect(address)).await {
            // A machine that refuses is there.
            Ok(Ok(_)) => UDP_IS_DROPPED,
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => UDP_IS_DROPPED,
            Ok(Err(_)) | Err(_) => "neither UDP nor TCP comes through: is the address right, and the machine there?",
        },
    }
}

const UDP_IS_DROPPED: &str = "the machine is there and answers TCP, and no UDP: it is filtered on the way (a security group, a firewall, a \
     balancer without a listener for UDP)";

/// `None`: nothing came back.
async fn ask(address: SocketAddr) -> Option<Result<(), io::ErrorKind>> {
    let asked = async {
        let any = match address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any).await?;
        // The kernel then hands on what ICMP says of this address.
        socket.connect(address).await?;
        socket.send(&packet()).await?;
        socket.recv(&mut [0; 64]).await.map(drop)
    };
    timeout(ANSWER, asked).await.ok().map(|outcome| outcome.map_err(|error| error.kind()))
}
