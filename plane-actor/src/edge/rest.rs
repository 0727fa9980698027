//! The one HTTP client of this plane for PD's API and TiKV's status port: plain or mutual TLS, every call bounded in
//! time and size.

use super::tls::{self, DIAL_LIMIT, TlsError, chain_of};
use crate::ports::ClusterTls;

use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::time::Duration;

/// Names this program in PD's audit log and metrics (`facts/pd-tikv.md` §4.1).
const CALLER: &str = "isochron";

/// The largest answers are whole configurations (about 60 KiB) and `/gc/safepoint` with one row per service.
const BODY_LIMIT: usize = 4 << 20;

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// At most `BODY_LIMIT`.
    pub body: Bytes,
}

impl Answer {
    /// The start of the body, on one line, for messages.
    pub(crate) fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
    }
}

/// Cheap to clone; keeps connections.
#[derive(Clone, Debug)]
pub struct Rest {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    encrypted: bool,
}

impl Rest {
    /// With TLS, plain `http://` is refused: a cluster that encrypts has no unencrypted port to be led to.
    ///
    /// # Errors
    /// The secret is unusable.
    pub fn new(tls: Option<&ClusterTls>) -> Result<Self, TlsError> {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(DIAL_LIMIT));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = match tls {
            Some(tls) => HttpsConnectorBuilder::new()
                .with_tls_config(tls::client_config(tls)?)
                .https_only()
                .enable_http1()
                .wrap_connector(tcp),
            None => HttpsConnectorBuilder::new()
                .with_tls_config(tls::no_identity()?)
                .https_or_http()
                .enable_http1()
                .wrap_connector(tcp),
        };
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), encrypted: tls.is_some() })
    }

    /// `http` or `https`, as the cluster has it.
    pub fn scheme(&self) -> &'static str {
        if self.encrypted { "https" } else { "http" }
    }

    /// One request, one answer, within `limit`.
    ///
    /// # Errors
    /// Text that names the URL: no connection, no answer in time, or an answer larger than `BODY_LIMIT`.
    pub async fn send(&self, method: Method, url: &str, body: String, limit: Duration) -> Result<Answer, String> {
        let request = Request::builder()
            .method(method.clone())
            .uri(url)
            .header("X-Caller-ID", CALLER)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| format!("{method} {url}: {e}"))?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|e| chain_of(&e))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), BODY_LIMIT).collect().await.map_err(|e| e.to_string())?;
            Ok::<_, String>(Answer { status, body: body.to_bytes() })
        };
        match tokio::time::timeout(limit, exchange).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(e)) => Err(format!("{method} {url}: {e}")),
            Err(_) => Err(format!("{method} {url}: no answer within {} s", limit.as_secs())),
        }
    }
}
