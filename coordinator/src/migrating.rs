//! `coordinator migrate`: from "BR Federation" to Isochron.

use crate::writing::text_of;
use anyhow::Context;
use clap::{Args, Subcommand};
use coordinator::{
    edge::kube::migrate::{Found, migrate},
    migration::{self, Line, Mark},
};
use serde_json::Value;
use shared::{cron::Zone, time::Timestamp};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Most that one file may be: some ten thousand VolumeBackups with their statuses.
const FILE_MAX: u64 = 256 * 1024 * 1024;

#[derive(Args)]
pub(crate) struct MigrateArgs {
    #[command(subcommand)]
    command: Migrate,
}

#[derive(Subcommand)]
enum Migrate {
    /// Look at what "BR Federation" works with, and print what it becomes. Nothing is changed and nobody is asked: it reads the files
    /// that are given.
    Check(CheckArgs),
}

#[derive(Args)]
struct CheckArgs {
    /// What `kubectl get vbk,vbks -A -o yaml` printed (or -o json); `-` is standard input.
    #[arg(long, value_name = "FILE")]
    objects: Option<PathBuf>,
    /// The old manager's kubeconfig, with a context for each plane.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Its values: what `helm get values RELEASE -o yaml` printed.
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
}

pub(crate) fn main(args: &MigrateArgs) -> ExitCode {
    let Migrate::Check(args) = &args.command;
    match check(args, Timestamp(jiff::Timestamp::now().as_millisecond())) {
        Ok((text, worst)) => {
            println!("{text}");
            ExitCode::from(u8::from(worst == Mark::Wrong))
        }
        Err(error) => {
            eprintln!("coordinator: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn check(args: &CheckArgs, now: Timestamp) -> anyhow::Result<(String, Mark)> {
    anyhow::ensure!(
        args.objects.is_some() || args.kubeconfig.is_some() || args.values.is_some(),
        "give at least one of --objects, --kubeconfig and --values; `coordinator migrate check --help` says what they are"
    );
    let old_values = args.values.as_deref().map(read).transpose()?.unwrap_or(Value::Object(serde_json::Map::new()));
    let zone = match old_values.get("timezone").and_then(Value::as_str) {
        Some(name) => Zone::named(name).map_err(|error| anyhow::anyhow!("values: timezone: {error}"))?,
        None => Zone::utc(),
    };
    let Found { mut lines, planes } = match &args.objects {
        Some(path) => migrate(&[read(path)?], &zone, now),
        None => Found::default(),
    };
    let contexts = match &args.kubeconfig {
        Some(path) => Some(
            migration::contexts(&read(path)?)
                .map_err(|error| anyhow::anyhow!("{}: no kubeconfig: {error}", path.display()))?,
        ),
        None => None,
    };
    lines.extend(of_planes(&planes, contexts.as_ref()));
    let all: BTreeSet<String> = planes.into_iter().chain(contexts.into_iter().flatten()).collect();
    let (values, told) = migration::values(&old_values, all.iter().cloned().collect())
        .map_err(|error| anyhow::anyhow!("--values: {error}"))?;
    lines.extend(told);
    let worst = lines.iter().map(|line| line.mark).max().unwrap_or(Mark::Fine);
    let mut text: Vec<String> = lines.iter().map(Line::to_string).collect();
    text.push("\n# values of deploy/charts/isochron".to_owned());
    text.push(serde_saphyr::to_string(&values)?);
    text.push("# in each plane, with its own certificate (deploy/README.md, 2 to 4)".to_owned());
    text.extend(all.iter().map(|plane| {
        format!("coordinator pki plane {plane} && helm install isochron-plane deploy/charts/isochron-plane -n isochron --set plane={plane}")
    }));
    Ok((text.join("\n"), worst))
}

fn of_planes(named: &BTreeSet<String>, contexts: Option<&BTreeSet<String>>) -> Vec<Line> {
    let Some(contexts) = contexts else { return Vec::new() };
    let line = |plane: &String| match (named.contains(plane), contexts.contains(plane)) {
        (true, true) => Line::new(Mark::Fine, format!("plane {plane}"), "is named by objects and has a context"),
        (true, false) => Line::new(
            Mark::Warning,
            format!("plane {plane}"),
            "is named by objects and has no context: the old manager never reached it; here it needs a plane actor of that name",
        ),
        (false, _) => Line::new(Mark::Warning, format!("plane {plane}"), "has a context, and no object names it"),
    };
    named.union(contexts).map(line).collect()
}

fn read(path: &Path) -> anyhow::Result<Value> {
    let name = path.display();
    let text = text_of(path, FILE_MAX).with_context(|| format!("{name} cannot be read"))?;
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(&text).with_context(|| format!("{name} is no JSON"));
    }
    serde_saphyr::from_str(&text).with_context(|| format!("{name} is no YAML"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn all_three_files_come_to_one_page() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        let schedule = include_str!("../../deploy/examples/schedule-access-key.yaml");
        let args = CheckArgs {
            objects: file(
                "objects.yaml",
                &format!("apiVersion: v1\nkind: List\nitems:\n- {}", schedule.trim().replace('\n', "\n  ")),
            ),
            kubeconfig: file("kubeconfig", "contexts: [{name: prod-az1}, {name: elsewhere}]"),
            values: file("values.yaml", "timezone: Europe/Berlin\nbrFederationManager: {workers: 7}\n"),
        };
        let (text, worst) = check(&args, Timestamp(0)).unwrap();
        assert_eq!(worst, Mark::Warning, "{text}");
        for said in [
            "√ plane prod-az1",
            "‼ plane prod-az2: is named by objects and has no context",
            "‼ plane elsewhere",
            "workers: is left out",
            "timezone: Europe/Berlin",
            "coordinator pki plane prod-az3",
        ] {
            assert!(text.contains(said), "{said} is not in {text}");
        }
        let none = CheckArgs { objects: None, kubeconfig: None, values: None };
        assert!(check(&none, Timestamp(0)).is_err());
        let bad = CheckArgs { objects: file("bad", "{"), kubeconfig: None, values: None };
        assert!(format!("{:#}", check(&bad, Timestamp(0)).unwrap_err()).contains("bad is no JSON"));
    }
}
