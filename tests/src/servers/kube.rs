//! A real kube-apiserver with its own etcd, on loopback.
//!
//! No node and, unless asked for, no controller runs: objects are stored, validated, watched and fenced exactly as in a
//! real cluster, but namespaces do not finish deleting, owner references are not collected and nothing creates pods.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::servers::{
    ports,
    process::{self, Process, START_LIMIT},
};

/// One kubectl call. Every call here asks for something small; a `kubectl wait` brings its own, shorter limit.
const KUBECTL_LIMIT: Duration = Duration::from_secs(60);

/// The tests' own user: a member of `system:masters`, whom no RBAC rule stops.
const ADMIN_TOKEN: &str = "isochron-tests-admin";

/// A running API server. Dropping it kills it and removes its data.
#[derive(Debug)]
pub struct KubeApi {
    /// `https://127.0.0.1:PORT`.
    pub url: String,
    /// Bearer token of a cluster administrator.
    pub token: String,
    /// A kubeconfig file with the three of them, for kubectl, kube-rs and the programs under test.
    pub kubeconfig: PathBuf,
    /// The certificates that the server's own one is checked against, as a PEM file.
    pub ca: PathBuf,
    // Killed before the folder is removed: fields are dropped in this order.
    controller_manager: Option<Process>,
    server: Option<Process>,
    binary: PathBuf,
    kubectl: PathBuf,
    port: u16,
    args: Vec<String>,
    folder: TempDir,
}

