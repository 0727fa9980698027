//! Where the sandbox's VolumeBackups lie: in a folder, or on a real API server.

#[cfg(feature = "servers")]
use super::served::Served;
use super::{
    args::SandboxArgs,
    common::{OwnLogs, limits},
};
use anyhow::Context;
use coordinator::{
    edge::local::Local,
    ports::{NoTraces, Ports},
};
use shared::cron::Zone;
use shell::clock::Wall;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub(super) enum Objects {
    Folder(PathBuf),
    #[cfg(feature = "servers")]
    Served(Served),
}

impl Objects {
    /// With what the coordinator is joined to.
    pub(super) async fn start(args: &SandboxArgs, folder: &Path, wall: Wall) -> anyhow::Result<(Self, Ports)> {
        if args.kube {
            return on_a_server(wall).await;
        }
        let objects = folder.join("objects");
        let local = Local::open(&objects, limits(), Zone::utc(), wall.clone())?;
        let ports = Ports {
            source: local.source,
            ledger: local.ledger,
            objects: local.objects,
            schedules: local.schedules,
            manifests: local.manifests,
            restores: local.restores,
            logs: Arc::new(OwnLogs),
            traces: Arc::new(NoTraces),
            wall,
        };
        Ok((Self::Folder(objects), ports))
    }

    #[cfg_attr(not(feature = "servers"), expect(clippy::unused_async, reason = "an API server is waited for"))]
    pub(super) async fn apply(&self, name: &str, manifest: &str) -> anyhow::Result<()> {
        match self {
            Self::Folder(objects) => Ok(std::fs::write(file(objects, name), manifest)?),
            #[cfg(feature = "servers")]
            Self::Served(served) => served.apply(manifest).await,
        }
    }

    #[cfg_attr(not(feature = "servers"), expect(clippy::unused_async, reason = "an API server is waited for"))]
    pub(super) async fn delete(&self, name: &str) -> anyhow::Result<()> {
        match self {
            Self::Folder(objects) => {
                let file = file(objects, name);
                std::fs::remove_file(&file).with_context(|| format!("there is no {}", file.display()))
            }
            #[cfg(feature = "servers")]
            Self::Served(served) => served.delete(name).await,
        }
    }

    /// How a person gets at them.
    pub(super) fn told(&self) -> (&'static str, String) {
        match self {
            Self::Folder(objects) => ("objects", objects.display().to_string()),
            #[cfg(feature = "servers")]
            Self::Served(served) => ("kubectl", format!("{}; kubectl get vbk -A", served.environment().trim_end())),
        }
    }

    /// What a shell needs for it.
    pub(super) fn environment(&self) -> String {
        match self {
            Self::Folder(_) => String::new(),
            #[cfg(feature = "servers")]
            Self::Served(served) => served.environment(),
        }
    }
}

fn file(objects: &Path, name: &str) -> PathBuf {
    objects.join(format!("{name}.yaml"))
}

#[cfg(feature = "servers")]
async fn on_a_server(wall: Wall) -> anyhow::Result<(Objects, Ports)> {
    let (served, ports) = Served::start(wall).await?;
    Ok((Objects::Served(served), ports))
}

#[cfg(not(feature = "servers"))]
#[expect(clippy::unused_async, reason = "an API server is waited for")]
async fn on_a_server(_: Wall) -> anyhow::Result<(Objects, Ports)> {
    anyhow::bail!(
        "--kube needs the tests' servers: cargo run -p isochron-loadtests --features servers --bin loadtests -- sandbox --kube"
    )
}
