//! What calls find of snapshots, and how they go (`facts/aws.md` A2, A5).

use super::{Ec2, Home, Refusal, Snapshot, well_formed};
use std::time::Duration;

impl Ec2 {
    /// Every snapshot of the caller that calls can see by now.
    pub fn seen<'a>(&'a self, now: Duration, home: &'a Home) -> impl Iterator<Item = (&'a String, &'a Snapshot)> {
        self.snapshots.iter().filter(move |(_, one)| one.seen_by(now, home))
    }

    /// Every snapshot that the account may use: its own, and those of others in the Region that are shared with it or public.
    /// That is what a describe answers which names no owner (A2).
    pub fn usable<'a>(&'a self, now: Duration, home: &'a Home) -> impl Iterator<Item = (&'a String, &'a Snapshot)> {
        self.snapshots.iter().filter(move |(_, one)| {
            let shared = || one.later.shared_with.iter().any(|with| with == "all" || *with == home.account);
            one.seen_by(now, home) || one.home.region == home.region && one.seen_by(now, &one.home) && shared()
        })
    }

    /// One of them.
    ///
    /// # Errors
    /// It is none of the caller's, not visible yet, or gone.
    pub fn visible(&self, now: Duration, home: &Home, id: &str) -> Result<&Snapshot, Refusal> {
        if !well_formed(id, "snap-") {
            return Err(Refusal::new("InvalidSnapshotID.Malformed", format!("Invalid id: \"{id}\"")));
        }
        let found = self.snapshots.get(id).filter(|one| one.seen_by(now, home));
        found.ok_or_else(|| Refusal::new("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist.")))
    }

    /// DeleteSnapshot of one that calls can see. A pending one goes when it completes, and takes up its volume's slot
    /// until then.
    ///
    /// # Errors
    /// Something keeps it.
    pub fn delete(&mut self, id: &str) -> Result<(), Refusal> {
        let Some(snapshot) = self.snapshots.get_mut(id) else { return Ok(()) };
        if let Some(guard) = &snapshot.guard {
            return Err(guard.refusal(id));
        }
        if self.rules.recycle_bin {
            snapshot.later.binned = true;
            return Ok(());
        }
        snapshot.deleting = true;
        Ok(())
    }

    /// Drops what is gone, for who has no use for it.
    pub fn forget_deleted(&mut self, now: Duration) {
        self.snapshots.retain(|_, snapshot| snapshot.exists(now));
        self.volumes.retain(|_, volume| volume.exists(now));
    }
}
