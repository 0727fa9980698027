//! The coordinator as it runs stand-alone, its planes on a simulated world, and what may be done to them.

use super::{args::SandboxArgs, commands::Command, common::NAMESPACE, objects::Objects, relay::Relay};
use crate::embedded::{TRUST_DOMAIN, credentials, make_certificates, manifest, start_plane};
use anyhow::{Context, bail};
use coordinator::{
    config::CoordinatorConfig,
    edge,
    metrics::Metrics,
    ports::{Inbound, Ports},
    standing::Standing,
};
use shared::ids::StoreId;
use shell::{
    clock::{Clock, Wall, system_wall},
    http::{self, HttpServer},
    pki::Kind,
    quic::{self, Server},
};
use std::{
    collections::BTreeMap,
    fmt::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};
use tests::world::{World, WorldConfig};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

struct Plane {
    /// `None`: it was killed.
    task: Option<JoinHandle<()>>,
    relay: Relay,
}

pub(super) struct Site {
    folder: PathBuf,
    objects: Objects,
    world: World,
    config: WorldConfig,
    planes: BTreeMap<String, Plane>,
    http: HttpServer,
}

impl Site {
    pub(super) async fn start(args: &SandboxArgs, folder: &Path) -> anyhow::Result<Self> {
        let certificates = folder.join("pki");
        if !certificates.exists() {
            std::fs::create_dir_all(&certificates)?;
            make_certificates(&certificates, args.planes)?;
        }
        let config = WorldConfig {
            planes: WorldConfig::named_planes(args.planes),
            stores_per_plane: args.stores,
            ..WorldConfig::seeded(args.seed)
        };
        // An API server has a clock of its own, by which objects are made.
        let config = if args.kube { WorldConfig { wall: system_wall(), ..config } } else { config };
        let world = World::new(config.clone());
        let living = world.clone();
        tokio::spawn(async move { living.run().await });
        let of_world = world.clone();
        let wall: Wall = Arc::new(move || of_world.wall());
        let (objects, ports) = Objects::start(args, folder, wall.clone()).await?;
        let (quic, http) = start_coordinator(args, &certificates, &config, ports, wall)?;
        let mut planes = BTreeMap::new();
        for plane in &config.planes {
            let relay = Relay::to(quic).await.context("no socket for a plane")?;
            let task = start_plane(&certificates, &world, &plane.name, relay.address)?;
            planes.insert(plane.name.clone(), Plane { task: Some(task), relay });
        }
        std::fs::write(folder.join("env"), environment(&certificates, quic) + &objects.environment())?;
        Ok(Self { folder: folder.to_owned(), objects, world, config, planes, http })
    }

    /// Where everything is.
    pub(super) fn greeting(&self) -> String {
        let mut out = String::new();
        let (http, folder) = (self.http.address(), self.folder.display());
        let rows = [
            ("web page", format!("http://{http}/ui/")),
            ("metrics", format!("http://{http}/metrics")),
            ("terminal", format!("source {folder}/env; coordinator console status")),
            self.objects.told(),
            ("to begin", "backup one".to_owned()),
            ("to break", "help".to_owned()),
        ];
        for (what, where_) in rows {
            // Writing to a text does not fail.
            let _ = writeln!(out, "{what:<10}{where_}");
        }
        out.trim_end().to_owned()
    }

