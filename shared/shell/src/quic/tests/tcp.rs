//! The way over TCP: the same frames, and nobody comes in who would not over QUIC.

use super::*;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Of a farewell.
const FAREWELL: u8 = 0xc1;

fn over_tcp(limits: Limits) -> World {
    let mut world = world_with(limits);
    world.at = world.server.also_over_tcp(([127, 0, 0, 1], 0).into(), &world.credentials).unwrap();
    world
}

async fn dial(world: &World, client: &Client, plane: &str) -> Result<(Link, Welcome), DialError> {
    client.dial_plane_over_tcp(&world.servers(), None, &hello(plane), LONG).await
}

async fn linked(world: &mut World, client: &Client, plane: &str) -> (Link, Link) {
    let (servers, hello) = (world.servers(), hello(plane));
    let accept = async { world.plane_arrival().await.accept(&welcome(true)).unwrap() };
    let (dialled, accepted) = tokio::join!(client.dial_plane_over_tcp(&servers, None, &hello, LONG), accept);
    (dialled.unwrap().0, accepted)
}

/// Below our own client, for what a well-behaved one never does.
async fn raw(world: &World, who: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let material = Credentials::load(files(world.dir.path(), who)).unwrap().current();
    let (tls, _) = material.client(ALPN_PLANE).unwrap();
    let stream = TcpStream::connect(world.at).await?;
    TlsConnector::from(Arc::new(tls)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

async fn say(stream: &mut TlsStream<TcpStream>, body: &[u8]) {
    stream.write_all(&u32::try_from(body.len()).unwrap().to_be_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream.flush().await.unwrap();
}

/// Everything until the other side has closed; `None`: it did not in time.
async fn rest(stream: &mut TlsStream<TcpStream>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    // What was broken off is as good as closed.
    timeout(LONG, stream.read_to_end(&mut bytes)).await.ok().map(|_| bytes)
}

/// The code of the farewell that ends it.
fn farewell(bytes: &[u8]) -> Option<Close> {
    let at = bytes.windows(5).rposition(|five| five[4] == FAREWELL)?;
    Close::of_number(u32::from(*bytes.get(at + 5)?))
}

async fn gone(world: &World) {
    timeout(LONG, async {
        while world.server.monitor().sessions() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the session's place is given back");
}

#[tokio::test]
async fn frames_keep_their_order_and_what_was_said_is_heard_before_the_end() {
    let mut world = over_tcp(Limits::default());
    let client = world.client("plane-a");
    let (plane, mut coordinator) = linked(&mut world, &client, "a").await;
    assert_eq!(plane.peer, Identity::Coordinator("c".to_owned()));
    assert_eq!(coordinator.peer, Identity::Plane("a".to_owned()));
    assert_eq!(client.linked()().map(|end| end.identity).as_deref(), Some("coordinator/c"));
    let Link { tx, mut rx, .. } = plane;
    let said = tokio::spawn(async move {
        for number in 0_u32..500 {
            tx.send(Bytes::copy_from_slice(&number.to_be_bytes())).await.unwrap();
        }
        // A large one last: it is still on its way when the link is dropped.
        tx.send(Bytes::from(vec![7; MAX_FRAME_BYTES])).await.unwrap();
        tx
    });
    coordinator.tx.send(Bytes::from_static(b"down")).await.unwrap();
    assert_eq!(timeout(LONG, rx.recv()).await.unwrap().unwrap(), "down");
    drop((said.await.unwrap(), rx));
    for number in 0_u32..500 {
        assert_eq!(next(&mut coordinator).await.unwrap(), number.to_be_bytes().as_slice());
    }
    assert_eq!(next(&mut coordinator).await.unwrap().len(), MAX_FRAME_BYTES);
    assert_eq!(next(&mut coordinator).await, None);
    gone(&world).await;
    client.shutdown().await;
}

#[tokio::test]
async fn the_bytes_of_a_session() {
    let mut world = over_tcp(Limits::default());
    let mut stream = raw(&world, "plane-a").await.unwrap();
    say(&mut stream, &wire::encode(&hello("a")).unwrap()).await;
    let mut link = world.plane_arrival().await.accept(&welcome(true)).unwrap();
    link.tx.send(Bytes::from_static(b"abc")).await.unwrap();
    let expected = wire::encode(&welcome(true)).unwrap();
    let mut golden = u32::try_from(expected.len()).unwrap().to_be_bytes().to_vec();
    golden.extend(expected);
    golden.extend(b"\0\0\0\x03abc");
    let mut bytes = vec![0; golden.len()];
    timeout(LONG, stream.read_exact(&mut bytes)).await.unwrap().unwrap();
    assert_eq!(bytes, golden);
    // A keep-alive between two frames is no frame.
    say(&mut stream, b"").await;
    say(&mut stream, b"up").await;
    assert_eq!(next(&mut link).await.unwrap(), "up");
    // Something is said although nobody has anything to say.
    let mut quiet = [1; 4];
    timeout(LONG, stream.read_exact(&mut quiet)).await.unwrap().unwrap();
    assert_eq!(quiet, [0; 4]);
    link.superseded.tell();
    let last = rest(&mut stream).await.unwrap();
    assert_eq!(farewell(&last), Some(Close::Superseded), "{last:?}");
}

#[tokio::test]
async fn a_lost_end_is_seen_on_both_sides() {
    let mut world = over_tcp(Limits::default());
    let client = world.client("plane-a");
    let (mut plane, coordinator) = linked(&mut world, &client, "a").await;
    drop(coordinator);
    assert_eq!(next(&mut plane).await, None);
    timeout(LONG, plane.tx.closed()).await.expect("sending ends as well");
}

/// A machine that is gone says no farewell.
#[tokio::test]
async fn a_peer_that_falls_silent_is_given_up() {
    let mut world = over_tcp(Limits::default());
    let mut stream = raw(&world, "plane-a").await.unwrap();
    say(&mut stream, &wire::encode(&hello("a")).unwrap()).await;
    let mut link = world.plane_arrival().await.accept(&welcome(true)).unwrap();
    let begun = tokio::time::Instant::now();
    assert_eq!(next(&mut link).await, None);
    let silent = begun.elapsed();
    assert!(silent >= IDLE_LIMIT - KEEP_ALIVE && silent < IDLE_LIMIT + KEEP_ALIVE, "{silent:?}");
    gone(&world).await;
}

#[tokio::test]
async fn strangers_and_others_names_are_not_let_in() {
    let mut world = over_tcp(Limits::default());
    let stranger = authority();
    let ca = world.dir.path().join("ca.crt");
    // Another authority, on either side.
    let theirs = Credentials::load(TlsFiles { ca, crl: None, ..files(stranger.path(), "plane-a") }).unwrap();
    let refused = dial(&world, &Client::new(theirs).unwrap(), "a").await.map(drop).unwrap_err();
    assert!(matches!(refused, DialError::Unreachable(_)), "{refused}");
    let ca = stranger.path().join("ca.crt");
    let ours = Credentials::load(TlsFiles { ca, crl: None, ..files(world.dir.path(), "plane-a") }).unwrap();
    let refused = dial(&world, &Client::new(ours).unwrap(), "a").await.map(drop).unwrap_err();
    assert!(matches!(refused, DialError::Distrusted { .. }), "{refused}");
    // Another's name.
    let refused = dial(&world, &world.client("plane-a"), "b").await.map(drop).unwrap_err();
    assert!(matches!(refused, DialError::Refused { close: Close::Identity, .. }), "{refused}");
    // A person.
    let refused = dial(&world, &world.client("admin-ann"), "a").await.map(drop).unwrap_err();
    assert!(matches!(refused, DialError::Refused { close: Close::Identity, .. }), "{refused}");
    // Nobody at all.
    let mut roots = rustls::RootCertStore::empty();
    let ca = <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_file(
        world.dir.path().join("ca.crt"),
    );
    roots.add(ca.unwrap()).unwrap();
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN_PLANE.to_vec()];
    let stream = TcpStream::connect(world.at).await.unwrap();
    let shaken = TlsConnector::from(Arc::new(tls)).connect(ServerName::try_from("localhost").unwrap(), stream).await;
    // The client's own handshake succeeds; the server's judgement comes after it.
    if let Ok(mut stream) = shaken {
        assert_eq!(rest(&mut stream).await.unwrap(), Vec::<u8>::new());
    }
    world.assert_nobody_came().await;
    assert_eq!(world.server.monitor().counts().let_in, 0);
}

#[tokio::test]
async fn a_revoked_serial_is_refused_anew_and_its_session_ends() {
    let mut world = over_tcp(Limits::default());
    let client = world.client("plane-a");
    let (mut plane, coordinator) = linked(&mut world, &client, "a").await;
    pki::revoke(world.dir.path(), &coordinator.serial).unwrap();
    assert!(world.credentials.reload().unwrap());
    assert_eq!(next(&mut plane).await, None, "the open session is closed");
    let refused = dial(&world, &client, "a").await.map(drop).unwrap_err();
    assert!(refused.to_string().to_lowercase().contains("revoked"), "{refused}");
}

#[tokio::test]
async fn a_revoked_coordinator_is_left_and_dialled_no_more() {
    let mut world = over_tcp(Limits::default());
    let credentials = Credentials::load(files(world.dir.path(), "plane-a")).unwrap();
    let client = Client::new(credentials.clone()).unwrap();
    let (mut plane, _coordinator) = linked(&mut world, &client, "a").await;
    // The thief reads no list; only the planes do.
    pki::revoke(world.dir.path(), &plane.serial).unwrap();
    assert!(credentials.reload().unwrap());
    assert_eq!(next(&mut plane).await, None, "the open link is closed");
    let refused = dial(&world, &client, "a").await.map(drop).unwrap_err();
    assert!(refused.to_string().contains("revoked by"), "{refused}");
    assert!(client.distrusted().borrow().is_some());
}

#[tokio::test]
async fn who_stalls_floods_or_says_nonsense_is_closed() {
    let mut world = over_tcp(Limits { handshakes: 3, handshakes_of_one: 2, waiting: 1, ..Limits::default() });
    // Nothing at all, and a byte of a length after the handshake.
    let mut mute = TcpStream::connect(world.at).await.unwrap();
    let mut slow = raw(&world, "plane-a").await.unwrap();
    slow.write_all(&[0]).await.unwrap();
    // One more of this source waits, and then there is no place for it.
    let _waits = TcpStream::connect(world.at).await.unwrap();
    timeout(LONG, async {
        while world.server.monitor().counts().handshakes_refused == 0 {
            drop(TcpStream::connect(world.at).await.unwrap());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("too many are refused");
    assert_eq!(farewell(&rest(&mut slow).await.unwrap()), Some(Close::HelloTimeout));
    assert_eq!(timeout(LONG, mute.read(&mut [0; 8])).await.unwrap().unwrap_or(0), 0);
    // A frame that is too large, before and after Hello, and one that is no Hello.
    for body in [vec![0xc0; HELLO_BYTES + 1], vec![0xc0; 10]] {
        let mut stream = raw(&world, "plane-a").await.unwrap();
        say(&mut stream, &body).await;
        assert_eq!(farewell(&rest(&mut stream).await.unwrap()), Some(Close::Protocol));
    }
    let mut stream = raw(&world, "plane-a").await.unwrap();
    say(&mut stream, &wire::encode(&hello("a")).unwrap()).await;
    let mut link = world.plane_arrival().await.accept(&welcome(true)).unwrap();
    stream.write_all(&u32::try_from(MAX_FRAME_BYTES + 1).unwrap().to_be_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    assert_eq!(next(&mut link).await, None);
    assert_eq!(farewell(&rest(&mut stream).await.unwrap()), Some(Close::Protocol));
}

#[tokio::test]
async fn a_replica_that_does_not_lead_or_refuses_says_so() {
    let mut world = over_tcp(Limits::default());
    let client = world.client("plane-a");
    let (servers, hello) = (world.servers(), hello("a"));
    let (dialled, ()) = tokio::join!(client.dial_plane_over_tcp(&servers, None, &hello, LONG), async {
        world.plane_arrival().await.turn_away(&welcome(false)).unwrap();
    });
    assert!(matches!(dialled, Err(DialError::NotLeading(1))));
    let (dialled, ()) = tokio::join!(client.dial_plane_over_tcp(&servers, None, &hello, LONG), async {
        world.plane_arrival().await.refuse("not in the list of planes");
    });
    let refused = dialled.map(drop).unwrap_err().to_string();
    assert!(refused.contains("not in the list of planes"), "{refused}");
    gone(&world).await;
}

/// One list of sessions and one bound for both ways.
#[tokio::test]
async fn a_plane_pushes_out_its_oldest_session_whichever_way_it_came() {
    let mut world = world_with(Limits { sessions_per_plane: 1, ..Limits::default() });
    let quic = world.at;
    let tcp = world.server.also_over_tcp(([127, 0, 0, 1], 0).into(), &world.credentials).unwrap();
    let client = world.client("plane-a");
    let (mut first, _first) = world.linked(&client, "a").await;
    world.at = tcp;
    let (mut second, _second) = linked(&mut world, &client, "a").await;
    assert_eq!(next(&mut first).await, None);
    world.at = quic;
    let (_third, _link) = world.linked(&client, "a").await;
    assert_eq!(next(&mut second).await, None);
    assert_eq!(world.server.monitor().counts().superseded, 2);
}

/// A plane that is linked over TCP asks whether QUIC comes through.
#[tokio::test]
async fn a_look_is_neither_a_session_nor_a_refusal() {
    let mut world = world();
    let tcp = world.server.also_over_tcp(([127, 0, 0, 1], 0).into(), &world.credentials).unwrap();
    let client = world.client("plane-a");
    let (mut plane, coordinator) = world.linked(&client, "a").await;
    let before = world.server.monitor().counts();
    assert!(client.comes_through(&world.servers(), None, LONG).await);
    assert!(!client.comes_through(&[tcp.to_string()], None, Duration::from_millis(300)).await);
    coordinator.tx.send(Bytes::from_static(b"still here")).await.unwrap();
    assert_eq!(next(&mut plane).await.unwrap(), "still here");
    assert_eq!(world.server.monitor().counts(), before);
}
