//! The console's questions with nothing but a kubeconfig: through the API server's proxy of services to the coordinator's
//! HTTP port, and a cancellation as an annotation on the object.

use super::{KubeManifests, convert::CANCEL_ANNOTATION, crd::API_VERSION};
use crate::console::{Answered, Question, path_of, segment};
use http::{Method, Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use tokio::time::timeout;

/// Of one request. The API server's own way to a pod is part of it.
const LIMIT: Duration = Duration::from_secs(15);
/// Largest answer: ten thousand backups are some megabytes.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// A service with a standby behind it may name that one; each try is a new choice.
const TRIES: usize = 8;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The kubeconfig names no API server that can be asked.
    #[error("the kubeconfig cannot be used: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// The API server, or the way to it.
    #[error("the API server does not answer: {0}")]
    Kube(#[from] kube::Error),
    /// It says no.
    #[error("the API server says {status}: {message}")]
    Refused {
        /// HTTP's.
        status: StatusCode,
        /// Its own words.
        message: String,
    },
    /// No coordinator stands behind the service, or one without pages.
    #[error("{0}")]
    NoCoordinator(String),
}

/// Where the coordinator is, and who asks.
#[derive(Clone)]
pub struct Proxy {
    client: Client,
    namespace: String,
    service: String,
    home: String,
}

impl Proxy {
    /// By a context of a kubeconfig (`None`: the usual file, the current context). The service is the coordinator's HTTP
    /// one, in `namespace`.
    ///
    /// # Errors
    /// [`ProxyError::Kubeconfig`], or certificates in it that cannot be used.
    pub async fn connect(
        kubeconfig: Option<&Path>,
        context: Option<&str>,
        namespace: &str,
        service: &str,
    ) -> Result<Self, ProxyError> {
        let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
        let mut config = match kubeconfig {
            Some(path) => Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &options).await?,
            None => Config::from_kubeconfig(&options).await?,
        };
        // "No endpoints" and a standby's word are answers; who asks wants them now.
        config.default_retry = false;
        let home = config.default_namespace.clone();
        let client = Client::try_from(config)?;
        Ok(Self { client, namespace: namespace.to_owned(), service: service.to_owned(), home })
    }

    /// The namespace of the context.
    pub fn home(&self) -> &str {
        &self.home
    }

    /// Objects, by the rights of who asks.
    pub fn manifests(&self) -> KubeManifests {
        KubeManifests::new(self.client.clone())
    }

    /// One question; `None`: it is not asked over HTTP.
    ///
    /// # Errors
    /// Nobody answered, or nobody may.
    pub async fn ask(&self, question: &Question) -> Result<Option<Answered>, ProxyError> {
        let Some(path) = path_of(question) else { return Ok(None) };
        let mut answered = self.once(&path).await?;
        for _ in 1..TRIES {
            if !matches!(answered, Answered::NotLeading { .. }) {
                break;
            }
            answered = self.once(&path).await?;
        }
        Ok(Some(answered))
    }

    async fn once(&self, path: &str) -> Result<Answered, ProxyError> {
        let (namespace, service) = (segment(&self.namespace), segment(&self.service));
        let uri = format!("/api/v1/namespaces/{namespace}/services/http:{service}:http/proxy{path}");
        let (status, body) = self.send(Method::GET, &uri, None).await?;
        match (status, serde_json::from_slice::<Value>(&body)) {
            (StatusCode::OK, Ok(value)) => Ok(Answered::Ok(value)),
            (_, Ok(value)) if value["kind"] == "Status" => Err(refused(status, &value)),
            (_, Ok(value)) => serde_json::from_value(value).map_err(|_| unknown(status)),
            (_, Err(_)) => Err(unknown(status)),
        }
    }

    /// Asks for the end of a backup, as its owner would.
    ///
    /// # Errors
    /// There is no such object, or it may not be changed.
    pub async fn cancel(&self, namespace: &str, name: &str) -> Result<Value, ProxyError> {
        let uri = format!(
            "/apis/{API_VERSION}/namespaces/{}/volumebackups/{}?fieldManager=kubectl-isochron",
            segment(namespace),
            segment(name)
        );
        let patch = json!({ "metadata": { "annotations": { CANCEL_ANNOTATION: "true" } } });
        let (status, body) = self.send(Method::PATCH, &uri, Some(patch.to_string())).await?;
        if status.is_success() {
            return Ok(json!({ "cancelling": format!("{namespace}/{name}") }));
        }
        Err(refused(status, &serde_json::from_slice(&body).unwrap_or_default()))
    }

    /// The pod that leads, by the Lease; `None`: nobody does, or it may not be read.
    pub async fn leader(&self, lease: &str) -> Option<String> {
        let namespace = segment(&self.namespace);
        let uri = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{}", segment(lease));
        let (_, body) = self.send(Method::GET, &uri, None).await.ok()?;
        let lease: Value = serde_json::from_slice(&body).ok()?;
        let holder = lease["spec"]["holderIdentity"].as_str()?;
        // A pod's name, a dash, a UUID.
        holder.get(..holder.len().checked_sub(37)?).map(str::to_owned)
    }

    async fn send(
        &self,
        method: Method,
        uri: &str,
        patch: Option<String>,
    ) -> Result<(StatusCode, Vec<u8>), ProxyError> {
        let request = Request::builder().method(method).uri(uri);
        let request = match &patch {
            Some(_) => request.header(CONTENT_TYPE, "application/merge-patch+json"),
            None => request,
        };
        let request = request
            .body(Body::from(patch.map(String::into_bytes).unwrap_or_default()))
            .map_err(|error| ProxyError::NoCoordinator(error.to_string()))?;
        let asked = async {
            let response = self.client.send(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| ProxyError::NoCoordinator(format!("the answer broke off: {error}")))?;
            Ok((status, body.to_bytes().to_vec()))
        };
        let late = || ProxyError::NoCoordinator(format!("no answer within {} s", LIMIT.as_secs()));
        timeout(LIMIT, asked).await.map_err(|_| late())?
    }
}

fn refused(status: StatusCode, told: &Value) -> ProxyError {
    ProxyError::Refused { status, message: told["message"].as_str().unwrap_or("no reason given").to_owned() }
}

fn unknown(status: StatusCode) -> ProxyError {
    ProxyError::NoCoordinator(format!(
        "what answers behind the service ({status}) is no coordinator with pages; is `ui: false` in its configuration, or \
         is it of an earlier version?"
    ))
}
