//! EC2 takes one snapshot of a volume in 15 s (`facts/aws.md` A3). Who was there before is waited for while nothing is held.

use super::{checks::Checked, context::WorkContext, volumes::Calls};
use crate::actors::{plane_context::length, taken::REST};
use shared::{
    time::{Millis, Timestamp},
    wire::PlanePhase,
};

/// Waits until EC2 takes snapshots of what these calls take again. `youngest`: when the youngest of their unfinished snapshots was
/// started, whoever asked for it; by EC2's clock, so no such word is waited for longer than the rule is.
pub(super) async fn rest(context: &WorkContext, calls: &Calls, youngest: Option<Timestamp>) -> Checked<()> {
    let now = context.env.clock.now();
    let ours = context.env.rests_in(calls.values().flat_map(|(volumes, _)| volumes));
    let theirs = youngest.map_or(Millis(0), |start| Millis(REST.0.saturating_sub(now.wall.since(start).0)));
    let wait = ours.max(theirs);
    if wait == Millis(0) {
        return Ok(((), "no volume was snapshotted in the last 15 s".to_owned()));
    }
    let text = format!("waiting {} s: EC2 takes one snapshot of a volume in 15 s", wait.0.div_ceil(1_000));
    context.progress(PlanePhase::Preparing, 0, 0, text.clone());
    tokio::time::sleep(length(wait)).await;
    Ok(((), text))
}
