//! Volumes that restores in this plane have made and that are attached to nothing, by the tags that each bears from its create
//! call on; and their deletion, on the same word as that of snapshots.

use super::{
    super::{
        build,
        left::line,
        question::{Look, Stop},
    },
    names::Names,
};
use crate::{
    budgets::Action,
    ports::{Cloud, CloudError, VolumeInfo, VolumeState},
};
use shared::{
    ids::BackupUid,
    restore::tags,
    time::{Millis, Timestamp},
    wire::{CleanReport, UnnamedVolumes},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Pages of one list, as of snapshots.
const PAGES: usize = 1_000;
/// Another coordinator, or a copy of this one's ledger, has said something of a restore by then.
const RECENT: Millis = Millis::secs(24 * 3_600);
/// Deleting the volumes of one restore: some hundreds at EC2's rate, and as long again.
const LIMIT: Duration = Duration::from_secs(300);

/// Those of one restore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    volumes: u64,
    gib: u64,
    namespace: String,
    name: String,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// EC2 does not say when one was made.
    ageless: bool,
    /// Names of the ledgers of who made them.
    ledgers: BTreeSet<String>,
}

impl Left {
    fn add(&mut self, info: &VolumeInfo) {
        let tag = |key| tag(info, key).unwrap_or_default().to_owned();
        if self.volumes == 0 {
            (self.namespace, self.name) = (tag(tags::NAMESPACE), tag(tags::NAME));
        }
        self.volumes = self.volumes.saturating_add(1);
        self.gib = self.gib.saturating_add(info.gib);
        self.first = self.first.into_iter().chain(info.created).min();
        self.last = self.last.max(info.created);
        self.ageless |= info.created.is_none();
        // Two are as good as many: somebody else's are among them.
        if self.ledgers.len() < 2 {
            self.ledgers.insert(tag(tags::LEDGER));
        }
    }

    /// Why a person's word does not delete them.
    fn kept(&self, ledger: &str, now: Timestamp) -> Option<String> {
        let by_hand = "by hand they go with `aws ec2 delete-volume`";
        let recent = self.ageless || self.last.is_some_and(|last| last > now || now.since(last) < RECENT);
        if ledger.is_empty() || self.ledgers.iter().any(|made_by| made_by != ledger) {
            Some(format!("another plane of this name made them, or this one before its ledger was lost; {by_hand}"))
        } else if recent {
            Some("they are less than 24 h old, and a restore may be under way that is not known here".to_owned())
        } else {
            None
        }
    }

    /// For the coordinator.
    pub(super) fn told(&self, restore: &BackupUid, ledger: &str, now: Timestamp) -> UnnamedVolumes {
        UnnamedVolumes {
            restore: restore.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            volumes: self.volumes,
            gib: self.gib,
            first: self.first,
            kept: self.kept(ledger, now),
        }
    }
}

/// Page after page; what was seen until something stopped it. `only`: of this restore.
pub(super) async fn look_for(
    look: &Look<'_>,
    cloud: &Cloud,
    names: &Names,
    only: Option<&BackupUid>,
) -> (BTreeMap<BackupUid, Left>, Option<Stop>) {
    let plane = look.env().config.plane.to_string();
    let mut wanted = vec![(tags::PLANE.to_owned(), plane)];
    wanted.extend(only.map(|restore| (tags::RESTORE.to_owned(), restore.to_string())));
    let (mut left, mut page) = (BTreeMap::new(), None);
    for _ in 0..PAGES {
        let asked = || cloud.volumes.find_volumes(&wanted, page.clone());
        let answer = match look.ec2(cloud, Action::VolumesByFilter, asked).await {
            Ok(answer) => answer,
            Err(stop) => return (left, Some(stop)),
        };
        add(&mut left, &answer.volumes, names);
        match answer.next {
            None => return (left, None),
            Some(next) if page.as_ref() == Some(&next) => break,
            next => page = next,
        }
    }
    let text = format!("DescribeVolumes: no end: a page came twice, or more than {PAGES}");
    (left, Some(Stop::Answer(CloudError::OutcomeUnknown(text))))
}

fn add(left: &mut BTreeMap<BackupUid, Left>, page: &[VolumeInfo], names: &Names) {
    let idle = |info: &&VolumeInfo| matches!(info.state, VolumeState::Available | VolumeState::Error);
    for info in page.iter().filter(idle) {
        let Some(restore) = tag(info, tags::RESTORE).map(BackupUid::new) else { continue };
        let attempt = tag(info, tags::ATTEMPT).and_then(|number| number.parse().ok()).unwrap_or_default();
        let key = (restore, attempt);
        if !names.has(&key) {
            left.entry(key.0).or_default().add(info);
        }
    }
}

/// Deletes those of a restore that nothing keeps. They are old, so that none can be hidden.
pub(super) async fn delete(look: &Look<'_>, cloud: &Cloud, row: &UnnamedVolumes, sum: &mut CleanReport) {
    let UnnamedVolumes { restore, volumes, kept: None, .. } = row else { return };
    tracing::warn!(%restore, volumes, "deleting volumes of a restore that nothing knows, on a person's word");
    match build::take_away(look.env(), cloud, restore.as_str(), Millis(0), LIMIT).await {
        Ok(taken) => {
            let text =
                format!("{} volumes of {} GiB of restore {restore} were deleted", taken.deleted.len(), taken.gib);
            line(&mut sum.notes, text);
            for stays in taken.stays {
                line(&mut sum.left, format!("{}: {}", stays.volume, stays.why));
            }
        }
        Err(refusal) => line(&mut sum.left, format!("volumes of restore {restore}: {refusal}")),
    }
}

fn tag<'a>(info: &'a VolumeInfo, key: &str) -> Option<&'a str> {
    info.tags.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_old_and_this_planes_goes() {
        let now = Timestamp(1_000_000_000);
        let old = Left {
            last: Some(Timestamp(now.0 - 24 * 3_600_000)),
            ledgers: BTreeSet::from(["l-1".to_owned()]),
            ..Left::default()
        };
        assert_eq!(old.kept("l-1", now), None);
        let with = |change: fn(&mut Left)| {
            let mut left = old.clone();
            change(&mut left);
            left.kept("l-1", now).unwrap()
        };
        assert!(with(|left| left.last = Some(Timestamp(1_000_000_000 - 24 * 3_600_000 + 1))).contains("24 h"));
        assert!(with(|left| left.last = Some(Timestamp(1_000_000_001))).contains("24 h"), "a clock that is behind");
        assert!(with(|left| left.ageless = true).contains("24 h"));
        assert!(with(|left| left.ledgers.extend(["l-2".to_owned()])).contains("another plane"));
        assert!(with(|left| left.ledgers = BTreeSet::from([String::new()])).contains("another plane"));
        assert!(old.kept("", now).is_some(), "a ledger without a name");
    }
}
