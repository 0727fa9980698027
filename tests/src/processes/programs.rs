//! `coordinator serve` and one `plane-actor run` per plane, with certificates from `coordinator pki`.

use super::{
    cluster_objects::Part,
    commands::{COMMAND_LIMIT, command, coordinator},
    environment::{BUCKET, Environment, REGION, own_key, plane_namespace},
    network_paths::{Reach, Ways},
    site::PLANES,
};
use crate::servers::{
    ports,
    process::{self, Process, START_LIMIT},
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    fmt::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::{process::Command, time::sleep};

const TRUST_DOMAIN: &str = "whole.test";

/// Until all planes are connected: they back off between dials while the coordinator starts.
const CONNECT_LIMIT: Duration = Duration::from_secs(60);

/// Until the ports of a program that was killed are free.
const PORT_LIMIT: Duration = Duration::from_secs(10);

/// One of the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The coordinator.
    Coordinator,
    /// A plane's actor, by its place among the planes started.
    Plane(usize),
}

/// The running programs. Dropped in the order of the fields: programs before what they run in.
#[derive(Debug)]
pub struct Programs {
    coordinator: Program,
    planes: Vec<Program>,
    ways: Ways,
    folder: PathBuf,
    pki: PathBuf,
}

/// A program, and how it is started again.
#[derive(Debug)]
struct Program {
    process: Process,
    launch: Launch,
}

#[derive(Debug)]
struct Launch {
    name: String,
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    folder: PathBuf,
    /// Where it serves HTTP.
    http: SocketAddr,
}

impl Launch {
    fn new(
        folder: &Path,
        name: &str,
        variable: &str,
        args: &[&str],
        env: &[(&str, &str)],
        http: SocketAddr,
    ) -> Result<Self> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut env: Vec<(String, String)> = env.iter().map(owned).collect();
        env.push(("ISOCHRON_BREAK".to_owned(), path(&break_file(folder, name)).to_owned()));
        Ok(Self {
            name: name.to_owned(),
            program: process::program(variable)?,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env,
            folder: folder.to_owned(),
            http,
        })
    }

    /// The same, run by another program, if one is named.
    fn by(mut self, prefix: Option<[String; 2]>) -> Self {
        let Some([first, option]) = prefix else { return self };
        let program = std::mem::replace(&mut self.program, PathBuf::from(first));
        self.args.splice(0..0, [option, path(&program).to_owned()]);
        self
    }

    fn run(&self) -> Result<Process> {
        let env: Vec<(&str, &str)> = self.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Process::spawn(&self.name, &self.program, &self.args, &env, &self.folder)
    }

    fn start(self) -> Result<Program> {
        Ok(Program { process: self.run()?, launch: self })
    }
}

/// Where a program looks for a breakpoint (`shell::breakpoints`).
fn break_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.break"))
}

