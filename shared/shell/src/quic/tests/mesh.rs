//! Certificates of a mesh: their ids look otherwise, and have no DNS name.

use super::*;
use crate::tls::Mapping;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose as Use, KeyPair, PKCS_ED25519, SanType};

const COORDINATOR: &str = "spiffe://mesh.example/ns/isochron/sa/coordinator";
const PLANE_A: &str = "spiffe://mesh.example/ns/isochron/sa/plane-a";
const LAPTOP: &str = "spiffe://mesh.example/people/ann";

/// As the mesh's own authority makes it, of whoever signs in `dir`.
fn issue(dir: &Path, file: &str, id: &str) {
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let ca = rcgen::Issuer::from_ca_cert_pem(&read("ca.crt"), KeyPair::from_pem(&read("ca.key")).unwrap()).unwrap();
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
    params.extended_key_usages = vec![Use::ServerAuth, Use::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    std::fs::write(dir.join(format!("{file}.crt")), params.signed_by(&key, &ca).unwrap().pem()).unwrap();
    std::fs::write(dir.join(format!("{file}.key")), key.serialize_pem()).unwrap();
}

/// What both configurations say.
fn identities() -> Vec<Mapping> {
    let line = |uri: &str, is: &str| Mapping { uri: uri.to_owned(), is: is.to_owned() };
    vec![
        line(COORDINATOR, "coordinator/isochron"),
        line("spiffe://mesh.example/ns/isochron/sa/plane-{name}", "plane/{name}"),
        line(LAPTOP, "viewer/ann"),
    ]
}

fn mapped(dir: &Path, who: &str) -> TlsFiles {
    TlsFiles { identities: identities(), ..files(dir, who) }
}

fn mesh() -> World {
    let dir = authority();
    for (file, id) in [("c-mesh", COORDINATOR), ("a-mesh", PLANE_A), ("ann-mesh", LAPTOP)] {
        issue(dir.path(), file, id);
    }
    let credentials = Credentials::load(mapped(dir.path(), "c-mesh")).unwrap();
    let server = Server::bind(([127, 0, 0, 1], 0).into(), &credentials, Limits::default()).unwrap();
    let at = server.local_addr().unwrap();
    World { dir, credentials, server, at }
}

async fn dial(world: &mut World, client: &Client, name: &str, plane: &str) -> Result<(Link, Link), DialError> {
    let (servers, hello) = (world.servers(), hello(plane));
    let accept = async {
        match timeout(Duration::from_secs(2), world.server.accept()).await {
            Ok(Some(Incoming::Plane(plane))) => Some(plane.accept(&welcome(true)).unwrap()),
            _ => None,
        }
    };
    let (dialled, accepted) = tokio::join!(client.dial_plane(&servers, Some(name), &hello, LONG), accept);
    dialled.map(|(link, _)| (link, accepted.unwrap()))
}

#[tokio::test]
async fn ids_of_a_mesh_name_planes_people_and_the_coordinator() {
    let mut world = mesh();
    let client = Client::new(Credentials::load(mapped(world.dir.path(), "a-mesh")).unwrap()).unwrap();
    let (plane, coordinator) = dial(&mut world, &client, "isochron", "a").await.unwrap();
    assert_eq!(plane.peer, Identity::Coordinator("isochron".to_owned()));
    assert_eq!(coordinator.peer, Identity::Plane("a".to_owned()));
    // Beside those of our own form, which `pki` makes.
    let of_old = Client::new(Credentials::load(mapped(world.dir.path(), "plane-b")).unwrap()).unwrap();
    let (_plane, coordinator) = dial(&mut world, &of_old, "isochron", "b").await.unwrap();
    assert_eq!(coordinator.peer, Identity::Plane("b".to_owned()));
    let people = Client::new(Credentials::load(mapped(world.dir.path(), "ann-mesh")).unwrap()).unwrap();
    let console = people.dial_admin(&world.servers(), Some("isochron"), LONG).await.unwrap();
    let _answers = console.request(Bytes::from_static(b"status")).await.unwrap();
    let Incoming::Admin(request) = world.arrival().await else { panic!("a plane") };
    assert_eq!(request.identity, Identity::Viewer("ann".to_owned()));
}

/// The name that a line gives takes the place of a DNS name, and of nothing else that is looked at.
#[tokio::test]
async fn a_coordinator_of_a_mesh_proves_all_but_a_dns_name() {
    let mut world = mesh();
    let dir = world.dir.path().to_owned();
    let client = |files: TlsFiles| Client::new(Credentials::load(files).unwrap()).unwrap();
    // Another name than the line's.
    let refused = dial(&mut world, &client(mapped(&dir, "a-mesh")), "elsewhere", "a").await.unwrap_err();
    assert!(matches!(refused, DialError::Distrusted { .. }), "{refused}");
    // A plane whose configuration has no line for the coordinator.
    let ours = identities().split_off(1);
    let refused =
        dial(&mut world, &client(TlsFiles { identities: ours, ..files(&dir, "a-mesh") }), "isochron", "a").await;
    assert!(matches!(refused, Err(DialError::Distrusted { .. })), "{:?}", refused.map(drop));
    // The same id, signed by somebody else.
    let stranger = authority();
    issue(stranger.path(), "c-mesh", COORDINATOR);
    let credentials = Credentials::load(mapped(stranger.path(), "c-mesh")).unwrap();
    world.server = Server::bind(([127, 0, 0, 1], 0).into(), &credentials, Limits::default()).unwrap();
    world.at = world.server.local_addr().unwrap();
    let refused = dial(&mut world, &client(mapped(&dir, "a-mesh")), "isochron", "a").await.unwrap_err();
    assert!(matches!(refused, DialError::Distrusted { .. }), "{refused}");
    // Another workload of the mesh, which the same authority signed.
    issue(&dir, "other", "spiffe://mesh.example/ns/isochron/sa/plane-c");
    let credentials = Credentials::load(mapped(&dir, "other")).unwrap();
    world.server = Server::bind(([127, 0, 0, 1], 0).into(), &credentials, Limits::default()).unwrap();
    world.at = world.server.local_addr().unwrap();
    let refused = dial(&mut world, &client(mapped(&dir, "a-mesh")), "isochron", "a").await.unwrap_err();
    assert!(matches!(refused, DialError::Distrusted { .. }), "{refused}");
    world.assert_nobody_came().await;
}

/// A workload of the same mesh that no line speaks of is a stranger.
#[tokio::test]
async fn who_has_no_line_is_not_let_in() {
    let mut world = mesh();
    let dir = world.dir.path().to_owned();
    let id = "spiffe://mesh.example/ns/shop/sa/web";
    issue(&dir, "web", id);
    // Its own configuration says whatever it likes.
    let lie = Mapping { uri: id.to_owned(), is: "plane/a".to_owned() };
    let all = identities().into_iter().chain([lie]).collect();
    let client = Client::new(Credentials::load(TlsFiles { identities: all, ..files(&dir, "web") }).unwrap()).unwrap();
    let refused = dial(&mut world, &client, "isochron", "a").await.unwrap_err();
    assert!(matches!(refused, DialError::Refused { close: Close::Identity, .. }), "{refused}");
    assert!(refused.to_string().contains("spiffe://mesh.example/ns/shop/sa/web"), "{refused}");
    world.assert_nobody_came().await;
}

/// The revocation list and the term count as ever, also for a session that is open.
#[tokio::test]
async fn a_revoked_coordinator_of_a_mesh_is_left() {
    let mut world = mesh();
    let dir = world.dir.path().to_owned();
    let credentials = Credentials::load(mapped(&dir, "a-mesh")).unwrap();
    let client = Client::new(credentials.clone()).unwrap();
    let (mut plane, _coordinator) = dial(&mut world, &client, "isochron", "a").await.unwrap();
    // `pki` has it in no index: the mesh's own authority writes its list.
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let ca = rcgen::Issuer::from_ca_cert_pem(&read("ca.crt"), KeyPair::from_pem(&read("ca.key")).unwrap()).unwrap();
    let serial: Vec<u8> = (0..plane.serial.len().div_ceil(2))
        .map(|at| {
            let padded = format!("{:0>width$}", plane.serial, width = plane.serial.len().div_ceil(2) * 2);
            u8::from_str_radix(&padded[2 * at..2 * at + 2], 16).unwrap()
        })
        .collect();
    let now = time::OffsetDateTime::now_utc();
    let list = rcgen::CertificateRevocationListParams {
        this_update: now - time::Duration::days(1),
        next_update: now + time::Duration::days(1),
        crl_number: 77_u64.into(),
        issuing_distribution_point: None,
        revoked_certs: vec![rcgen::RevokedCertParams {
            serial_number: rcgen::SerialNumber::from(serial),
            revocation_time: now - time::Duration::hours(1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    std::fs::write(dir.join("crl.pem"), list.signed_by(&ca).unwrap().pem().unwrap()).unwrap();
    assert!(credentials.reload().unwrap());
    assert_eq!(next(&mut plane).await, None, "the open link is closed");
    let refused = dial(&mut world, &client, "isochron", "a").await.unwrap_err();
    assert!(refused.to_string().contains("revoked by"), "{refused}");
}

#[test]
fn an_id_of_two_names_is_refused_when_files_are_read() {
    let dir = authority();
    issue(dir.path(), "a-mesh", PLANE_A);
    let twice = Mapping { uri: PLANE_A.to_owned(), is: "plane/b".to_owned() };
    let all = identities().into_iter().chain([twice]).collect();
    let refused = Credentials::load(TlsFiles { identities: all, ..files(dir.path(), "a-mesh") }).map(drop).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("identities: {PLANE_A} is both plane/b and plane/a; an id may name only one")
    );
}
