//! Somebody dies while a plane looks at what is kept: who has asked is told, or told that nobody answers; the next one is
//! answered in full, and the backup is what it was.

use super::{
    judge,
    runner::{Runner, UNDER_WAY},
    table::{Case, Scenario},
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tests::{
    processes::site::PLANES,
    servers::{ec2::Fault, process},
};
use tokio::time::sleep;

/// What a verification and a scan both call.
const CALL: &str = "DescribeSnapshots";
/// Of whoever has asked: a coordinator waits a little longer than two minutes for a plane that is silent.
const ASKED_LIMIT: Duration = Duration::from_secs(150);
/// Until everybody is linked again and looks once more.
const AGAIN_LIMIT: Duration = Duration::from_secs(60);

fn question(scenario: Scenario, name: &str) -> Vec<&str> {
    if scenario == Scenario::Verification { vec!["verify", name] } else { vec!["orphans"] }
}

/// All of it was looked at, and nothing is amiss.
fn is_whole(scenario: Scenario, told: &Value) -> bool {
    match scenario {
        Scenario::Verification => told["level"] == "Sound",
        // A plane that is known never connects.
        _ => told["found"] == json!([]) && PLANES.iter().all(|plane| is_seen(told, plane)),
    }
}

fn is_seen(told: &Value, plane: &str) -> bool {
    let mut lines = told["planes"].as_array().into_iter().flatten();
    lines.any(|line| line["plane"] == plane && line["notSeen"] == json!([]))
}

impl Runner {
    /// Asks; returns when every plane has asked EC2, which does not answer yet.
    pub(crate) async fn ask(&mut self, name: &str, case: &Case) -> Result<()> {
        let ask = [&["--output", "json"], &question(case.scenario, name)[..]].concat();
        let mut command = self.rig.programs().console_command(&ask)?;
        let before = self.rig.ec2.handle.count(CALL);
        self.rig.ec2.handle.plan(CALL, Fault::SlowReply(UNDER_WAY), 3);
        self.asked = Some(tokio::spawn(async move { process::output(&mut command, "", ASKED_LIMIT).await }));
        self.until(name, "looked at", || Ok(self.rig.ec2.handle.count(CALL) >= before + 3)).await
    }

    /// What came of it, in words.
    pub(crate) async fn answered(&mut self, name: &str, case: &Case) -> Result<String> {
        let first = self.asked.take().context("nobody has asked")?.await?;
        let told = match &first {
            Err(error) => {
                ensure!(!format!("{error:#}").contains("no end within"), "who has asked still waits: {error:#}");
                "told as failed"
            }
            Ok(text) if is_whole(case.scenario, &serde_json::from_str(text)?) => "answered",
            Ok(_) => "told in part",
        };
        let (begun, ask) = (Instant::now(), question(case.scenario, name));
        loop {
            let again = self.rig.programs().console(&ask).await;
            if again.as_ref().is_ok_and(|told| is_whole(case.scenario, told)) {
                break;
            }
            ensure!(begun.elapsed() < AGAIN_LIMIT, "asked again: {again:?}");
            sleep(Duration::from_millis(500)).await;
        }
        let outcome = judge::outcome(&self.rig, name, case).await?;
        Ok(format!("{outcome}, {told}"))
    }
}
