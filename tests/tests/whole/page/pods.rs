//! A kubelet, small: a Deployment's container as a process, with its arguments, its ConfigMap and Secrets as files, and
//! its ServiceAccount's rights; and `kubectl exec` into it. What it cannot have are the container's own paths and ports:
//! folders are put in their place wherever they are named, and ports are free ones of this machine.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    fmt::Write as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tests::servers::{
    kube::KubeApi,
    ports,
    process::{self, Process},
};
use tokio::time::{sleep, timeout};

/// Until a pod is ready; planes wait for the coordinator.
const READY_LIMIT: Duration = Duration::from_secs(90);

/// Until an answer of a probe changes: the custom resources are looked at every 10 s.
const CHANGE_LIMIT: Duration = Duration::from_secs(60);

/// kubectl, but for `exec`, which a kubelet would do.
pub(super) const KUBECTL: &str = r#"#!/usr/bin/env bash
args=("$@") context=control target='' command=0
for ((i = 0; i < $#; i++)); do
  case ${args[i]} in
    --context) context=${args[i + 1]} ;;
    exec) target=${args[i + 1]#deploy/} ;;
    --) command=$((i + 1)); break ;;
  esac
done
if [ -n "$target" ] && [ "$command" -gt 0 ]; then
  exec "$PAGE_PODS/$context/$target/container" "${args[@]:command}"
fi
exec "$PAGE_KUBECTL" "$@"
"#;

/// Ports of this machine in the place of a container's.
#[derive(Clone, Debug)]
pub(super) struct Ports {
    /// For 7443/udp.
    pub(super) quic: u16,
    http: u16,
}

impl Ports {
    pub(super) fn free() -> Result<Self> {
        Ok(Self { quic: ports::free()?, http: ports::free()? })
    }
}

/// A running pod.
#[derive(Debug)]
pub(super) struct Pod {
    cluster: String,
    name: String,
    http: u16,
    process: Process,
}

impl Pod {
    /// Does it belong to this Deployment?
    pub(super) fn is_of(&self, cluster: &str, deployment: &Value) -> bool {
        self.cluster == cluster && deployment["metadata"]["name"] == self.name.as_str()
    }

    /// Makes what is mounted, and starts the one container.
    pub(super) async fn start(
        folder: &Path,
        cluster: &str,
        api: &KubeApi,
        deployment: &Value,
        ports: &Ports,
        mut env: Vec<(String, String)>,
    ) -> Result<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (name, namespace) = (text(&deployment["metadata"]["name"]), text(&deployment["metadata"]["namespace"]));
        let spec = &deployment["spec"]["template"]["spec"];
        let container = &spec["containers"][0];
        let root = folder.join("pods").join(cluster).join(&name);
        let mut paths = Vec::new();
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            let volumes = spec["volumes"].as_array().context("mounts without volumes")?;
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).context("no such volume")?;
            let at = root.join(text(&mount["name"]));
            std::fs::create_dir_all(&at)?;
            fill(api, &namespace, volume, &at).await?;
            paths.push((text(&mount["mountPath"]), at));
        }
        move_paths(&paths)?;
        let account = text(&spec["serviceAccountName"]);
        let token = api.kubectl(&["create", "token", &account, "-n", &namespace, "--duration=1h"]).await?;
        let kubeconfig = api.kubeconfig_for(&account, token.trim())?;
        env.push(("KUBECONFIG".to_owned(), kubeconfig.display().to_string()));
        env.push(("HOSTNAME".to_owned(), format!("{name}-0")));
        env.push(("ISOCHRON_HTTP".to_owned(), process::loopback(ports.http).to_string()));
        if let Some((_, run)) = paths.iter().find(|(path, _)| path == "/run/isochron") {
            env.push(("ISOCHRON_SOCKET".to_owned(), run.join("console.sock").display().to_string()));
            env.push(("ISOCHRON_LISTEN".to_owned(), format!("[::]:{}", ports.quic)));
        }
        let run = root.join("container");
        script(&run, &run_script(&folder.join("bin"), &paths, &env)?)?;
        // The image's entry point has the container's name.
        let mut args = vec![text(&container["name"])];
        args.extend(container["args"].as_array().into_iter().flatten().map(text));
        let process = Process::spawn(&format!("{cluster}-{name}"), &run, &args, &[], &root)?;
        Ok(Self { cluster: cluster.to_owned(), name, http: ports.http, process })
    }

    /// Waits for what its readiness probe asks.
    pub(super) async fn ready(&mut self) -> Result<()> {
        let http = process::loopback(self.http);
        let probe = || async move {
            matches!(process::http("GET", http, "/readyz", "").await, Ok(answer) if answer.status == 200)
        };
        self.process.wait_until("ready", READY_LIMIT, probe).await
    }

    /// Status and body.
    pub(super) async fn get(&self, path: &str) -> Result<(u16, String)> {
        let answer = process::http("GET", process::loopback(self.http), path, "").await?;
        Ok((answer.status, answer.body))
    }

    /// Waits until a probe says no, and returns why.
    pub(super) async fn refused(&self, path: &str) -> Result<String> {
        let asked = async {
            loop {
                match self.get(path).await {
                    Ok((503, why)) => return why,
                    _ => sleep(Duration::from_millis(200)).await,
                }
            }
        };
        timeout(CHANGE_LIMIT, asked).await.with_context(|| format!("{path} went on saying yes"))
    }

    pub(super) fn log_tail(&self) -> String {
        self.process.log_tail()
    }
}

