use super::*;
use crate::link::Role;
use quinn::VarInt;

async fn say(connection: &Connection, body: &[u8]) -> (quinn::SendStream, quinn::RecvStream) {
    let (mut send, recv) = connection.open_bi().await.unwrap();
    send.write_all(&u32::try_from(body.len()).unwrap().to_be_bytes()).await.unwrap();
    send.write_all(body).await.unwrap();
    (send, recv)
}

#[tokio::test]
async fn an_oversize_frame_ends_the_link() {
    let mut world = world();
    let (_endpoint, connection) = world.raw("plane-a", ALPN_PLANE).await.unwrap();
    let (mut send, _recv) = say(&connection, &wire::encode(&hello("a")).unwrap()).await;
    let mut link = world.plane_arrival().await.accept(&welcome(true)).unwrap();
    let announced = u32::try_from(MAX_FRAME_BYTES + 1).unwrap();
    send.write_all(&announced.to_be_bytes()).await.unwrap();
    assert_eq!(next(&mut link).await, None);
    assert_eq!(Close::of(&closed(&connection).await), Some(Close::Protocol));
    timeout(LONG, link.tx.closed()).await.unwrap();
}

#[tokio::test]
async fn a_first_frame_that_is_no_hello_or_too_large_is_refused() {
    let mut world = world();
    let large = Hello { version: "x".repeat(HELLO_BYTES), ..hello("a") };
    for body in [vec![0xc1; 10], wire::encode(&large).unwrap()] {
        let (_endpoint, connection) = world.raw("plane-a", ALPN_PLANE).await.unwrap();
        let _stream = say(&connection, &body).await;
        assert_eq!(Close::of(&closed(&connection).await), Some(Close::Protocol));
    }
    world.assert_nobody_came().await;
}

#[tokio::test]
async fn a_plane_that_says_nothing_is_closed() {
    let mut world = world();
    let (_endpoint, connection) = world.raw("plane-a", ALPN_PLANE).await.unwrap();
    // A byte of a length opens the stream, but is no Hello.
    let (mut send, _recv) = connection.open_bi().await.unwrap();
    send.write_all(&[0]).await.unwrap();
    assert_eq!(Close::of(&closed(&connection).await), Some(Close::HelloTimeout));
    world.assert_nobody_came().await;
}

#[tokio::test]
async fn a_plane_has_one_stream() {
    let mut world = world();
    let (_endpoint, connection) = world.raw("plane-a", ALPN_PLANE).await.unwrap();
    let _first = say(&connection, &wire::encode(&hello("a")).unwrap()).await;
    let _link = world.plane_arrival().await.accept(&welcome(true)).unwrap();
    assert!(timeout(Duration::from_millis(300), connection.open_bi()).await.is_err());
    assert!(timeout(Duration::from_millis(300), connection.open_uni()).await.is_err());
}

#[tokio::test]
async fn a_plane_that_dials_again_pushes_out_its_oldest() {
    let mut world = world_with(Limits { sessions_per_plane: 2, ..Limits::default() });
    let (a, b) = (world.client("plane-a"), world.client("plane-b"));
    let mut other = world.linked(&b, "b").await;
    let mut first = world.linked(&a, "a").await;
    let _second = world.linked(&a, "a").await;
    let mut third = world.linked(&a, "a").await;
    assert_eq!(next(&mut first.0).await, None);
    for links in [&mut third, &mut other] {
        links.0.tx.send(Bytes::from_static(b"up")).await.unwrap();
        assert_eq!(next(&mut links.1).await.unwrap(), "up");
    }
}

#[tokio::test]
async fn a_session_whose_place_a_newer_one_takes_is_told_so() {
    let mut world = world();
    let (_endpoint, connection) = world.raw("plane-a", ALPN_PLANE).await.unwrap();
    let _stream = say(&connection, &wire::encode(&hello("a")).unwrap()).await;
    let link = world.plane_arrival().await.accept(&welcome(true)).unwrap();
    link.superseded.tell();
    assert_eq!(Close::of(&closed(&connection).await), Some(Close::Superseded));
}

#[tokio::test]
async fn too_many_sessions_are_refused() {
    let mut world = world_with(Limits { sessions: 1, ..Limits::default() });
    let (a, b) = (world.client("plane-a"), world.client("plane-b"));
    let _links = world.linked(&a, "a").await;
    let refused = b.dial_plane(&world.servers(), None, &hello("b"), LONG).await.unwrap_err();
    assert!(matches!(refused, DialError::Refused { close: Close::Busy, .. }), "{refused}");
}

#[tokio::test]
async fn an_address_proves_itself_when_many_shake_hands() {
    let mut world = world_with(Limits { retry_above: 0, ..Limits::default() });
    let client = world.client("plane-a");
    let (plane, mut coordinator) = world.linked(&client, "a").await;
    plane.tx.send(Bytes::from_static(b"up")).await.unwrap();
    assert_eq!(next(&mut coordinator).await.unwrap(), "up");
    assert_eq!(world.server.monitor().counts().retried, 1);
}

#[tokio::test]
async fn too_many_handshakes_are_refused() {
    let mut world = world_with(Limits { handshakes: 1, waiting: 0, ..Limits::default() });
    let (_endpoint, silent) = world.raw("plane-a", ALPN_PLANE).await.unwrap();
    assert!(world.raw("plane-b", ALPN_PLANE).await.is_err(), "the only place is taken until Hello");
    assert_eq!(world.server.monitor().counts().handshakes_refused, 1);
    let _stream = say(&silent, &wire::encode(&hello("a")).unwrap()).await;
    world.plane_arrival().await.refuse("test");
    assert!(world.raw("plane-b", ALPN_PLANE).await.is_ok(), "and is free again after it");
}

