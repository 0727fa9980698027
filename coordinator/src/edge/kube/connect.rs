//! Clients of an API server. Nothing is sent by making one.

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::path::{Path, PathBuf};

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The file that was named.
    #[error("cannot use the kubeconfig {path}: {source}")]
    Kubeconfig {
        /// Which.
        path: PathBuf,
        /// Why.
        source: kube::config::KubeconfigError,
    },
    /// Certificates or proxy settings in it.
    #[error("cannot make a client by the kubeconfig {path}: {source}")]
    Client {
        /// Which.
        path: PathBuf,
        /// Why.
        source: kube::Error,
    },
}

/// A client from the pod's ServiceAccount, or from the kubeconfig of whoever runs it by hand.
pub async fn client() -> Result<Client, kube::Error> {
    Client::try_default().await
}

/// A client by the current context of a kubeconfig file.
pub async fn client_of(kubeconfig: &Path) -> Result<Client, ConnectError> {
    let path = kubeconfig.to_owned();
    let broken = |source| ConnectError::Kubeconfig { path: path.clone(), source };
    let file = Kubeconfig::read_from(kubeconfig).map_err(broken)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.map_err(broken)?;
    Client::try_from(config).map_err(|source| ConnectError::Client { path: path.clone(), source })
}
