//! `cargo demo`: everything in one process over real QUIC and mutual TLS on loopback, on a simulated TiDB cluster, EC2
//! and S3.
//!
//! ```text
//! search (virtual time)   which seed tears a transfer without a barrier?
//! rig    (real time)      world + coordinator + one plane actor per plane
//! show                    apply, watch, prove, restore, delete, nothing left
//! ```

mod args;
mod banks;
mod progress;
mod report;
mod rig;
mod search;

pub(crate) use args::DemoArgs;

/// True if everything that the demo promises held.
pub(crate) fn main(args: &DemoArgs) -> anyhow::Result<bool> {
    shell::telemetry::init(shell::telemetry::Format::Text, &args.log)?;
    let progress = progress::Progress::new(args.json);
    progress.say(&format!(
        "Looking for a seed in which a backup without a barrier tears a transfer (virtual time, from seed {})",
        args.seed
    ));
    let found = search::search(args)?;
    progress.say(&format!("Seed {}: without a barrier {}", found.seed, found.sentence()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shown = tokio::task::LocalSet::new().block_on(&runtime, rig::show(args, found, &progress))?;
    progress.end();
    if args.json {
        println!("{}", shown.json());
    } else {
        println!("{}", shown.text());
    }
    Ok(shown.holds())
}
