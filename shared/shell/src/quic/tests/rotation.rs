//! One authority follows another under a running fleet.

use super::*;
use crate::clock::system_wall;

/// What a program has been given.
fn given(world: &World, who: &str, ca: &str, crl: &str) -> Client {
    let dir = world.dir.path();
    let files = TlsFiles { ca: dir.join(ca), crl: Some(dir.join(crl)), ..files(dir, who) };
    Client::new(Credentials::load(files).unwrap()).unwrap()
}

#[tokio::test]
async fn both_authorities_are_believed_until_the_older_retires() {
    let mut world = world();
    let dir = world.dir.path().to_owned();
    let b = world.client("plane-b");
    let (mut old, mut old_side) = world.linked(&b, "b").await;
    pki::rotate_ca(&dir, system_wall()).unwrap();
    assert!(world.credentials.reload().unwrap());
    // Who signed it is not asked of a session that is open, nor is its successor's list.
    old.tx.send(Bytes::from_static(b"still here")).await.unwrap();
    assert_eq!(next(&mut old_side).await.unwrap(), "still here");
    // A plane of the newer authority, and then a coordinator of it, beside what the older one signed.
    let renewed = pki::renew(&dir, Kind::Plane, "a", system_wall()).unwrap();
    let a = world.client("plane-a");
    let (mut plane, _coordinator) = world.linked(&a, "a").await;
    pki::renew(&dir, Kind::Coordinator, "c", system_wall()).unwrap();
    assert!(world.credentials.reload().unwrap());
    let (_plane, _coordinator) = world.linked(&world.client("plane-b"), "b").await;
    // Lists of both: what either of them signed can be taken back.
    pki::revoke(&dir, &renewed.new.serial).unwrap();
    assert!(world.credentials.reload().unwrap());
    assert_eq!(next(&mut plane).await, None);
    pki::revoke(&dir, &old_side.serial).unwrap();
    assert!(world.credentials.reload().unwrap());
    assert_eq!(next(&mut old).await, None);
    // And when the older one has retired, nobody whom it signed comes in.
    pki::renew(&dir, Kind::Plane, "b", system_wall()).unwrap();
    pki::renew(&dir, Kind::Plane, "a", system_wall()).unwrap();
    std::fs::copy(dir.join("ca.crt"), dir.join("both.crt")).unwrap();
    for kind in [Kind::Admin, Kind::Operator, Kind::Viewer] {
        pki::renew(&dir, kind, "ann", system_wall()).unwrap();
    }
    pki::retire_ca(&dir, system_wall()).unwrap();
    assert!(world.credentials.reload().unwrap());
    let (_plane, _coordinator) = world.linked(&world.client("plane-b"), "b").await;
    let stale = format!("plane-b.{}", old_side.serial);
    let stale = given(&world, &stale, "both.crt", "crl.pem");
    assert!(stale.dial_plane(&world.servers(), None, &hello("b"), LONG).await.is_err());
}

/// Forgetting the newer authority's list takes no fleet down.
#[tokio::test]
async fn an_authority_without_a_list_locks_nobody_out() {
    let mut world = world();
    let dir = world.dir.path().to_owned();
    std::fs::copy(dir.join("crl.pem"), dir.join("old.pem")).unwrap();
    pki::rotate_ca(&dir, system_wall()).unwrap();
    pki::renew(&dir, Kind::Coordinator, "c", system_wall()).unwrap();
    let b = given(&world, "plane-b", "ca.crt", "old.pem");
    assert!(world.credentials.reload().unwrap());
    let (plane, _coordinator) = world.linked(&b, "b").await;
    // With its list it can be revoked.
    pki::revoke(&dir, &plane.serial).unwrap();
    let refused = world.client("plane-b").dial_plane(&world.servers(), None, &hello("b"), LONG).await.unwrap_err();
    assert!(refused.to_string().contains("revoked by"), "{refused}");
}
