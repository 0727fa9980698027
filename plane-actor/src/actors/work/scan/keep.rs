//! May what nothing names go on a person's word? Only what this very plane made, that nobody can be at work with, and that
//! nothing proves to be a backup: a record that is not here may be somewhere else.

use super::{files::Files, names::Key, seen::Group};
use shared::time::{Millis, Timestamp};

/// No attempt that another coordinator, or a copy of this one's ledger, may know of is deleted: by then either has said
/// something of it.
const RECENT: Millis = Millis::secs(24 * 3600);

/// Why it stays; `None`: it may go. `ledger`: the name of this plane's own.
pub(super) fn why(
    (_, attempt): &Key,
    group: &Group,
    files: &Files,
    ledger: &str,
    busy: bool,
    now: Timestamp,
) -> Option<String> {
    let recent = group.last.is_some_and(|last| last > now || now.since(last) < RECENT);
    let by_hand = "by hand it goes with `aws ec2 delete-snapshot` and `aws s3 rm`";
    let text = if busy {
        "this plane works on it at this moment".to_owned()
    } else if *attempt == 0 {
        format!("its tags do not say of which attempt it is; {by_hand}")
    } else if group.pending {
        "EC2 is still at work at a snapshot of it".to_owned()
    } else if group.ledgers.contains("") {
        format!("an earlier version made it, whose tags do not tell planes of one name apart; {by_hand}")
    } else if ledger.is_empty() || group.ledgers.iter().any(|made_by| made_by != ledger) {
        format!("another plane of this name made it, or this one before its ledger was lost; {by_hand}")
    } else if recent {
        "it is less than 24 h old, and an attempt may be under way that is not known here".to_owned()
    } else {
        match files {
            Files::Certified => format!(
                "{} certifies it: apply its object again to have it back, or delete the certificate there first",
                group.path().unwrap_or_default()
            ),
            Files::Unplaced => format!("its tags do not say where its files are, which may certify it; {by_hand}"),
            Files::Unread(why) => format!("whether its files certify it is not known: {why}"),
            Files::None | Files::Reserved => return None,
        }
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use shared::ids::BackupUid;
    use std::collections::BTreeSet;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn old() -> Group {
        let mut group = Group::of_files("s3://b/p-az1".to_owned(), "l-1".to_owned());
        (group.snapshots, group.last) = (3, Some(Timestamp(NOW.0 - 24 * 3_600_000)));
        group
    }

    fn said(group: &Group, files: &Files) -> Option<String> {
        why(&(BackupUid::new("u"), 1), group, files, "l-1", false, NOW)
    }

    #[test]
    fn only_what_this_plane_surely_made_and_nothing_proves_may_go() {
        assert_eq!(said(&old(), &Files::None), None);
        assert_eq!(said(&old(), &Files::Reserved), None);
        let with = |change: fn(&mut Group)| {
            let mut group = old();
            change(&mut group);
            said(&group, &Files::None).unwrap()
        };
        assert!(with(|group| group.pending = true).contains("still at work"));
        assert!(with(|group| group.last = Some(Timestamp(NOW.0 - 24 * 3_600_000 + 1))).contains("24 h"));
        assert!(with(|group| group.last = Some(Timestamp(NOW.0 + 1))).contains("24 h"), "a clock that is behind");
        assert!(with(|group| group.ledgers = BTreeSet::from(["l-2".to_owned()])).contains("another plane"));
        assert!(with(|group| group.ledgers.extend(["l-2".to_owned()])).contains("another plane"));
        assert!(with(|group| group.ledgers.extend([String::new()])).contains("earlier version"));
        assert!(said(&old(), &Files::Certified).unwrap().contains("s3://b/p-az1 certifies"));
        assert!(said(&old(), &Files::Unplaced).is_some());
        assert!(said(&old(), &Files::Unread("denied".to_owned())).unwrap().contains("denied"));
    }

    #[test]
    fn what_this_plane_works_on_or_cannot_place_stays() {
        let key = |attempt| (BackupUid::new("u"), attempt);
        assert!(why(&key(1), &old(), &Files::None, "l-1", true, NOW).unwrap().contains("works on it"));
        assert!(why(&key(0), &old(), &Files::None, "l-1", false, NOW).unwrap().contains("attempt"));
        assert!(why(&key(1), &old(), &Files::None, "", false, NOW).is_some(), "a ledger without a name");
    }
}
