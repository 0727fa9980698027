//! Mutual TLS towards PD and TiKV, from the PEM texts of the cluster's client secret (`facts/pd-tikv.md` §4.3,
//! `facts/topology.md` §5). One secret serves PD's and TiKV's gRPC and HTTP ports; the server's name is the host dialled.

use crate::ports::ClusterTls;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{sync::Arc, time::Duration};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// Dialling a host in the same region takes milliseconds; a host that is gone swallows packets. 5 s leaves two SYN
/// retransmissions, and half of a call's limit for the call itself.
pub(crate) const DIAL_LIMIT: Duration = Duration::from_secs(5);

/// Why a TLS client could not be made of the secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TlsError {
    /// A key of the secret holds no usable PEM.
    #[error("{key} of the TiDB cluster's client secret is unusable: {detail}")]
    Pem {
        /// `ca.crt`, `tls.crt` or `tls.key`.
        key: &'static str,
        /// What the parser said.
        detail: String,
    },
    /// The parts do not fit together.
    #[error("the TiDB cluster's client secret cannot be used: {0}")]
    Config(String),
}

fn certificates(key: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let list: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|e| TlsError::Pem { key, detail: e.to_string() })?;
    if list.is_empty() {
        return Err(TlsError::Pem { key, detail: "no certificate in it".to_owned() });
    }
    Ok(list)
}

/// The rustls client for HTTP ports.
///
/// # Errors
/// A PEM text does not parse, or key and certificate do not fit.
pub fn client_config(tls: &ClusterTls) -> Result<ClientConfig, TlsError> {
    let config = |e: rustls::Error| TlsError::Config(e.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca.crt", &tls.ca)? {
        roots.add(certificate).map_err(config)?;
    }
    let chain = certificates("tls.crt", &tls.cert)?;
    let key =
        PrivateKeyDer::from_pem_slice(&tls.key).map_err(|e| TlsError::Pem { key: "tls.key", detail: e.to_string() })?;
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(config)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(config)
}

/// For clusters without TLS: a connector type needs a configuration, which then no URL uses.
pub(crate) fn no_identity() -> Result<ClientConfig, TlsError> {
    Ok(ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| TlsError::Config(e.to_string()))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

/// A gRPC endpoint for `host:port`, encrypted exactly when the cluster is.
///
/// # Errors
/// The address is no URL part, or the secret is unusable.
pub fn endpoint(authority: &str, tls: Option<&ClusterTls>) -> Result<Endpoint, TlsError> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let made = Endpoint::from_shared(format!("{scheme}://{authority}"))
        .map_err(|e| TlsError::Config(format!("address {authority:?}: {e}")))?
        .connect_timeout(DIAL_LIMIT)
        .tcp_nodelay(true);
    let Some(tls) = tls else { return Ok(made) };
    // Parsed once more by rustls itself: its messages name the key at fault, tonic's do not.
    client_config(tls)?;
    let config = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&tls.ca))
        .identity(Identity::from_pem(&tls.cert, &tls.key));
    made.tls_config(config).map_err(|e| TlsError::Config(chain_of(&e)))
}

/// Dials an endpoint.
///
/// # Errors
/// Text with the whole chain of causes; never longer than [`DIAL_LIMIT`].
pub(crate) async fn dial(endpoint: Endpoint) -> Result<Channel, String> {
    // The connect limit of the endpoint covers TCP only, a silent peer could hold up the TLS or HTTP/2 handshake.
    match tokio::time::timeout(DIAL_LIMIT, endpoint.connect()).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(e)) => Err(chain_of(&e)),
        Err(_) => Err(format!("no connection within {} s", DIAL_LIMIT.as_secs())),
    }
}

/// An error with its causes: transport errors keep what matters in their source.
pub(crate) fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    // A chain is a few links long; the bound only guards against a cycle.
    for _ in 0..8 {
        let Some(inner) = cause else { break };
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
