//! Targets by what they are found by, and their time.

use super::{beneath::Volumes, engine::State, target::Target};

impl State {
    /// The one of this name.
    pub(crate) fn target_named(&mut self, namespace: &str, name: &str) -> Option<&mut Target> {
        self.targets.iter_mut().find(|target| target.spec.namespace == namespace && target.spec.name == name)
    }

    /// The one whose PD is there.
    pub(crate) fn target_at(&mut self, url: &str) -> Option<&mut Target> {
        self.targets.iter_mut().find(|target| target.spec.url() == url)
    }

    /// The one with a TiKV at this address.
    pub(crate) fn target_of(&mut self, address: &str) -> Option<&mut Target> {
        self.targets.iter_mut().find(|target| target.cluster.pod_at(address).is_some())
    }

    /// Lets targets live up to now.
    pub(crate) fn advance_targets(&mut self) {
        if self.targets.is_empty() {
            return;
        }
        let now = self.wall();
        let mut targets = std::mem::take(&mut self.targets);
        for target in &mut targets {
            target.cluster.advance(now, &Volumes(self));
        }
        self.targets = targets;
    }
}
