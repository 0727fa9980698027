//! Mutual TLS towards a real pd-server, gRPC and HTTP on its one port (`facts/pd-tikv.md` §4.3). `tests/run` sets
//! ISOCHRON_PD_SERVER.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(feature = "servers")]

use plane_actor::{
    edge::{pd::PdConnector, tikv::StatusAddresses},
    ports::{ClusterTls, Pd, PdConnect, PdEndpoint, PortError},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use shared::{reason::Reason, ts::Ts};
use std::{path::Path, sync::Arc, time::Duration};
use tests::servers::{
    ports,
    process::{self, Process},
};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

/// An authority of its own, and one certificate for both ends, as an operator's issuer makes them.
fn secret() -> ClusterTls {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    ClusterTls {
        ca: authority.pem().into_bytes(),
        cert: certificate.pem().into_bytes(),
        key: key.serialize_pem().into_bytes(),
    }
}

struct Server {
    port: u16,
    process: Process,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start(tls: &ClusterTls) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, body: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, body).unwrap();
            path.display().to_string()
        };
        let (port, peer) = (ports::free().unwrap(), ports::free().unwrap());
        let args = [
            "--name=pd".to_owned(),
            format!("--data-dir={}", Path::join(folder.path(), "data").display()),
            format!("--client-urls=https://127.0.0.1:{port}"),
            format!("--advertise-client-urls=https://localhost:{port}"),
            format!("--peer-urls=https://127.0.0.1:{peer}"),
            format!("--advertise-peer-urls=https://localhost:{peer}"),
            format!("--initial-cluster=pd=https://localhost:{peer}"),
            format!("--cacert={}", write("ca.pem", &tls.ca)),
            format!("--cert={}", write("cert.pem", &tls.cert)),
            format!("--key={}", write("key.pem", &tls.key)),
        ];
        let program = process::program("ISOCHRON_PD_SERVER").unwrap();
        let mut process = Process::spawn("pd-tls", &program, args, &[], folder.path()).unwrap();
        let listening = || async move { TcpStream::connect(process::loopback(port)).await.is_ok() };
        process.wait_until("an open port", Duration::from_secs(60), listening).await.unwrap();
        Self { port, process, _folder: folder }
    }

    async fn connect(&self, scheme: &str, tls: Option<ClusterTls>) -> Result<Arc<dyn Pd>, PortError> {
        let endpoint = PdEndpoint { urls: vec![format!("{scheme}://localhost:{}", self.port)], tls };
        PdConnector::new(StatusAddresses::default()).connect(&endpoint).await
    }
}

fn refusal(result: Result<Arc<dyn Pd>, PortError>) -> String {
    match result.err() {
        Some(PortError::Refused(refusal)) => {
            assert_eq!(refusal.reason, Reason::PdUnavailable);
            refusal.message
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn only_the_clusters_own_certificates_open_pd() {
    let tls = secret();
    let server = Server::start(&tls).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    let pd = loop {
        match server.connect("https", Some(tls.clone())).await {
            Ok(pd) => break pd,
            Err(error) => assert!(Instant::now() < deadline, "{error}\n{}", server.process.log_tail()),
        }
        sleep(Duration::from_millis(500)).await;
    };
    assert!(pd.now().await.unwrap().is_real(), "gRPC");
    assert_eq!(pd.min_service_safe_point().await.unwrap(), Ts::ZERO, "HTTP");

    // Each of these uses up its budget: side by side, they take one.
    let half = ClusterTls { key: b"no key".to_vec(), ..tls.clone() };
    let foreign = ClusterTls { ca: tls.ca.clone(), ..secret() };
    let (none, foreign, plain, half) = tokio::join!(
        server.connect("https", None),
        server.connect("https", Some(foreign)),
        server.connect("http", Some(tls)),
        server.connect("https", Some(half)),
    );
    assert!(refusal(none).contains("no client certificate"));
    assert!(refusal(foreign).contains("localhost"));
    assert!(refusal(plain).contains("has TLS"));
    assert!(refusal(half).contains("tls.key"));
}
