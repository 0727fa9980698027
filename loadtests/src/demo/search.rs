//! The control: the same world, seed and restore function; only the moment of one plane's snapshots differs. Searched in
//! virtual time, so that many seeds cost little.

use super::args::DemoArgs;
use anyhow::bail;
use shared::ids::SnapshotId;
use std::time::Duration;
use tests::world::{Control, Restored, World, WorldConfig};

/// Seeds looked at before giving up. About every second one tears a transfer; 50 leave nothing to luck.
const SEEDS: u64 = 50;
/// How long the bank runs before the cut.
const WARM_UP: Duration = Duration::from_secs(3);
/// How much later the last plane cuts: what an uncoordinated job start costs at the least.
const LATE: Duration = Duration::from_secs(3);

/// What the search found.
pub(crate) struct Found {
    pub(crate) seed: u64,
    pub(crate) late_plane: String,
    pub(crate) restored: Restored,
}

impl Found {
    /// Names the torn transfer.
    pub(crate) fn sentence(&self) -> String {
        let Restored { total, expected, torn, .. } = &self.restored;
        let named = torn.first().map_or(String::new(), |torn| {
            format!(
                ": {} of transfer {} (account {} to {}) is in {}'s snapshots, but its other half is missing from {}'s",
                torn.transfer.amount,
                torn.transfer.id,
                torn.transfer.from,
                torn.transfer.to,
                torn.present.plane,
                torn.absent.plane
            )
        });
        format!(
            "({} cut {} s later) the restored bank holds {total} instead of {expected}, {} torn transfers{named}",
            self.late_plane,
            LATE.as_secs(),
            torn.len()
        )
    }
}

/// The world that both the control and the demo run in.
pub(crate) fn config(args: &DemoArgs, seed: u64) -> WorldConfig {
    WorldConfig {
        planes: WorldConfig::named_planes(args.planes),
        stores_per_plane: args.stores,
        ..WorldConfig::seeded(seed)
    }
}

pub(crate) fn search(args: &DemoArgs) -> anyhow::Result<Found> {
    let late_plane = format!("az{}", args.planes);
    for seed in args.seed..args.seed.saturating_add(SEEDS) {
        let restored = control(config(args, seed), &late_plane)?;
        // One plane alone has no other to be late against; then any seed will do.
        if (!restored.sum_ok && !restored.torn.is_empty()) || args.planes == 1 {
            return Ok(Found { seed, late_plane, restored });
        }
    }
    bail!("no seed from {} on tears a transfer within {SEEDS} tries", args.seed)
}

fn control(config: WorldConfig, late_plane: &str) -> anyhow::Result<Restored> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    Ok(runtime.block_on(async {
        let world = World::new(config);
        let living = world.clone();
        let life = tokio::spawn(async move { living.run().await });
        tokio::time::sleep(WARM_UP).await;
        let control = Control { late_plane: late_plane.to_owned(), by: LATE };
        let cut = world.snapshot_without_barrier(&control).await;
        let restored = world.restore_cut(&cut);
        life.abort();
        restored
    }))
}

/// Snapshot ids of a status' certificate, all planes.
pub(crate) fn snapshots_of(record: &shared::barrier::Record) -> Vec<SnapshotId> {
    record
        .certificate
        .iter()
        .flat_map(|certificate| certificate.planes.values())
        .flat_map(|plane| plane.evidence.snapshots.iter().map(|snapshot| snapshot.snapshot.clone()))
        .collect()
}
