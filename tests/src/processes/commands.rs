//! Commands of both programs that answer and end.

use crate::servers::process;
use anyhow::Result;
use std::time::Duration;
use tokio::process::Command;

/// One command; the console's own limits are 10 s each.
pub(super) const COMMAND_LIMIT: Duration = Duration::from_secs(30);

pub(super) fn coordinator() -> Result<Command> {
    command("ISOCHRON_COORDINATOR")
}

/// The program that this environment variable names.
pub(super) fn command(variable: &str) -> Result<Command> {
    let mut command = Command::new(process::program(variable)?);
    process::forget_variables(&mut command);
    Ok(command)
}

/// What `coordinator crd` prints.
pub(super) async fn crds() -> Result<String> {
    process::output(coordinator()?.arg("crd"), "", COMMAND_LIMIT).await
}