impl Programs {
    /// Starts a coordinator that knows `known`, and the actors of `planes`; returns when all of them are connected.
    pub async fn start(
        environment: &Environment,
        folder: &Path,
        known: &[&str],
        planes: &[&'static str],
        reach: Reach,
    ) -> Result<Self> {
        let pki = folder.join("pki");
        let kubeconfig = environment.kubeconfig("coordinator").await?;
        let ways = Ways::lay(environment, reach, planes.len(), &kubeconfig).await?;
        make_certificates(&pki, &ways.hosts()).await?;
        let (http, config) = (ways.http, coordinator_config(&pki, ways.listen(), ways.http, known));
        let (file, log_filter) = (folder.join("coordinator.yaml"), "info,shared=debug,coordinator=debug");
        std::fs::write(&file, config)?;
        let args = ["serve", "--config", path(&file), "--log", log_filter];
        let env = [("KUBECONFIG", path(&kubeconfig))];
        let launch = Launch::new(folder, "coordinator", "ISOCHRON_COORDINATOR", &args, &env, http)?;
        let mut coordinator = launch.by(ways.prefix()).start()?;
        let ready = || async move {
            matches!(process::http("GET", http, "/leadz", "").await, Ok(answer) if answer.status == 200)
        };
        coordinator.process.wait_until("leading", START_LIMIT, ready).await?;
        let mut programs = Self { coordinator, planes: Vec::new(), ways, folder: folder.to_owned(), pki };
        for (index, plane) in planes.iter().enumerate() {
            let dialled = programs.ways.dialled(index);
            let plane = programs.start_plane(environment, folder, plane, dialled).await?;
            programs.planes.push(plane);
        }
        programs.connected(planes).await?;
        Ok(programs)
    }

    async fn start_plane(
        &self,
        environment: &Environment,
        folder: &Path,
        plane: &str,
        dialled: SocketAddr,
    ) -> Result<Program> {
        let file = folder.join(format!("{plane}.yaml"));
        let http = process::loopback(ports::free()?);
        std::fs::write(&file, plane_config(&self.pki, plane, dialled, http, &environment.front.url))?;
        let kubeconfig = environment.kubeconfig(plane).await?;
        let env = plane_env(environment, &kubeconfig, plane);
        let log_filter = "info,shared=debug,plane_actor=debug";
        let args = ["run", "--config", path(&file), "--log", log_filter];
        Launch::new(folder, plane, "ISOCHRON_PLANE_ACTOR", &args, &env, http)?.start()
    }

    /// Waits until these planes have sessions. A coordinator that was just started again is given time to listen.
    pub async fn connected(&mut self, wanted: &[&str]) -> Result<()> {
        let started = Instant::now();
        loop {
            for Program { process, .. } in std::iter::once(&mut self.coordinator).chain(&mut self.planes) {
                ensure!(process.is_running(), "a program ended; {}", process.log_tail());
            }
            let planes = self.console(&["planes"]).await.unwrap_or_else(|error| Value::String(format!("{error:#}")));
            let connected = |name: &&str| {
                let row = planes.as_array().into_iter().flatten().find(|row| row["plane"] == *name);
                row.is_some_and(|row| row["connected"] == true)
            };
            if wanted.iter().all(connected) {
                return Ok(());
            }
            ensure!(started.elapsed() < CONNECT_LIMIT, "not all planes connect: {planes}\n{}", self.log_tails());
            sleep(Duration::from_millis(300)).await;
        }
    }

    /// `coordinator console --output json …`.
    pub async fn console(&self, ask: &[&str]) -> Result<Value> {
        let printed = self.console_text(&[&["--output", "json"], ask].concat()).await?;
        serde_json::from_str(&printed).with_context(|| format!("console {ask:?} printed no JSON: {printed}"))
    }

    /// `coordinator console …`, as a person reads it.
    pub async fn console_text(&self, ask: &[&str]) -> Result<String> {
        process::output(&mut self.console_command(ask)?, "", COMMAND_LIMIT).await
    }

    /// The same, to be started by whoever does something else meanwhile.
    pub fn console_command(&self, ask: &[&str]) -> Result<Command> {
        let file = |name: &str| self.pki.join(name);
        let mut command = coordinator()?;
        // Not the contexts of whoever runs the tests.
        command.env("XDG_CONFIG_HOME", &self.folder);
        command.args(["console", "--server", &self.ways.quic.to_string()]);
        command.args(["--trust-domain", TRUST_DOMAIN, "--ca"]).arg(file("ca.crt"));
        command.arg("--cert").arg(file("admin-ann.crt")).arg("--key").arg(file("admin-ann.key")).args(ask);
        Ok(command)
    }

    /// `plane-actor preflight` for a backup of this part: its checks.
    pub async fn preflight(&self, environment: &Environment, part: &Part, prefix: &str) -> Result<Value> {
        let kubeconfig = environment.kubeconfig(&part.plane).await?;
        let mut command = command("ISOCHRON_PLANE_ACTOR")?;
        command.envs(plane_env(environment, &kubeconfig, &part.plane)).args(["preflight", "--json", "--log", "off"]);
        command.arg("--config").arg(self.folder.join(format!("{}.yaml", part.plane)));
        command.args(["--namespace", &part.namespace, "--cluster", &part.name, "--secret", "s3-secret"]);
        command.args(["--bucket", BUCKET, "--region", REGION, "--prefix", prefix]);
        let printed = process::output(&mut command, "", COMMAND_LIMIT).await?;
        serde_json::from_str(&printed).with_context(|| format!("preflight printed no JSON: {printed}"))
    }

    /// All that `plane-actor preflight` of this part prints and logs, with these credentials and the loudest log.
    pub async fn loud_preflight(
        &self,
        environment: &Environment,
        part: &Part,
        credentials: [&str; 2],
    ) -> Result<String> {
        let kubeconfig = environment.kubeconfig(&part.plane).await?;
        let mut command = command("ISOCHRON_PLANE_ACTOR")?;
        command.envs(plane_env(environment, &kubeconfig, &part.plane)).args(["preflight", "--json", "--log", "trace"]);
        command.arg("--config").arg(self.folder.join(format!("{}.yaml", part.plane))).args(credentials);
        command.args(["--namespace", &part.namespace, "--cluster", &part.name]);
        command.args(["--bucket", BUCKET, "--region", REGION, "--prefix", "loud"]).kill_on_drop(true);
        let output = tokio::time::timeout(COMMAND_LIMIT, command.output()).await??;
        let text = [output.stdout, output.stderr].map(|part| String::from_utf8_lossy(&part).into_owned()).concat();
        ensure!(output.status.success(), "preflight: {text}");
        Ok(text)
    }

    /// Everything that the programs have logged.
    pub fn logs(&self) -> Result<String> {
        let programs = std::iter::once(&self.coordinator).chain(&self.planes);
        let logs = programs.map(|program| std::fs::read_to_string(program.process.log()));
        Ok(logs.collect::<std::io::Result<Vec<_>>>()?.concat())
    }

    /// One plane's actor, to stop, continue or kill.
    pub fn plane(&self, index: usize) -> &Process {
        &self.planes[index].process
    }

    /// The process of a program, dead or alive.
    pub fn process(&mut self, who: Who) -> &mut Process {
        match who {
            Who::Coordinator => &mut self.coordinator.process,
            Who::Plane(index) => &mut self.planes[index].process,
        }
    }

    /// From its next start on, another one runs in its place, with the same arguments.
    pub fn becomes(&mut self, who: Who, program: PathBuf) {
        match who {
            Who::Coordinator => self.coordinator.launch.program = program,
            Who::Plane(index) => self.planes[index].launch.program = program,
        }
    }

    /// Starts a program that has ended again, with the same configuration.
    pub async fn start_again(&mut self, who: Who) -> Result<()> {
        let program = match who {
            Who::Coordinator => &mut self.coordinator,
            Who::Plane(index) => &mut self.planes[index],
        };
        ensure!(!program.process.is_running(), "{} still runs", program.launch.name);
        // Its group is killed as a whole, and who waits for the leader may be quicker than the kernel with the others.
        let begun = Instant::now();
        while std::net::TcpListener::bind(program.launch.http).is_err() {
            ensure!(begun.elapsed() < PORT_LIMIT, "{} still has its port", program.launch.name);
            sleep(Duration::from_millis(10)).await;
        }
        program.process = program.launch.run()?;
        Ok(())
    }

    /// Where a program looks for a breakpoint.
    pub fn break_file(&self, who: Who) -> PathBuf {
        match who {
            Who::Coordinator => break_file(&self.folder, &self.coordinator.launch.name),
            Who::Plane(index) => break_file(&self.folder, &self.planes[index].launch.name),
        }
    }

    /// The ways of planes to the coordinator, by their places among the planes started.
    pub fn ways(&self) -> &Ways {
        &self.ways
    }

    /// The ends of all logs, for people who read about a failure.
    pub fn log_tails(&self) -> String {
        let mut text = String::new();
        for Program { process, .. } in std::iter::once(&self.coordinator).chain(&self.planes) {
            let _to_a_string = writeln!(text, "{}", process.log_tail());
        }
        text
    }
}

/// Of each plane's own secret key.
pub const OWN_SECRET: &str = "an own key that no log shows";

fn plane_env<'a>(environment: &'a Environment, kubeconfig: &'a Path, plane: &str) -> [(&'static str, &'a str); 9] {
    [
        ("KUBECONFIG", path(kubeconfig)),
        ("AWS_REGION", REGION),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        // The manifest of the user page names no endpoint. S3's stands in the plane's configuration; what the environment
        // says of it leads nowhere. For the others these are the SDK's own variables.
        ("AWS_ENDPOINT_URL_EC2", &environment.ec2.url),
        ("AWS_ENDPOINT_URL_EBS", &environment.ec2.url),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"),
        ("AWS_ENDPOINT_URL_STS", &environment.front.url),
        ("AWS_ACCESS_KEY_ID", own_key(plane)),
        ("AWS_SECRET_ACCESS_KEY", OWN_SECRET),
    ]
}

