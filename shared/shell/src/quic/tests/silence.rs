//! Three silences that QUIC cannot tell apart.

use super::*;

/// What a dial there comes to.
async fn dialled(at: SocketAddr) -> String {
    let dir = authority();
    let client = Client::new(Credentials::load(files(dir.path(), "plane-a")).unwrap()).unwrap();
    let failed = client.dial_plane(&[at.to_string()], None, &hello("a"), Duration::from_millis(300)).await;
    failed.map(drop).unwrap_err().to_string()
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_told_from_a_network_that_drops_udp() {
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let told = dialled(nobody).await;
    assert!(told.contains("nobody listens on that UDP port"), "{told}");
    // It takes everything, and nothing comes back; the machine itself answers.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let told = dialled(silent.local_addr().unwrap()).await;
    assert!(told.contains("it is filtered on the way"), "{told}");
}

#[tokio::test]
async fn a_coordinator_that_is_there_answers_whoever_asks() {
    let world = world();
    let told = client::look(world.at).await;
    assert!(told.contains("UDP comes through both ways"), "{told}");
    assert_eq!(world.server.monitor().counts(), Counts::default(), "it is no dial");
}
