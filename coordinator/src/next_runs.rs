//! `coordinator next-runs`: what a schedule would do, before it is applied.

use clap::{Args, ValueEnum};
use serde_json::json;
use shared::{
    calendar::rfc3339,
    cron::{Cron, Zone},
    time::Timestamp,
};
use std::process::ExitCode;

/// Wrong use: the expression, the zone or the moment cannot be read.
const WRONG_USE: u8 = 2;

#[derive(Args)]
pub(crate) struct NextRunsArgs {
    /// As in spec.schedule: five fields, a descriptor such as @daily, or '@every 6h'; a TZ= prefix wins over --tz.
    expression: String,
    /// Runs after this moment, RFC 3339; by default now.
    #[arg(long)]
    from: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,
    /// Time zone of the expression's wall clock.
    #[arg(long, default_value = "UTC")]
    tz: String,
    /// How to show them.
    #[arg(long, value_enum, default_value = "text")]
    output: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For scripts.
    Json,
}

/// Prints the runs. Exit status 2 if something that was given cannot be read.
pub(crate) fn main(args: &NextRunsArgs) -> ExitCode {
    match render(args, Timestamp(jiff::Timestamp::now().as_millisecond())) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("coordinator: {error}");
            ExitCode::from(WRONG_USE)
        }
    }
}

fn render(args: &NextRunsArgs, now: Timestamp) -> Result<String, String> {
    let zone = Zone::named(&args.tz).map_err(|error| format!("--tz: {error}"))?;
    let from = match &args.from {
        None => now,
        Some(text) => text.parse::<jiff::Timestamp>().map(|at| Timestamp(at.as_millisecond())).map_err(|error| {
            format!("--from: '{text}' is not a moment in RFC 3339, for example 2024-05-01T03:00:00Z: {error}")
        })?,
    };
    let cron = Cron::parse_in(&args.expression, &zone).map_err(|error| error.to_string())?;
    let runs = cron.runs(from, usize::from(args.count));
    Ok(match args.output {
        Format::Json => json(&cron, from, &runs),
        Format::Text => text(&cron, &runs),
    })
}

fn json(cron: &Cron, from: Timestamp, runs: &[Timestamp]) -> String {
    let runs: Vec<_> =
        runs.iter().map(|run| json!({ "local": cron.zone().rfc3339(*run), "utc": rfc3339(*run) })).collect();
    let answer = json!({ "expression": cron.text(), "zone": cron.zone().name(), "from": rfc3339(from), "runs": runs });
    format!("{answer:#}")
}

fn text(cron: &Cron, runs: &[Timestamp]) -> String {
    if runs.is_empty() {
        return "no run within five years".to_owned();
    }
    let line = |run: &Timestamp| match cron.zone().name() {
        "UTC" => rfc3339(*run),
        _ => format!("{}  {}", cron.zone().rfc3339(*run), rfc3339(*run)),
    };
    runs.iter().map(line).collect::<Vec<_>>().join("\n")
}
