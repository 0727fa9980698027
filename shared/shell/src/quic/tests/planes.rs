use super::*;

#[tokio::test]
async fn frames_keep_their_order_and_what_was_said_is_heard_before_the_end() {
    let mut world = world();
    let client = world.client("plane-a");
    let (plane, mut coordinator) = world.linked(&client, "a").await;
    assert_eq!(plane.peer, Identity::Coordinator("c".to_owned()));
    assert_eq!(coordinator.peer, Identity::Plane("a".to_owned()));
    assert!(!coordinator.serial.is_empty());
    let Link { tx, mut rx, .. } = plane;
    let said = tokio::spawn(async move {
        for number in 0_u32..500 {
            tx.send(Bytes::copy_from_slice(&number.to_be_bytes())).await.unwrap();
        }
        // A large one last: it is still on its way when the link is dropped.
        tx.send(Bytes::from(vec![7; MAX_FRAME_BYTES])).await.unwrap();
    });
    coordinator.tx.send(Bytes::from_static(b"down")).await.unwrap();
    assert_eq!(timeout(LONG, rx.recv()).await.unwrap().unwrap(), "down");
    drop(rx);
    for number in 0_u32..500 {
        assert_eq!(next(&mut coordinator).await.unwrap(), number.to_be_bytes().as_slice());
    }
    assert_eq!(next(&mut coordinator).await.unwrap().len(), MAX_FRAME_BYTES);
    assert_eq!(next(&mut coordinator).await, None);
    said.await.unwrap();
    drop(coordinator);
    timeout(LONG, async {
        while world.server.monitor().sessions() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the session's place is given back");
}

#[tokio::test]
async fn a_lost_end_is_seen_on_both_sides() {
    let mut world = world();
    let client = world.client("plane-a");
    let (mut plane, coordinator) = world.linked(&client, "a").await;
    drop(coordinator);
    assert_eq!(next(&mut plane).await, None);
    timeout(LONG, plane.tx.closed()).await.expect("sending ends as well");
}

#[tokio::test]
async fn the_bytes_of_a_frame() {
    let world = world();
    let (_endpoint, connection) = world.raw("plane-a", ALPN_PLANE).await.unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    let body = wire::encode(&hello("a")).unwrap();
    send.write_all(&u32::try_from(body.len()).unwrap().to_be_bytes()).await.unwrap();
    send.write_all(&body).await.unwrap();
    let mut world = world;
    let mut link = world.plane_arrival().await.accept(&welcome(true)).unwrap();
    link.tx.send(Bytes::from_static(b"abc")).await.unwrap();
    let expected = wire::encode(&welcome(true)).unwrap();
    let mut bytes = vec![0; 4 + expected.len() + 7];
    timeout(LONG, recv.read_exact(&mut bytes)).await.unwrap().unwrap();
    let mut golden = u32::try_from(expected.len()).unwrap().to_be_bytes().to_vec();
    golden.extend(expected);
    golden.extend(b"\0\0\0\x03abc");
    assert_eq!(bytes, golden);
    send.write_all(b"\0\0\0\x02up").await.unwrap();
    assert_eq!(next(&mut link).await.unwrap(), "up");
}

#[tokio::test]
async fn a_replica_that_does_not_lead_is_passed_over() {
    let mut world = world();
    let other = Server::bind(([127, 0, 0, 1], 0).into(), &world.credentials, Limits::default()).unwrap();
    let servers = vec![other.local_addr().unwrap().to_string(), world.at.to_string()];
    let only = vec![servers[0].clone()];
    let mut other = World { dir: authority(), credentials: world.credentials.clone(), at: world.at, server: other };
    let client = world.client("plane-a");
    let away = async {
        for _ in 0..2 {
            other.plane_arrival().await.turn_away(&welcome(false)).unwrap();
        }
    };
    let taken = async { world.plane_arrival().await.accept(&welcome(true)).unwrap() };
    let hello = hello("a");
    let dial = async {
        assert!(matches!(client.dial_plane(&only, None, &hello, LONG).await, Err(DialError::NotLeading(1))));
        client.dial_plane(&servers, None, &hello, LONG).await.unwrap()
    };
    let ((), _link, (_, welcome)) = tokio::join!(away, taken, dial);
    assert!(welcome.leading);
}

#[tokio::test]
async fn a_plane_speaks_only_for_itself() {
    let mut world = world();
    let refused = world.client("plane-a").dial_plane(&world.servers(), None, &hello("b"), LONG).await.unwrap_err();
    assert!(matches!(refused, DialError::Refused { close: Close::Identity, .. }), "{refused}");
    world.assert_nobody_came().await;
}

#[tokio::test]
async fn a_kind_speaks_only_its_own_protocol() {
    let mut world = world();
    let people = ["admin-ann", "operator-ann", "viewer-ann"].map(|who| (who, ALPN_PLANE));
    for (who, alpn) in people.into_iter().chain([("plane-a", ALPN_ADMIN)]) {
        let (_endpoint, connection) = world.raw(who, alpn).await.unwrap();
        assert_eq!(Close::of(&closed(&connection).await), Some(Close::Identity), "{who}");
    }
    assert!(world.raw("plane-a", b"h3").await.is_err(), "an unknown protocol does not even shake hands");
    world.assert_nobody_came().await;
}

#[tokio::test]
async fn wire_versions_without_an_overlap_are_refused() {
    let mut world = world();
    let client = world.client("plane-a");
    for wire in [0, WIRE_VERSION + 2, u16::MAX] {
        let hello = Hello { wire, ..hello("a") };
        let refused = client.dial_plane(&world.servers(), None, &hello, LONG).await.unwrap_err();
        assert!(matches!(refused, DialError::Refused { close: Close::WireVersion, .. }), "{wire}: {refused}");
    }
    world.assert_nobody_came().await;
    let newer = Hello { wire: WIRE_VERSION + 1, ..hello("a") };
    let servers = world.servers();
    let (dialled, arrived) = tokio::join!(client.dial_plane(&servers, None, &newer, LONG), async {
        let plane = world.plane_arrival().await;
        let wire = plane.wire;
        (plane.accept(&welcome(true)).unwrap(), wire)
    });
    assert_eq!(arrived.1, WIRE_VERSION, "a newer plane understands one back");
    dialled.unwrap();
}

#[test]
fn every_form_of_a_coordinators_address() {
    for (written, host, port) in [
        ("isochron.example.com:7443", "isochron.example.com", 7443),
        ("isochron.example.com", "isochron.example.com", 7443),
        ("isochron.example.com.:443", "isochron.example.com", 443),
        (" 10.0.0.7:7443 ", "10.0.0.7", 7443),
        ("10.0.0.7", "10.0.0.7", 7443),
        ("[fd00::7]:7444", "fd00::7", 7444),
        ("[fd00::7]", "fd00::7", 7443),
        ("fd00::7", "fd00::7", 7443),
    ] {
        assert_eq!(client::host_and_port(written), Some((host.to_owned(), port)), "{written:?}");
    }
    for bad in ["", ":7443", "host:", "host:port", "host:70000"] {
        assert_eq!(client::host_and_port(bad), None, "{bad:?}");
    }
}