async fn make_certificates(pki: &Path, hosts: &[String]) -> Result<()> {
    let run = async |args: &[&str]| {
        let mut command = coordinator()?;
        command.args(["pki", "--dir", path(pki)]).args(args);
        process::output(&mut command, "", COMMAND_LIMIT).await.map(|_| ())
    };
    run(&["init", "--trust-domain", TRUST_DOMAIN]).await?;
    run(&["coordinator", "one", "--san", &hosts.join(",")]).await?;
    run(&["admin", "ann", "--no-context"]).await?;
    for plane in PLANES {
        run(&["plane", plane]).await?;
    }
    Ok(())
}

fn coordinator_config(pki: &Path, quic: SocketAddr, http: SocketAddr, known: &[&str]) -> String {
    let pki = pki.display();
    format!(
        "planes: [{}]
listen: \"{quic}\"
http: \"{http}\"
trustDomain: {TRUST_DOMAIN}
tls:
  ca: {pki}/ca.crt
  cert: {pki}/coordinator-one.crt
  key: {pki}/coordinator-one.key
  crl: {pki}/crl.pem
namespace: isochron
",
        known.join(", ")
    )
}

fn plane_config(pki: &Path, plane: &str, quic: SocketAddr, http: SocketAddr, s3: &str) -> String {
    let (pki, namespace) = (pki.display(), plane_namespace(plane));
    format!(
        "plane: {plane}
coordinator: [\"{quic}\"]
http: \"{http}\"
trustDomain: {TRUST_DOMAIN}
tls:
  ca: {pki}/ca.crt
  cert: {pki}/plane-{plane}.crt
  key: {pki}/plane-{plane}.key
  crl: {pki}/crl.pem
namespace: {namespace}
aws: {{s3Endpoint: \"{s3}\"}}
cleanQuietSeconds: 2
"
    )
}

/// Paths here are made of ASCII names in a temporary folder.
#[allow(clippy::expect_used)] // As just said.
fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
