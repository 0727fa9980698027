//! `loadtests clean`: planes of one AWS account delete large backups at a time, in virtual time, against EC2's own numbers.
//! The bound is arithmetic on its bucket (`facts/aws.md` A7), not a figure of ours. No plane knows of the others.

use crate::figures::{Figure, Figures};
use anyhow::ensure;
use clap::Args;
use std::{rc::Rc, time::Duration};
use tests::{
    rig::{NAMESPACE, Rig, run},
    world::{Span, WorldConfig},
};
use tokio::time::Instant;

/// Of `loadtests clean`.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct CleanArgs {
    /// Planes, all of one account and Region.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=10))]
    planes: u8,
    /// Snapshots of each plane, in all of its backups.
    #[arg(long, default_value_t = 1_500, value_parser = clap::value_parser!(u32).range(100..=20_000))]
    snapshots: u32,
    /// Backups that are deleted at a time.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(3..=6))]
    backups: u8,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// One DeleteSnapshot.
const CALL: Span = Span(150, 600);
/// EC2's bucket: so many at once, and so many a second.
const BUCKET: (u32, u32) = (100, 5);
/// What the user allows of each backup and plane, the most that can be said.
const RATIO: &str = "    snapshotsDeleteRatio: 2\n";
/// A whole backup, in virtual time.
const BACKUP: Duration = Duration::from_secs(1_800);

/// True if every figure is within its bound.
pub(crate) fn main(args: &CleanArgs) -> anyhow::Result<bool> {
    let figures = run(world(args), async |rig: Rc<Rig>| clean(*args, &rig).await)?;
    figures.print(args.json)?;
    Ok(figures.ok())
}

/// A small cluster: what is deleted is multiplied once it is there.
fn world(args: &CleanArgs) -> WorldConfig {
    let planes = u32::from(args.planes);
    let mut config = WorldConfig {
        planes: WorldConfig::named_planes(planes),
        stores_per_plane: 1,
        regions: planes * 2,
        accounts: planes * 4,
        transfers_per_second: 1,
        ..WorldConfig::seeded(1)
    };
    (config.ec2.delete, config.ec2.delete_bucket) = (CALL, BUCKET);
    config
}

async fn clean(args: CleanArgs, rig: &Rig) -> anyhow::Result<Figures> {
    let keys: Vec<String> = (1..=args.backups).map(|number| format!("{NAMESPACE}/backup-{number}")).collect();
    for key in &keys {
        let name = key.split('/').next_back().unwrap_or_default();
        rig.control.apply(&rig.manifest_of(name, name, "Delete", RATIO))?;
        let ended = |object: Option<&serde_json::Value>| object.is_some_and(|it| it["status"]["phase"] == "Complete");
        let waiting = rig.control.wait(key, ended);
        ensure!(tokio::time::timeout(BACKUP, waiting).await.is_ok(), "{key} is {:?}", rig.control.phase(key));
    }
    let own = rig.world.left_over().snapshots;
    let wanted = u64::from(args.planes) * u64::from(args.snapshots);
    rig.world.multiply_snapshots(usize::try_from((wanted / own).saturating_sub(1))?);
    let (all, before) = (rig.world.left_over().snapshots, rig.world.mutations());

    let begun = Instant::now();
    for key in &keys {
        rig.control.delete(key);
    }
    let bound = all.saturating_sub(u64::from(BUCKET.0)) as f64 / f64::from(BUCKET.1);
    let limit = Duration::from_secs_f64(bound * 3.0 + 600.0);
    let gone = async {
        for key in &keys {
            rig.control.wait(key, |object| object.is_none()).await;
        }
    };
    let in_time = tokio::time::timeout(limit, gone).await.is_ok();
    let took = begun.elapsed().as_secs_f64();

    let after = rig.world.mutations();
    let calls = after.ec2_delete_calls - before.ec2_delete_calls;
    let deleted = (after.ec2_deletes - before.ec2_deletes) as f64;
    let throttled = (after.ec2_throttles - before.ec2_throttles) as f64 / calls.max(1) as f64 * 100.0;
    let there_was = f64::from(BUCKET.0) + f64::from(BUCKET.1) * took;
    let mut figures = Figures::default();
    figures.add(Figure::shown("snapshots, one account", all as f64, ""));
    figures.add(Figure::shown("backups deleted", took, "s"));
    figures.add(Figure::shown("of it EC2's own pace, by its bucket", bound, "s"));
    figures.add(Figure::at_least("deletions, of what EC2 would have granted", deleted / there_was, "", 0.95));
    figures.add(Figure::at_most("calls that EC2 refused by rate", throttled, "%", 3.0));
    ensure!(in_time, "not gone after {limit:?}");
    let left = rig.world.left_over().snapshots;
    figures.add(Figure::at_most("snapshots left", left as f64, "", 0.0));
    Ok(figures)
}
