//! `loadtests barrier --regions`: one plane with as many regions as the field has, on one core, against our TiKV servers.
//!
//! ```text
//! this process (the other core)            child, pinned to one core
//!   stores that speak TiKV's protocol ◄───── a real plane actor with its real TiKV edge; PD, EC2, S3 and the API server
//!                                            are the simulated world; ordered by hand: Prepare … Suspend, Cover, Abort
//! ```

use super::args::BarrierArgs;
use crate::figures::{Figure, Figures};
use anyhow::{Context, ensure};
use std::{
    net::Ipv4Addr,
    process::{Command, Stdio},
    time::Duration,
};
use tests::servers::tikv::{StoreSpec, TikvCluster};

/// A lease that is asked for so long.
const LEASE: Duration = Duration::from_secs(10);

pub(super) fn main(args: &BarrierArgs) -> anyhow::Result<Figures> {
    let specs: Vec<_> = (1..=args.stores).map(|host| StoreSpec::new(Ipv4Addr::new(127, 21, 0, host))).collect();
    let cluster = TikvCluster::start_large(&specs, usize::try_from(args.leaders)?)?;
    let folder = tempfile::tempdir()?;
    let list = folder.path().join("stores.json");
    let address = |store| (cluster.address(store), cluster.status_address(store));
    std::fs::write(&list, serde_json::to_vec(&cluster.stores().into_iter().map(address).collect::<Vec<_>>())?)?;
    eprintln!("{} regions at {} stores are served; the plane runs on one core", cluster.regions().len(), args.stores);

    let program = std::env::current_exe()?;
    let child = Command::new("taskset")
        .args(["-c", "0"])
        .arg(program)
        .args(["barrier-plane", "--log", &args.log, "--stores"])
        .arg(&list)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot pin a process to a core: taskset (util-linux) is missing")?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "the plane ended with {}", output.status);
    let mut figures: Figures = serde_json::from_slice(&output.stdout).context("the plane has told no figures")?;
    let gap = cluster.stores().into_iter().map(|store| cluster.longest_gap(store)).max().unwrap_or_default();
    let left = LEASE.saturating_sub(gap).as_secs_f64() / LEASE.as_secs_f64() * 100.0;
    figures.add(Figure::at_least("smallest lease left, as the stores saw it", left, "%", 60.0));
    Ok(figures)
}
