//! How near the leases of a barrier came to their end while something went on: the planes' own, which the coordinator renews over the
//! session, and the stores', which the planes renew.

use crate::PLANES;
use shared::time::Millis;
use std::{cell::Cell, collections::BTreeMap, fmt, rc::Rc, time::Duration};
use tests::{quic_net::QuicNet, rig::Rig};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

/// A renewal, its way and its answer take so long at the most, without a fault on the way.
const LATE: u64 = 500;

/// The least that was left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Margins {
    pub(crate) plane: Millis,
    pub(crate) store: Millis,
}

impl fmt::Display for Margins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms left of a plane's own lease of 15000, {} ms of a store's of 10000", self.plane.0, self.store.0)
    }
}

/// Looks at the planes' own leases, every 10 ms of virtual time.
pub(crate) struct Watched {
    rig: Rc<Rig<QuicNet>>,
    least: Rc<Cell<Option<u64>>>,
    task: JoinHandle<()>,
}

pub(crate) fn watch(rig: &Rc<Rig<QuicNet>>) -> Watched {
    let least = Rc::new(Cell::new(None::<u64>));
    let (seen, watched) = (least.clone(), rig.clone());
    let task = tokio::task::spawn_local(async move {
        let mut last = BTreeMap::new();
        loop {
            for plane in PLANES {
                let left = watched.plane_view(plane, |view| {
                    let holding = view.members.iter().find(|member| member.stores_held > 0);
                    holding.and_then(|member| member.plane_lease_left)
                });
                let left = left.flatten();
                // A view is as old as the last step of its machine: time has run since.
                let (told, at) = *last
                    .entry(plane)
                    .and_modify(|(told, at)| {
                        if *told != left {
                            (*told, *at) = (left, Instant::now());
                        }
                    })
                    .or_insert((left, Instant::now()));
                let passed = u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX);
                if let Some(left) = told.map(|told| told.0.saturating_sub(passed)) {
                    seen.set(Some(seen.get().map_or(left, |least| least.min(left))));
                }
            }
            sleep(Duration::from_millis(10)).await;
        }
    });
    Watched { rig: rig.clone(), least, task }
}

impl Watched {
    /// Until now. Panics where nothing was held.
    pub(crate) fn margins(&self) -> Margins {
        let plane = Millis(self.least.get().expect("a plane had a lease of its own"));
        let store = self.rig.world.smallest_margin().expect("a store's lease was renewed");
        Margins { plane, store }
    }

    /// Tells them, and that nobody came near the end of a lease.
    pub(crate) fn tell(&self, what: &str) -> Margins {
        let margins = self.margins();
        println!("{what}: smallest margins {margins}");
        // Either is renewed when at most half of it is gone.
        assert!(margins.plane >= Millis(7_500 - LATE), "{what}: {margins}");
        assert!(margins.store >= Millis(5_000 - LATE), "{what}: {margins}");
        margins
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}