    pub(super) async fn carry_out(&mut self, command: Command) -> anyhow::Result<String> {
        Ok(match command {
            Command::Backup(name) => {
                self.objects.apply(&name, &manifest(&self.config, NAMESPACE, &name)).await?;
                format!("VolumeBackup {NAMESPACE}/{name} is written; it begins within a second or two")
            }
            Command::Delete(name) => {
                self.objects.delete(&name).await?;
                format!("VolumeBackup {NAMESPACE}/{name} is deleted, and its snapshots will be")
            }
            Command::Kill(name) => {
                let Some(task) = self.plane(&name)?.task.take() else { bail!("{name} is dead already") };
                task.abort();
                format!("{name} is killed; TiKV's leases there end within 10 s by themselves")
            }
            Command::Start(name) => {
                let certificates = self.folder.join("pki");
                let world = self.world.clone();
                let plane = self.plane(&name)?;
                if plane.task.is_some() {
                    bail!("{name} runs");
                }
                plane.task = Some(start_plane(&certificates, &world, &name, plane.relay.address)?);
                format!("{name} starts")
            }
            Command::Cut(name, length) => {
                self.plane(&name)?.relay.cut(length);
                format!("nothing gets through between {name} and the coordinator for {length:?}")
            }
            Command::Restart(store, down) => {
                if !self.world.stores().iter().any(|(known, _)| known.0 == store) {
                    bail!("there is no store {store}; there are 1 to {}", self.world.stores().len());
                }
                self.world.restart_store(StoreId(store), down);
                format!("tikv-{store} ends, and is back in {down:?}")
            }
            Command::Throttle(calls) => {
                self.of_every_plane(|ec2| ec2.throttle = calls);
                format!("EC2 refuses the next {calls} calls of every plane")
            }
            Command::Slow(length) => {
                self.of_every_plane(|ec2| ec2.slow_create = length);
                format!("CreateSnapshots takes {length:?} longer")
            }
            Command::Broken(sets) => {
                self.of_every_plane(|ec2| ec2.error_sets = sets);
                format!("the next {sets} snapshot sets of every plane end in error")
            }
            Command::Calm => {
                self.world.faults(|faults| *faults = tests::world::Faults::default());
                self.planes.values().for_each(|plane| plane.relay.mend());
                "all is mended but planes that were killed".to_owned()
            }
            Command::Help | Command::Quit => bail!("it is not done here"),
        })
    }

    fn of_every_plane(&self, change: impl Fn(&mut tests::world::Ec2Faults)) {
        self.world.faults(|faults| {
            for plane in &self.config.planes {
                change(faults.ec2.entry(plane.name.clone()).or_default());
            }
        });
    }

    fn plane(&mut self, name: &str) -> anyhow::Result<&mut Plane> {
        let known = self.planes.keys().cloned().collect::<Vec<_>>().join(", ");
        self.planes.get_mut(name).with_context(|| format!("there is no plane {name}; there are {known}"))
    }
}

/// What a shell reads so that `coordinator console` asks this coordinator.
fn environment(certificates: &Path, quic: SocketAddr) -> String {
    let file = |name: &str| certificates.join(name).display().to_string();
    format!(
        "export ISOCHRON_SERVER={quic}\nexport ISOCHRON_TRUST_DOMAIN={TRUST_DOMAIN}\nexport ISOCHRON_CA='{}'\n\
         export ISOCHRON_CERT='{}'\nexport ISOCHRON_KEY='{}'\n",
        file("ca.crt"),
        file("admin-demo.crt"),
        file("admin-demo.key")
    )
}

fn start_coordinator(
    args: &SandboxArgs,
    certificates: &Path,
    of: &WorldConfig,
    ports: Ports,
    wall: Wall,
) -> anyhow::Result<(SocketAddr, HttpServer)> {
    let credentials = credentials(certificates, Kind::Coordinator, "demo")?;
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &credentials, quic::Limits::default())?;
    let quic = server.local_addr()?;
    let (planes_tx, planes) = mpsc::channel(edge::quic::GATE_QUEUE);
    let (admins_tx, admins) = mpsc::channel(edge::quic::GATE_QUEUE);
    let (metrics, standing) = (Arc::new(Metrics::new()), Arc::new(Standing::default()));
    let (alive, leads) = (standing.clone(), standing.clone());
    let routes = http::Routes {
        metrics: metrics.registry(),
        healthy: Arc::new(move || alive.healthy()),
        ready: Arc::new(|| Ok(())),
        leads: Some(Arc::new(move || leads.leading())),
        pages: Some(edge::web::pages(admins_tx.clone())),
    };
    let http =
        http::serve(args.http, routes).with_context(|| format!("cannot listen on {}; give --http", args.http))?;
    tokio::spawn(edge::quic::serve(server, planes_tx, admins_tx));
    let config = CoordinatorConfig {
        planes: of.planes.iter().map(|plane| plane.name.clone()).collect(),
        ..CoordinatorConfig::default()
    };
    let (decision, leading) = watch::channel(true);
    let known = watch::channel(config.planes.clone()).1;
    let inbound = Inbound { planes, admins, leading, standing, known, stops: mpsc::channel(1).1 };
    tokio::task::spawn_local(async move {
        let _leads_for_as_long = decision;
        if let Err(error) = coordinator::run(config, ports, Clock::with_wall(wall), metrics, inbound).await {
            tracing::error!(%error, "coordinator ended");
        }
    });
    Ok((quic, http))
}
