//! The test runs itself once more in a network of its own, where it may make namespaces and wires without being root.

use anyhow::{Context, Result, ensure};
use std::process::Command;

const INSIDE: &str = "ISOCHRON_IN_NAMESPACE";

/// kube-apiserver wants a default route, and gets one that leads nowhere. What is meant for a pulled wire must not take it.
const ENTER: &str = "
ip link set lo up
ip link add out type veth peer name nowhere
ip addr add 10.214.0.1/24 dev out
ip link set out up
ip link set nowhere up
ip route add default dev out
ip route add unreachable 10.213.0.0/16
exec \"$@\"";

pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs one test of this program inside.
pub(crate) fn again(test: &str) -> Result<()> {
    let status = Command::new("unshare")
        .args(["--map-root-user", "--net", "sh", "-ec", ENTER, "sh"])
        .arg(std::env::current_exe()?)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "yes")
        .status()
        .context("cannot run unshare (package util-linux)")?;
    ensure!(status.success(), "{test}, in a network of its own: {status}");
    Ok(())
}
