//! A real pd-server, alone or as three members.
//!
//! It is empty until a test bootstraps it: before that, every call about stores or regions answers that the cluster is
//! not bootstrapped.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::servers::{
    ports,
    process::{self, Answer, Process, START_LIMIT},
};

/// Until all members agree on another leader. Measured: 1.2 s after a handover, 14 s after the leader was killed (its
/// lease and etcd's election both run out first).
const LEADER_LIMIT: Duration = Duration::from_secs(90);

const CONFIG: &str = r#"
[replication]
max-replicas = 1

[pd-server]
dashboard-address = "none"
min-resolved-ts-persistence-interval = "1s"
"#;

/// A running PD cluster. Dropping it kills every member and removes their data.
#[derive(Debug)]
pub struct Pd {
    members: Vec<Member>,
    binary: PathBuf,
    folder: TempDir,
}

/// One pd-server.
#[derive(Debug)]
pub struct Member {
    /// `pd-0`, `pd-1`…
    pub name: String,
    /// Where it serves both HTTP and gRPC.
    pub address: SocketAddr,
    peer: SocketAddr,
    process: Option<Process>,
}

impl Member {
    /// The client URL, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The member's process, to stop and continue it; `None` while it is killed.
    #[must_use]
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }
}

impl Pd {
    /// One member, which returns as the leader (about 3 s, 70 MB).
    pub async fn start() -> Result<Self> {
        Self::start_members(1).await
    }

    /// Several members of one cluster, with a leader among them and every one answering.
    pub async fn start_members(count: usize) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("isochron-pd-").tempdir()?;
        std::fs::write(folder.path().join("pd.toml"), CONFIG)?;
        let mut members = Vec::new();
        for index in 0..count {
            members.push(Member {
                name: format!("pd-{index}"),
                address: process::loopback(ports::free()?),
                peer: process::loopback(ports::free()?),
                process: None,
            });
        }
        let mut pd = Self { members, binary: process::program("ISOCHRON_PD_SERVER")?, folder };
        // All at once: a lone member of three never gets a leader.
        for index in 0..count {
            pd.spawn(index)?;
        }
        for index in 0..count {
            pd.wait_ready(index).await?;
        }
        Ok(pd)
    }

    /// The members in the order of their names, killed ones too.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Every member's client URL.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.members.iter().map(Member::url).collect()
    }

    /// The client URL of the first member.
    #[must_use]
    pub fn url(&self) -> String {
        self.members.first().map(Member::url).unwrap_or_default()
    }

    /// The leader's name, as the first member that answers says it.
    pub async fn leader(&self) -> Result<String> {
        let mut last = None;
        for member in self.members.iter().filter(|member| member.process.is_some()) {
            match leader_according_to(member.address).await {
                Ok(name) => return Ok(name),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("no member of PD runs")?)
    }

    /// Hands leadership to the member named `to`, and returns once every running member agrees.
    pub async fn transfer_leader(&self, to: &str) -> Result<()> {
        self.post(&format!("/pd/api/v1/leader/transfer/{to}")).await?;
        self.wait_for_leader(|leader| leader == to).await
    }

    /// Makes the leader step down, and returns the name of the next, on which every running member agrees.
    pub async fn change_leader(&self) -> Result<String> {
        let old = self.leader().await?;
        let next = self.members.iter().find(|member| member.process.is_some() && member.name != old);
        let next = next.with_context(|| format!("{old} is the only member that runs"))?.name.clone();
        self.transfer_leader(&next).await?;
        Ok(next)
    }

    /// Returns once every running member names the same leader, and `wanted` holds of its name.
    pub async fn wait_for_leader(&self, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let started = Instant::now();
        loop {
            let mut seen = Vec::new();
            for member in self.members.iter().filter(|member| member.process.is_some()) {
                seen.push(leader_according_to(member.address).await);
            }
            // A member that gives no name agrees with nobody.
            let names: Vec<&str> = seen.iter().flatten().map(String::as_str).collect();
            let agreed = names.len() == seen.len() && names.windows(2).all(|pair| pair[0] == pair[1]);
            if agreed && names.first().is_some_and(|name| wanted(name)) {
                return Ok(());
            }
            ensure!(
                started.elapsed() < LEADER_LIMIT,
                "no leader as wanted within {LEADER_LIMIT:?}: members say {seen:?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Kills a member as a power cut does; its data stays.
    pub async fn kill(&mut self, name: &str) -> Result<()> {
        let index = self.index(name)?;
        match self.members[index].process.take() {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Starts a killed member again with its data and addresses.
    pub async fn restart(&mut self, name: &str) -> Result<()> {
        self.kill(name).await?;
        let index = self.index(name)?;
        self.spawn(index)?;
        self.wait_ready(index).await
    }

    fn index(&self, name: &str) -> Result<usize> {
        self.members
            .iter()
            .position(|member| member.name == name)
            .with_context(|| format!("no member of PD named {name}"))
    }

    fn spawn(&mut self, index: usize) -> Result<()> {
        let cluster: Vec<String> = self.members.iter().map(|m| format!("{}=http://{}", m.name, m.peer)).collect();
        let file = |name: String| self.folder.path().join(name).display().to_string();
        let member = &self.members[index];
        let args = [
            format!("--name={}", member.name),
            format!("--data-dir={}", file(format!("{}-data", member.name))),
            format!("--client-urls=http://{}", member.address),
            format!("--peer-urls=http://{}", member.peer),
            format!("--initial-cluster={}", cluster.join(",")),
            format!("--config={}", file("pd.toml".to_owned())),
        ];
        let process = Process::spawn(&member.name, &self.binary, args, &[], self.folder.path())?;
        self.members[index].process = Some(process);
        Ok(())
    }

    /// Ready is: it knows the leader, and so can answer or redirect everything.
    async fn wait_ready(&mut self, index: usize) -> Result<()> {
        let member = &mut self.members[index];
        let address = member.address;
        let process = member.process.as_mut().context("a member just started has no process")?;
        let ready = || async move { leader_according_to(address).await.is_ok() };
        process.wait_until("aware of a leader", START_LIMIT, ready).await
    }

    async fn post(&self, path: &str) -> Result<Answer> {
        let member = self.members.iter().find(|member| member.process.is_some()).context("no member of PD runs")?;
        let answer = process::http("POST", member.address, path, "").await?;
        ensure!(answer.status == 200, "POST {path}: {} {}", answer.status, answer.body);
        Ok(answer)
    }
}

async fn leader_according_to(member: SocketAddr) -> Result<String> {
    let answer = process::http("GET", member, "/pd/api/v1/leader", "").await?;
    ensure!(answer.status == 200, "no leader: {} {}", answer.status, answer.body);
    let leader: serde_json::Value = serde_json::from_str(&answer.body)?;
    let name = leader.get("name").and_then(|name| name.as_str()).context("a leader without a name")?;
    Ok(name.to_owned())
}