/// A volume's files.
async fn fill(api: &KubeApi, namespace: &str, volume: &Value, at: &Path) -> Result<()> {
    let of = |kind: &'static str, name: &Value| Some((kind, name.as_str()?.to_owned()));
    let source =
        of("configmap", &volume["configMap"]["name"]).or_else(|| of("secret", &volume["secret"]["secretName"]));
    let Some((kind, name)) = source else {
        ensure!(volume["emptyDir"].is_object(), "a volume of a kind that this kubelet does not know: {volume}");
        return Ok(());
    };
    let object: Value =
        serde_json::from_str(&api.kubectl(&["get", kind, &name, "-n", namespace, "-o", "json"]).await?)?;
    for key in object["data"].as_object().into_iter().flatten().map(|(key, _)| key) {
        let value = if kind == "secret" { "base64decode (index .data" } else { "print (index .data" };
        let template = format!("go-template={{{{{value} {key:?})}}}}");
        let body = api.kubectl(&["get", kind, &name, "-n", namespace, "-o", &template]).await?;
        std::fs::write(at.join(key), body)?;
    }
    Ok(())
}

/// Puts the folders in the place of the container's paths, in all files.
fn move_paths(paths: &[(String, PathBuf)]) -> Result<()> {
    for (_, folder) in paths {
        for entry in std::fs::read_dir(folder)? {
            let file = entry?.path();
            let text = std::fs::read_to_string(&file)?;
            let moved = paths.iter().fold(text, |text, (from, to)| text.replace(from, &to.display().to_string()));
            std::fs::write(&file, moved)?;
        }
    }
    Ok(())
}

/// Runs a command in the pod's environment: nothing of the reader's, and the folders in the place of its paths.
fn run_script(bin: &Path, paths: &[(String, PathBuf)], env: &[(String, String)]) -> Result<String> {
    let mut text = "#!/usr/bin/env bash\nargs=(\"$@\")\n".to_owned();
    for (from, to) in paths {
        writeln!(text, "from='{from}' to='{}'\nargs=(\"${{args[@]//\"$from\"/$to}}\")", to.display())?;
    }
    write!(text, "exec env -i PATH='{}'", bin.display())?;
    for (name, value) in env {
        write!(text, " {name}='{value}'")?;
    }
    Ok(text + " \"${args[@]}\"\n")
}

/// Writes a program.
pub(super) fn script(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text)?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?)
}
