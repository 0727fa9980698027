use super::*;
use crate::{
    clock::system_wall,
    expiry::{Kind as Ends, days_left},
    pki::issue_at,
};
use rustls::{
    NamedGroup,
    client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue},
    pki_types::ServerName,
    version::TLS13,
};
use shared::time::{Millis, Timestamp};

#[tokio::test]
async fn another_ca_is_a_stranger() {
    let mut world = world();
    let stranger = authority();
    // It believes us, we do not believe it.
    let credentials = Credentials::load(TlsFiles {
        ca: world.dir.path().join("ca.crt"),
        crl: None,
        ..files(stranger.path(), "plane-a")
    });
    let client = Client::new(credentials.unwrap()).unwrap();
    let refused = client.dial_plane(&world.servers(), None, &hello("a"), LONG).await.unwrap_err();
    assert!(matches!(refused, DialError::Unreachable(_)), "{refused}");
    world.assert_nobody_came().await;
    // We would believe it, it does not believe us.
    let credentials = Credentials::load(TlsFiles {
        ca: stranger.path().join("ca.crt"),
        crl: None,
        ..files(world.dir.path(), "plane-a")
    });
    let client = Client::new(credentials.unwrap()).unwrap();
    assert!(client.dial_plane(&world.servers(), None, &hello("a"), LONG).await.is_err());
    world.assert_nobody_came().await;
}

#[tokio::test]
async fn a_coordinator_of_another_name_is_not_ours() {
    let mut world = world();
    let client = world.client("plane-a");
    let refused = client.dial_plane(&world.servers(), Some("elsewhere.test"), &hello("a"), LONG).await.unwrap_err();
    assert!(
        refused.to_string().contains("elsewhere.test") || matches!(refused, DialError::Unreachable(_)),
        "{refused}"
    );
    world.assert_nobody_came().await;
}

#[tokio::test]
async fn without_a_certificate_nobody_is_let_in() {
    let mut world = world();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    let ca = <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_file(
        world.dir.path().join("ca.crt"),
    );
    roots.add(ca.unwrap()).unwrap();
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN_PLANE.to_vec()];
    // The client's own handshake succeeds; the server's judgement comes after it.
    if let Ok((_endpoint, connection)) = raw_with(tls, world.at).await {
        let error = closed(&connection).await;
        assert!(matches!(error, quinn::ConnectionError::ConnectionClosed(_)), "{error}");
    }
    world.assert_nobody_came().await;
}

#[tokio::test]
async fn a_certificate_that_has_ended_lets_nobody_in() {
    const LONG_AGO: Millis = Millis::secs(500 * 24 * 3600);
    let mut world = world();
    let then = Timestamp(system_wall().0 - i64::try_from(LONG_AGO.0).unwrap());
    issue_at(world.dir.path(), pki::Kind::Plane, "late", &[], then).unwrap();
    // A program would not begin with it, so it is one that has been running, or somebody else's.
    let refused = match Credentials::load(TlsFiles { crl: None, ..files(world.dir.path(), "plane-late") }) {
        Ok(credentials) => {
            let client = Client::new(credentials).unwrap();
            client.dial_plane(&world.servers(), None, &hello("late"), LONG).await.unwrap_err().to_string()
        }
        Err(error) => error.to_string(),
    };
    world.assert_nobody_came().await;
    assert!(!refused.is_empty());
}

#[tokio::test]
async fn a_revoked_serial_is_refused_anew_and_its_session_ends() {
    let mut world = world();
    let (a, b) = (world.client("plane-a"), world.client("plane-b"));
    let (mut plane_a, coordinator_a) = world.linked(&a, "a").await;
    let (mut plane_b, mut coordinator_b) = world.linked(&b, "b").await;
    pki::revoke(world.dir.path(), &coordinator_a.serial).unwrap();
    assert!(world.credentials.reload().unwrap());
    assert_eq!(next(&mut plane_a).await, None, "the open session is closed");
    let refused = a.dial_plane(&world.servers(), None, &hello("a"), LONG).await.unwrap_err();
    assert!(refused.to_string().to_lowercase().contains("revoked"), "{refused}");
    // The other plane's session lives on.
    coordinator_b.tx.send(Bytes::from_static(b"down")).await.unwrap();
    assert_eq!(next(&mut plane_b).await.unwrap(), "down");
    plane_b.tx.send(Bytes::from_static(b"up")).await.unwrap();
    assert_eq!(next(&mut coordinator_b).await.unwrap(), "up");
}

