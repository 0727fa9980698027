//! One version after another, and back: a program ends in good order, and one of the other version goes on with what it left.

use super::{calendar::Version, net::YearNet, versions::as_it_saves};
use crate::soak::BROKEN;
use anyhow::ensure;
use std::time::Duration;
use tests::rig::Rig;
use tokio::time::sleep;

/// A coordinator that is told to end finishes the barriers under way first.
const ENDS_WITHIN: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(100);
/// Until planes have found a coordinator again, or it them: an idle limit, and the longest pause between two dials.
const FOUND: Duration = Duration::from_secs(60);

/// In the middle of a backup: that one is not lost.
pub(super) async fn coordinator(rig: &Rig<YearNet>, version: Version) -> anyhow::Result<()> {
    rig.net.book.excuse(true);
    rig.tell_coordinator_to_end();
    ended(|| !rig.coordinator_runs(), "the coordinator").await?;
    rig.kill_coordinator();
    if version == Version::Present {
        // It was of the version before, which saves less.
        rig.control.rewrite_records(as_it_saves);
    }
    rig.net.coordinator_is(version);
    rig.start_coordinator();
    sleep(FOUND).await;
    rig.net.book.excuse(false);
    Ok(())
}

/// Between two backups: a plane lets go at once.
pub(super) async fn plane(rig: &Rig<YearNet>, plane: &str, version: Version) -> anyhow::Result<()> {
    rig.net.book.excuse(true);
    rig.tell_plane_to_end(plane);
    ended(|| !rig.plane_runs(plane), plane).await?;
    rig.kill_plane(plane);
    if version == Version::Present {
        rig.world.ledger_of_earlier_version(plane);
    }
    rig.net.plane_is(plane, version);
    rig.start_plane(plane);
    sleep(FOUND).await;
    rig.net.book.excuse(false);
    Ok(())
}

/// While it holds its stores.
pub(super) async fn killed(rig: &Rig<YearNet>, plane: &str) {
    rig.net.book.excuse(true);
    rig.kill_plane(plane);
    sleep(BROKEN).await;
    rig.start_plane(plane);
    sleep(FOUND).await;
    rig.net.book.excuse(false);
}

async fn ended(has: impl Fn() -> bool, who: &str) -> anyhow::Result<()> {
    let mut waited = Duration::ZERO;
    while !has() {
        sleep(LOOK).await;
        waited += LOOK;
        ensure!(waited < ENDS_WITHIN, "{who} does not end");
    }
    Ok(())
}
