//! What stands on a snapshot: by what it is found, what the user wants on it, and what its volume bears, as room allows.

use crate::actors::plane_context::PlaneContext;
use shared::{
    ids::{Attempt, ClusterId, PlaneId, VolumeId},
    request::{MemberSpec, S3Target},
};
use std::collections::{BTreeMap, BTreeSet};

/// Tags of one resource (`facts/aws.md` A1). What EC2 copies from a volume counts among them.
const MOST: usize = 50;
/// BR puts each tag of a snapshot on the volume that it restores, behind these words: they pile up with every round of
/// backup and restore (`facts/tidb-operator.md` §4.5), so they are the first to be left out.
const PILED: &str = "snapshot/";

pub(super) const BACKUP: &str = "isochron/backup-uid";
pub(super) const PLANE: &str = "isochron/plane";
pub(super) const ATTEMPT: &str = "isochron/attempt";
pub(super) const NAME: &str = "isochron/backup-name";
pub(super) const NAMESPACE: &str = "isochron/backup-namespace";
pub(super) const CLUSTER: &str = "isochron/cluster-id";
/// Name of the ledger of the plane that made it: in one account two planes may have one name.
pub(super) const LEDGER: &str = "isochron/ledger";
/// Where its files are, where a tag can say it: by them a person, or a plane, finds what a lost record knew.
pub(super) const PATH: &str = "isochron/path";

/// Characters that EC2 is sure to take besides letters, digits and spaces (EC2 user guide, *Tag your resources*:
/// restrictions), and how many of them.
const TAG_SIGNS: &str = "+-=._:/@";
const TAG_VALUE_MAX: usize = 256;

/// `s3://BUCKET/PREFIX`; `None`: no tag can say it.
pub(super) fn path(storage: &S3Target) -> Option<String> {
    let path = storage.path();
    let fits = path.len() <= TAG_VALUE_MAX;
    let plain = path.chars().all(|sign| sign.is_ascii_alphanumeric() || TAG_SIGNS.contains(sign));
    (fits && plain).then_some(path)
}

/// Key and value.
pub(crate) type Tag = (String, String);
/// Each volume's own tags, without `aws:` ones.
pub(crate) type VolumeTags = BTreeMap<VolumeId, Vec<Tag>>;

/// Tags by which everything of a backup in a plane is found.
pub(super) fn backup_tags(attempt: &Attempt, plane: &PlaneId) -> Vec<Tag> {
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    vec![tag(BACKUP, attempt.backup.as_str()), tag(PLANE, plane.as_str())]
}

/// Tags by which everything of an attempt in a plane is found.
pub(super) fn attempt_tags(attempt: &Attempt, plane: &PlaneId) -> Vec<Tag> {
    let mut tags = backup_tags(attempt, plane);
    tags.push((ATTEMPT.to_owned(), attempt.number.to_string()));
    tags
}

/// What the snapshots of one attempt bear.
pub(super) struct Tagging<'a> {
    /// By what they are found, then the user's own.
    certain: Vec<Tag>,
    of_volumes: &'a VolumeTags,
}

/// What one call asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CallTags {
    /// On each snapshot, at most [`MOST`].
    pub(super) tags: Vec<Tag>,
    /// EC2 adds to each what its own volume bears.
    pub(super) copies: bool,
    /// Some tag of a volume is left out: there is no room.
    pub(super) cut: bool,
}

impl<'a> Tagging<'a> {
    pub(super) fn new(
        env: &PlaneContext,
        attempt: &Attempt,
        spec: &MemberSpec,
        cluster: ClusterId,
        of_volumes: &'a VolumeTags,
    ) -> Self {
        let mut certain = attempt_tags(attempt, &env.config.plane);
        certain.push((NAME.to_owned(), spec.backup_name.clone()));
        certain.push((NAMESPACE.to_owned(), spec.backup_namespace.clone()));
        certain.push((CLUSTER.to_owned(), cluster.to_string()));
        // An earlier version's ledger has no name until it is saved, which it is before any snapshot.
        certain.push((LEDGER.to_owned(), env.ledger.name()));
        certain.extend(path(&spec.storage).map(|path| (PATH.to_owned(), path)));
        certain.extend(env.config.tags.iter());
        Self { certain, of_volumes }
    }

