//! What the demo and the sandbox embed: certificates, planes on a simulated world, a manifest.

use plane_actor::{config::PlaneConfig, edge::quic::QuicDialer};
use shared::ids::PlaneId;
use shell::{
    pki::{self, Kind},
    quic::Client,
    tls::{Credentials, TlsFiles},
};
use std::{future::pending, net::SocketAddr, path::Path, sync::Arc};
use tests::world::{World, WorldConfig};
use tokio::task::JoinHandle;

/// Of the certificates.
pub(crate) const TRUST_DOMAIN: &str = "demo.local";

/// Of a coordinator, an admin and so many planes; all throw-away.
pub(crate) fn make_certificates(folder: &Path, planes: u32) -> anyhow::Result<()> {
    pki::init(folder, TRUST_DOMAIN)?;
    pki::issue(folder, Kind::Coordinator, "demo", &["127.0.0.1".to_owned()])?;
    pki::issue(folder, Kind::Admin, "demo", &[])?;
    for plane in 1..=planes {
        pki::issue(folder, Kind::Plane, &format!("az{plane}"), &[])?;
    }
    Ok(())
}

pub(crate) fn credentials(folder: &Path, kind: Kind, name: &str) -> anyhow::Result<Arc<Credentials>> {
    Ok(Credentials::load(TlsFiles {
        ca: folder.join("ca.crt"),
        cert: folder.join(format!("{kind}-{name}.crt")),
        key: folder.join(format!("{kind}-{name}.key")),
        crl: Some(folder.join("crl.pem")),
        trust_domain: TRUST_DOMAIN.to_owned(),
        identities: Vec::new(),
    })?)
}

/// Its end is that of the plane, at once, as if the process had been killed.
pub(crate) fn start_plane(
    folder: &Path,
    world: &World,
    plane: &str,
    coordinator: SocketAddr,
) -> anyhow::Result<JoinHandle<()>> {
    let client = Client::new(credentials(folder, Kind::Plane, plane)?)?;
    let dialer = QuicDialer::new(client, vec![coordinator.to_string()], None, PlaneId::from(plane));
    let ports = world.plane_ports(plane, Arc::new(dialer));
    let config = PlaneConfig { new_ledger: format!("ledger-{plane}"), ..PlaneConfig::new(plane) };
    let plane = plane.to_owned();
    Ok(tokio::task::spawn_local(async move {
        if let Err(error) = plane_actor::run(config, ports, pending()).await {
            tracing::error!(%error, plane, "plane actor ended");
        }
    }))
}

/// The AK/SK manifest of the user page.
pub(crate) fn manifest(world: &WorldConfig, namespace: &str, name: &str) -> String {
    let clusters = world.clusters();
    format!(
        "apiVersion: federation.pingcap.com/v1alpha1
kind: VolumeBackup
metadata:
  name: {name}
  namespace: {namespace}
spec:
  clusters:
{clusters}  template:
    br:
      sendCredToTikv: true
    s3:
      provider: aws
      secretName: s3-secret
      region: eu-west-1
      bucket: {}
      prefix: {name}
    toolImage: pingcap/br:v8.5.3
    cleanPolicy: Delete
    calcSizeLevel: full
",
        world.bucket
    )
}
