//! Programs of neighbouring versions meet in every rollout: what one says beyond the other's words ends no session.

use crate::{
    LIMIT,
    light_planes::{Log, Planes, complete, coordinator, manifest},
};
use shared::{request::Limits, time::Timestamp};
use std::sync::Arc;
use tests::control::Control;
use tokio::{task::LocalSet, time::timeout};

#[test]
fn a_plane_that_says_more_than_is_known_takes_part_all_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let control = Control::new(Limits::default(), Arc::new(|| Timestamp(1_000)));
        let planes = Planes { number: 2, members: 2, account: None, newer: true };
        coordinator(control.ports(), "c", planes, &Log::default());
        control.apply(&manifest("a", "one", 0..2)).unwrap();
        let waiting = timeout(LIMIT, control.wait("a/one", complete)).await;
        assert!(waiting.is_ok(), "{:#}", control.get("a/one").unwrap()["status"]);
    });
}
