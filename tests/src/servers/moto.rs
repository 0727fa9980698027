//! A real moto server: S3 and STS.
//!
//! It is faithful for these two (conditional writes, paging, assumed roles) and checks neither signatures nor
//! permissions. It is not used for EC2, whose habits it lacks; that is our own server's job.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::servers::{
    ports,
    process::{self, Process, START_LIMIT},
};

/// A running moto. Dropping it kills it; it keeps everything in memory.
#[derive(Debug)]
pub struct Moto {
    /// The endpoint of every service, `http://127.0.0.1:PORT`.
    pub url: String,
    /// The same, as an address.
    pub address: SocketAddr,
    process: Process,
    _folder: TempDir,
}

impl Moto {
    /// Starts one and returns once it answers (about 2 s).
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("isochron-moto-").tempdir()?;
        let port = ports::free()?;
        let address = process::loopback(port);
        let port = port.to_string();
        let binary = process::program("ISOCHRON_MOTO")?;
        let mut process = Process::spawn("moto", &binary, ["-H", "127.0.0.1", "-p", &port], &[], folder.path())?;
        let ready = || async move {
            matches!(process::http("GET", address, STATE, "").await, Ok(answer) if answer.status == 200)
        };
        process.wait_until("ready", START_LIMIT, ready).await?;
        Ok(Self { url: format!("http://{address}"), address, process, _folder: folder })
    }

    /// The server's process, to stop and continue it.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Forgets every bucket, object and role.
    pub async fn reset(&self) -> Result<()> {
        let answer = process::http("POST", self.address, "/moto-api/reset", "").await?;
        ensure!(answer.status == 200, "moto does not reset: {} {}", answer.status, answer.body);
        Ok(())
    }
}

/// A page of moto's own that belongs to no service.
const STATE: &str = "/moto-api/";