/// Whoever fills one source's places, with whatever, keeps nobody else out.
#[tokio::test]
async fn a_source_that_stalls_leaves_room_for_others() {
    let places = Limits { handshakes: 4, handshakes_of_one: 3, ..Limits::default() };
    let mut world = world_with(places);
    let mut stalling = Vec::new();
    for _ in 0..3 {
        stalling.push(world.raw("plane-a", ALPN_PLANE).await.unwrap());
    }
    // One more of the same source has no turn.
    let client = world.client("plane-a");
    let late = client.dial_plane(&world.servers(), None, &hello("a"), Duration::from_millis(500)).await;
    assert!(late.is_err());
    // Another source has one at once.
    let endpoint = Endpoint::client(([127, 0, 0, 2], 0).into()).unwrap();
    let other = Client::on(endpoint, Credentials::load(files(world.dir.path(), "plane-b")).unwrap());
    let begun = tokio::time::Instant::now();
    let _links = world.linked(&other, "b").await;
    assert!(begun.elapsed() < HELLO_LIMIT / 2, "{:?}", begun.elapsed());
}

/// All planes dial at once when a coordinator takes over; one that is refused would come back later and later.
#[tokio::test]
async fn who_comes_while_many_shake_hands_waits_for_its_turn() {
    let mut world = world_with(Limits { handshakes: 1, ..Limits::default() });
    let (_endpoint, silent) = world.raw("plane-a", ALPN_PLANE).await.unwrap();
    let (client, servers, second) = (world.client("plane-b"), world.servers(), hello("b"));
    let dialling = tokio::spawn(async move { client.dial_plane(&servers, None, &second, LONG).await.map(drop) });
    // Long enough for the second dial to be there; a shorter time would prove less, and fail nothing.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let _stream = say(&silent, &wire::encode(&hello("a")).unwrap()).await;
    let _first = world.plane_arrival().await.accept(&welcome(true)).unwrap();
    let _second = world.plane_arrival().await.accept(&welcome(true)).unwrap();
    dialling.await.unwrap().unwrap();
    assert_eq!(world.server.monitor().counts().handshakes_refused, 0);
}

#[tokio::test]
async fn who_is_refused_learns_why() {
    let mut world = world();
    let client = world.client("plane-a");
    let (servers, hello) = (world.servers(), hello("a"));
    let (dialled, ()) = tokio::join!(client.dial_plane(&servers, None, &hello, LONG), async {
        world.plane_arrival().await.refuse("not in the list of planes");
    });
    let refused = dialled.unwrap_err().to_string();
    assert!(refused.contains("not in the list of planes"), "{refused}");
}

/// Everybody with a console is known by name and by what the certificate allows.
#[tokio::test]
async fn a_certificate_says_what_its_bearer_may_do() {
    let mut world = world();
    for (who, role) in [("viewer-ann", Role::Viewer), ("operator-ann", Role::Operator), ("admin-ann", Role::Admin)] {
        let console = world.client(who).dial_admin(&world.servers(), None, LONG).await.unwrap();
        let _answers = console.request(Bytes::from_static(b"status")).await.unwrap();
        let Incoming::Admin(request) = world.arrival().await else { panic!("a plane") };
        assert_eq!((request.identity.name(), request.identity.role()), ("ann", Some(role)), "{who}");
    }
}

#[tokio::test]
async fn an_admin_gets_a_stream_of_answers_for_each_request() {
    let mut world = world();
    let admin = world.client("admin-ann").dial_admin(&world.servers(), None, LONG).await.unwrap();
    let mut watch = admin.request(Bytes::from_static(b"watch")).await.unwrap();
    let mut show = admin.request(Bytes::from_static(b"show")).await.unwrap();
    let mut requests = std::collections::BTreeMap::new();
    for _ in 0..2 {
        let Incoming::Admin(request) = world.arrival().await else { panic!("a plane") };
        assert_eq!(request.identity, Identity::Admin("ann".to_owned()));
        requests.insert(request.body.clone(), request.reply);
    }
    let reply = requests.remove(b"watch".as_slice()).unwrap();
    for number in 0..3_u8 {
        reply.send(Bytes::from(vec![number])).await.unwrap();
        assert_eq!(timeout(LONG, watch.next()).await.unwrap().unwrap().unwrap(), [number].as_slice());
    }
    requests.remove(b"show".as_slice()).unwrap().send(Bytes::from_static(b"shown")).await.unwrap();
    assert_eq!(timeout(LONG, show.next()).await.unwrap().unwrap().unwrap(), "shown");
    assert!(timeout(LONG, show.next()).await.unwrap().is_none(), "one answer, then its end");
    drop(watch);
    timeout(LONG, reply.closed()).await.expect("the worker sees that nobody listens any more");
    drop(admin);
}

#[tokio::test]
async fn an_admin_waits_for_its_own_requests_and_no_longer() {
    let mut world = world_with(Limits { requests_per_admin: 1, ..Limits::default() });
    let admin = world.client("admin-ann").dial_admin(&world.servers(), None, LONG).await.unwrap();
    let first = admin.request(Bytes::from_static(b"1")).await.unwrap();
    let Incoming::Admin(one) = world.arrival().await else { panic!("a plane") };
    let second = timeout(Duration::from_millis(300), admin.request(Bytes::from_static(b"2"))).await;
    assert!(second.is_err(), "the stream of the first is still open");
    drop(admin);
    timeout(LONG, one.reply.closed()).await.expect("an admin that left is seen");
    drop(first);
}

#[test]
fn close_codes_are_what_peers_of_other_versions_know() {
    let codes: Vec<VarInt> = Close::ALL.iter().map(|close| close.code()).collect();
    assert_eq!(codes, (0..10_u32).map(VarInt::from_u32).collect::<Vec<_>>());
}
