//! Looks once a second, and tells what differs.

use crate::ports::WatchEvent;
use std::{collections::BTreeMap, time::Duration};
use tokio::{sync::mpsc, time::Instant};

/// Between two scans.
const SCAN: Duration = Duration::from_secs(1);
/// Everything is told again this often, as from an API server.
const RESYNC: Duration = Duration::from_secs(30);

/// Tells what `look` finds, whenever it differs, until the receiver is gone. `None`: nothing can be said now.
pub(super) async fn tell<U, T, F>(look: impl Fn() -> F + Send + Sync, events: mpsc::Sender<WatchEvent<U, T>>)
where
    U: Ord + Clone + Send,
    T: PartialEq + Clone + Send,
    F: Future<Output = Option<BTreeMap<U, T>>> + Send,
{
    let mut told: BTreeMap<U, T> = BTreeMap::new();
    let mut synced = false;
    let mut resync = Instant::now() + RESYNC;
    let mut ticks = tokio::time::interval(SCAN);
    // A slow disk or receiver gets the next scan, not all that it missed.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = events.closed() => return,
            _ = ticks.tick() => {}
        }
        let Some(now) = look().await else { continue };
        let again = Instant::now() >= resync;
        if again {
            resync = Instant::now() + RESYNC;
        }
        let gone = told.keys().filter(|uid| !now.contains_key(*uid)).cloned().map(WatchEvent::Gone);
        let changed = now.iter().filter(|(uid, object)| again || told.get(*uid) != Some(*object));
        let mut news: Vec<WatchEvent<U, T>> = gone.collect();
        news.extend(changed.map(|(_, object)| WatchEvent::Applied(Box::new(object.clone()))));
        if !std::mem::replace(&mut synced, true) {
            news.push(WatchEvent::Synced);
        }
        told = now;
        for event in news {
            if events.send(event).await.is_err() {
                return;
            }
        }
    }
}
