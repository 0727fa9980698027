//! The other end of the coordinator's process.

use super::args::FleetArgs;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// What it finds.
#[derive(Clone, Copy, Default)]
pub(super) struct Start<'a> {
    /// So many backups that have ended; 0: objects and ledger are empty, in memory.
    pub(super) backups: u32,
    /// Copies of this one are stored at an API server in memory;
    pub(super) pattern: Option<&'a Path>,
    /// or they are at this one already.
    pub(super) kubeconfig: Option<&'a Path>,
}

/// A coordinator that runs. Dropping it ends it.
pub(super) struct Coordinator {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pub(super) address: SocketAddr,
    /// Of its pages.
    pub(super) http: SocketAddr,
}

impl Coordinator {
    /// Returns once it listens.
    pub(super) fn start(
        args: &FleetArgs,
        folder: &Path,
        listen: SocketAddr,
        start: &Start<'_>,
    ) -> anyhow::Result<Self> {
        let file = |flag: &'static str, path: Option<&Path>| {
            path.map(|path| [std::ffi::OsString::from(flag), path.into()]).into_iter().flatten()
        };
        let mut process = Command::new(std::env::current_exe()?)
            .args(["fleet-coordinator", "--log", &args.log, "--listen", &listen.to_string()])
            .args(["--planes", &args.planes.to_string(), "--members", &args.members.to_string(), "--folder"])
            .arg(folder)
            .args(["--backups", &start.backups.to_string()])
            .args(file("--pattern", start.pattern))
            .args(file("--kubeconfig", start.kubeconfig))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the coordinator's process does not start")?;
        let orders = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().context("no standard output")?);
        let mut coordinator = Self { process, orders, answers, address: listen, http: listen };
        let said = coordinator.hear()?;
        let address = |field: &str| anyhow::Ok(said[field].as_str().context("no address")?.parse()?);
        (coordinator.address, coordinator.http) = (address("listening")?, address("http")?);
        Ok(coordinator)
    }

    /// What it answers. Blocks until then.
    pub(super) fn ask(&mut self, order: &str) -> anyhow::Result<Value> {
        let orders = self.orders.as_mut().context("it was told to end")?;
        writeln!(orders, "{order}")?;
        orders.flush()?;
        self.hear()
    }

    fn hear(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the coordinator's process has ended");
        Ok(serde_json::from_str(&line)?)
    }

    /// In good order: its sessions are closed. Returns when it has ended.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        self.orders = None;
        let status = self.process.wait()?;
        ensure!(status.success(), "the coordinator's process ended with {status}");
        Ok(())
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        self.orders = None;
        // It has ended already, if all went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A field of an answer.
pub(super) fn number(value: &Value, field: &str) -> anyhow::Result<f64> {
    value[field].as_f64().with_context(|| format!("no {field} in {value}"))
}
