//! Joins edges to ports.

use crate::settings::{FallbackSettings, Settings};
use anyhow::Context;
use async_trait::async_trait;
use plane_actor::{
    edge::{
        fallback::{Fallback, LOOK_EVERY},
        kube::{KubeLedger, KubePlacement, KubeTopology, TopologyConfig},
        local::{FileLedger, LocalTopology, NoPlacement},
        pd::{MarkedConnector, PdConnector},
        quic::QuicDialer,
        tikv::{RecoveryConnector, StatusAddresses, TikvConnector},
    },
    ports::{
        CloudConnect, Dialer, Levels, Placement, PlaneLedger, PlaneView, PortError, Ports, RestorePorts, Topology,
    },
};
use shared::ids::PlaneId;
use shell::{
    clock::system_wall,
    link::Link,
    quic::Client,
    telemetry,
    tls::{Credentials, TlsFiles},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// This plane's certificate.
pub(crate) fn credentials(settings: &Settings) -> anyhow::Result<Arc<Credentials>> {
    let tls = &settings.tls;
    Ok(Credentials::load(TlsFiles {
        ca: tls.ca.clone(),
        cert: tls.cert.clone(),
        key: tls.key.clone(),
        crl: (!tls.crl.as_os_str().is_empty()).then(|| tls.crl.clone()),
        trust_domain: settings.trust_domain.clone(),
        identities: settings.identities.clone(),
    })?)
}

/// Without a client (preflight) nothing is dialled.
pub(crate) async fn ports(settings: &Settings, client: Option<Client>) -> anyhow::Result<Ports> {
    let plane = PlaneId::new(settings.plane.clone());
    let dialer: Arc<dyn Dialer> = match client {
        Some(client) => {
            let name = (!settings.server_name.is_empty()).then(|| settings.server_name.clone());
            let dialer = QuicDialer::new(client, settings.coordinator.clone(), name, plane.clone());
            let dialer = if settings.restore.enabled { dialer.that_restores() } else { dialer };
            let FallbackSettings { tcp, after_seconds } = settings.fallback.clone();
            if tcp.is_empty() {
                Arc::new(dialer)
            } else {
                Arc::new(dialer.or_by(Fallback::new(tcp, Duration::from_secs(after_seconds), LOOK_EVERY)))
            }
        }
        None => Arc::new(NoDialer),
    };
    let Home { topology, ledger, placement } = home(settings, &plane).await?;
    let status = StatusAddresses::default();
    Ok(Ports {
        topology,
        pd: Arc::new(PdConnector::new(status.clone())),
        tikv: Arc::new(TikvConnector::new(status)),
        cloud: cloud(settings),
        ledger,
        dialer,
        views: watch::Sender::new(PlaneView::default()),
        levels: Levels::default(),
        logs: Arc::new(telemetry::recent),
        metrics: Arc::new(String::new),
        restore: settings.restore.enabled.then(|| restore(placement)),
        wall: Arc::new(system_wall),
    })
}

/// What a restore needs besides.
fn restore(placement: Arc<dyn Placement>) -> RestorePorts {
    RestorePorts { marked: Arc::new(MarkedConnector), recovery: Arc::new(RecoveryConnector), placement }
}

/// Where the plane lives: an API server, or files.
struct Home {
    topology: Arc<dyn Topology>,
    ledger: Arc<dyn PlaneLedger>,
    placement: Arc<dyn Placement>,
}

async fn home(settings: &Settings, plane: &PlaneId) -> anyhow::Result<Home> {
    if let Some(file) = &settings.standalone {
        let ledger = FileLedger::open(file.with_extension("ledger.json"))?;
        let topology = Arc::new(LocalTopology::new(file));
        return Ok(Home { topology, ledger: Arc::new(ledger), placement: Arc::new(NoPlacement) });
    }
    let client =
        kube::Client::try_default().await.context("no Kubernetes API server; or set standalone: to a description")?;
    let config = TopologyConfig { pd: settings.pd.clone(), cluster_domain: settings.cluster_domain.clone() };
    let ledger = KubeLedger::new(client.clone(), &settings.namespace, plane);
    Ok(Home {
        topology: Arc::new(KubeTopology::new(client.clone(), config.clone())),
        ledger: Arc::new(ledger),
        placement: Arc::new(KubePlacement::new(client, config)),
    })
}

#[cfg(feature = "aws")]
fn cloud(settings: &Settings) -> Arc<dyn CloudConnect> {
    use plane_actor::edge::aws::{AwsCloud, AwsConfig};
    let aws = &settings.aws;
    Arc::new(AwsCloud::new(AwsConfig {
        region: aws.region.clone(),
        endpoint_ec2: aws.ec2_endpoint.clone(),
        endpoint_s3: aws.s3_endpoint.clone(),
        endpoint_sts: aws.sts_endpoint.clone(),
        endpoint_ebs: aws.ebs_endpoint.clone(),
        session: format!("isochron-{}", settings.plane),
    }))
}

#[cfg(not(feature = "aws"))]
fn cloud(_: &Settings) -> Arc<dyn CloudConnect> {
    struct NoCloud;
    #[async_trait]
    impl CloudConnect for NoCloud {
        async fn connect(
            &self,
            _: &plane_actor::ports::CloudIdentity,
            _: &shared::request::S3Target,
        ) -> Result<plane_actor::ports::Cloud, PortError> {
            let reason = shared::reason::Reason::Ec2Unavailable;
            Err(PortError::refused(reason, "this program was built without feature aws"))
        }
    }
    Arc::new(NoCloud)
}

/// A preflight speaks to nobody.
struct NoDialer;

#[async_trait]
impl Dialer for NoDialer {
    async fn dial(&self) -> Result<Link, PortError> {
        Err(PortError::Unavailable("a preflight does not dial".to_owned()))
    }
}
