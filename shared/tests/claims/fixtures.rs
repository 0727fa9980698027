//! One arbiter, and its effects as lines.

use shared::{
    barrier::{Claim, ClaimHolder},
    claims::{Answer, Claims, Effect, HolderRecord, Input, Want},
    epoch::Epoch,
    ids::{BackupUid, ClusterId},
    machine::Machine,
    time::{Instant, Millis, Now, Timestamp},
};

pub(crate) const CLUSTER: ClusterId = ClusterId(7);

pub(crate) fn uid(backup: &str) -> BackupUid {
    BackupUid::new(backup)
}

/// The claim as the ledger holds it.
pub(crate) fn claim(epoch: u64, backup: Option<&str>) -> Claim {
    let live = backup.map(|backup| ClaimHolder { backup: uid(backup), attempt: 1 });
    Claim { cluster: CLUSTER, epoch: Epoch(epoch), live }
}

pub(crate) fn want(backup: &str, floor: u64) -> Input {
    Input::Wanted(Want { backup: uid(backup), attempt: 1, cluster: CLUSTER, floor: Epoch(floor) })
}

pub(crate) fn give(backup: &str) -> Input {
    Input::GivenBack { backup: uid(backup), cluster: CLUSTER }
}

pub(crate) fn started(backup: &str) -> Input {
    Input::BarrierStarted { backup: uid(backup), name: format!("ns/{backup}") }
}

pub(crate) fn ended(backup: &str) -> Input {
    Input::BarrierEnded { backup: uid(backup), deleted: false }
}

pub(crate) fn read(epoch: u64, backup: Option<&str>) -> Input {
    Input::Read { cluster: CLUSTER, claim: Some(claim(epoch, backup)) }
}

pub(crate) fn holder(epoch: u64, backup: &str, record: HolderRecord) -> Input {
    Input::HolderRead { cluster: CLUSTER, epoch: Epoch(epoch), backup: uid(backup), record }
}

pub(crate) fn not_saved() -> Input {
    Input::NotSaved { cluster: CLUSTER, error: "no answer".to_owned() }
}

pub(crate) struct Kit {
    pub(crate) claims: Claims,
    now: Now,
}

impl Kit {
    /// With these barriers.
    pub(crate) fn new(backups: &[&str]) -> Self {
        let now = Now { at: Instant(0), wall: Timestamp(0) };
        let mut kit = Self { claims: Claims::default(), now };
        for backup in backups {
            assert_eq!(kit.tell(started(backup)), NONE);
        }
        kit
    }

    pub(crate) fn tell(&mut self, input: Input) -> Vec<String> {
        self.claims.step(self.now, input).iter().map(line).collect()
    }

    /// Its next timer runs out.
    pub(crate) fn wait(&mut self) -> Vec<String> {
        let (at, timer) = self.claims.deadline().expect("something is waited for");
        self.now.at = at.max(self.now.at);
        self.tell(Claims::expired(timer))
    }

    pub(crate) fn pass(&mut self, time: Millis) {
        self.now.at = self.now.at + time;
    }

    /// Has no timer.
    pub(crate) fn rests(&self) -> bool {
        self.claims.deadline().is_none()
    }

    /// Gives a backup the claim.
    pub(crate) fn grant(&mut self, backup: &str, epoch: u64) {
        assert_eq!(self.tell(want(backup, 0)), [format!("save {epoch} {backup}")]);
        assert_eq!(self.tell(Input::Saved(CLUSTER)), [format!("{backup}: granted {epoch}")]);
    }
}

pub(crate) const NONE: [&str; 0] = [];

fn line(effect: &Effect) -> String {
    match effect {
        Effect::Save(Claim { epoch, live: Some(live), .. }) => format!("save {epoch} {}", live.backup),
        Effect::Save(Claim { epoch, live: None, .. }) => format!("save {epoch} free"),
        Effect::Read(_) => "read".to_owned(),
        Effect::ReadHolder { epoch, backup, .. } => format!("read record of {backup} for {epoch}"),
        Effect::List => "list".to_owned(),
        Effect::Tell(backup, Answer::Granted(epoch)) => format!("{backup}: granted {epoch}"),
        Effect::Tell(backup, Answer::Taken(holder)) => format!("{backup}: taken by {holder}"),
        Effect::Tell(backup, Answer::Refused(refusal)) => format!("{backup}: refused, {}", refusal.reason.as_str()),
        Effect::Tell(backup, Answer::Free) => format!("{backup}: free"),
        Effect::Tell(backup, Answer::Contradicted) => format!("{backup}: contradicted"),
    }
}
