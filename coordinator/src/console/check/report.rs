//! Everything that was checked, in the order of the way that a backup goes.

use super::{
    line::{Line, State, VERSION, ending},
    planes::{self, OfPlane},
};
use serde_json::{Value, json};
use shared::{
    ids::ClusterId,
    reason::{Reason, Refusal},
    time::{Millis, Timestamp},
};
use shell::expiry::{Expiry, Kind};

/// Lines of one answer, so that it fits into a frame: a hundred planes with twenty checks each.
pub(super) const LINES_MAX: usize = 2000;
/// What belongs to no plane.
const CONTROL_PLANE: &str = "control plane";

/// What was checked, if it is one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// `backup br-admin/nightly`, `schedule br-admin/nightly`
    pub name: String,
    /// Its spec can work, as far as that is known without asking anybody; and with the answers of all planes, of which
    /// TiDB cluster it is. `None`: not every plane came so far.
    pub admitted: Result<Option<ClusterId>, Refusal>,
    /// Who holds the claim of that TiDB cluster, if it is another backup.
    pub claimed_by: Option<String>,
}

/// What the coordinator knows of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlPlane {
    /// Who it is, as the Lease names it; `None`: there is no Lease, or it is not known.
    pub leader: Option<String>,
    /// Why it does not serve yet, though it leads.
    pub leads: Result<(), String>,
    /// How long the ledger took to be read and to say that it would take a write; or why not.
    pub ledger: Result<Millis, String>,
    /// VolumeBackups and schedules that it has seen.
    pub objects: (usize, usize),
    /// When certificates and lists end.
    pub expiries: Vec<Expiry>,
}

/// Everything that was checked.
pub struct Report {
    /// Its own wall clock.
    pub now: Timestamp,
    /// The coordinator.
    pub control: ControlPlane,
    /// Those of the configuration and those of the subject.
    pub planes: Vec<OfPlane>,
    /// One backup or schedule.
    pub subject: Option<Subject>,
}

impl Report {
    /// The answer: `fine`, and every check in the order of the way that a backup goes.
    pub fn value(&self) -> Value {
        let mut lines = self.control_lines();
        lines.extend(self.planes.iter().flat_map(|plane| planes::lines(plane, self.now)));
        lines.extend(self.subject.iter().flat_map(subject_lines));
        let fine = lines.iter().all(|line| line.state != State::Refused);
        let left_out = lines.len().saturating_sub(LINES_MAX);
        json!({
            "of": self.subject.as_ref().map(|subject| &subject.name),
            "fine": fine,
            "checks": lines.iter().take(LINES_MAX).map(Line::row).collect::<Vec<_>>(),
            "leftOut": left_out,
        })
    }

    fn control_lines(&self) -> Vec<Line> {
        let control = &self.control;
        let leader = control.leader.clone().unwrap_or_else(|| "this replica".to_owned());
        let (backups, schedules) = control.objects;
        let seen = format!("{backups} VolumeBackups, {schedules} VolumeBackupSchedules are seen");
        let mut lines = vec![
            match &control.leads {
                Ok(()) => Line::fine(CONTROL_PLANE, "leader", format!("{leader} leads, version {VERSION}")),
                Err(why) => Line::without(CONTROL_PLANE, "leader", State::Refused, why.clone(), "isochronnobodyleads"),
            },
            match &control.ledger {
                Ok(took) => Line::fine(CONTROL_PLANE, "ledger", "it is read, and would be written").took(*took),
                Err(why) => {
                    let lost = Refusal::new(Reason::LedgerLost, why.clone());
                    Line::of(CONTROL_PLANE, "ledger", State::Refused, &lost)
                }
            },
            Line::fine(CONTROL_PLANE, "objects", seen),
        ];
        let own = control.expiries.iter().filter(|one| one.kind != Kind::Peer);
        lines.extend(own.map(|one| {
            let what = match one.kind {
                Kind::Own | Kind::Peer => "certificate",
                Kind::Ca => "authority",
                Kind::Crl => "revocation list",
            };
            ending(CONTROL_PLANE, what, &one.identity, one.at, self.now)
        }));
        lines
    }
}

fn subject_lines(subject: &Subject) -> Vec<Line> {
    let name = &subject.name;
    let cluster = match &subject.admitted {
        Err(refusal) => return vec![Line::of(name, "planes together", State::Refused, refusal)],
        Ok(None) => return Vec::new(),
        Ok(Some(cluster)) => cluster,
    };
    let together = format!("TiDB cluster {cluster}: every store is in one plane, every call fits into the hold");
    let claim = match &subject.claimed_by {
        None => Line::fine(name, "claim", "no other backup holds it"),
        Some(other) => {
            let text = format!("{other} holds it; this one would wait until that has ended");
            Line::of(name, "claim", State::Warning, &Refusal::new(Reason::ClaimTaken, text))
        }
    };
    vec![Line::fine(name, "planes together", together), claim]
}