    /// Of a call for these volumes. EC2 copies each volume's own tags where the call takes several and all of them fit; how
    /// it takes a key that is asked for and copied is not documented, so that never occurs. One volume's tags are asked for
    /// by name, because CreateSnapshot copies none. Where there is no room for all, the volumes' common ones are asked for.
    pub(super) fn of_call(&self, volumes: &BTreeSet<VolumeId>) -> CallTags {
        let own: Vec<&[Tag]> =
            volumes.iter().map(|volume| self.of_volumes.get(volume).map_or(&[][..], Vec::as_slice)).collect();
        let certain: BTreeSet<&str> = self.certain.iter().map(|(key, _)| key.as_str()).collect();
        let fits = |tags: &&[Tag]| {
            certain.len() + tags.len() <= MOST && tags.iter().all(|(key, _)| !certain.contains(key.as_str()))
        };
        let copies = own.len() > 1 && own.iter().any(|tags| !tags.is_empty()) && own.iter().all(fits);
        if copies {
            return CallTags { tags: self.certain.clone(), copies, cut: false };
        }
        let mut tags = self.certain.clone();
        let mut common: Vec<&Tag> = own
            .first()
            .into_iter()
            .flat_map(|first| first.iter())
            .filter(|tag| own.iter().all(|tags| tags.contains(tag)) && !certain.contains(tag.0.as_str()))
            .collect();
        common.sort_by_key(|tag| (tag.0.starts_with(PILED), *tag));
        tags.extend(common.into_iter().take(MOST.saturating_sub(self.certain.len())).cloned());
        let asked: BTreeSet<&str> = tags.iter().map(|(key, _)| key.as_str()).collect();
        let cut = own.iter().any(|tags| tags.iter().any(|(key, _)| !asked.contains(key.as_str())));
        CallTags { tags, copies: false, cut }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn tag(key: &str) -> Tag {
        (key.to_owned(), "v".to_owned())
    }

    fn many(prefix: &str, count: usize) -> Vec<Tag> {
        (0..count).map(|number| tag(&format!("{prefix}{number:02}"))).collect()
    }

    fn of(certain: usize, volumes: &[(&str, Vec<Tag>)]) -> CallTags {
        let of_volumes: VolumeTags =
            volumes.iter().map(|(volume, tags)| (VolumeId::new(*volume), tags.clone())).collect();
        let wanted = of_volumes.keys().cloned().collect();
        Tagging { certain: many("isochron/", certain), of_volumes: &of_volumes }.of_call(&wanted)
    }

    #[test]
    fn tags_of_several_volumes_are_copied_where_all_fit() {
        let told = of(6, &[("a", many("a", 44)), ("b", vec![])]);
        assert_eq!((told.tags.len(), told.copies, told.cut), (6, true, false));
        let told = of(7, &[("a", many("a", 44)), ("b", vec![])]);
        assert_eq!((told.tags.len(), told.copies, told.cut), (7, false, true), "one too many for the first volume");
        let told = of(6, &[("a", vec![]), ("b", vec![])]);
        assert_eq!(told, CallTags { tags: many("isochron/", 6), copies: false, cut: false }, "nothing to copy");
    }

    #[test]
    fn a_key_is_never_both_asked_for_and_copied() {
        let both = vec![tag("isochron/00"), tag("x")];
        let told = of(6, &[("a", both.clone()), ("b", both)]);
        assert!(!told.copies);
        let keys: BTreeSet<&str> = told.tags.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!((keys.len(), told.tags.len(), told.cut), (7, 7, false), "{told:?}");
    }

    #[test]
    fn one_volumes_tags_are_asked_for_by_name_and_piled_up_ones_go_first() {
        let mut own = many("snapshot/", 40);
        own.extend(many("zone", 20));
        let told = of(6, &[("a", own)]);
        assert_eq!((told.tags.len(), told.copies, told.cut), (MOST, false, true));
        assert_eq!(told.tags.iter().filter(|(key, _)| key.starts_with("zone")).count(), 20);
        assert_eq!(told.tags.iter().filter(|(key, _)| key.starts_with(PILED)).count(), 24);
    }

    #[test]
    fn without_room_for_all_what_volumes_have_in_common_is_asked_for() {
        let with = |more: &str| many("c", 10).into_iter().chain(many(more, 40)).collect::<Vec<_>>();
        let told = of(6, &[("a", with("a")), ("b", with("b"))]);
        assert_eq!((told.tags.len(), told.copies, told.cut), (16, false, true));
    }
}