impl KubeApi {
    /// Starts one and returns once it answers that it is ready (about 4 s, 300 MB).
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("isochron-kube-").tempdir()?;
        let port = ports::free()?;
        let mut api = Self {
            url: format!("https://127.0.0.1:{port}"),
            token: ADMIN_TOKEN.to_owned(),
            kubeconfig: folder.path().join("kubeconfig.yaml"),
            // Self-signed by the server at its first start.
            ca: folder.path().join("certificates/apiserver.crt"),
            controller_manager: None,
            server: None,
            binary: process::program("ISOCHRON_KUBE")?,
            kubectl: process::program("ISOCHRON_KUBECTL")?,
            port,
            args: server_args(folder.path(), port)?,
            folder,
        };
        std::fs::write(api.folder.path().join("tokens.csv"), format!("{ADMIN_TOKEN},admin,admin,system:masters\n"))?;
        std::fs::write(&api.kubeconfig, kubeconfig(&api.url, &api.ca, ADMIN_TOKEN))?;
        api.restart().await?;
        Ok(api)
    }

    /// Starts the server again after [`KubeApi::kill`], with the same data, address and certificates.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill().await?;
        let mut server = Process::spawn("kube-apiserver", &self.binary, &self.args, &[], self.folder.path())?;
        // The cheap look first: each call of kubectl costs a tenth of a second of the CPU that the server needs to start.
        let address = process::loopback(self.port);
        let listening = || async move { TcpStream::connect(address).await.is_ok() };
        server.wait_until("listening", START_LIMIT, listening).await?;
        let ready = || async { self.kubectl(&["get", "--raw", "/readyz"]).await.is_ok() };
        server.wait_until("ready", START_LIMIT, ready).await?;
        self.server = Some(server);
        Ok(())
    }

    /// Kills the server and its etcd at once, as a power cut does. What was stored stays.
    pub async fn kill(&mut self) -> Result<()> {
        match self.server.take() {
            Some(server) => server.kill().await,
            None => Ok(()),
        }
    }

    /// The server's process, to stop and continue it (`signal("STOP")`).
    #[must_use]
    pub fn process(&self) -> Option<&Process> {
        self.server.as_ref()
    }

    /// Starts the named controllers, for example `garbage-collector-controller` and `namespace-controller`. They live
    /// until the API server is dropped; a second call replaces the first.
    pub async fn start_controller_manager(&mut self, controllers: &[&str]) -> Result<()> {
        self.controller_manager = None;
        let port = ports::free()?;
        let kubeconfig = self.kubeconfig.display();
        let args = [
            "kube-controller-manager".to_owned(),
            format!("--kubeconfig={kubeconfig}"),
            format!("--authentication-kubeconfig={kubeconfig}"),
            format!("--authorization-kubeconfig={kubeconfig}"),
            format!("--controllers={}", controllers.join(",")),
            format!("--secure-port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            // The API server's own certificate, so that one kubeconfig asks both.
            format!("--tls-cert-file={}", self.ca.display()),
            format!("--tls-private-key-file={}", self.ca.with_extension("key").display()),
            // Nobody to compete with, and an election takes longer than most tests.
            "--leader-elect=false".to_owned(),
        ];
        let mut manager = Process::spawn("kube-controller-manager", &self.binary, args, &[], self.folder.path())?;
        let server = format!("https://127.0.0.1:{port}");
        let healthy = ["--server", &server, "get", "--raw", "/healthz"];
        manager.wait_until("healthy", START_LIMIT, || async { self.kubectl(&healthy).await.is_ok() }).await?;
        self.controller_manager = Some(manager);
        Ok(())
    }

    /// Runs kubectl as the administrator and returns what it printed.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.kubectl_with_input(args, "").await
    }

    /// `kubectl apply -f -` of these manifests.
    pub async fn apply(&self, manifests: &str) -> Result<String> {
        self.kubectl_with_input(&["apply", "-f", "-"], manifests).await
    }

    /// Runs kubectl with something on its standard input.
    pub async fn kubectl_with_input(&self, args: &[&str], input: &str) -> Result<String> {
        let mut command = Command::new(&self.kubectl);
        // Its caches and its preferences belong to this server, not to the person who runs the tests.
        command.env("HOME", self.folder.path()).env_remove("KUBECONFIG").env("KUBERC", "off");
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(args);
        process::output(&mut command, input, KUBECTL_LIMIT).await
    }

    /// A kubeconfig file for another identity, such as a ServiceAccount whose token `kubectl create token` printed.
    pub fn kubeconfig_for(&self, name: &str, token: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(format!("kubeconfig-{name}.yaml"));
        std::fs::write(&path, kubeconfig(&self.url, &self.ca, token))?;
        Ok(path)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        process::loopback(self.port)
    }

    /// Makes a kubeconfig ask another address, which leads to this server.
    pub fn redirect(&self, kubeconfig: &Path, address: SocketAddr) -> Result<()> {
        let text = std::fs::read_to_string(kubeconfig)?;
        let (server, known) = (format!("server: \"{}\"", self.url), self.address().ip());
        ensure!(text.contains(&server), "{} does not ask {}", kubeconfig.display(), self.url);
        let elsewhere = format!("server: \"https://{address}\", tls-server-name: \"{known}\"");
        Ok(std::fs::write(kubeconfig, text.replace(&server, &elsewhere))?)
    }
}

/// The command line. `kube` makes the ServiceAccount key itself when the file is not there.
fn server_args(folder: &Path, port: u16) -> Result<Vec<String>> {
    let file = |name: &str| folder.join(name).display().to_string();
    let key = file("service-accounts.key");
    Ok(vec![
        "kube-apiserver".to_owned(),
        format!("--etcd-dir={}", file("etcd")),
        format!("--etcd-client-url=http://127.0.0.1:{}", ports::free()?),
        format!("--etcd-peer-url=http://127.0.0.1:{}", ports::free()?),
        format!("--cert-dir={}", file("certificates")),
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--service-account-issuer=https://localhost".to_owned(),
        format!("--service-account-key-file={key}"),
        format!("--service-account-signing-key-file={key}"),
        format!("--token-auth-file={}", file("tokens.csv")),
        "--authorization-mode=RBAC".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        // It waits for a ServiceAccount `default` that only a controller would create.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
    ])
}

fn kubeconfig(url: &str, ca: &Path, token: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: tests
  cluster: {{server: \"{url}\", certificate-authority: \"{}\"}}
users:
- name: tests
  user: {{token: \"{token}\"}}
contexts:
- name: tests
  context: {{cluster: tests, user: tests, namespace: default}}
current-context: tests
",
        ca.display()
    )
}
