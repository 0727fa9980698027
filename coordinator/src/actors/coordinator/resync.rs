//! What is looked at again every half minute, whatever was heard meanwhile.

use super::CoordinatorActor;
use crate::metrics::Present;
use actix::Context;

impl CoordinatorActor {
    pub(super) fn resync(&mut self, ctx: &mut Context<Self>) {
        self.tell_sessions();
        self.consider_restores(ctx);
        self.recount_orphans(ctx);
        self.count_backups();
        self.verify_what_is_due(ctx);
        self.scan_if_due(ctx);
    }

    /// For the metrics; ten thousand are counted in a millisecond or two.
    fn count_backups(&self) {
        let live = self.views.values().map(|view| (Present::of(view.record.milestone), view.record.times.started));
        let over = self.ended.values().map(|ended| &ended.summary);
        let over = over.map(|summary| (Present::of(summary.milestone), summary.times.started));
        let invalid = self.invalid.keys().map(|_| (Present::Invalid, None));
        self.metrics.present(live.chain(over).chain(invalid));
    }
}