#[tokio::test]
async fn a_renewed_certificate_is_used_without_dropping_a_session() {
    let mut world = world();
    let b = world.client("plane-b");
    let (mut old, coordinator) = world.linked(&b, "b").await;
    let before = old.serial.clone();
    for file in ["coordinator-c.crt", "coordinator-c.key"] {
        std::fs::remove_file(world.dir.path().join(file)).unwrap();
    }
    pki::issue(world.dir.path(), Kind::Coordinator, "c", &["127.0.0.1".to_owned()]).unwrap();
    assert!(world.credentials.reload().unwrap());
    // `follow` applies it in its own task.
    let renewed = timeout(LONG, async {
        loop {
            let (link, _other) = world.linked(&b, "b").await;
            if link.serial != before {
                return link.serial;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert_ne!(renewed.await.unwrap(), before);
    coordinator.tx.send(Bytes::from_static(b"still here")).await.unwrap();
    assert_eq!(next(&mut old).await.unwrap(), "still here");
}

/// A plane's renewal neither ends its link nor waits for its end: it is told that a new link would be better.
#[tokio::test]
async fn a_plane_learns_that_its_link_shows_an_old_certificate() {
    let mut world = world();
    let credentials = Credentials::load(files(world.dir.path(), "plane-a")).unwrap();
    let client = Client::new(credentials.clone()).unwrap();
    let (mut plane, coordinator) = world.linked(&client, "a").await;
    let short = Duration::from_millis(50);
    assert!(timeout(short, client.outdated()).await.is_err(), "nothing was renewed");
    let renewed = pki::renew(world.dir.path(), Kind::Plane, "a", system_wall()).unwrap();
    assert_eq!(renewed.old.serial, coordinator.serial);
    assert!(credentials.reload().unwrap());
    timeout(LONG, client.outdated()).await.unwrap();
    coordinator.tx.send(Bytes::from_static(b"still here")).await.unwrap();
    assert_eq!(next(&mut plane).await.unwrap(), "still here");
    let (_plane, coordinator) = world.linked(&client, "a").await;
    assert_eq!(coordinator.serial, renewed.new.serial);
    assert!(timeout(short, client.outdated()).await.is_err(), "and now it shows the new one");
}

/// Counts the tickets that a server hands out.
#[derive(Debug, Default)]
struct Tickets(std::sync::atomic::AtomicUsize);

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }
    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}
    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }
    fn remove_tls12_session(&self, _: &ServerName<'static>) {}
    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}

/// A resumed session would be judged by nobody (`facts/tech.md` §2), so a client that wants one gets no ticket.
#[tokio::test]
async fn no_session_can_be_resumed() {
    let mut world = world();
    let material = Credentials::load(files(world.dir.path(), "plane-a")).unwrap().current();
    let tickets = Arc::new(Tickets::default());
    let (mut tls, _) = material.client(ALPN_PLANE).unwrap();
    tls.resumption = Resumption::store(tickets.clone());
    let (_endpoint, connection) = raw_with(tls, world.at).await.unwrap();
    let frame = wire::encode(&hello("a")).unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    send.write_all(&u32::try_from(frame.len()).unwrap().to_be_bytes()).await.unwrap();
    send.write_all(&frame).await.unwrap();
    let _link = world.plane_arrival().await.accept(&welcome(true)).unwrap();
    // Tickets leave with the end of the handshake, before this.
    recv.read_exact(&mut [0; 4]).await.unwrap();
    assert_eq!(tickets.0.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_plane_cannot_pose_as_the_coordinator() {
    let mut world = world();
    let dir = world.dir.path();
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let ca = rcgen::Issuer::from_ca_cert_pem(&read("ca.crt"), rcgen::KeyPair::from_pem(&read("ca.key")).unwrap());
    // What another authority might issue: a plane that may also serve.
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.subject_alt_names.push(rcgen::SanType::URI("spiffe://test/plane/b".try_into().unwrap()));
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let cert = params.signed_by(&key, &ca.unwrap()).unwrap();
    std::fs::write(dir.join("posing.crt"), cert.pem()).unwrap();
    std::fs::write(dir.join("posing.key"), key.serialize_pem()).unwrap();
    let posing = Credentials::load(files(dir, "posing")).unwrap();
    world.server = Server::bind(([127, 0, 0, 1], 0).into(), &posing, Limits::default()).unwrap();
    world.at = world.server.local_addr().unwrap();
    let refused = world.client("plane-a").dial_plane(&world.servers(), None, &hello("a"), LONG).await.unwrap_err();
    assert!(refused.to_string().contains("plane/b, no coordinator"), "{refused}");
}

/// A default EKS context, on the wire: the certificate names it whole, and nobody else is it.
#[tokio::test]
async fn a_plane_is_called_by_its_arn() {
    let mut world = world();
    let arn = "arn:aws:eks:eu-west-1:123456789012:cluster/prod-az1";
    let issued = pki::issue(world.dir.path(), Kind::Plane, arn, &[]).unwrap();
    let files = TlsFiles { cert: issued.cert, key: issued.key, ..files(world.dir.path(), "plane-a") };
    let client = Client::new(Credentials::load(files).unwrap()).unwrap();
    let (plane, coordinator) = world.linked(&client, arn).await;
    assert_eq!(coordinator.peer, Identity::Plane(arn.to_owned()));
    drop((plane, coordinator));
    let other = client.dial_plane(&world.servers(), None, &hello("prod-az1"), LONG).await;
    assert!(other.is_err(), "its certificate says another name");
}

/// Whoever holds an old key of a coordinator commands no plane: what is open ends, and nothing new begins.
#[tokio::test]
async fn a_revoked_coordinator_is_left_and_dialled_no_more() {
    let mut world = world();
    let credentials = Credentials::load(files(world.dir.path(), "plane-a")).unwrap();
    let client = Client::new(credentials.clone()).unwrap();
    let (mut plane, mut coordinator) = world.linked(&client, "a").await;
    assert_eq!(*client.distrusted().borrow(), None);
    // The thief reads no list; only the planes do.
    pki::revoke(world.dir.path(), &plane.serial).unwrap();
    assert!(credentials.reload().unwrap());
    assert_eq!(next(&mut plane).await, None, "the open link is closed");
    assert_eq!(next(&mut coordinator).await, None, "and the other end is told");
    let list = world.dir.path().join("crl.pem").display().to_string();
    let told = format!("coordinator/c, serial {}, is not believed: revoked by {list}", plane.serial);
    assert_eq!(client.distrusted().borrow().as_ref().map(ToString::to_string), Some(told.clone()));
    let refused = client.dial_plane(&world.servers(), None, &hello("a"), LONG).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("{}: {told}", world.at));
    // The console neither.
    let refused = world.client("admin-ann").dial_admin(&world.servers(), None, LONG).await.unwrap_err();
    assert!(refused.to_string().contains(&told), "{refused}");
    world.assert_nobody_came().await;
}

/// Both ends know when the other's certificate ends, and the files' own ends.
#[tokio::test]
async fn ends_of_certificates_are_known_on_both_sides() {
    let mut world = world();
    let now = system_wall();
    let issued_at = Timestamp((now.0 / 1000 - 330 * 86_400) * 1000);
    let issued = pki::issue_at(world.dir.path(), Kind::Plane, "short", &[], issued_at).unwrap();
    let files = TlsFiles { cert: issued.cert, key: issued.key, ..files(world.dir.path(), "plane-a") };
    let credentials = Credentials::load(files).unwrap();
    let client = Client::new(credentials.clone()).unwrap();
    let (plane, coordinator) = world.linked(&client, "short").await;
    let peers = world.server.monitor().expiries();
    assert_eq!(
        peers.iter().map(|one| (one.identity.as_str(), Some(one.at))).collect::<Vec<_>>(),
        [("plane/short", coordinator.until)]
    );
    let left = days_left(coordinator.until.unwrap(), now);
    assert!((5..=35).contains(&left), "{left}");
    let linked = client.linked()().unwrap();
    assert_eq!((linked.identity.as_str(), Some(linked.at)), ("coordinator/c", plane.until));
    let own: Vec<_> = credentials.current().expiries().iter().map(|one| (one.kind, one.identity.clone())).collect();
    let authority = "CN=Isochron test".to_owned();
    let known = [(Ends::Own, "plane/short".to_owned()), (Ends::Ca, authority.clone()), (Ends::Crl, authority)];
    assert_eq!(own, known);
    drop((plane, coordinator));
    let linked = client.linked();
    let gone = async {
        while linked().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONG, gone).await.unwrap();
}
