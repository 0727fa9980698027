//! What is always so.

use super::{machine::Restoring, stage::Stage};

impl Restoring {
    /// # Errors
    /// What is not.
    pub fn check(&self) -> Result<(), &'static str> {
        let record = &self.record;
        let stage = record.stage;
        let of_cluster = (Stage::Confirming..=Stage::Finishing).contains(&stage) && record.request.makes_a_cluster();
        let rules = [
            (
                "an epoch stands under each order to a cluster",
                !of_cluster || record.cluster.is_some() && record.epoch.0 > 0,
            ),
            ("a drill marks nothing and starts nothing", record.request.makes_a_cluster() || !is_of_cluster(stage)),
            ("times are chosen before the first flashback", stage != Stage::RollingBack || record.times.is_some()),
            ("a cluster is Complete by its certificate", !self.is_complete_cluster() || record.certificate.is_some()),
            ("what is undone has begun", stage != Stage::Undoing || record.undoes.is_some()),
            ("who failed says why", stage != Stage::Failed || record.failure.is_some()),
        ];
        rules.iter().find(|(_, holds)| !holds).map_or(Ok(()), |(rule, _)| Err(*rule))
    }

    fn is_complete_cluster(&self) -> bool {
        self.record.stage == Stage::Complete && self.record.request.makes_a_cluster()
    }
}

fn is_of_cluster(stage: Stage) -> bool {
    matches!(stage, Stage::Claiming | Stage::Confirming | Stage::Marking)
        || (Stage::Placing..=Stage::Finishing).contains(&stage)
}
